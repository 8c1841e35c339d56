import { ConflictError } from "../../../lib/errors.ts";
import type { PulsarAdmin } from "../admin/pulsar-admin.ts";
import { compareTopology } from "./compare-topology.ts";
import { readTopology } from "./read-topology.ts";
import type { Difference, Topology } from "./topology.ts";

export interface ApplyTopologyOptions {
  readonly tenant: string;
  readonly topology: Topology;
  /** Returns true if this difference may be removed. */
  readonly mayChange: (difference: Difference) => boolean;
}

/** The result of applying a topology. */
export interface TopologyChanges {
  /** Differences that were removed. */
  readonly applied: readonly Difference[];
  /** Differences that were not removed. */
  readonly remaining: readonly Difference[];
  /** True if the broker's limits could be read and were compared. */
  readonly hasSeenLimits: boolean;
}

/** Maximum conflicts at one difference before the last one is thrown. */
const MAX_CONFLICTS = 5;

/**
 * Changes a tenant of Pulsar to the wanted topology. It is safe to repeat, also concurrently: after a
 * conflict with another client it reads the current topology again.
 */
export async function applyTopology(
  signal: AbortSignal,
  admin: PulsarAdmin,
  { tenant, topology, mayChange }: ApplyTopologyOptions,
): Promise<TopologyChanges> {
  const applied: Difference[] = [];
  const conflicts = new Map<string, number>();
  for (;;) {
    const found = await readTopology(signal, admin, topology);
    const left: Difference[] = [];
    let what = "";
    try {
      for (const difference of compareTopology(tenant, topology, found)) {
        if (typeof difference.remedy === "function" && mayChange(difference)) {
          what = difference.what;
          await difference.remedy(signal, admin);
          applied.push(difference);
        } else {
          left.push(difference);
        }
      }
      return { applied, remaining: left, hasSeenLimits: found.limits !== undefined };
    } catch (error) {
      const times = (conflicts.get(what) ?? 0) + 1;
      conflicts.set(what, times);
      if (!(error instanceof ConflictError) || times === MAX_CONFLICTS) {
        throw error;
      }
    }
  }
}
