import { fromBinary } from "@bufbuild/protobuf";
import type { ClientBase } from "pg";
import type { Batch } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { ScopeDeclaredSchema } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import { TerminalError } from "../../lib/errors.ts";
import type { BatchOutcome, IngestStore, QuarantinedItem, StreamPosition } from "../ingest-store.ts";
import { addInventoryBytes } from "../sql/add-inventory-bytes.ts";
import { addResults } from "../sql/add-results.ts";
import { applyObservations, type ObservationContext } from "../sql/apply-observations.ts";
import { applyScope } from "../sql/apply-scope.ts";
import { beginAttempt } from "../sql/begin-attempt.ts";
import { isCurrentSession, recordProgress } from "../sql/record-progress.ts";
import { setSessionScope } from "../sql/set-session-scope.ts";
import { verifyResource } from "../sql/verify-resource.ts";
import { type Database, translated } from "./database.ts";
import { type Observation, toObservations, toQuarantined } from "./observation.ts";
import { readInventory } from "./read-inventory.ts";
import { PoisonError, toStoreError } from "./sql-error.ts";

/** Creates the ingester's store in Postgres. */
export function createPgIngestStore(database: Database): IngestStore {
  return {
    async applyBatch(signal, position, batch) {
      signal.throwIfAborted();
      try {
        return await applyBatch(database, position, batch, applyWhole);
      } catch (error) {
        if (!(error instanceof PoisonError)) {
          throw error;
        }
        return await applyBatch(database, position, batch, applySplitting);
      }
    },

    async applyScope(signal, position, scope) {
      signal.throwIfAborted();
      await database.transaction(position, async (client) => {
        await recordProgress(client, position, { refused: false });
        if (await isCurrentSession(client, position)) {
          await applyScope(client, position, scope);
          await setSessionScope(client, position, scope);
        }
      });
    },

    async applyResourceReconciled(signal, position, end) {
      signal.throwIfAborted();
      await database.transaction(position, async (client) => {
        const progress = await recordProgress(client, position, { refused: false });
        if (progress !== undefined && (await isCurrentSession(client, position))) {
          await verifyResource(client, position, progress, end);
        }
      });
    },

    async beginAttempt(signal, position, request) {
      signal.throwIfAborted();
      return await database.transaction(position, async (client) => {
        const attempt = await beginAttempt(client, position, request);
        if (attempt === undefined) {
          return undefined;
        }
        // The session holds the declared scope, so a resource type whose state was deleted is reconciled too.
        if (attempt.scope !== undefined) {
          await applyScope(client, position, fromBinary(ScopeDeclaredSchema, attempt.scope));
        }
        const resourceTypes = await addResults(client, position, request.runId);
        return { position, request, attempt: attempt.number, replyTopic: attempt.replyTopic, resourceTypes };
      });
    },

    readInventory: (signal, answer, resourceType) =>
      readInventory(signal, database.pool, answer, resourceType),

    async recordInventoryBytes(signal, answer, bytes) {
      signal.throwIfAborted();
      await translated(() => addInventoryBytes(database.pool, answer, bytes));
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
  position: StreamPosition,
  batch: Batch,
  apply: Apply,
): Promise<BatchOutcome> {
  const { resourceType, run } = batch;
  if (resourceType === undefined) {
    throw new TerminalError("batch: no resource type");
  }
  const { incarnation, observations } = toObservations(position, batch);
  const context = { ...position, ...resourceType, incarnation, runId: run?.runId };
  return await database.transaction(position, async (client) => {
    const { applied, outOfScope, quarantined } = await apply(client, context, observations);
    const refused = outOfScope > 0 || quarantined.length > 0;
    const repair = run && { repair: { runId: run.runId, bytes: countBytes(observations) } };
    await recordProgress(client, position, { refused, ...repair });
    return { applied, quarantined };
  });
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
 * refused one is alone: n refused of m observations cost n * log2(m) statements, and all others commit.
 */
async function applySplitting(
  client: ClientBase,
  context: ObservationContext,
  observations: readonly Observation[],
): Promise<Applied> {
  await client.query("SAVEPOINT observations");
  try {
    const applied = await applyWhole(client, context, observations);
    await client.query("RELEASE SAVEPOINT observations");
    return applied;
  } catch (cause) {
    const error = toStoreError(cause);
    if (!(error instanceof PoisonError)) {
      throw error;
    }
    await client.query("ROLLBACK TO SAVEPOINT observations");
    const [first, ...rest] = observations;
    if (first === undefined) {
      throw error;
    }
    if (rest.length === 0) {
      return await applyWhole(client, context, [toQuarantined(first, error.message)]);
    }
    const middle = Math.ceil(observations.length / 2);
    const left = await applySplitting(client, context, observations.slice(0, middle));
    const right = await applySplitting(client, context, observations.slice(middle));
    return {
      applied: left.applied + right.applied,
      outOfScope: left.outOfScope + right.outOfScope,
      quarantined: [...left.quarantined, ...right.quarantined],
    };
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
