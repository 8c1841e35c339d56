import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import {
  FindingCause,
  FindingType,
  ObjectState,
  ReconciliationState,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { ScopeDeclaredSchema } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import { createSystemClock } from "../../../src/lib/clock.ts";
import { InvalidArgumentError } from "../../../src/lib/errors.ts";
import type { Page, PageQuery, Position } from "../../../src/store/fleet-store.ts";
import { createPgFleetStore } from "../../../src/store/postgres/pg-fleet-store.ts";
import { describeWithPostgres } from "../../support/postgres/postgres.ts";
import {
  batch,
  CONFIG_MAPS,
  contentOf,
  PODS,
  put,
  ref,
  remove,
  resourceType,
} from "../../support/store/messages.ts";
import { World } from "../../support/store/world.ts";

const { signal } = new AbortController();
const account = "acme";
const everything = { resources: [], namespace: undefined, namePrefix: undefined, hasContent: false };

/** Returns all pages of a list, each of at most `limit` items. */
async function allPages<T>(limit: number, list: (page: PageQuery) => Promise<Page<T>>): Promise<T[][]> {
  const pages: T[][] = [];
  let after: Position | undefined;
  do {
    const page = await list({ after, limit });
    pages.push([...page.items]);
    after = page.next;
  } while (after !== undefined);
  return pages;
}

describeWithPostgres("the fleet's store in Postgres", (database) => {
  const open = (cluster: string) => {
    const world = new World(database.url, cluster);
    return { world, store: createPgFleetStore(world.database, createSystemClock()) };
  };

  test("a cluster has its session, its resource types and their object counts", async () => {
    const { world, store } = open("fleet-1");
    await using _ = world;
    await world.connect();
    await world.declare();
    await world.apply(put("a/one", { observed: 10 }), put("b/two", { observed: 12 }), remove("b/three", 11));

    const cluster = await store.getCluster(signal, account, "fleet-1");
    expect(cluster).toMatchObject({
      name: "fleet-1",
      uid: "uid of fleet-1",
      connected: true,
      objects: 2n,
      quarantined: 0n,
    });
    expect(cluster?.session).toMatchObject({
      epoch: world.epoch,
      instanceId: "agent-1",
      agentVersion: "test",
    });
    expect(cluster?.lastEventTime).toBeDefined();
    expect(cluster?.freshness?.verifiedTime).toBeUndefined();
    expect(
      cluster?.resources.map(({ resourceType, objects, tombstones, highWatermark }) => [
        ...[resourceType?.resource, objects, tombstones, highWatermark],
      ]),
    ).toEqual([
      ["configmaps", 0n, 0n, "0"],
      ["pods", 2n, 1n, "12"],
    ]);
    expect(await store.getCluster(signal, "another", "fleet-1")).toBeUndefined();
    expect(await store.getCluster(signal, account, "unknown")).toBeUndefined();
  });

  test("R70: a cluster and its runs name the groups that did not answer, and the warnings of the agent", async () => {
    const { world, store } = open("fleet-undecided");
    await using _ = world;
    const request = (await world.connect()) ?? expect.fail("connecting made no run");
    const failure = { reason: "ServiceUnavailable", message: "no answer" };
    const undecided = [{ group: "stuck.example.com", version: "v1", failure }];
    const { generation, resources } = world.nextScope([CONFIG_MAPS]);
    const warnings = ['namespace "prodd": does not exist; check its spelling'];
    const scope = create(ScopeDeclaredSchema, { generation, resources, undecided, warnings });
    await world.store.applyScope(world.signal, world.next(), scope);
    await world.answer(request);
    const cluster = await store.getCluster(signal, account, "fleet-undecided");
    expect(cluster).toMatchObject({ undecidedGroups: undecided, warnings });
    await world.declare([CONFIG_MAPS]);
    // The run keeps what was true when it began.
    const later = await store.getCluster(signal, account, "fleet-undecided");
    expect(later).toMatchObject({ undecidedGroups: [], warnings: [] });
    const run = await store.getRun(signal, account, request.runId);
    expect(run).toMatchObject({ undecidedGroups: undecided, warnings });
  });

  test("R70: a run shows the warnings of the agent when every group answered", async () => {
    const { world, store } = open("fleet-warnings");
    await using _ = world;
    const request = (await world.connect()) ?? expect.fail("connecting made no run");
    const warnings = ['resource type "widgetz": is not served; check its spelling'];
    const { generation, resources } = world.nextScope([CONFIG_MAPS]);
    const scope = create(ScopeDeclaredSchema, { generation, resources, warnings });
    await world.store.applyScope(world.signal, world.next(), scope);
    await world.answer(request);
    const run = await store.getRun(signal, account, request.runId);
    expect(run).toMatchObject({ undecidedGroups: [], warnings });
  });

  test("clusters are listed in pages, by name, of the account only", async () => {
    const { world, store } = open("fleet-2");
    await using _ = world;
    for (const name of ["page-3", "page-1", "page-2"]) {
      await using other = new World(database.url, name);
      await other.connect();
    }
    const pages = await allPages(2, (page) => store.listClusters(signal, account, page));
    const names = pages.flat().map(({ name }) => name);
    expect(names).toEqual([...new Set(names)].sort());
    expect(names).toEqual(expect.arrayContaining(["page-1", "page-2", "page-3"]));
    expect(pages.slice(0, -1).every((page) => page.length === 2)).toBe(true);
    expect((await store.listClusters(signal, "another", { after: undefined, limit: 5 })).items).toEqual([]);
  });

  test("objects are listed in pages, in the order of bytes, filtered, without tombstones", async () => {
    const { world, store } = open("fleet-3");
    await using _ = world;
    await world.connect();
    await world.declare();
    // "a-b" is behind "a" as a namespace, but "a-b/x" is before "a/x" as a text.
    await world.apply(
      put("a/x", { observed: 1 }),
      put("a-b/x", { observed: 2 }),
      put("a/y", { observed: 3 }),
    );
    await world.apply(put("/Zulu", { observed: 4 }), put("/alpha", { observed: 5 }));
    await world.sql(
      `UPDATE kubernetes_object SET state = 'absent', content = NULL WHERE cluster = $1 AND name = 'y'`,
    );

    const cluster = "fleet-3";
    const pages = await allPages(2, (page) =>
      store.listObjects(signal, account, { ...everything, clusters: [cluster], ...page }),
    );
    const keys = pages.map((page) => page.map(({ ref }) => `${ref?.namespace}/${ref?.name}`));
    expect(keys).toEqual([
      ["/Zulu", "/alpha"],
      ["a/x", "a-b/x"],
    ]);
    const first = { after: undefined, limit: 10, clusters: [cluster] };
    const inNone = await store.listObjects(signal, account, { ...everything, ...first, namespace: "" });
    expect(inNone.items.map(({ ref }) => ref?.name)).toEqual(["Zulu", "alpha"]);
    const ofApps = await store.listObjects(signal, account, {
      ...everything,
      ...first,
      resources: [{ group: "apps", resource: undefined }],
    });
    expect(ofApps.items).toEqual([]);
    const ofPods = await store.listObjects(signal, account, {
      ...everything,
      ...first,
      resources: [{ group: "", resource: "pods" }],
    });
    expect(ofPods.items).toHaveLength(4);
    expect(ofPods.items.map(({ content }) => content)).toEqual(["", "", "", ""]);
  });

  test("an object's content is returned in canonical form with every digit", async () => {
    const { world, store } = open("fleet-4");
    await using _ = world;
    await world.connect();
    await world.declare();
    const data = `{"a":{"long":9007199254740993,"small":0.1},"bb":[1,2],"z":"\u00e9"}`;
    const content = contentOf("a/x", { data });
    await world.apply(put("a/x", { observed: 7, version: "6", data }));
    // Another version of the same resource names the same object.
    const asked = { ...ref("a/x"), resourceType: resourceType("", "v2", "pods") };
    const object = await store.getObject(signal, account, "fleet-4", asked);
    expect(object).toMatchObject({
      content,
      resourceVersion: "6",
      observedVersion: "7",
      state: ObjectState.PRESENT,
    });
    expect(object?.ref?.resourceType?.version).toBe("v1");
    expect(object?.checksum).toHaveLength(32);
    const query = { ...everything, clusters: ["fleet-4"], hasContent: true, after: undefined, limit: 1 };
    const { items } = await store.listObjects(signal, account, query);
    expect(items[0]?.content).toBe(content);

    await world.sql(`UPDATE kubernetes_object SET content = '{}' WHERE cluster = $1`);
    expect((await store.getObject(signal, account, "fleet-4", asked))?.checksum).toHaveLength(0);
    expect(await store.getObject(signal, "another", "fleet-4", asked)).toBeUndefined();
  });

  test("a page of contents ends at 2 MiB, with at least one object (L21)", async () => {
    const { world, store } = open("fleet-bytes");
    await using _ = world;
    await world.connect();
    await world.declare();
    const KIB = 1024;
    const sizes = [900 * KIB, 900 * KIB, 900 * KIB, 3500 * KIB, 10, 10, 3500 * KIB];
    const names = sizes.map((_, index) => `n-${index}`);
    await world.apply(...names.map((name) => put(`a/${name}`, { observed: 7 })));
    for (const [index, name] of names.entries()) {
      await world.sql(
        `UPDATE kubernetes_object SET content = jsonb_build_object('a', repeat('x', ${sizes[index]}))
           WHERE cluster = $1 AND name = '${name}'`,
      );
    }
    const query = { ...everything, clusters: ["fleet-bytes"] };
    const named = (limit: number, hasContent: boolean) =>
      allPages(limit, async (page) => {
        const { items, next } = await store.listObjects(signal, account, { ...query, hasContent, ...page });
        return { items: items.map(({ ref, content }) => `${ref?.name} ${content.length >> 10}`), next };
      });
    // The last page is empty if the one before it has reached the limit.
    expect(await named(1000, true)).toEqual([
      ["n-0 900", "n-1 900"],
      ["n-2 900"],
      ["n-3 3500"],
      ["n-4 0", "n-5 0"],
      ["n-6 3500"],
      [],
    ]);
    expect((await named(2, true)).flat()).toHaveLength(7);
    expect(await named(1, true)).toHaveLength(8);
    expect(await named(1000, false)).toEqual([names.map((name) => `${name} 0`)]);
    expect(await named(2, false)).toHaveLength(4);
    const deep = `${"[".repeat(6_000)}1${"]".repeat(6_000)}`;
    await world.sql(`UPDATE kubernetes_object SET content = '${deep}' WHERE cluster = $1 AND name = 'n-3'`);
    expect((await named(1000, true)).flat()).toContain("n-3 11");
  });

  test("a dry run has what it would repair, with causes and fields, and counts that are no findings (R82, R83)", async () => {
    const { world, store } = open("fleet-dry");
    await using _ = world;
    await world.connect();
    await world.sql("DELETE FROM reconciliation_run WHERE cluster = $1");
    await world.declare();
    await world.apply(put("a/x", { observed: 10, data: '{"replicas":1}' }));
    await world.verifyAll(20);
    const changed = put("a/x", { observed: 40, version: "30", data: '{"replicas":2}' });
    const { request } = await world.beginRun(true);
    await world.judge(request.runId, [changed, put("a/y", { observed: 40, version: "31" })]);
    await world.sql(
      `UPDATE reconciliation_result SET format_changes = 3, scope_changes = 4 WHERE cluster = $1 AND resource = 'pods'
         AND run_id = '${request.runId}'`,
    );

    const run = await store.getRun(signal, account, request.runId);
    expect(run).toMatchObject({ dryRun: true });
    const pods = run?.results.find((result) => result.resourceType?.resource === "pods");
    expect(pods).toMatchObject({ formatChanges: 3n, scopeChanges: 4n });
    expect(pods?.findings.map(({ type, count }) => [type, count])).toEqual([
      [FindingType.MISSING_ROW, 1n],
      [FindingType.STALE_ROW, 1n],
    ]);
    const pages = await allPages(1, (page) => store.listFindings(signal, account, request.runId, page));
    expect(pages).toMatchObject([
      [
        {
          cause: FindingCause.MISSED_CHANGE,
          differences: [{ path: "/data/replicas", stored: "1", observed: "2" }],
        },
      ],
      [{ cause: FindingCause.MISSED_CHANGE, differences: [] }],
    ]);
  });

  test("runs have the results of their resource types and their findings", async () => {
    const { world, store } = open("fleet-5");
    await using _ = world;
    // A new process starts a run.
    const request = (await world.connect()) ?? expect.fail("connecting made no run");
    await world.declare();
    await world.apply(put("a/x", { observed: 1 }));
    // A repair of a resource type that was verified before is a finding.
    await world.sql("UPDATE resource_state SET verified_at = now() - interval '1 minute' WHERE cluster = $1");
    const openRuns = async (cluster: string, except: readonly string[] = []) => {
      const runs = await store.listOpenRuns(signal, account, { endedWithinMs: 60_000, except });
      return runs.filter((run) => run.cluster === cluster).map(({ id }) => id);
    };
    expect((await store.getRun(signal, account, request.runId))?.state).toBe(ReconciliationState.REQUESTED);
    await world.answer(request);
    const open1 = await store.getRun(signal, account, request.runId);
    expect(open1).toMatchObject({ cluster: "fleet-5", state: ReconciliationState.COMPARING, attempt: 1 });
    expect(open1?.endTime).toBeUndefined();
    expect(open1?.results.map(({ pending }) => pending)).toEqual([true, true]);
    expect(await openRuns("fleet-5")).toEqual([request.runId]);

    const first = world.sequence + 1n;
    const repairs = batch(
      [put("a/new-1", { observed: 9 }), put("a/new-2", { observed: 9 })],
      PODS,
      request.runId,
    );
    await world.store.applyBatch(signal, world.next(), repairs);
    await world.verifyResource(request.runId, PODS, 9, first);
    await world.verifyResource(request.runId, CONFIG_MAPS, 9, first);
    const run = await store.getRun(signal, account, request.runId);
    expect(run?.state).toBe(ReconciliationState.SUCCEEDED);
    expect(run?.failure).toBeUndefined();
    expect(run?.endTime).toBeDefined();
    const pods = run?.results.find((each) => each.resourceType?.resource === "pods");
    expect(pods?.pending).toBe(false);
    expect(pods?.failure).toBeUndefined();
    expect(pods?.findings.map(({ type, count }) => [type, count])).toEqual([[FindingType.MISSING_ROW, 2n]]);
    expect((await store.getCluster(signal, account, "fleet-5"))?.freshness?.verifiedTime).toEqual(
      run?.startTime,
    );

    const pages = await allPages(1, (page) => store.listFindings(signal, account, request.runId, page));
    expect(pages.flat().map(({ ref }) => ref?.name)).toEqual(["new-1", "new-2"]);
    expect(
      (await store.listFindings(signal, "another", request.runId, { after: undefined, limit: 9 })).items,
    ).toEqual([]);
    expect(await store.getRun(signal, "another", request.runId)).toBeUndefined();
    expect(await openRuns("fleet-5")).toEqual([request.runId]);
    expect(await openRuns("fleet-5", [request.runId])).toEqual([]);
    await world.sql(
      "UPDATE reconciliation_run SET ended_at = now() - interval '2 minutes' WHERE cluster = $1",
    );
    expect(await openRuns("fleet-5")).toEqual([]);
  });

  test("runs are listed in pages, the newest first, also those of the same time", async () => {
    const { world, store } = open("fleet-6");
    await using _ = world;
    await world.connect();
    await world.sql(`
      INSERT INTO reconciliation_run
        (account, cluster, id, initiator, trigger, state, epoch, started_at, deadline_at, ended_at)
      SELECT 'acme', $1, gen_random_uuid(), 'test', 'MANUAL', 'FAILED', 1, now() - i / 3 * interval '1 minute', now(), now()
      FROM generate_series(1, 10) AS i`);
    const pages = await allPages(3, (page) =>
      store.listRuns(signal, account, { clusters: ["fleet-6"], ...page }),
    );
    const runs = pages.flat();
    const ours = runs.filter(({ initiator }) => initiator === "test");
    expect(new Set(ours.map(({ id }) => id)).size).toBe(10);
    const times = runs.map(({ startTime }) => Number(startTime?.seconds));
    expect(times).toEqual(times.toSorted((a, b) => b - a));
  });

  test("a value that Postgres cannot hold is an invalid argument (L22)", async () => {
    const { world, store } = open("fleet-null");
    await using _ = world;
    const query = { ...everything, clusters: undefined, namespace: "\0", after: undefined, limit: 1 };
    await expect(store.listObjects(signal, account, query)).rejects.toThrow(
      new InvalidArgumentError([
        { field: "", description: "a value of the request is one that the database cannot hold" },
      ]),
    );
  });

  test("a position of another list is refused", async () => {
    const { world, store } = open("fleet-7");
    await using _ = world;
    const page = { after: ["one", "two", "three"], limit: 1 };
    const lists = [
      () => store.listClusters(signal, account, page),
      () => store.listObjects(signal, account, { ...everything, clusters: ["fleet-7"], ...page }),
      () => store.listRuns(signal, account, { clusters: undefined, ...page }),
      () => store.listRuns(signal, account, { clusters: undefined, after: ["yesterday", "x"], limit: 1 }),
    ];
    for (const list of lists) {
      await expect(list()).rejects.toThrow(InvalidArgumentError);
    }
  });
});
