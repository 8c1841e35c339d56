import pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { findVersionDecreases, readRemovals, recordRowHistory } from "../../../support/chaos/row-history.ts";
import { describeWithPostgres } from "../../../support/postgres/postgres.ts";

describeWithPostgres("the history of rows", (database) => {
  let client: pg.Client;

  /** Stores an observation of the ConfigMap `default/NAME`. */
  const write = (
    account: string,
    name: string,
    state: string,
    uid: string,
    version: number,
  ): Promise<unknown> =>
    client.query(
      `INSERT INTO kubernetes_object (account, cluster, api_group, resource, namespace, name, api_version, state, uid,
         resource_version, observed_version, content)
       VALUES ($1, 'main', '', 'configmaps', 'default', $2, 'v1', $3, $4, '', $5, '{}')
       ON CONFLICT (account, cluster, api_group, resource, namespace, name)
       DO UPDATE SET state = excluded.state, uid = excluded.uid, observed_version = excluded.observed_version`,
      [account, name, state, uid, version],
    );
  const remove = (name: string): Promise<unknown> =>
    client.query("DELETE FROM kubernetes_object WHERE name = $1", [name]);

  beforeAll(async () => {
    await recordRowHistory(database.url);
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
  });
  afterAll(() => client.end());

  it("has a removal for a deleted row, a tombstone and another uid, and none for the end of a tombstone", async () => {
    await write("acme", "deleted", "present", "uid-1", 1);
    await remove("deleted");
    await write("acme", "absent", "present", "uid-2", 1);
    await write("acme", "absent", "absent", "uid-2", 2);
    await remove("absent");
    await write("acme", "replaced", "present", "uid-3", 1);
    await write("acme", "replaced", "present", "uid-4", 2);
    await write("globex", "elsewhere", "present", "uid-5", 1);
    await remove("elsewhere");
    const removals = await readRemovals(client, "acme");
    const place = { resource: "configmaps", namespace: "default", at: expect.any(Date) };
    expect(removals).toEqual([
      { ...place, name: "deleted", uid: "uid-1" },
      { ...place, name: "absent", uid: "uid-2" },
      { ...place, name: "replaced", uid: "uid-3" },
    ]);
    expect(await findVersionDecreases(client, "acme")).toEqual([]);
  });

  it("finds a version that decreased, also after its row was deleted", async () => {
    await write("initech", "once", "present", "uid-6", 5);
    await write("initech", "once", "present", "uid-6", 4);
    await write("initech", "twice", "absent", "", 9);
    await remove("twice");
    await write("initech", "twice", "present", "uid-7", 8);
    expect(await findVersionDecreases(client, "initech")).toEqual([
      "configmaps default/once: 4 after 5",
      "configmaps default/twice: 8 after 9",
    ]);
  });
});
