import { Client } from "pg";
import { drawOne, drawSuffix } from "../simulation/random-pick.ts";
import type { ResourceKey } from "../simulation/served-resources.ts";
import type { SimulatedCluster } from "../simulation/simulated-cluster.ts";
import { DRIFT_TYPES, type DriftedObject, type DriftType, type InjectedDrift } from "./drift.ts";
import { createRowVandal, type DriftTarget, type RowEditor } from "./drift-sql.ts";

/** How to create a {@link DriftInjector}. */
export interface DriftInjectorOptions {
  /** The cluster that the rows are a copy of; time and randomness are its own. */
  readonly cluster: SimulatedCluster;
  /** The database, reached past the ingester: each injection has a connection of its own. */
  readonly databaseUrl: string;
  readonly target: DriftTarget;
  /** Average time between two injections; 5 s unless set. */
  readonly intervalMs?: number;
}

/** Breaks the copy on purpose, so that there is something to find. */
export interface DriftInjector {
  /**
   * Injects the next kind of drift and returns what was broken, or `undefined` when there was nothing to break: the
   * copy is still empty. Rejects when the database does not answer.
   */
  inject(): Promise<InjectedDrift | undefined>;
  /** Injects until `signal` aborts, and resolves then; tells `onDrift` of each. */
  run(signal: AbortSignal, onDrift: (drift: InjectedDrift) => void): Promise<void>;
}

/** Kinds that the workload leaves alone: no live change repairs their rows before a run does. */
const QUIET_RESOURCES: readonly ResourceKey[] = ["services", "secrets", "serviceaccounts", "configmaps"];
/** The only objects of those kinds that it does change. */
const BUSY_NAME = "feature-flags";

/** Creates an injector that goes through the kinds of drift one after the other. */
export function createDriftInjector(options: DriftInjectorOptions): DriftInjector {
  const { cluster, databaseUrl, target, intervalMs = 5_000 } = options;
  let injections = 0;
  const inject = async (): Promise<InjectedDrift | undefined> => {
    const drift = DRIFT_TYPES[injections % DRIFT_TYPES.length] ?? "lost-event";
    const client = new Client({ connectionString: databaseUrl });
    await client.connect();
    try {
      const rows = createRowVandal(client, target);
      const resourceKey = drawOne(cluster.random, QUIET_RESOURCES) ?? "services";
      const candidates = (await rows.list(resourceKey)).filter(
        (object) => object.name !== BUSY_NAME && isReal(cluster, object),
      );
      const chosen = drawOne(cluster.random, candidates);
      if (chosen === undefined) {
        return undefined;
      }
      injections += 1;
      const objects = await breakRows(drift, rows, cluster, chosen);
      return { type: drift, time: cluster.clock.now(), objects };
    } finally {
      await client.end();
    }
  };
  return {
    inject,
    async run(signal, onDrift) {
      try {
        for (;;) {
          await cluster.clock.sleep(signal, intervalMs * (0.5 + cluster.random.float()));
          const drift = await inject();
          if (drift !== undefined) {
            onDrift(drift);
          }
        }
      } catch (error) {
        if (!signal.aborted) {
          throw error;
        }
      }
    },
  };
}

/** Breaks the copy of an object, or of all of its kind, and returns what is wrong then. */
async function breakRows(
  drift: DriftType,
  rows: RowEditor,
  cluster: SimulatedCluster,
  chosen: DriftedObject,
): Promise<InjectedDrift["objects"]> {
  switch (drift) {
    case "lost-event":
      loseUpdate(cluster, chosen);
      return [chosen];
    case "edited-content":
      await rows.editContent(chosen);
      return [chosen];
    case "deleted-row":
      await rows.deleteRow(chosen);
      return [chosen];
    case "ghost-row": {
      const ghost = { ...chosen, name: `ghost-${drawSuffix(cluster.random)}` };
      await rows.insertGhost(chosen, ghost.name, cluster.random.uuid());
      return [ghost];
    }
    case "absurd-version":
      await rows.setAbsurdVersion(chosen);
      return [chosen];
    case "deleted-resource-type": {
      const others = (await rows.list(chosen.resourceKey)).filter((object) => {
        return (
          (object.namespace !== chosen.namespace || object.name !== chosen.name) && isReal(cluster, object)
        );
      });
      await rows.deleteResourceType(chosen.resourceKey);
      return [chosen, ...others];
    }
    default:
      return drift satisfies never;
  }
}

/** The object changes in the cluster and no watch is told. */
function loseUpdate(cluster: SimulatedCluster, { resourceKey, namespace, name }: DriftedObject): void {
  cluster.faults.loseNextWatchEvent(resourceKey);
  cluster.update(resourceKey, namespace, name, (object) => ({
    ...object,
    metadata: {
      ...object.metadata,
      annotations: { "example.com/changed-at": cluster.clock.now().toISOString() },
    },
  }));
}

/** Whether the row is no ghost: breaking one would be no drift. */
function isReal(cluster: SimulatedCluster, { resourceKey, namespace, name }: DriftedObject): boolean {
  return cluster.get(resourceKey, namespace, name) !== undefined;
}
