import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FleetService } from "../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { findDifferences } from "../support/e2e/copy.ts";
import { type Dev, devCluster, openDevKube, startDev } from "../support/e2e/dev.ts";
import { eventually } from "../support/e2e/eventually.ts";
import { callFleet, countFindings, listSucceededRuns } from "../support/e2e/fleet-api.ts";
import { createPrograms, type Programs } from "../support/e2e/programs.ts";

/** Text of the output for each type of drift. */
const drifts = [
  "changed in the cluster, event lost",
  "edited in Postgres, same version",
  "deleted from Postgres",
  "inserted into Postgres, not in the cluster",
  "observed version set above all of the cluster",
  "deleted from Postgres, all of the resource type",
];

describe("evenkeel dev", () => {
  let programs: Programs;
  let restless: Dev;
  let idle: Dev;
  beforeAll(async () => {
    programs = createPrograms();
    // Both at the same time: they mostly wait.
    [restless, idle] = await Promise.all([
      startDev(programs, "--reconcile-interval", "1s", "--drift-interval", "2s"),
      startDev(programs, "--reconcile-interval", "1s", "--no-churn", "--no-drift"),
    ]);
  });
  afterAll(async () => {
    await programs[Symbol.asyncDispose]();
  });

  it("finds nothing while nothing changes", async () => {
    const runs = await eventually("four runs", async () => {
      const succeeded = await listSucceededRuns(idle.apiUrl, devCluster);
      expect(succeeded.length).toBeGreaterThanOrEqual(4);
      return succeeded;
    });
    const later = runs.toReversed().slice(1);
    expect(later.map(countFindings)).toEqual(later.map(() => 0));
    expect(later.flatMap(({ results }) => results.map(({ put, deleted }) => put + deleted))).not.toContain(
      1n,
    );
    expect(later[0]?.results.every(({ listed, equal }) => listed === equal)).toBe(true);
    using kube = openDevKube(idle);
    const { databaseUrl } = idle;
    expect(await findDifferences({ databaseUrl, cluster: devCluster, kube })).toEqual([]);
  });

  it("shows a run that repaired drift, within a minute", async () => {
    const repaired = await eventually(
      "a run that repaired drift",
      async () => {
        const found = (await listSucceededRuns(restless.apiUrl, devCluster)).find(
          (run) => countFindings(run) > 0,
        );
        expect(found).toBeDefined();
        return found;
      },
      { timeoutMs: 60_000 },
    );
    const request = { runId: repaired?.id ?? "" };
    const { findings } = await callFleet(
      restless.apiUrl,
      FleetService.method.listReconciliationFindings,
      request,
    );
    expect(findings.length).toBeGreaterThan(0);
  });

  it("allows any client to read the rows", async () => {
    const client = new pg.Client({ connectionString: restless.databaseUrl });
    await client.connect();
    try {
      const { rows } = await client.query(
        "SELECT content->>'kind' AS kind FROM kubernetes_object WHERE resource = 'deployments' AND name = 'shop-api'",
      );
      expect(rows).toEqual([{ kind: "Deployment" }]);
    } finally {
      await client.end();
    }
  });

  it("finds and repairs every type of drift within two runs", async () => {
    await eventually(
      "the repair of each drift",
      () => {
        for (const drift of drifts) {
          expect(runsUntilRepair(restless.story(), drift), drift).toBeDefined();
        }
      },
      { timeoutMs: 100_000, intervalMs: 250 },
    );
    const story = restless.story();
    for (const drift of drifts) {
      expect(runsUntilRepair(story, drift), story.join("\n")).toBeLessThanOrEqual(2);
    }
    expect(restless.program.stderr()).toBe("");
  });

  it.each(["SIGINT", "SIGTERM"] as const)("stops with code 0 at %s", async (signal) => {
    const { program } = signal === "SIGINT" ? restless : idle;
    expect(await program.end(signal)).toEqual({ code: 0, signal: null });
    expect(program.stdout()).toMatch(/\nstopped\n$/);
  });
});

/**
 * Returns the number of runs that ended after a drift was reported, up to its repair; `undefined` before the
 * repair is reported. The output has seconds only and reports a run up to one poll late, so a run that ended
 * in the drift's second does not count.
 */
function runsUntilRepair(story: readonly string[], drift: string): number | undefined {
  const broken = story.findIndex((line) => line.includes("  broke  ") && line.endsWith(drift));
  const afterwards = story.slice(broken + 1);
  const repaired = afterwards.findIndex(
    (line) => line.includes(" repaired ") && line.includes(`${drift} (after `),
  );
  const second = story[broken]?.slice(0, clockLength);
  if (second === undefined || repaired === -1) {
    return undefined;
  }
  const runs = afterwards.slice(0, repaired).filter((line) => /^\S+ {2}run /.test(line));
  return runs.filter((line) => line.slice(0, clockLength) > second).length;
}

const clockLength = "hh:mm:ss".length;
