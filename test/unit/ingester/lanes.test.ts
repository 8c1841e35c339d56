import { describe, expect, it } from "vitest";
import { createLanes } from "../../../src/ingester/lanes.ts";

describe("lanes", () => {
  it("keep the order within a key, and do not wait between keys", async () => {
    const lanes = createLanes();
    const done: string[] = [];
    const gate = Promise.withResolvers<void>();
    lanes.add("a", async () => {
      await gate.promise;
      done.push("a1");
    });
    lanes.add("a", async () => void done.push("a2"));
    lanes.add("b", async () => void done.push("b1"));
    await new Promise(setImmediate);
    expect(done).toEqual(["b1"]);
    gate.resolve();
    await lanes.idle();
    expect(done).toEqual(["b1", "a1", "a2"]);
  });

  it("are idle when nothing was added, and wait for what is added while they wait", async () => {
    const lanes = createLanes();
    await lanes.idle();
    const done: string[] = [];
    lanes.add("a", async () => {
      lanes.add("a", async () => {
        await new Promise(setImmediate);
        done.push("later");
      });
    });
    await lanes.idle();
    expect(done).toEqual(["later"]);
  });
});
