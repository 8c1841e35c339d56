import { describe, expect, it } from "vitest";
import { canonicalize, parseExact } from "../../../src/domain/canonical-json.ts";
import { canonicalVectors } from "../../support/canonical-vectors.ts";
import { batch, contentOf, PODS, put } from "../../support/store/messages.ts";
import { openWorlds } from "./open-worlds.ts";

/** Values that Postgres cannot store, and values that it must return unchanged. */
export function describePoison(database: { readonly url: string }): void {
  const openWorld = openWorlds(database);
  const poison = '"\\u0000"';

  describe("an object that cannot be stored", () => {
    it("is quarantined, and the other objects of its batch commit (R22)", async () => {
      const world = await openWorld();
      const items = Array.from({ length: 21 }, (_, index) =>
        put(`a/${String(index).padStart(2, "0")}`, {
          observed: 10,
          ...((index === 4 || index === 17) && { data: poison }),
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

    it("is dropped alone if not even a quarantined row can be stored, and is named (R22)", async () => {
      const world = await openWorld();
      const outcome = await world.apply(
        put("a/w", { observed: 10 }),
        put("a/x\0", { observed: 10 }),
        put("a/y", { observed: 10, data: poison }),
        put("a/z", { observed: 10 }),
      );
      expect(outcome).toMatchObject({
        applied: 3,
        quarantined: [
          { namespace: "a", name: "x\0", reason: expect.stringContaining("dropped: "), announced: false },
          { name: "y", announced: false },
        ],
        replyTopic: "replies/1",
      });
      expect((await world.rows()).map(({ key, state }) => [key, state])).toEqual([
        ["a/w", "present"],
        ["a/y", "quarantined"],
        ["a/z", "present"],
      ]);
      expect(
        await world.sql(
          "SELECT refused_sequence FROM resource_state WHERE cluster = $1 AND resource = 'pods'",
        ),
      ).toEqual([{ refused_sequence: String(world.sequence) }]);
    });

    it("is in inventories with its checksum, so that it is not sent again (R37)", async () => {
      const world = await openWorld();
      await world.apply(put("a/x", { observed: 10, data: poison }));
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

    it("R94: its outcome has the reply topic for a notice, in the current session only", async () => {
      const world = await openWorld();
      const refused = put("a/x", { observed: 10, data: poison });
      expect(await world.apply(put("a/y", { observed: 10 }), refused)).toMatchObject({
        quarantined: [{ name: "x" }],
        replyTopic: "replies/1",
      });
      expect(await world.apply(put("a/x", { observed: 11, content: "42" }))).toMatchObject({
        replyTopic: "replies/1",
      });
      expect(await world.apply(put("a/y", { observed: 11 }))).not.toHaveProperty("replyTopic");
      const announced = put("a/huge", { observed: 12, content: "", quarantineReason: "9 MB" });
      expect(await world.apply(announced)).not.toHaveProperty("replyTopic");
      const old = world.next();
      await world.connect("agent-2");
      const late = await world.store.applyBatch(world.signal, old, batch([refused]));
      expect(late.quarantined).toHaveLength(1);
      expect(late).not.toHaveProperty("replyTopic");
    });

    it("is stored after it changes to content that Postgres can store", async () => {
      const world = await openWorld();
      await world.apply(put("a/x", { observed: 10, data: poison }));
      await world.apply(put("a/x", { observed: 11 }));
      expect(await world.row("a/x")).toMatchObject({ state: "present", observed: "11" });
    });

    it.each([
      ["does not match its checksum (R25)", { checksum: new Uint8Array(32) }, /checksum/],
      ["is not canonical (R80)", { content: '{"b":1,"a":2}' }, /^content: not canonical at byte 7: keys out/],
      ["is not an object (R80)", { content: "42" }, /^content: expected a JSON object, found 42$/],
      [
        "is that of another object (R80)",
        { content: contentOf("a/other", { uid: "uid-a/x", data: "1" }) },
        /^content: expected metadata.name "x", found "other"$/,
      ],
      [
        "is that of an object of the same name with another uid (R80)",
        { content: contentOf("a/x", { uid: "old", data: "1" }) },
        /^content: expected metadata.uid "uid-a\/x", found "old"$/,
      ],
      [
        "has managed fields (R80)",
        { content: '{"metadata":{"managedFields":[],"name":"x","namespace":"a","uid":"uid-a/x"}}' },
        /managedFields/,
      ],
    ])(
      "is also one whose content %s; it has no checksum, so it is sent again",
      async (_what, init, reason) => {
        const world = await openWorld();
        const { applied, quarantined } = await world.apply(
          put("a/v", { observed: 10 }),
          put("a/x", { observed: 10, ...init }),
          put("a/y", { observed: 10 }),
        );
        expect(applied).toBe(3);
        expect(quarantined).toMatchObject([{ namespace: "a", name: "x", announced: false }]);
        expect(quarantined[0]?.reason).toMatch(reason);
        const rows = await world.rows();
        expect(rows.map(({ key, state, trusted }) => [key, state, trusted])).toEqual([
          ["a/v", "present", true],
          ["a/x", "quarantined", false],
          ["a/y", "present", true],
        ]);
        const { inventories } = await world.beginRun();
        const pods = inventories.find(({ resourceType }) => resourceType?.resource === "pods");
        expect(pods?.objects.map(({ checksum }) => checksum.length)).toEqual([32, 0, 32]);
        await world.apply(put("a/x", { observed: 10 }));
        expect(await world.row("a/x")).toMatchObject({ state: "present", trusted: true });
      },
    );

    it("is present without a namespace or a uid if its content has none (R80)", async () => {
      const world = await openWorld();
      const content = '{"metadata":{"name":"x"}}';
      await world.apply(put("/x", { observed: 10, uid: "", content }));
      expect(await world.row("/x")).toMatchObject({ state: "present", trusted: true });
    });

    it("is no manual edit when it is stored at last", async () => {
      const world = await openWorld();
      await world.apply(put("a/x", { observed: 10, content: "42" }));
      await world.verifyAll(20);
      const { request } = await world.beginRun();
      await world.store.applyBatch(
        world.signal,
        world.next(),
        batch([put("a/x", { observed: 30, version: "10" })], PODS, request.runId),
      );
      expect(
        await world.sql("SELECT name, cause, detail FROM reconciliation_finding WHERE cluster = $1"),
      ).toEqual([{ name: "x", cause: "UNKNOWN", detail: "could not be stored before" }]);
    });
  });

  it("the store returns stored content in canonical form (R25)", async () => {
    const storable = canonicalVectors.filter(({ storable }) => storable !== false);
    expect(storable.length).toBeGreaterThan(10);
    const world = await openWorld();
    await world.apply(
      ...storable.map(({ canonical }, index) => put(`a/${index}`, { observed: 10, data: canonical })),
    );
    for (const [index, { name, canonical }] of storable.entries()) {
      const row = await world.row(`a/${index}`);
      expect(row?.content && canonicalize(parseExact(row.content)), name).toBe(
        contentOf(`a/${index}`, { data: canonical }),
      );
    }
  });
}
