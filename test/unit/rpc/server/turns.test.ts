import { expect, test } from "vitest";
import { Turns } from "../../../../src/rpc/server/turns.ts";

/** Takes turns, and returns the names of those that have begun so far. */
function begin(turns: Turns, connection: object, name: string, begun: string[], bytes = 0): void {
  void turns.take(connection, bytes).then(() => begun.push(name));
}

const turn = (): Promise<void> => new Promise(setImmediate);

test("work begins at once when little has begun, and a few in each turn otherwise", async () => {
  const turns = new Turns();
  const begun: string[] = [];
  for (let at = 0; at < 24; at++) {
    begin(turns, {}, `${at}`, begun);
  }
  await Promise.resolve();
  const counts = [begun.length];
  for (let at = 0; at < 4; at++) {
    await turn();
    counts.push(begun.length);
  }
  expect(counts).toEqual([8, 16, 24, 24, 24]);
});

test("work begins for one connection after the other, in the order of each", async () => {
  const turns = new Turns();
  const [busy, quiet] = [{}, {}];
  const begun: string[] = [];
  for (let at = 0; at < 40; at++) {
    begin(turns, busy, `busy ${at}`, begun);
  }
  begin(turns, quiet, "quiet", begun);
  await turn();
  expect(begun.slice(0, 10)).toEqual([...Array.from({ length: 9 }, (_, at) => `busy ${at}`), "quiet"]);
  while (begun.length < 41) {
    await turn();
  }
  const order = begun.filter((name) => name !== "quiet");
  expect(order).toEqual(Array.from({ length: 40 }, (_, at) => `busy ${at}`));
  await turn();
  begin(turns, busy, "at once", begun);
  await Promise.resolve();
  expect(begun.at(-1)).toBe("at once");
});

test("a large message has a turn of its own", async () => {
  const turns = new Turns();
  const begun: string[] = [];
  for (const name of ["a", "b", "c"]) {
    begin(turns, {}, name, begun, 512 * 1024);
  }
  await Promise.resolve();
  expect(begun).toEqual(["a"]);
  await turn();
  expect(begun).toEqual(["a", "b"]);
  await turn();
  expect(begun).toEqual(["a", "b", "c"]);
});

test("a connection with much work is full when a thousand wait, and another one is not", async () => {
  const turns = new Turns();
  const [busy, quiet] = [{}, {}];
  const begun: string[] = [];
  for (let at = 0; at < 1_007; at++) {
    begin(turns, busy, `busy ${at}`, begun);
  }
  expect(turns.isFull(busy)).toBe(false);
  begin(turns, busy, "last", begun);
  expect([turns.isFull(busy), turns.isFull(quiet)]).toEqual([true, false]);
  for (let at = 0; at < 10; at++) {
    begin(turns, quiet, `quiet ${at}`, begun);
  }
  expect(turns.isFull(quiet)).toBe(true);
  await turn();
  await turn();
  await turn();
  expect([turns.isFull(busy), turns.isFull(quiet)]).toEqual([false, false]);
});
