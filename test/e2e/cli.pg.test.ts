import { afterAll, beforeAll, expect, it } from "vitest";
import { parse } from "yaml";
import { createSeededRandom } from "../../src/lib/random.ts";
import { createPrograms, type Programs } from "../support/e2e/programs.ts";
import { createHandOnRows } from "../support/e2e/rows.ts";
import { type ServerAndAgent, startServerAndAgent } from "../support/e2e/server-and-agent.ts";
import { createSimulatedKube, type SimulatedKube } from "../support/e2e/simulated-kube.ts";
import { describeWithPostgres } from "../support/postgres/postgres.ts";

const cluster = "e2e-cli";

describeWithPostgres("the command line", (database) => {
  let programs: Programs;
  let kube: SimulatedKube;
  let fleet: ServerAndAgent;
  beforeAll(async () => {
    programs = createPrograms();
    kube = await createSimulatedKube(createSeededRandom(3));
    const { kubeconfigPath } = kube;
    const begun = new Date();
    fleet = await startServerAndAgent({ programs, databaseUrl: database.url, cluster, kubeconfigPath });
    await fleet.connected(begun);
  });
  afterAll(async () => {
    await programs[Symbol.asyncDispose]();
    await kube[Symbol.asyncDispose]();
  });

  it("shows clusters, objects and runs, as tables, JSON and YAML", async () => {
    const [clusters, objects, runs] = await Promise.all([
      fleet.ask("clusters", "--output", "json"),
      fleet.ask("objects", cluster, "--resource", "deployments.apps", "--content", "--output", "yaml"),
      fleet.ask("runs", cluster, "--output", "json"),
    ]);
    expect([clusters, objects, runs].map(({ code, stderr }) => [code, stderr])).toEqual([
      [0, ""],
      [0, ""],
      [0, ""],
    ]);
    expect(JSON.parse(clusters.stdout)).toMatchObject({ clusters: [{ name: cluster, connected: true }] });
    const [deployment] = parse(objects.stdout).objects;
    expect(JSON.parse(deployment.content)).toMatchObject({ apiVersion: "apps/v1", kind: "Deployment" });
    const [first] = JSON.parse(runs.stdout).runs;
    expect(first).toMatchObject({ state: "RECONCILIATION_STATE_SUCCEEDED", cluster });

    const [run, table] = await Promise.all([
      fleet.ask("run", first.id, "--output", "yaml"),
      fleet.ask("clusters"),
    ]);
    expect(parse(run.stdout)).toMatchObject({ run: { id: first.id } });
    expect(table.stdout).toMatch(new RegExp(`^NAME +CONNECTED .*\\n${cluster} +yes `));
  });

  it("shows with --dry-run what a run would repair, and changes no row before that run (R82)", async () => {
    const { sql } = createHandOnRows(() => database.url, cluster);
    const hash = () =>
      sql(
        `SELECT (SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM kubernetes_object t WHERE cluster = $1),
           (SELECT md5(string_agg(t::text, '' ORDER BY t::text)) AS states FROM resource_state t WHERE cluster = $1),
           (SELECT count(*) FROM reconciliation_finding WHERE cluster = $1)`,
      );
    const deployments = "cluster = $1 AND resource = 'deployments' AND name";
    await sql(
      `UPDATE kubernetes_object SET content = jsonb_set(content, '{spec,replicas}', '77')
       WHERE ${deployments} = 'shop-api'`,
    );
    await sql(`DELETE FROM kubernetes_object WHERE ${deployments} = 'shop-worker'`);
    const before = await hash();
    const { code, stdout, stderr } = await fleet.ask("reconcile", cluster, "--dry-run");
    expect(code, `${stderr}\n${stdout}`).toBe(0);
    expect(stdout).toMatch(/Dry run: +nothing was changed\n/);
    expect(stdout).toMatch(/STALE_ROW +MANUAL_EDIT +deployments\.apps +shop +shop-api .*\n/);
    expect(stdout).toMatch(/MISSING_ROW +MANUAL_EDIT +deployments\.apps +shop +shop-worker .*\n/);
    expect(stdout).toMatch(/deployments\.apps shop\/shop-api\n {2}\/spec\/replicas: 77 -> \d+\n/);
    expect(await hash()).toEqual(before);
    expect(await fleet.reconcile()).toBe(2);
    expect(await hash()).not.toEqual(before);
    const again = await fleet.ask("reconcile", cluster, "--dry-run", "--output", "json");
    expect(JSON.parse(again.stdout)).toMatchObject({ run: { dryRun: true }, findings: [] });
  });

  it("exits with 1 and names an unknown cluster, and with 2 after an invalid command line", async () => {
    const [reconcile, objects, wrong] = await Promise.all([
      fleet.ask("reconcile", "nowhere"),
      fleet.ask("objects", "nowhere"),
      fleet.ask("clusters", "--output", "xml"),
    ]);
    expect(reconcile).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining('"nowhere"') });
    expect(objects).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining('"nowhere"') });
    expect(wrong).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("xml") });
  });

  it("names the remedy if no server answers", async () => {
    const { code, stderr } = await programs.run("clusters", "--server", "http://127.0.0.1:1");
    expect(code).toBe(1);
    expect(stderr).toContain("no server answers at http://127.0.0.1:1");
  });
});
