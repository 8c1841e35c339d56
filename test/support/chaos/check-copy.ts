import type pg from "pg";
import { expect } from "vitest";
import { findDifferences } from "../e2e/copy.ts";
import { eventually } from "../e2e/eventually.ts";
import { countRowsNaming } from "../e2e/rows.ts";
import type { KubeClient } from "../kube/kube-client.ts";
import { withClient } from "../postgres/with-client.ts";
import { type AuditedDeletion, readDeletions } from "./audit-log.ts";
import { markOf } from "./churn.ts";
import type { Tenancy } from "./fleet.ts";
import { findVersionDecreases, type Removal, readRemovals } from "./row-history.ts";

/** Rows, objects and records of one cluster after a scenario. */
export interface CopyCheck {
  readonly databaseUrl: string;
  readonly kube: KubeClient;
  readonly auditLogPath: string;
  readonly tenancy: Tenancy;
  /** Namespaces of the other accounts. */
  readonly others: readonly string[];
  /** Time within which a run that begins after the faults must verify the cluster. */
  readonly recoveryMs: number;
  /** True if etcd was restored: objects of the lost history ended without a deletion. */
  readonly isEtcdRestored: boolean;
  /** True if the agent can miss changes, or their messages can be lost, so that runs repair rows. */
  readonly areRepairsExpected: boolean;
}

/**
 * Expects a cluster to be right again after faults and changes have ended:
 *
 * - a run that begins later verifies every resource type, and the rows equal the objects;
 * - no row of an object was removed before the API server received a request to delete that object;
 * - observed versions never decreased within an incarnation;
 * - no row of the account has content of another account;
 * - no message was lost, and runs found no other faults than changes that were still on their way, unless the faults
 *   lose changes.
 */
export async function checkCopy(check: CopyCheck): Promise<void> {
  const { databaseUrl, kube, tenancy, recoveryMs } = check;
  const { account, namespace } = tenancy;
  await untilVerified({ databaseUrl, tenancy, recoveryMs });
  await withClient({ connectionString: databaseUrl }, async (client) => {
    expect(await findDifferences({ ...tenancy, databaseUrl, kube })).toEqual([]);
    const deletions = readDeletions(check.auditLogPath, namespace);
    const living = await listUids(kube, namespace);
    const wrong = (await readRemovals(client, account)).filter(
      (removal) => !isExplained(removal, deletions) && (living.has(removal.uid) || !check.isEtcdRestored),
    );
    expect(wrong, "removals without a deletion").toEqual([]);
    expect(await findVersionDecreases(client, account), "versions that decreased").toEqual([]);
    for (const other of check.others.map(markOf)) {
      expect(await countRowsNaming(databaseUrl, account, other), `rows of ${account} with ${other}`).toEqual(
        {},
      );
    }
    if (!check.areRepairsExpected && !check.isEtcdRestored) {
      expect(await readGaps(client, account), "lost messages").toEqual([]);
      expect(await readUnexplainedFindings(client, account), "findings without a cause").toEqual([]);
    }
  });
}

/** Waits until a run that begins later has verified every resource type of the cluster. */
export async function untilVerified({
  databaseUrl,
  tenancy,
  recoveryMs,
}: Pick<CopyCheck, "databaseUrl" | "tenancy" | "recoveryMs">): Promise<void> {
  await withClient({ connectionString: databaseUrl }, async (client) => {
    const since = await readClock(client);
    await eventually(
      `the copy of ${tenancy.account} to be verified`,
      async () => expect(await findUnverified(client, tenancy, since)).toEqual([]),
      { timeoutMs: recoveryMs, intervalMs: 250 },
    );
  });
}

/** Returns the sessions in whose stream the ingester missed a message. */
async function readGaps(client: pg.Client, account: string): Promise<readonly unknown[]> {
  const { rows } = await client.query(
    "SELECT epoch, gap_sequence, applied_sequence FROM agent_session WHERE account = $1 AND gap_sequence > 0",
    [account],
  );
  return rows;
}

/**
 * Returns the findings of runs that no change explains. A change that is on its way for longer than a comparison waits
 * for it is found as missed, which is no fault on a busy machine.
 */
async function readUnexplainedFindings(client: pg.Client, account: string): Promise<readonly unknown[]> {
  const { rows } = await client.query(
    `SELECT resource, namespace, name, type, cause, found_at, detail FROM reconciliation_finding
     WHERE account = $1 AND cause <> 'MISSED_CHANGE' ORDER BY found_at LIMIT 10`,
    [account],
  );
  return rows;
}

async function readClock(client: pg.Client): Promise<Date> {
  const { rows } = await client.query<{ now: Date }>("SELECT clock_timestamp() AS now");
  return rows[0]?.now ?? new Date();
}

/** Returns the resource types that no run has verified since then. */
async function findUnverified(
  client: pg.Client,
  { account, cluster }: Tenancy,
  since: Date,
): Promise<readonly unknown[]> {
  const { rows } = await client.query<{ isVerified: boolean }>(
    `SELECT resource, availability, verified_at, failure_reason, failure_message,
       coalesce(verified_at > $3, false) AS "isVerified"
     FROM resource_state WHERE account = $1 AND cluster = $2`,
    [account, cluster, since],
  );
  return rows.length === 0 ? ["no resource type"] : rows.filter(({ isVerified }) => !isVerified);
}

/** True if the API server had received a request that deleted the object. One without an outcome counts for its name. */
function isExplained(removal: Removal, deletions: readonly AuditedDeletion[]): boolean {
  return (
    removal.resource === "configmaps" &&
    deletions.some(
      ({ name, uid, receivedAt }) =>
        name === removal.name && (uid === undefined || uid === removal.uid) && receivedAt <= removal.at,
    )
  );
}

async function listUids(kube: KubeClient, namespace: string): Promise<ReadonlySet<string>> {
  const { body } = await kube.get(AbortSignal.timeout(30_000), {
    path: `/api/v1/namespaces/${namespace}/configmaps`,
  });
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) {
    chunks.push(chunk);
  }
  const { items }: { items: { metadata: { uid: string } }[] } = JSON.parse(Buffer.concat(chunks).toString());
  return new Set(items.map(({ metadata }) => metadata.uid));
}
