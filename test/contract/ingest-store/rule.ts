import { describe, expect, it } from "vitest";
import type { BatchItem } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { TerminalError } from "../../../src/lib/errors.ts";
import { batch, PODS, put, remove } from "../../support/store/messages.ts";
import type { World } from "../../support/store/world.ts";
import { withSeed } from "../../support/vitest/seeded.ts";
import { openWorlds } from "./open-worlds.ts";

/** The rule that decides every write, as a table and as a property. */
export function describeRule(database: { readonly url: string }): void {
  const openWorld = openWorlds(database);

  describe("an observation applies if (incarnation, O) >= (row or tombstone, else low watermark)", () => {
    const cases: readonly [string, readonly BatchItem[], BatchItem, string][] = [
      ["no row: any observation", [], put("a/x", { observed: 5 }), "present@5"],
      [
        "row: older Put is refused",
        [put("a/x", { observed: 10 })],
        put("a/x", { observed: 9 }),
        "present@10",
      ],
      [
        "row: equal Put applies",
        [put("a/x", { observed: 10 })],
        put("a/x", { observed: 10, version: "9" }),
        "present@10=9",
      ],
      ["row: newer Put applies", [put("a/x", { observed: 10 })], put("a/x", { observed: 11 }), "present@11"],
      ["row: older Delete is refused", [put("a/x", { observed: 10 })], remove("a/x", 9), "present@10"],
      ["row: equal Delete applies", [put("a/x", { observed: 10 })], remove("a/x", 10), "absent@10"],
      ["row: newer Delete applies", [put("a/x", { observed: 10 })], remove("a/x", 11), "absent@11"],
      ["no row: Delete leaves a tombstone", [], remove("a/x", 7), "absent@7"],
      ["tombstone: older Put is refused", [remove("a/x", 10)], put("a/x", { observed: 9 }), "absent@10"],
      ["tombstone: newer Put applies", [remove("a/x", 10)], put("a/x", { observed: 12 }), "present@12"],
      [
        "versions compare as integers, not as text",
        [put("a/x", { observed: 9 })],
        put("a/x", { observed: 10 }),
        "present@10",
      ],
      [
        "versions of 128 bits compare exactly",
        [put("a/x", { observed: "340282366920938463463374607431768211454" })],
        put("a/x", { observed: "340282366920938463463374607431768211455" }),
        "present@340282366920938463463374607431768211455",
      ],
      [
        "a deleted and recreated object is another uid, and wins by its version (R3)",
        [put("a/x", { observed: 10, uid: "old" }), remove("a/x", 11)],
        put("a/x", { observed: 12, uid: "new" }),
        "present@12",
      ],
      [
        "a Delete with another uid deletes too (R3)",
        [put("a/x", { observed: 10, uid: "stale" })],
        remove("a/x", 12),
        "absent@12",
      ],
    ];

    it.each(cases)("%s", async (_name, before, observation, expected) => {
      const world = await openWorld();
      for (const item of before) {
        await world.apply(item);
      }
      await world.apply(observation);
      expect(await show(world, "a/x", expected.includes("="))).toBe(expected);
    });
  });

  it("the low watermark refuses a late Put of an object whose tombstone was purged (R5)", async () => {
    const world = await openWorld();
    await world.apply(put("a/x", { observed: 10 }));
    await world.apply(remove("a/x", 20));
    const { request } = await world.beginRun();
    await world.verifyResource(request.runId, PODS, 30, world.sequence + 1n);
    expect(await world.rows()).toEqual([]);
    await world.apply(put("a/x", { observed: 15 }));
    expect(await world.rows()).toEqual([]);
    await world.apply(put("a/x", { observed: 30 }));
    expect(await show(world, "a/x")).toBe("present@30");
  });

  it("a Put of the same object at the version of its tombstone applies only in a run (R54)", async () => {
    const world = await openWorld();
    const deleted = remove("a/x", 10);
    Object.assign(deleted.message.value ?? {}, { uid: "uid-a/x" });
    await world.apply(put("a/x", { observed: 10 }));
    await world.apply(deleted);
    await world.apply(put("a/x", { observed: 10 }), put("a/y", { observed: 10 }));
    expect(await show(world, "a/x")).toBe("absent@10");
    const { request } = await world.beginRun();
    await world.repair(request.runId, put("a/x", { observed: 10 }));
    expect(await show(world, "a/x")).toBe("present@10");
    await world.apply(deleted);
    await world.apply(put("a/x", { observed: 10, uid: "new" }));
    expect(await show(world, "a/x")).toBe("present@10");
  });

  it("an object stays if it was observed after the list that lacks it (R2)", async () => {
    const world = await openWorld();
    await world.apply(put("a/x", { observed: 105 }));
    await world.apply(remove("a/x", 100));
    expect(await show(world, "a/x")).toBe("present@105");
  });

  it("a row above the high watermark counts as 0 (R27)", async () => {
    const world = await openWorld();
    await world.apply(put("a/x", { observed: 10 }));
    await world.sql("UPDATE kubernetes_object SET observed_version = 999999 WHERE cluster = $1");
    await world.apply(put("a/y", { observed: 11 }));
    await world.apply(put("a/x", { observed: 12 }));
    expect(await show(world, "a/x")).toBe("present@12");
  });

  it("the high watermark before the batch decides, even if the batch raises it (R27)", async () => {
    const world = await openWorld();
    await world.apply(put("a/x", { observed: 10 }));
    await world.sql("UPDATE kubernetes_object SET observed_version = 500 WHERE cluster = $1");
    await world.apply(put("a/x", { observed: 12 }), put("a/y", { observed: 1000 }));
    expect(await show(world, "a/x")).toBe("present@12");
  });

  it("the position in the stream orders resource types whose versions do not compare (R17)", async () => {
    const world = await openWorld();
    await world.apply(put("a/x", { version: "zzz" }));
    const first = world.at(world.sequence);
    await world.apply(put("a/x", { version: "aaa" }));
    expect((await world.row("a/x"))?.version).toBe("aaa");
    await world.store.applyBatch(world.signal, first, batch([put("a/x", { version: "zzz" })]));
    expect((await world.row("a/x"))?.version).toBe("aaa");
    await world.connect("agent-2");
    await world.declare();
    await world.apply(put("a/x", { version: "mmm" }));
    expect((await world.row("a/x"))?.version).toBe("mmm");
  });

  it("a batch is refused if only some of its items have an observed version", async () => {
    const world = await openWorld();
    await expect(world.apply(put("a/x", { observed: 1 }), put("a/y"))).rejects.toThrow(TerminalError);
  });

  it("a new incarnation starts at 0 and refuses observations of the old one (R16)", async () => {
    const world = await openWorld();
    await world.apply(put("a/x", { observed: 1000 }), put("a/gone", { observed: 1000 }));
    const { request } = await world.beginRun();
    await world.verifyResource(request.runId, PODS, 1000, world.sequence + 1n);
    const old = world.at(world.sequence);
    await world.connect("agent-2");
    await world.declare();
    const apply = (incarnation: bigint | undefined, ...items: BatchItem[]) =>
      world.store.applyBatch(world.signal, world.next(), batch(items, PODS, undefined, incarnation));
    await apply(world.epoch, put("a/x", { observed: 40 }), put("a/new", { observed: 40 }));
    await apply(0n, put("a/x", { observed: 2000 }));
    await world.store.applyBatch(world.signal, old, batch([put("a/x", { observed: 2001 })]));
    await apply(undefined, put("a/new", { observed: 41 }));
    expect(await show(world, "a/x")).toBe("present@40");
    expect(await show(world, "a/new")).toBe("present@41");
    await expect(apply(world.epoch + 1n, put("a/x", { observed: 1 }))).rejects.toThrow(
      /expected an incarnation of at most/,
    );
  });

  it("a second delivery of the whole stream changes nothing (R18)", async () => {
    await withSeed("a second delivery of the whole stream changes nothing (R18)", async (random) => {
      const world = await openWorld();
      const stream: { readonly sequence: bigint; readonly items: BatchItem[] }[] = [];
      for (let version = 10; version < 40; version += 1) {
        const key = `a/${Math.floor(random.float() * 6)}`;
        const item = random.float() < 0.3 ? remove(key, version) : put(key, { observed: version });
        await world.apply(item);
        stream.push({ sequence: world.sequence, items: [item] });
      }
      const before = await world.rows();
      for (const { sequence, items } of stream) {
        await world.store.applyBatch(world.signal, world.at(sequence), batch(items));
        expect(await world.rows()).toEqual(before);
      }
    });
  });

  it("one full pass leads to the truth after any order, duplication and loss of observations (R1, R4)", async () => {
    await withSeed("one full pass leads to the truth after any order", async (random) => {
      for (let round = 0; round < 12; round += 1) {
        await checkHistory(await openWorld(), random.float);
      }
    });
  });

  async function checkHistory(world: World, random: () => number): Promise<void> {
    const truth = new Map<string, string>();
    const observations: BatchItem[] = [];
    let version = 100;
    for (let step = 0; step < 40; step += 1) {
      version += 1 + Math.floor(random() * 3);
      const key = `ns/${Math.floor(random() * 8)}`;
      if (truth.has(key) && random() < 0.35) {
        truth.delete(key);
        observations.push(remove(key, version));
      } else {
        truth.set(key, String(version));
        observations.push(put(key, { observed: version }));
      }
    }
    const delivered = observations
      .flatMap((item) => (random() < 0.2 ? [] : random() < 0.3 ? [item, item] : [item]))
      .map((item) => ({ item, rank: random() }))
      .sort((a, b) => a.rank - b.rank)
      .map(({ item }) => item);
    for (let index = 0; index < delivered.length; ) {
      const size = 1 + Math.floor(random() * 6);
      await world.apply(...delivered.slice(index, index + size));
      index += size;
    }
    // The full pass: Puts and Deletes of the list at this version, and nothing else.
    const list = version + 1;
    const keys = Array.from({ length: 8 }, (_, index) => `ns/${index}`);
    await world.apply(
      ...keys.map((key) => {
        const own = truth.get(key);
        return own === undefined ? remove(key, list) : put(key, { observed: list, version: own });
      }),
    );
    // Late messages of the history.
    await world.apply(...delivered.slice(0, 10));
    const present = (await world.rows()).filter(({ state }) => state === "present");
    expect(new Map(present.map((row) => [row.key, row.version]))).toEqual(truth);
  }
}

async function show(world: World, key: string, withVersion = false): Promise<string> {
  const row = await world.row(key);
  return row === undefined
    ? "nothing"
    : `${row.state}@${row.observed}${withVersion ? `=${row.version}` : ""}`;
}
