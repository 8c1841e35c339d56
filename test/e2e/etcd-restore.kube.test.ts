import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { eventually } from "../support/e2e/eventually.ts";
import { createOwnCluster, type OwnCluster } from "../support/e2e/own-cluster.ts";
import type { ServerAndAgent } from "../support/e2e/server-and-agent.ts";
import { describeWithKube } from "../support/kube/control-plane.ts";

const cluster = "e2e-etcd-restore";
const configMaps = "/api/v1/namespaces/default/configmaps";
/** A tenth of the default interval between runs: the whole repair must take less than one interval. */
const LIMIT_MS = 60_000;

describeWithKube("a real etcd that is restored from a backup", () => {
  let own: OwnCluster;
  let fleet: ServerAndAgent;
  const create = (name: string): Promise<unknown> =>
    own.client.send("POST", configMaps, { metadata: { name }, data: { value: name } });
  /** Each history changes the same object in its own way. */
  const change = (value: string): Promise<unknown> =>
    own.client.send("PATCH", `${configMaps}/changed`, { data: { value } });
  const backupOf = (name: string): string =>
    join(own.controlPlane.etcdDirectory, "..", `etcd-backup-${name}`);

  /** Stops etcd for a copy of its data. */
  async function backUp(name: string): Promise<void> {
    const { etcdDirectory } = own.controlPlane;
    await own.controlPlane.restart(async () => cpSync(etcdDirectory, backupOf(name), { recursive: true }));
  }

  /** Returns the time at which the API server of the restored etcd was ready. */
  async function restore(name: string): Promise<Date> {
    const { etcdDirectory } = own.controlPlane;
    await own.controlPlane.restart(async () => {
      rmSync(etcdDirectory, { recursive: true });
      cpSync(backupOf(name), etcdDirectory, { recursive: true });
    });
    return new Date();
  }

  /** The copy is true, and a run that began after `since` has verified every resource type. */
  async function isProved(since: Date): Promise<void> {
    await eventually(
      "the copy to be true and verified",
      async () => {
        const unproved = await own.rows.sql(
          `SELECT api_group, resource, availability, failure_reason, failure_message FROM resource_state
           WHERE cluster = $1 AND (verified_at IS NULL OR verified_at < $2::timestamptz)`,
          since.toISOString(),
        );
        expect(unproved).toEqual([]);
        expect(await own.findDifferences()).toEqual([]);
      },
      { timeoutMs: LIMIT_MS, intervalMs: 500 },
    );
  }

  beforeAll(async () => {
    own = await createOwnCluster(cluster);
    await create("changed");
    await create("deleted");
    fleet = await own.start({ serverArgs: ["--reconcile-interval", "10s"] });
  });
  afterAll(() => own[Symbol.asyncDispose]());

  it("R16: is copied as it is then, restored twice under a running agent, and once while it is down", async () => {
    const agent = fleet.agent;
    await create("in-both");
    await backUp("older");
    await create("in-newer");
    await change("newer");
    await own.client.send("DELETE", `${configMaps}/deleted`);
    await backUp("newer");
    await create("lost");
    await change("lost");
    await eventually("the rows", async () => expect(await own.findDifferences()).toEqual([]));

    let restored = await restore("newer");
    await isProved(restored);
    expect(await own.rows.valueOf("default", "lost")).toBeUndefined();
    expect(await own.rows.valueOf("default", "changed")).toBe("newer");
    await create("after-first");
    await change("after-first");
    await eventually("a live change", async () =>
      expect(await own.rows.valueOf("default", "changed")).toBe("after-first"),
    );

    restored = await restore("older");
    await isProved(restored);
    expect(agent.isRunning()).toBe(true);
    expect(await own.rows.valueOf("default", "in-newer")).toBeUndefined();
    expect(await own.rows.valueOf("default", "deleted")).toBe("deleted");
    expect(await own.rows.valueOf("default", "changed")).toBe("changed");
    await change("after-second");
    await eventually("a live change", async () =>
      expect(await own.rows.valueOf("default", "changed")).toBe("after-second"),
    );

    await agent.end("SIGKILL");
    await restore("older");
    const begun = new Date();
    fleet.startAgent();
    await isProved(begun);
    expect(await own.rows.valueOf("default", "changed")).toBe("changed");
    await change("after-third");
    await eventually("a live change", async () =>
      expect(await own.rows.valueOf("default", "changed")).toBe("after-third"),
    );
  });
});
