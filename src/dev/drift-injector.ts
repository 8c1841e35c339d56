import { NEVER } from "../lib/abort.ts";
import { drawOne, drawSuffix } from "../simulation/random-pick.ts";
import type { ResourceKey } from "../simulation/served-resources.ts";
import type { SimulatedCluster } from "../simulation/simulated-cluster.ts";
import { withSingleClient } from "../store/postgres/single-client.ts";
import {
  createRowEditor,
  DRIFT_TYPES,
  type DriftedObject,
  type DriftTarget,
  type DriftType,
  type InjectedDrift,
  type RowEditor,
} from "./drift.ts";

export interface DriftInjectorOptions {
  /** The cluster of the rows, which also provides time and randomness. */
  readonly cluster: SimulatedCluster;
  /** URL of the database. Each injection opens its own connection, without the ingester. */
  readonly databaseUrl: string;
  readonly target: DriftTarget;
  /** Average time between two injections; default 5 s. */
  readonly intervalMs?: number;
}

/** Injects drift into the copy, so that runs find something. */
export interface DriftInjector {
  /**
   * Injects drift of the next type and returns it, or `undefined` while the copy is empty.
   *
   * @throws Error of the driver if the database does not answer
   */
  inject(): Promise<InjectedDrift | undefined>;
  /** Injects until `signal` aborts, then resolves. Calls `onDrift` for each. */
  run(signal: AbortSignal, onDrift: (drift: InjectedDrift) => void): Promise<void>;
}

/** Resource types that the workload does not change, so no live change repairs their rows before a run. */
const QUIET_RESOURCES: readonly ResourceKey[] = ["services", "secrets", "serviceaccounts", "configmaps"];
/** Name of the only objects of those resource types that it changes. */
const BUSY_NAME = "feature-flags";

/** Creates an injector that injects the types of drift in turn. */
export function createDriftInjector(options: DriftInjectorOptions): DriftInjector {
  const { cluster, databaseUrl, target, intervalMs = 5_000 } = options;
  let injections = 0;
  const inject = async (): Promise<InjectedDrift | undefined> => {
    const drift = DRIFT_TYPES[injections % DRIFT_TYPES.length] ?? "lost-event";
    return await withSingleClient(NEVER, { url: databaseUrl }, async (client) => {
      const rows = createRowEditor(client, target);
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
    });
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

/** Breaks the row of an object, or all rows of its resource type, and returns the affected objects. */
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

/** Changes the object in the cluster without an event for watches. */
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

/** True if the row has an object. Breaking a ghost row would not be drift. */
function isReal(cluster: SimulatedCluster, { resourceKey, namespace, name }: DriftedObject): boolean {
  return cluster.get(resourceKey, namespace, name) !== undefined;
}
