import pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { DRIFT_TYPES, type InjectedDrift } from "../../../src/dev/drift.ts";
import { createDriftInjector } from "../../../src/dev/drift-injector.ts";
import { resourceTypeKey } from "../../../src/domain/resource-type.ts";
import { createSeededRandom } from "../../../src/lib/random.ts";
import { SimulatedCluster } from "../../../src/simulation/simulated-cluster.ts";
import { createWorkload } from "../../../src/simulation/workload.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { describeWithPostgres } from "../../support/postgres/postgres.ts";

interface Row {
  readonly uid: string;
  readonly observed_version: string;
  readonly content: string;
  readonly checksum: Buffer | null;
}

describeWithPostgres("the drift injector", (database) => {
  const target = { account: "default", cluster: "demo" };
  const clock = new ManualClock();
  const cluster = new SimulatedCluster({ clock, random: createSeededRandom(1) });
  let client: pg.Client;

  beforeAll(async () => {
    createWorkload({ cluster });
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query("SET evenkeel.writer = 'ingester'");
  });
  afterAll(() => client.end());

  const fill = async (): Promise<void> => {
    await client.query("DELETE FROM kubernetes_object");
    for (const { group, resource, version } of cluster.resources()) {
      for (const object of cluster.list(resourceTypeKey({ group, resource }))) {
        await client.query(
          `INSERT INTO kubernetes_object (account, cluster, api_group, resource, namespace, name, api_version, state, uid,
             resource_version, observed_version, content, checksum)
           VALUES ($1, $2, $3, $4, $5, $6, $7, 'present', $8, $9, $9::text::numeric, $10, sha256('x'))`,
          [
            ...[target.account, target.cluster, group, resource],
            ...[object.metadata.namespace ?? "", object.metadata.name, version],
            ...[object.metadata.uid, object.metadata.resourceVersion, JSON.stringify(object)],
          ],
        );
      }
    }
  };
  const read = async (): Promise<Map<string, Row>> => {
    const { rows } = await client.query<Row & { key: string }>(
      `SELECT concat_ws('.', resource, nullif(api_group, '')) || '/' || namespace || '/' || name AS key,
         uid, observed_version::text, content::text, checksum FROM kubernetes_object`,
    );
    return new Map(rows.map(({ key, ...row }) => [key, row]));
  };
  const differences = (before: Map<string, Row>, after: Map<string, Row>): string[] =>
    [...new Set([...before.keys(), ...after.keys()])].filter(
      (key) => JSON.stringify(before.get(key)) !== JSON.stringify(after.get(key)),
    );
  const keys = ({ objects }: InjectedDrift): string[] =>
    objects.map(({ resourceKey, namespace, name }) => `${resourceKey}/${namespace}/${name}`);

  it("returns undefined while the copy is empty", async () => {
    expect(
      await createDriftInjector({ cluster, databaseUrl: database.url, target }).inject(),
    ).toBeUndefined();
  });

  it("injects the types of drift in turn, breaks only the returned objects, and leaves no checksum on their rows", async () => {
    const injector = createDriftInjector({ cluster, databaseUrl: database.url, target });
    for (const type of DRIFT_TYPES) {
      await fill();
      const [before, revision] = [await read(), cluster.store.revision];
      const drift = (await injector.inject()) ?? expect.fail("nothing was broken");
      expect(drift.type).toBe(type);
      const after = await read();
      if (type === "lost-event") {
        const [{ namespace, name, resourceKey: key }] = drift.objects;
        expect(cluster.get(key, namespace, name)?.metadata.resourceVersion).toBe(String(revision + 1));
        expect(cluster.eventsAfter(key, revision)).toEqual([]);
        expect(differences(before, after)).toEqual([]);
        continue;
      }
      expect(cluster.store.revision).toBe(revision);
      expect(differences(before, after).sort()).toEqual(keys(drift).sort());
      for (const key of keys(drift)) {
        expect(after.get(key)?.checksum ?? null, type).toBeNull();
      }
    }
  });

  it("keeps the version of an edited row, and gives a ghost its own uid", async () => {
    const injector = createDriftInjector({ cluster, databaseUrl: database.url, target });
    await fill();
    const before = await read();
    await injector.inject();
    const edited = keys((await injector.inject()) ?? expect.fail())[0] ?? "";
    await injector.inject();
    const ghost = (await injector.inject()) ?? expect.fail();
    const after = await read();
    expect(after.get(edited)?.observed_version).toBe(before.get(edited)?.observed_version);
    expect(after.get(edited)?.content).not.toBe(before.get(edited)?.content);
    const content = JSON.parse(after.get(keys(ghost)[0] ?? "")?.content ?? "");
    expect(content.metadata.name).toBe(ghost.objects[0].name);
    expect([...before.values()].map(({ uid }) => uid)).not.toContain(content.metadata.uid);
    expect(
      cluster.get(ghost.objects[0].resourceKey, ghost.objects[0].namespace, ghost.objects[0].name),
    ).toBeUndefined();
  });

  it("never breaks ghosts, because that would not be drift", async () => {
    await fill();
    await client.query("UPDATE kubernetes_object SET name = 'ghost-of-' || name");
    expect(
      await createDriftInjector({ cluster, databaseUrl: database.url, target }).inject(),
    ).toBeUndefined();
  });

  it("runs until its signal aborts, and reports each drift", async () => {
    await fill();
    const told = Promise.withResolvers<InjectedDrift>();
    const controller = new AbortController();
    const injector = createDriftInjector({ cluster, databaseUrl: database.url, target, intervalMs: 1000 });
    const running = injector.run(controller.signal, told.resolve);
    await clock.advance(1500);
    expect((await told.promise).type).toBe("lost-event");
    controller.abort();
    await running;
    expect(clock.pending).toBe(0);
  });
});
