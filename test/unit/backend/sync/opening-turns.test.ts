import { describe, expect, it } from "vitest";
import { OpeningTurns } from "../../../../src/backend/sync/opening-turns.ts";
import { turn } from "../../../support/backend/controlled-producer.ts";

const C1 = { account: "acme", cluster: "c1" };

describe("OpeningTurns (L18)", () => {
  const { signal } = new AbortController();

  it("one session of a cluster opens at a time, also after one has failed", async () => {
    const turns = new OpeningTurns();
    const begun: number[] = [];
    const gates = [0, 1, 2].map(() => Promise.withResolvers<void>());
    const opening = gates.map(({ promise }, index) =>
      turns.run(signal, C1, async () => {
        begun.push(index);
        await promise;
        return index;
      }),
    );
    await turn();
    expect(begun).toEqual([0]);
    gates[0]?.reject(new Error("locked"));
    await expect(opening[0]).rejects.toThrow("locked");
    await turn();
    expect(begun).toEqual([0, 1]);
    gates[1]?.resolve();
    gates[2]?.resolve();
    expect(await Promise.all(opening.slice(1))).toEqual([1, 2]);
  });

  it("an agent that has left loses its turn", async () => {
    const turns = new OpeningTurns();
    const gate = Promise.withResolvers<void>();
    const first = turns.run(signal, C1, () => gate.promise);
    const left = new AbortController();
    const second = turns.run(left.signal, C1, () => expect.fail("not to be opened"));
    left.abort(new Error("gone"));
    await expect(second).rejects.toThrow("gone");
    gate.resolve();
    await first;
    expect(await turns.run(signal, C1, async () => "next")).toBe("next");
  });

  it("sessions of other clusters and accounts do not wait", async () => {
    const turns = new OpeningTurns();
    const gate = Promise.withResolvers<void>();
    const first = turns.run(signal, C1, () => gate.promise);
    expect(await turns.run(signal, { ...C1, cluster: "c2" }, async () => "c2")).toBe("c2");
    expect(await turns.run(signal, { ...C1, account: "other" }, async () => "other")).toBe("other");
    gate.resolve();
    await first;
  });
});
