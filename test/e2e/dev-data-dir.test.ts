import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findDifferences } from "../support/e2e/copy.ts";
import { devCluster, openDevKube, startDev } from "../support/e2e/dev.ts";
import { eventually } from "../support/e2e/eventually.ts";
import { listSucceededRuns } from "../support/e2e/fleet-api.ts";
import { createPrograms, type Programs } from "../support/e2e/programs.ts";
import { withSeed } from "../support/vitest/seeded.ts";

describe("evenkeel dev with a data directory", () => {
  let programs: Programs;
  let dataDir: string;
  beforeAll(() => {
    programs = createPrograms();
    dataDir = join(mkdtempSync(join(tmpdir(), "evenkeel-dev-")), "data");
  });
  afterAll(async () => {
    await programs[Symbol.asyncDispose]();
    rmSync(join(dataDir, ".."), { recursive: true, force: true });
  });

  it("continues with the data of a killed process", async () => {
    await withSeed("continues with the data of a killed process", async (random) => {
      for (let crash = 0; crash < 3; crash += 1) {
        const { program } = await startDev(programs, "--data-dir", dataDir, "--reconcile-interval", "1s");
        // The kill hits the first copy, a run, or the time between two runs.
        await sleep(random.float() * 3_000);
        await program.end("SIGKILL");
      }
      const args = ["--data-dir", dataDir, "--reconcile-interval", "1s", "--no-churn", "--no-drift"];
      const begun = new Date();
      const dev = await startDev(programs, ...args);
      using kube = openDevKube(dev);
      await eventually(
        "a run of the new process",
        async () => {
          const [newest] = await listSucceededRuns(dev.apiUrl, devCluster);
          expect(newest?.startTime && timestampDate(newest.startTime).getTime()).toBeGreaterThan(
            begun.getTime(),
          );
          const of = { databaseUrl: dev.databaseUrl, cluster: devCluster, kube };
          expect(await findDifferences(of)).toEqual([]);
        },
        { intervalMs: 200 },
      );
      const second = await programs.run("dev", "--port", "0", "--data-dir", dataDir);
      expect(second.code).toBe(2);
      expect(second.stderr).toContain(`in use by process ${dev.program.pid}`);
      expect(await dev.program.end("SIGINT")).toEqual({ code: 0, signal: null });
    });
  });
});
