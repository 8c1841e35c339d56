import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { canonicalize, parseExact } from "../../../src/domain/canonical-json.ts";
import { put } from "../../support/store/messages.ts";
import { openWorlds } from "./open-worlds.ts";

/** Values that Postgres cannot store, and values that it must return unchanged. */
export function describePoison(database: { readonly url: string }): void {
  const openWorld = openWorlds(database);
  const poison = '{"text":"\\u0000"}';

  describe("an object that cannot be stored", () => {
    it("is quarantined, and the other objects of its batch commit (R22)", async () => {
      const world = await openWorld();
      const items = Array.from({ length: 21 }, (_, index) =>
        put(`a/${String(index).padStart(2, "0")}`, {
          observed: 10,
          ...((index === 4 || index === 17) && { content: poison }),
        }),
      );
      const outcome = await world.apply(...items);
      expect(outcome.applied).toBe(21);
      expect(outcome.quarantined.map(({ name }) => name)).toEqual(["04", "17"]);
      expect(outcome.quarantined[0]?.reason).toMatch(/22P05/);
      const rows = await world.rows();
      expect(rows.filter(({ state }) => state === "present")).toHaveLength(19);
      expect(
        rows.filter(({ state }) => state === "quarantined").map(({ key, content }) => [key, content]),
      ).toEqual([
        ["a/04", null],
        ["a/17", null],
      ]);
    });

    it("is in inventories with its checksum, so that it is not sent again (R37)", async () => {
      const world = await openWorld();
      await world.apply(put("a/x", { observed: 10, content: poison }));
      const { inventories } = await world.beginRun();
      const [verify] =
        inventories.find(({ resourceType }) => resourceType?.resource === "pods")?.objects ?? [];
      expect(verify).toMatchObject({ uid: "uid-a/x", resourceVersion: "10" });
      expect(verify?.checksum).toHaveLength(32);
    });

    it("can arrive without content, with the reason", async () => {
      const world = await openWorld();
      const reason = "content of 9 MB; at most 4 MiB are allowed";
      const outcome = await world.apply(
        put("a/huge", { observed: 10, content: "", quarantineReason: reason }),
        put("a/small", { observed: 10 }),
      );
      expect(outcome).toMatchObject({ applied: 2, quarantined: [{ name: "huge", reason, announced: true }] });
      expect(await world.row("a/huge")).toMatchObject({ state: "quarantined", content: null });
      const { inventories } = await world.beginRun();
      const [verify] =
        inventories.find(({ resourceType }) => resourceType?.resource === "pods")?.objects ?? [];
      expect(verify).toMatchObject({ resourceVersion: "10", contentFormat: "f1" });
      expect(verify?.checksum).toHaveLength(32);
    });

    it("is stored after it changes to content that Postgres can store", async () => {
      const world = await openWorld();
      await world.apply(put("a/x", { observed: 10, content: poison }));
      await world.apply(put("a/x", { observed: 11 }));
      expect(await world.row("a/x")).toMatchObject({ state: "present", observed: "11" });
    });

    it("is also one whose content does not match its checksum (R25)", async () => {
      const world = await openWorld();
      const outcome = await world.apply(put("a/x", { observed: 10, checksum: new Uint8Array(32) }));
      expect(outcome.quarantined[0]?.reason).toMatch(/checksum/);
      expect(await world.row("a/x")).toMatchObject({ state: "quarantined", content: null });
    });
  });

  it("the store returns stored content in canonical form (R25)", async () => {
    const vectors: readonly {
      readonly name: string;
      readonly canonical?: string;
      readonly storable?: boolean;
    }[] = JSON.parse(
      readFileSync(new URL("../../../proto/conformance/canonical.json", import.meta.url), "utf8"),
    );
    const storable = vectors.filter((vector) => vector.canonical !== undefined && vector.storable !== false);
    expect(storable.length).toBeGreaterThan(10);
    const world = await openWorld();
    await world.apply(
      ...storable.map(({ canonical }, index) =>
        put(`a/${index}`, { observed: 10, content: canonical ?? "" }),
      ),
    );
    for (const [index, { name, canonical }] of storable.entries()) {
      const row = await world.row(`a/${index}`);
      expect(row?.content && canonicalize(parseExact(row.content)), name).toBe(canonical);
    }
  });
}
