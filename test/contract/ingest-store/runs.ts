import { describe, expect, it } from "vitest";
import { ReconciliationTrigger } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { INITIATOR } from "../../../src/backend/runs/request-run.ts";
import { ConflictError, NotFoundError, TerminalError } from "../../../src/lib/errors.ts";
import { batch, CONFIG_MAPS, PODS, put, remove, resourceType } from "../../support/store/messages.ts";
import type { World } from "../../support/store/world.ts";
import { openWorlds } from "./open-worlds.ts";

/** Runs: their inventories, their ends, the scope and sessions. */
export function describeRuns(database: { readonly url: string }): void {
  const openWorld = openWorlds(database);

  describe("an inventory", () => {
    it("covers every resource type of the scope, also those without rows", async () => {
      const world = await openWorld();
      const { inventories } = await world.beginRun();
      expect(
        inventories.map(({ resourceType, chunk, objects }) => [
          resourceType?.resource,
          chunk?.range?.after,
          chunk?.range?.through,
          objects.length,
        ]),
      ).toEqual([
        ["configmaps", undefined, undefined, 0],
        ["pods", undefined, undefined, 0],
      ]);
    });

    it("has chunks that tile the key space, ordered by the bytes of namespace and then of name", async () => {
      const world = await openWorld();
      const keys = Array.from({ length: 1200 }, (_, index) => `${index % 3 === 0 ? "a-b" : "a"}/n${index}`);
      for (let index = 0; index < keys.length; index += 400) {
        await world.apply(...keys.slice(index, index + 400).map((key) => put(key, { observed: 10 })));
      }
      const { inventories } = await world.beginRun();
      const chunks = inventories.filter(({ resourceType }) => resourceType?.resource === "pods");
      expect(chunks.map(({ chunk }) => chunk?.range?.through === undefined)).toEqual([false, false, true]);
      expect(chunks[0]?.chunk?.range?.after).toBeUndefined();
      expect(chunks[1]?.chunk?.range?.after).toEqual(chunks[0]?.chunk?.range?.through);
      const listed = chunks.flatMap(({ objects }) =>
        objects.map(({ ref }) => [ref?.namespace ?? "", ref?.name ?? ""] as const),
      );
      const sorted = [...listed].sort(
        ([a, b], [c, d]) =>
          Buffer.compare(Buffer.from(a), Buffer.from(c)) || Buffer.compare(Buffer.from(b), Buffer.from(d)),
      );
      expect(listed).toEqual(sorted);
      expect(listed).toHaveLength(1200);
      const last = chunks[0]?.objects.at(-1)?.ref;
      expect(chunks[0]?.chunk?.range?.through).toMatchObject({
        namespace: last?.namespace,
        name: last?.name,
      });
    });

    it("omits tombstones, and marks objects of the initiator as managed", async () => {
      const world = await openWorld();
      await world.apply(
        put("a/gone", { observed: 10 }),
        put("a/mine", { observed: 10 }),
        put("a/other", { observed: 10 }),
        put("a/x", { observed: 10 }),
      );
      await world.apply(remove("a/gone", 11));
      await world.sql(
        "UPDATE kubernetes_object SET managed_by = 'evenkeel/backend' WHERE cluster = $1 AND name = 'mine'",
      );
      await world.sql(
        "UPDATE kubernetes_object SET managed_by = 'somebody' WHERE cluster = $1 AND name = 'other'",
      );
      const { inventories } = await world.beginRun();
      const pods = inventories.find(({ resourceType }) => resourceType?.resource === "pods");
      expect(pods?.objects.map(({ ref }) => ref?.name)).toEqual(["other", "x"]);
      expect(pods?.chunk?.managed.map(({ name }) => name)).toEqual(["mine"]);
      expect(pods?.chunk?.highWatermark).toBe("11");
    });

    it.each([
      ["content", `content = '{"at":"edited"}'`],
      ["content together with a checksum", `content = '{"at":"edited"}', checksum = sha256('x')`],
      ["resource version", "resource_version = '1'"],
      ["observed version, up", "observed_version = 99999"],
      ["observed version, down", "observed_version = 1"],
      ["uid", "uid = 'other'"],
      ["content format", "content_format = 'other'"],
    ])("has no checksum for a row whose %s was edited (R27)", async (_what, edit) => {
      const world = await openWorld();
      await world.apply(put("a/x", { observed: 10 }), put("a/y", { observed: 10 }));
      await world.sql(`UPDATE kubernetes_object SET ${edit} WHERE cluster = $1 AND name = 'x'`);
      const { inventories } = await world.beginRun();
      const objects =
        inventories.find(({ resourceType }) => resourceType?.resource === "pods")?.objects ?? [];
      expect(objects.map(({ ref, checksum }) => [ref?.name, checksum.length])).toEqual([
        ["x", 0],
        ["y", 32],
      ]);
    });

    it("has no checksum for a row above the high watermark, even if the row has one (R27)", async () => {
      const world = await openWorld();
      await world.apply(put("a/x", { observed: 10 }));
      await world.sql("UPDATE resource_state SET high_watermark = 5 WHERE cluster = $1");
      const { inventories } = await world.beginRun();
      expect(
        inventories.find(({ resourceType }) => resourceType?.resource === "pods")?.objects[0]?.checksum,
      ).toHaveLength(0);
    });

    it("covers a resource type whose state was deleted", async () => {
      const world = await openWorld();
      await world.sql("DELETE FROM resource_state WHERE cluster = $1");
      const { inventories } = await world.beginRun();
      expect(inventories.map(({ resourceType }) => resourceType?.resource)).toEqual(["configmaps", "pods"]);
    });
  });

  describe("a run", () => {
    it("counts the bytes of its inventories, those of each attempt (R33)", async () => {
      const world = await openWorld();
      const { request } = await world.beginRun();
      await world.answer(request);
      // Two resource types in each of two attempts.
      expect(
        await world.sql("SELECT inventory_bytes AS bytes FROM reconciliation_run WHERE cluster = $1"),
      ).toEqual([{ bytes: "400" }]);
    });

    it("succeeds with its last resource type, raises low watermarks, and verifies as of its request", async () => {
      const world = await openWorld();
      const { request } = await world.beginRun();
      await world.verifyResource(request.runId, PODS, 50, world.sequence + 1n);
      expect(await run(world)).toMatchObject({ state: "COMPARING" });
      await world.verifyResource(request.runId, CONFIG_MAPS, 51, world.sequence + 1n);
      expect(await run(world)).toMatchObject({ state: "SUCCEEDED", failure_reason: null });
      const resources = await world.sql(
        `SELECT k.resource, low_watermark::text, verified_at = r.started_at AS as_asked
         FROM resource_state k JOIN reconciliation_run r USING (account, cluster) WHERE cluster = $1 ORDER BY 1`,
      );
      expect(resources).toEqual([
        { resource: "configmaps", low_watermark: "51", as_asked: true },
        { resource: "pods", low_watermark: "50", as_asked: true },
      ]);
    });

    it("does not verify a resource type if a message of its range was lost (R28)", async () => {
      const world = await openWorld();
      const { request } = await world.beginRun();
      const first = world.sequence + 1n;
      world.next();
      await world.verifyResource(request.runId, PODS, 50, first);
      await world.verifyResource(request.runId, CONFIG_MAPS, 50, world.sequence + 1n);
      expect(await run(world)).toMatchObject({ state: "PARTIAL" });
      expect(await resourceTypeOf(world, "pods")).toMatchObject({
        failure_reason: "SequenceGap",
        low_watermark: "0",
        verified: false,
      });
      expect(await resourceTypeOf(world, "configmaps")).toMatchObject({
        failure_reason: null,
        low_watermark: "50",
        verified: true,
      });
    });

    it("does not verify a resource type if an item of its range was refused (R28)", async () => {
      const world = await openWorld();
      const { request } = await world.beginRun();
      const first = world.sequence + 1n;
      await world.apply(put("a/x", { observed: 10, data: '"\\u0000"' }));
      await world.verifyResource(request.runId, PODS, 50, first);
      expect(await resourceTypeOf(world, "pods")).toMatchObject({
        failure_reason: "Refused",
        verified: false,
      });
    });

    it.each([
      [
        "the first part",
        [
          [1, 3],
          [2, 3],
        ],
      ],
      [
        "a part in between",
        [
          [0, 3],
          [2, 3],
        ],
      ],
      ["the last part", [[0, 2]]],
    ] as const)(
      "does not verify a resource type if %s of a sequence of its range was lost (R28)",
      async (_, parts) => {
        const world = await openWorld();
        const { request } = await world.beginRun();
        const position = world.next();
        for (const [index, count] of parts) {
          const items = [put(`a/${index}`, { observed: 10 })];
          await world.store.applyBatch(world.signal, { ...position, part: { index, count } }, batch(items));
        }
        await world.verifyResource(request.runId, PODS, 50, position.sequence);
        expect(await resourceTypeOf(world, "pods")).toMatchObject({
          failure_reason: "SequenceGap",
          verified: false,
        });
      },
    );

    it("verifies a resource type whose sequences arrived in parts, also repeatedly", async () => {
      const world = await openWorld();
      const { request } = await world.beginRun();
      const position = world.next();
      for (const index of [0, 1, 0, 1, 2, 1]) {
        const items = [put(`a/${index}`, { observed: 10 })];
        await world.store.applyBatch(world.signal, { ...position, part: { index, count: 3 } }, batch(items));
      }
      await world.verifyResource(request.runId, PODS, 50, position.sequence);
      expect(await resourceTypeOf(world, "pods")).toMatchObject({ failure_reason: null, verified: true });
    });

    it("ignores a gap behind the range of the resource type", async () => {
      const world = await openWorld();
      world.next();
      await world.apply(put("a/x", { observed: 10 }));
      const { request } = await world.beginRun();
      await world.verifyResource(request.runId, PODS, 50, world.sequence + 1n);
      expect(await resourceTypeOf(world, "pods")).toMatchObject({ failure_reason: null, verified: true });
    });

    it("counts only rows that its repairs changed as findings (R1)", async () => {
      const world = await openWorld();
      await world.apply(
        put("a/changed", { observed: 10 }),
        put("a/ghost", { observed: 10 }),
        put("a/same", { observed: 10 }),
      );
      await world.verifyAll(40);
      const { request } = await world.beginRun();
      // In flight: the message of the watch arrives before the repair of the run.
      await world.apply(put("a/flying", { observed: 60 }));
      const repairs = [
        put("a/changed", { observed: 70, version: "65" }),
        put("a/flying", { observed: 70, version: "60" }),
        remove("a/ghost", 70),
        remove("a/nothing", 70),
        put("a/missing", { observed: 70, version: "20" }),
        put("a/same", { observed: 70, version: "10" }),
      ];
      await world.store.applyBatch(world.signal, world.next(), batch(repairs, PODS, request.runId));
      expect(
        await world.sql("SELECT name, type FROM reconciliation_finding WHERE cluster = $1 ORDER BY name"),
      ).toEqual([
        { name: "changed", type: "STALE_ROW" },
        { name: "ghost", type: "GHOST_ROW" },
        { name: "missing", type: "MISSING_ROW" },
      ]);
    });

    it("does not count the first copy of a resource type as findings", async () => {
      const world = await openWorld();
      const { request } = await world.beginRun();
      await world.store.applyBatch(
        world.signal,
        world.next(),
        batch([put("a/x", { observed: 10 })], PODS, request.runId),
      );
      expect(await world.sql("SELECT name FROM reconciliation_finding WHERE cluster = $1")).toEqual([]);
    });

    it("keeps no findings of an unknown run, because no purge would delete them", async () => {
      const world = await openWorld();
      await world.apply(put("a/x", { observed: 10 }));
      await world.verifyAll(40);
      const repair = put("a/x", { observed: 70, version: "65" });
      const unknown = "6a1b7f3c-5d0e-4f59-9d52-3c1f0c1d8e77";
      await world.store.applyBatch(world.signal, world.next(), batch([repair], PODS, unknown));
      expect(
        await world.sql("SELECT resource_version FROM kubernetes_object WHERE cluster = $1 AND name = 'x'"),
      ).toEqual([{ resource_version: "65" }]);
      expect(await world.sql("SELECT name FROM reconciliation_finding WHERE cluster = $1")).toEqual([]);
    });

    it("excludes a second run of its cluster (R12)", async () => {
      const world = await openWorld();
      await world.beginRun();
      await expect(world.beginRun()).rejects.toThrow(ConflictError);
    });

    it("ignores results after its end (R12)", async () => {
      const world = await openWorld();
      const { request } = await world.beginRun();
      await world.verifyResource(request.runId, PODS, 50, world.sequence + 1n);
      await world.verifyResource(request.runId, CONFIG_MAPS, 50, world.sequence + 1n);
      await world.verifyResource(request.runId, PODS, 90, world.sequence + 1n);
      expect(await resourceTypeOf(world, "pods")).toMatchObject({ low_watermark: "50" });
      expect(await world.answer(request)).toEqual([]);
    });

    it("keeps the first result of a resource type while others are pending (R12)", async () => {
      const world = await openWorld();
      const { request } = await world.beginRun();
      await world.verifyResource(request.runId, PODS, 50, world.sequence + 1n);
      await world.verifyResource(request.runId, PODS, 90, world.sequence + 1n);
      expect(await resourceTypeOf(world, "pods")).toMatchObject({
        low_watermark: "50",
        failure_reason: null,
      });
    });

    it("ignores results after its deadline (R12)", async () => {
      const world = await openWorld();
      const { request } = await world.beginRun();
      await world.sql("UPDATE reconciliation_run SET deadline_at = now() WHERE cluster = $1");
      await world.runs.expireRuns(world.signal);
      await world.verifyResource(request.runId, PODS, 50, world.sequence + 1n);
      expect(await resourceTypeOf(world, "pods")).toMatchObject({ low_watermark: "0", verified: false });
      expect(await world.answer(request)).toEqual([]);
      expect(await run(world)).toMatchObject({ state: "EXPIRED" });
    });

    it("answers a redelivered request as a new attempt, without the compared resource types (R33)", async () => {
      const world = await openWorld();
      const { request, inventories } = await world.beginRun();
      expect(inventories.map(({ chunk }) => chunk?.run?.attempt)).toEqual([1, 1]);
      await world.verifyResource(request.runId, PODS, 50, world.sequence + 1n);
      const again = await world.answer(request);
      expect(again.map(({ resourceType, chunk }) => [resourceType?.resource, chunk?.run?.attempt])).toEqual([
        ["configmaps", 2],
      ]);
    });

    it("is superseded by a new session, and ignores results of the old one (R34)", async () => {
      const world = await openWorld();
      const { request } = await world.beginRun();
      const late = world.next();
      await world.connect("agent-2");
      await world.verifyResource(request.runId, PODS, 50, late.sequence, late);
      expect(await run(world)).toMatchObject({ state: "SUPERSEDED" });
      expect(await resourceTypeOf(world, "pods")).toMatchObject({ low_watermark: "0", verified: false });
    });

    it("expires at its deadline", async () => {
      const world = await openWorld();
      await world.beginRun();
      await world.sql(
        "UPDATE reconciliation_run SET deadline_at = now() - interval '1 second' WHERE cluster = $1",
      );
      // Runs of other tests may expire too.
      expect(await world.runs.expireRuns(world.signal)).toBeGreaterThanOrEqual(1);
      expect(await run(world)).toMatchObject({ state: "EXPIRED" });
      await world.beginRun();
    });

    it("is refused for a cluster that is unknown or not connected", async () => {
      const world = await openWorld();
      const request = {
        account: "acme",
        cluster: "nowhere",
        initiator: INITIATOR,
        trigger: 3,
        deadlineMs: 1000,
      } as const;
      await expect(world.runs.createRun(world.signal, request)).rejects.toThrow(NotFoundError);
      await world.sessions.closeSession(world.signal, world.at(0n), false);
      await expect(
        world.runs.createRun(world.signal, { ...request, cluster: world.cluster }),
      ).rejects.toThrow(/not connected/);
    });
  });

  describe("the scope", () => {
    it("drops resource types that were removed, without tombstones, and accepts them again below the old low watermark (R30)", async () => {
      const world = await openWorld();
      await world.apply(put("a/x", { observed: 10 }), put("b/y", { observed: 10 }));
      const { request } = await world.beginRun();
      await world.verifyResource(request.runId, PODS, 100, world.sequence + 1n);
      await world.declare([CONFIG_MAPS], [], [PODS]);
      expect(await world.rows()).toEqual([]);
      const refused = await world.apply(put("a/x", { observed: 110 }));
      expect(refused.applied).toBe(0);
      await world.declare();
      await world.apply(put("a/x", { observed: 50 }));
      expect(await world.row("a/x")).toMatchObject({ state: "present", observed: "50" });
    });

    it("drops the namespaces that left it, and refuses Puts of others (R30)", async () => {
      const world = await openWorld();
      await world.apply(put("a/x", { observed: 10 }), put("b/y", { observed: 10 }));
      await world.declare([PODS, CONFIG_MAPS], ["b"]);
      expect((await world.rows()).map(({ key }) => key)).toEqual(["b/y"]);
      await world.apply(put("a/x", { observed: 20 }), put("b/z", { observed: 20 }));
      expect((await world.rows()).map(({ key }) => key)).toEqual(["b/y", "b/z"]);
    });

    it("accepts namespaces again below the old low watermark (R30)", async () => {
      const world = await openWorld();
      await world.apply(put("a/x", { observed: 10 }), put("b/y", { observed: 10 }));
      await world.verifyAll(100);
      await world.declare([PODS, CONFIG_MAPS], ["b"]);
      await world.declare([PODS, CONFIG_MAPS]);
      await world.apply(put("a/x", { observed: 50 }));
      expect(await world.row("a/x")).toMatchObject({ state: "present", observed: "50" });
    });

    it("keeps the rows of a resource type that is read in another API version (R31)", async () => {
      const world = await openWorld();
      const beta = resourceType("apps", "v1beta1", "deployments");
      await world.declare([beta]);
      await world.store.applyBatch(world.signal, world.next(), batch([put("a/x", { observed: 10 })], beta));
      await world.declare([resourceType("apps", "v1", "deployments")]);
      expect((await world.rows("deployments")).map(({ key }) => key)).toEqual(["a/x"]);
    });

    it("of an older session is ignored (R34)", async () => {
      const world = await openWorld();
      const late = world.next();
      await world.connect("agent-2");
      await world.declare();
      await world.apply(put("a/x", { observed: 10 }));
      const current = world.epoch;
      world.epoch = late.epoch;
      await world.declare([CONFIG_MAPS], [], [PODS]);
      world.epoch = current;
      expect(await world.rows()).toHaveLength(1);
    });
  });

  describe("a session", () => {
    it("requests a run only if the agent's process is a new one", async () => {
      const world = await openWorld();
      expect(await world.connect("agent-1")).toBeUndefined();
      expect(await world.connect("agent-2")).toMatchObject({ initiator: "evenkeel/backend" });
    });

    it("requests a run again if the run on connect of its predecessor did not end", async () => {
      const world = await openWorld();
      const first = await world.connect("agent-2");
      const second = await world.connect("agent-2");
      expect(second?.runId).not.toBe(first?.runId);
      expect(second).toMatchObject({ trigger: ReconciliationTrigger.CONNECT });
    });

    it("has a higher epoch than the previous one, at least the time", async () => {
      const world = await openWorld();
      const before = world.epoch;
      await world.connect();
      expect(world.epoch).toBeGreaterThan(before);
      expect(world.epoch).toBeGreaterThanOrEqual(BigInt(Date.now() - 60_000));
    });

    it("is refused for another cluster of the same name, and the open session stays", async () => {
      const world = await openWorld();
      await expect(world.request("agent-2", false, "another-uid")).rejects.toThrow(TerminalError);
      const open = await world.sql("SELECT 1 FROM agent_session WHERE cluster = $1 AND closed_at IS NULL");
      expect(open).toHaveLength(1);
    });
  });
}

async function run(world: World) {
  const [row] = await world.sql(
    "SELECT * FROM reconciliation_run WHERE cluster = $1 AND trigger = 'MANUAL' ORDER BY started_at DESC LIMIT 1",
  );
  return row;
}

async function resourceTypeOf(world: World, resource: string) {
  const rows = await world.sql<{ resource: string }>(
    `SELECT s.resource, s.low_watermark::text, s.verified_at IS NOT NULL AS verified, k.failure_reason
     FROM resource_state s LEFT JOIN reconciliation_result k USING (account, cluster, api_group, resource) WHERE cluster = $1`,
  );
  return rows.find((row) => row.resource === resource);
}
