import { fromBinary } from "@bufbuild/protobuf";
import type { ClientBase } from "pg";
import type { Batch } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { ScopeDeclaredSchema } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import { DEFAULT_DELETION_GUARD, type DeletionGuard } from "../../domain/reconciliation/deletion-guard.ts";
import { TerminalError } from "../../lib/errors.ts";
import type { BatchOutcome, IngestStore, QuarantinedItem, StreamPosition } from "../ingest-store.ts";
import type { RunFailure } from "../run-store.ts";
import { addResults } from "../sql/add-results.ts";
import { applyObservations } from "../sql/apply-observations.ts";
import { applyScope } from "../sql/apply-scope.ts";
import { beginAttempt } from "../sql/begin-attempt.ts";
import { correctCounts } from "../sql/correct-counts.ts";
import { failRun } from "../sql/end-run.ts";
import { divertListedDeletions, type Withheld } from "../sql/guard-deletions.ts";
import { isPendingInDryRun, judgeObservations, restartDryRun } from "../sql/judge-observations.ts";
import { restartSession } from "../sql/live-sessions.ts";
import { purgeTombstones } from "../sql/purge-tombstones.ts";
import { recordInventories, recordRefusal } from "../sql/record-inventories.ts";
import { isCurrentSession, recordProgress } from "../sql/record-progress.ts";
import { collectScope, setSessionScope } from "../sql/session-scope.ts";
import { verifyResources } from "../sql/verify-resources.ts";
import type { ObservationContext } from "../sql/write-rule.ts";
import { type ClusterKey, type Database, translated } from "./database.ts";
import { type Observation, toObservations, toQuarantined } from "./observation.ts";
import { readInventory } from "./read-inventory.ts";
import { scrub } from "./scrub.ts";
import { PoisonError, toStoreError } from "./sql-error.ts";

const NO_SCOPE: RunFailure = {
  reason: "NoScope",
  message: "scope: no declaration of this session was applied",
};

export interface PgIngestStoreOptions {
  /** Limits above which deletions are withheld; default {@link DEFAULT_DELETION_GUARD}. */
  readonly guard?: DeletionGuard;
  /** Called when deletions of a cluster are withheld, for each resource type and scope, in each run. */
  readonly onWithheld?: (cluster: ClusterKey, withheld: Withheld) => void;
}

/** Creates the ingester's store in Postgres. */
export function createPgIngestStore(
  database: Database,
  { guard = DEFAULT_DELETION_GUARD, onWithheld = () => {} }: PgIngestStoreOptions = {},
): IngestStore {
  const report = ({ account, cluster }: ClusterKey, withheld: Withheld | undefined): void => {
    if (withheld !== undefined) {
      onWithheld({ account, cluster }, withheld);
    }
  };
  return {
    async applyBatch(signal, position, batch) {
      signal.throwIfAborted();
      try {
        return await applyBatch(database, guard, position, batch, applyWhole);
      } catch (error) {
        if (!(error instanceof PoisonError)) {
          throw error;
        }
        return await applyBatch(database, guard, position, batch, applySplitting);
      }
    },

    async judgeBatch(signal, position, batch) {
      signal.throwIfAborted();
      await judgeBatch(database, position, batch);
    },

    async applyScope(signal, position, declared) {
      signal.throwIfAborted();
      const withheld = await database.transaction(position, async (client) => {
        await recordProgress(client, position);
        if (!(await isCurrentSession(client, position))) {
          return undefined;
        }
        const scope = await collectScope(client, position, declared);
        return scope !== undefined && (await setSessionScope(client, position, scope))
          ? await applyScope(client, position, scope, guard)
          : undefined;
      });
      report(position, withheld);
    },

    async applyResourcesReconciled(signal, position, reconciled) {
      signal.throwIfAborted();
      const withheld = await database.transaction(position, async (client) => {
        const progress = await recordProgress(client, position);
        return progress !== undefined && (await isCurrentSession(client, position))
          ? await verifyResources(client, position, progress, reconciled, guard)
          : [];
      });
      for (const deletions of withheld) {
        report(position, deletions);
      }
    },

    async beginAttempt(signal, position, request) {
      signal.throwIfAborted();
      return await database.transaction(position, async (client) => {
        const attempt = await beginAttempt(client, position, request);
        if (attempt === undefined) {
          return undefined;
        }
        if (attempt.scope === undefined) {
          await failRun(client, position, request.runId, NO_SCOPE);
          if (attempt.isScopeLost) {
            await restartSession(client, position, NO_SCOPE.message);
          }
          return undefined;
        }
        const scope = fromBinary(ScopeDeclaredSchema, attempt.scope);
        if (request.dryRun) {
          await restartDryRun(client, position, request.runId);
        } else {
          // The session holds the declared scope, so a resource type whose state was deleted is reconciled too.
          await applyScope(client, position, scope, guard);
          await purgeTombstones(client, position);
        }
        const resourceTypes = await addResults(client, position, request.runId, scope);
        return { position, request, attempt: attempt.number, replyTopic: attempt.replyTopic, resourceTypes };
      });
    },

    scrub: (signal, position, resourceType, limits) =>
      scrub(signal, database, position, resourceType, limits),

    readInventory: (signal, answer, resourceType) =>
      readInventory(signal, database.pool, answer, resourceType),

    async recordInventories(signal, answer, inventories, bytes) {
      signal.throwIfAborted();
      const { position, request } = answer;
      await translated(async () => {
        await recordInventories(database.pool, answer, inventories, bytes);
        if (!request.dryRun) {
          const resourceTypes = inventories.map(({ resourceType }) => resourceType);
          await correctCounts(database.pool, position, resourceTypes);
        }
      });
    },
  };
}

type Apply = (
  client: ClientBase,
  context: ObservationContext,
  observations: readonly Observation[],
) => Promise<Applied>;

interface Applied {
  readonly applied: number;
  readonly outOfScope: number;
  readonly quarantined: readonly QuarantinedItem[];
}

async function applyBatch(
  database: Database,
  guard: DeletionGuard,
  position: StreamPosition,
  batch: Batch,
  apply: Apply,
): Promise<BatchOutcome> {
  const { run } = batch;
  const { resourceType, context, observations } = toStatement(position, batch);
  return await database.transaction(position, async (client) => {
    const direct = await divertListedDeletions(client, guard, context, observations);
    const { applied, outOfScope, quarantined } = await apply(client, context, direct);
    const isRefused = quarantined.some(({ announced }) => !announced);
    if (outOfScope > 0 || isRefused) {
      await recordRefusal(client, position, resourceType);
    }
    const repair = run && { runId: run.runId, bytes: countBytes(observations) };
    const progress = await recordProgress(client, position, repair);
    if (outOfScope > 0 && progress !== undefined && progress.gapSequence > progress.scopeSequence) {
      await restartSession(
        client,
        position,
        "scope: a message was lost, and then an object was out of scope",
      );
    }
    const isNotified = isRefused && progress !== undefined && (await isCurrentSession(client, position));
    return { applied, quarantined, ...(isNotified && { replyTopic: progress.replyTopic }) };
  });
}

/** Judges the observations of a dry run, once for each message, and writes nothing but findings and counts. */
async function judgeBatch(database: Database, position: StreamPosition, batch: Batch): Promise<void> {
  const { run } = batch;
  if (run === undefined) {
    throw new TerminalError("batch: expected the run of a DRY_RUN batch, found none");
  }
  const { context, observations } = toStatement(position, batch);
  await database.transaction(position, async (client) => {
    if (await isPendingInDryRun(client, position, run)) {
      await judgeObservations(client, { ...context, run }, observations);
    }
    await recordProgress(client, position, { runId: run.runId, bytes: countBytes(observations) });
  });
}

/** Returns the observations of a batch and what they have in common. */
function toStatement(position: StreamPosition, batch: Batch) {
  const { resourceType, run } = batch;
  if (resourceType === undefined) {
    throw new TerminalError("batch: no resource type");
  }
  const { incarnation, orderedBy, observations } = toObservations(position, batch);
  const context: ObservationContext = { ...position, ...resourceType, incarnation, orderedBy, run };
  return { resourceType, context, observations };
}

/** Applies all observations with one statement, without the cost of a savepoint. This is the usual case. */
async function applyWhole(
  client: ClientBase,
  context: ObservationContext,
  observations: readonly Observation[],
): Promise<Applied> {
  const outcome = await applyObservations(client, context, observations);
  return { ...outcome, quarantined: observations.flatMap(toQuarantinedItem) };
}

/**
 * Applies the observations that Postgres can store and quarantines the others. It halves the observations until each
 * refused one is alone: n refused of m observations cost n * log2(m) statements, and all others commit. One that cannot
 * have even a quarantined row is dropped ({@link applyLastResort}).
 */
async function applySplitting(
  client: ClientBase,
  context: ObservationContext,
  observations: readonly Observation[],
): Promise<Applied> {
  const applyHalves = async (error: PoisonError): Promise<Applied> => {
    const [first, ...rest] = observations;
    if (first === undefined) {
      throw error;
    }
    if (rest.length === 0) {
      return await applyLastResort(client, context, first, error.message);
    }
    const middle = Math.ceil(observations.length / 2);
    const left = await applySplitting(client, context, observations.slice(0, middle));
    const right = await applySplitting(client, context, observations.slice(middle));
    return {
      applied: left.applied + right.applied,
      outOfScope: left.outOfScope + right.outOfScope,
      quarantined: [...left.quarantined, ...right.quarantined],
    };
  };
  return await unlessPoison(client, () => applyWhole(client, context, observations), applyHalves);
}

/**
 * Quarantines an observation that Postgres refused alone. Drops it, with its name and the reason in the outcome, if
 * Postgres refuses the quarantined row too: the others of its batch must not be lost with it.
 */
async function applyLastResort(
  client: ClientBase,
  context: ObservationContext,
  observation: Observation,
  reason: string,
): Promise<Applied> {
  const { namespace, name } = observation;
  return await unlessPoison(
    client,
    () => applyWhole(client, context, [toQuarantined(observation, reason)]),
    async ({ message }) => {
      const dropped = { namespace, name, reason: `dropped: ${message}`, announced: false };
      return { applied: 0, outOfScope: 0, quarantined: [dropped] };
    },
  );
}

/** Applies in a savepoint. If Postgres refuses the data, rolls back to it and returns the result of `onPoison`. */
async function unlessPoison(
  client: ClientBase,
  apply: () => Promise<Applied>,
  onPoison: (error: PoisonError) => Promise<Applied>,
): Promise<Applied> {
  await client.query("SAVEPOINT observations");
  try {
    const applied = await apply();
    await client.query("RELEASE SAVEPOINT observations");
    return applied;
  } catch (cause) {
    const error = toStoreError(cause);
    if (!(error instanceof PoisonError)) {
      throw error;
    }
    await client.query("ROLLBACK TO SAVEPOINT observations");
    return await onPoison(error);
  }
}

/** Counts the bytes of names and contents. The rest of a message is small and not worth another encoding. */
function countBytes(observations: readonly Observation[]): number {
  return observations.reduce(
    (sum, { namespace, name, content }) => sum + namespace.length + name.length + (content?.byteLength ?? 0),
    0,
  );
}

function toQuarantinedItem(observation: Observation): QuarantinedItem[] {
  const { namespace, name, quarantineReason: reason, announced = false } = observation;
  return reason === null ? [] : [{ namespace, name, reason, announced }];
}
