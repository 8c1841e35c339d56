import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findBrokerDistribution } from "../../../deploy/local/components/broker-distribution.ts";
import { type Broker, startBroker } from "../../../deploy/local/components/broker-server.ts";
import { findControlPlaneBinaries } from "../../../deploy/local/components/control-plane-binaries.ts";
import {
  type ControlPlane,
  startControlPlane,
} from "../../../deploy/local/components/control-plane-server.ts";
import { found } from "../../../deploy/local/components/missing.ts";
import { findPostgresBinaries } from "../../../deploy/local/components/postgres-binaries.ts";
import { type OwnPostgres, startOwnPostgres } from "../../../deploy/local/components/postgres-server.ts";
import { createReaper, type Reaper } from "../../../deploy/local/components/reaper.ts";
import { writeAuditPolicy } from "./audit-log.ts";

/** A control plane that records deletions. */
export interface AuditedControlPlane {
  readonly controlPlane: ControlPlane;
  /** File with the deletions that the API server received. */
  readonly auditLogPath: string;
}

/** Returns the reasons why servers cannot be started, for people. */
export function findMissingServers(): readonly string[] {
  const sources = [findBrokerDistribution(), findPostgresBinaries(), findControlPlaneBinaries()];
  return sources.flatMap((source) => ("missing" in source ? [source.missing] : []));
}

/** Starts a broker that notices a full backlog at once. */
export function startChaosBroker(): Promise<Broker & AsyncDisposable> {
  // The broker checks quotas once a minute by default.
  const settings = { backlogQuotaCheckIntervalInSeconds: 1 };
  return startReaped((reaper) =>
    startBroker({ distribution: found(findBrokerDistribution()), reaper, settings }),
  );
}

/** Starts a Postgres that keeps each commit, as in production. */
export function startChaosPostgres(): Promise<OwnPostgres & AsyncDisposable> {
  return startReaped((reaper) => startOwnPostgres(found(findPostgresBinaries()), reaper, { durable: true }));
}

/** Starts a control plane with an audit log. */
export function startAuditedControlPlane(): Promise<AuditedControlPlane & AsyncDisposable> {
  return startReaped(async (reaper) => {
    const directory = mkdtempSync(join(tmpdir(), "evenkeel-audit-"));
    reaper.add({ type: "dir", path: directory });
    const audit = { policyPath: join(directory, "policy.json"), logPath: join(directory, "audit.log") };
    writeAuditPolicy(audit.policyPath);
    const controlPlane = await startControlPlane(reaper, { audit });
    return {
      controlPlane,
      auditLogPath: audit.logPath,
      async stop() {
        await controlPlane.stop();
        rmSync(directory, { recursive: true, force: true });
      },
    };
  });
}

/** Starts a server whose disposal also ends its reaper. */
async function startReaped<T extends { stop(): Promise<void> }>(
  start: (reaper: Reaper) => Promise<T>,
): Promise<T & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const reaper = stack.use(createReaper());
  const server = await start(reaper);
  stack.defer(() => server.stop());
  const disposal = stack.move();
  return Object.assign(server, { [Symbol.asyncDispose]: () => disposal.disposeAsync() });
}
