import { ConflictError } from "../../../lib/errors.ts";
import type { PulsarAdmin } from "../admin/pulsar-admin.ts";
import { compareTopology } from "./compare-topology.ts";
import type { Difference } from "./difference.ts";
import { readTopology } from "./read-topology.ts";
import type { Topology } from "./topology.ts";

/** Whose tenant is to be made how. */
export interface MendOptions {
  readonly tenant: string;
  readonly topology: Topology;
  /** Whether to change something that is not as it is wanted. */
  readonly mayChange: (difference: Difference) => boolean;
}

/** What was found, and what became of it. */
export interface TopologyChanges {
  /** Differences that there are no more. */
  readonly applied: readonly Difference[];
  /** Those that there still are. */
  readonly remaining: readonly Difference[];
  /** Whether the broker's limits could be seen, and so compared. */
  readonly hasSeenLimits: boolean;
}

/** As often as somebody may come between at the same difference before it is given up. */
const MAX_CONFLICTS = 5;

/**
 * Makes a tenant of Pulsar as it is wanted. Safe to repeat, also from two places at once: whoever finds that somebody else
 * came between looks again at what there is.
 */
export async function applyTopology(
  signal: AbortSignal,
  admin: PulsarAdmin,
  { tenant, topology, mayChange }: MendOptions,
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
