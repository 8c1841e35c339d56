import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { ControlPlane } from "../../deploy/local/components/control-plane-server.ts";
import { findDifferences } from "../support/e2e/copy.ts";
import { eventually } from "../support/e2e/eventually.ts";
import { openKube } from "../support/e2e/open-kube.ts";
import { createPrograms, type Programs } from "../support/e2e/programs.ts";
import { createHandOnRows } from "../support/e2e/rows.ts";
import { type ServerAndAgent, startServerAndAgent } from "../support/e2e/server-and-agent.ts";
import { createControlPlane, describeWithKube } from "../support/kube/control-plane.ts";
import { createKubeClient, type KubeClient } from "../support/kube/kube-client.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres/postgres.ts";

const cluster = "e2e-etcd-restore";
const configMaps = "/api/v1/namespaces/default/configmaps";
/** A tenth of the default interval between runs: the whole repair must take less than one interval. */
const LIMIT_MS = 60_000;

describeWithKube("a real etcd that is restored from a backup", () => {
  let programs: Programs;
  let database: TestDatabase;
  let own: ControlPlane & AsyncDisposable;
  let client: KubeClient;
  let fleet: ServerAndAgent;
  const rows = createHandOnRows(() => database.url, cluster);
  const create = (name: string): Promise<unknown> =>
    client.send("POST", configMaps, { metadata: { name }, data: { value: name } });
  /** Each history changes the same object in its own way. */
  const change = (value: string): Promise<unknown> =>
    client.send("PATCH", `${configMaps}/changed`, { data: { value } });
  const backupOf = (name: string): string => join(own.etcdDirectory, "..", `etcd-backup-${name}`);

  /** Stops etcd for a copy of its data. */
  async function backUp(name: string): Promise<void> {
    await own.restart(async () => cpSync(own.etcdDirectory, backupOf(name), { recursive: true }));
  }

  /** Returns the time at which the API server of the restored etcd was ready. */
  async function restore(name: string): Promise<Date> {
    await own.restart(async () => {
      rmSync(own.etcdDirectory, { recursive: true });
      cpSync(backupOf(name), own.etcdDirectory, { recursive: true });
    });
    return new Date();
  }

  /** The copy is true, and a run that began after `since` has verified every resource type. */
  async function isProved(since: Date): Promise<void> {
    using kube = openKube({ type: "kubeconfig", path: own.kubeconfigPath });
    const of = { databaseUrl: database.url, cluster, kube };
    await eventually(
      "the copy to be true and verified",
      async () => {
        const unproved = await rows.sql(
          `SELECT api_group, resource, availability, failure_reason, failure_message FROM resource_state
           WHERE cluster = $1 AND (verified_at IS NULL OR verified_at < $2::timestamptz)`,
          since.toISOString(),
        );
        expect(unproved).toEqual([]);
        expect(await findDifferences(of)).toEqual([]);
      },
      { timeoutMs: LIMIT_MS, intervalMs: 500 },
    );
  }

  beforeAll(async () => {
    programs = createPrograms();
    database = await createTestDatabase();
    own = await createControlPlane();
    client = createKubeClient(own);
    await create("changed");
    await create("deleted");
    const begun = new Date();
    fleet = await startServerAndAgent({
      programs,
      databaseUrl: database.url,
      cluster,
      kubeconfigPath: own.kubeconfigPath,
      serverArgs: ["--reconcile-interval", "10s"],
    });
    await fleet.connected(begun);
  });
  afterAll(async () => {
    await programs[Symbol.asyncDispose]();
    await own[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });

  it("R16: is copied as it is then, restored twice under a running agent, and once while it is down", async () => {
    const agent = fleet.agent;
    await create("in-both");
    await backUp("older");
    await create("in-newer");
    await change("newer");
    await client.send("DELETE", `${configMaps}/deleted`);
    await backUp("newer");
    await create("lost");
    await change("lost");
    await isProved(new Date());

    let restored = await restore("newer");
    await isProved(restored);
    expect(await rows.valueOf("default", "lost")).toBeUndefined();
    expect(await rows.valueOf("default", "changed")).toBe("newer");
    await create("after-first");
    await change("after-first");
    await eventually("a live change", async () =>
      expect(await rows.valueOf("default", "changed")).toBe("after-first"),
    );

    restored = await restore("older");
    await isProved(restored);
    expect(agent.isRunning()).toBe(true);
    expect(await rows.valueOf("default", "in-newer")).toBeUndefined();
    expect(await rows.valueOf("default", "deleted")).toBe("deleted");
    expect(await rows.valueOf("default", "changed")).toBe("changed");
    await change("after-second");
    await eventually("a live change", async () =>
      expect(await rows.valueOf("default", "changed")).toBe("after-second"),
    );

    await agent.end("SIGKILL");
    await restore("older");
    const begun = new Date();
    fleet.startAgent();
    await isProved(begun);
    expect(await rows.valueOf("default", "changed")).toBe("changed");
    await change("after-third");
    await eventually("a live change", async () =>
      expect(await rows.valueOf("default", "changed")).toBe("after-third"),
    );
  });
});
