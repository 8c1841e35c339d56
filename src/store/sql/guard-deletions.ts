import { hash } from "node:crypto";
import type { ClientBase } from "pg";
import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { type DeletionGuard, mustWithhold } from "../../domain/reconciliation/deletion-guard.ts";
import type { StreamPosition } from "../ingest-store.ts";
import type { ClusterKey } from "../postgres/database.ts";
import type { Observation } from "../postgres/observation.ts";
import type { RunFailure } from "../run-store.ts";
import {
  type DeletionOrigin,
  findOpenDeletions,
  releaseDeletions,
  withholdDeletions,
} from "./deletion-sets.ts";
import { applyStaged, countStaged, dropUnclaimed, stageDeletions } from "./staged-deletions.ts";
import type { ObservationContext } from "./write-rule.ts";

/** A comparison whose verdict is positive. */
export interface VerifiedComparison {
  readonly resourceType: ResourceType;
  readonly run: { readonly runId: string; readonly attempt: number };
  /** Time of the run's request. */
  readonly requestedAt: Date;
}

/** Deletions of a resource type that do not take effect. */
export interface Withheld {
  readonly failure: RunFailure;
  readonly deletions: number;
}

/**
 * Applies the deletions that a comparison staged, or withholds them. Returns those that are withheld, and why the
 * resource type is not verified; undefined if nothing is withheld.
 *
 * Deletions that an earlier run claimed too are applied, unless a caller rejected them.
 */
export async function guardDeletions(
  client: ClientBase,
  position: StreamPosition,
  guard: DeletionGuard,
  { resourceType, run, requestedAt }: VerifiedComparison,
): Promise<Withheld | undefined> {
  const claimedUntil = new Date(requestedAt.getTime() - guard.agreementMs);
  await dropUnclaimed(client, position, resourceType, run.runId);
  const { claimed, confirmed, created } = await countStaged(
    client,
    position,
    resourceType,
    run.runId,
    claimedUntil,
  );
  const open = await findOpenDeletions(client, position, "RUN", resourceType);
  const context = { ...position, ...resourceType, run };
  const rows = claimed > guard.maxDeletions ? await countRows(client, position, resourceType) : claimed;
  const isRejected = open?.needsApproval === true && claimed > 0;
  const deletions = isRejected ? claimed : claimed - confirmed;
  if (!isRejected && !mustWithhold({ deletions, created, rows: rows - created }, guard)) {
    await applyStaged(client, { context });
    if (open !== undefined) {
      await releaseDeletions(client, position, "RUN", [resourceType], claimed > 0 ? "APPLIED" : "SUPERSEDED");
    }
    return await findNarrowed(client, position, resourceType);
  }
  if (!isRejected) {
    await applyStaged(client, { context, claimedUntil });
  }
  const detail = `${toShare(deletions, rows)} are not in the cluster's list`;
  const setId = await withholdDeletions(
    client,
    position,
    { origin: "RUN", newId: toSetId(position, "RUN"), run: { id: run.runId, requestedAt } },
    [{ resourceType, rows, deletions, detail }],
  );
  return toWithheld(setId, deletions, detail);
}

/** Returns the withheld deletions of a resource type whose namespaces the agent's configuration narrowed. */
async function findNarrowed(
  client: ClientBase,
  position: ClusterKey,
  resourceType: ResourceType,
): Promise<Withheld | undefined> {
  const open = await findOpenDeletions(client, position, "SCOPE", resourceType);
  return (
    open &&
    toWithheld(
      open.setId,
      open.deletions,
      `${open.deletions} rows are in namespaces that the agent does not read`,
    )
  );
}

/** Returns deletions of a deletion set that are withheld, for the reason `detail`. */
export function toWithheld(setId: string, deletions: number, detail: string): Withheld {
  return {
    deletions,
    failure: { reason: "DeletesWithheld", message: toWithheldMessage(setId, detail) },
  };
}

/** Returns the message of a failure because of a deletion set. */
export function toWithheldMessage(setId: string, detail: string): string {
  return `${detail}; nothing is deleted until deletion set ${setId} is decided`;
}

/** Returns text such as "412 of 500 rows (82 %)". */
export function toShare(deletions: number, rows: number): string {
  return `${deletions} of ${rows} rows (${Math.floor((100 * deletions) / Math.max(rows, 1))} %)`;
}

/** Returns the ID of a set that begins at this position: a UUID of version 8 (RFC 9562), the same at each delivery. */
export function toSetId(
  { account, cluster, epoch, sequence }: StreamPosition,
  origin: DeletionOrigin,
): string {
  const digest = hash("sha256", JSON.stringify([account, cluster, `${epoch}`, `${sequence}`, origin]), "hex");
  const parts = [
    digest.slice(0, 8),
    digest.slice(8, 12),
    `8${digest.slice(12, 15)}`,
    `8${digest.slice(15, 18)}`,
  ];
  return [...parts, digest.slice(18, 30)].join("-");
}

/** Counts the rows of a resource type that are not absent. */
async function countRows(
  client: ClientBase,
  { account, cluster }: ClusterKey,
  { group, resource }: Pick<ResourceType, "group" | "resource">,
): Promise<number> {
  const { rows } = await client.query<{ count: number }>(COUNT_ROWS, [account, cluster, group, resource]);
  return rows[0]?.count ?? 0;
}

const COUNT_ROWS = `
SELECT count(*)::int AS count FROM kubernetes_object
WHERE account = $1 AND cluster = $2 AND api_group = $3 AND resource = $4 AND state <> 'absent'`;

/**
 * Returns the observations of a batch that may be applied at once: all but deletions that derive from a list. In a run
 * they are staged. Outside a run a small number of them is applied at once too, and a large one causes a run, whose
 * verdict decides.
 */
export async function divertListedDeletions(
  client: ClientBase,
  guard: DeletionGuard,
  context: ObservationContext,
  observations: readonly Observation[],
): Promise<readonly Observation[]> {
  const listed = observations.filter(({ missing }) => missing !== undefined);
  if (listed.length === 0) {
    return observations;
  }
  if (context.run === undefined) {
    if (await mayApplyListed(client, guard, context, listed)) {
      return observations;
    }
    await requestVerdict(client, context);
  } else {
    await stageDeletions(client, context, listed);
  }
  return observations.filter(({ missing }) => missing === undefined);
}

async function mayApplyListed(
  client: ClientBase,
  guard: DeletionGuard,
  context: ObservationContext,
  listed: readonly Observation[],
): Promise<boolean> {
  const numbers = listed.map(({ missing = 0 }) => missing);
  const deletions = Math.max(...numbers);
  if (numbers.includes(0) || (await findOpenDeletions(client, context, "RUN", context)) !== undefined) {
    return false;
  }
  const rows = deletions > guard.maxDeletions ? await countRows(client, context, context) : deletions;
  return !mustWithhold({ deletions, created: 0, rows }, guard);
}

/** Requests a run of the cluster, whose verdict decides about deletions, or proves that they were right. */
export async function requestVerdict(client: ClientBase, { account, cluster }: ClusterKey): Promise<void> {
  await client.query("UPDATE resource_state SET joined_at = now() WHERE account = $1 AND cluster = $2", [
    account,
    cluster,
  ]);
}
