import { createSeededRandom, type Random } from "../../src/lib/random.ts";
import { between, chance, index, pick, weighted } from "./chance.ts";

/** Kinds of writes to a cluster. */
export type Write =
  | "create"
  | "update"
  | "delete"
  | "recreate"
  | "delete many"
  | "delete namespace"
  | "create odd"
  | "install CRD"
  | "remove CRD"
  | "edit row"
  | "delete row";

/** Kinds of faults, by the part that they hit. */
export type Fault =
  | "kill backend"
  | "kill ingester"
  | "kill agent"
  | "stop backend"
  | "stop agent"
  | "second agent"
  | "second agent stays"
  | "reset connections"
  | "silent connections"
  | "partition agent"
  | "broker gone"
  | "partition full"
  | "cut off consumers"
  | "publishes refused"
  | "receipts lost"
  | "messages lost"
  | "acknowledgements lost"
  | "deliveries late"
  | "database gone"
  | "Postgres restored"
  | "locks held"
  | "commits fail"
  | "commit answers lost"
  | "API server gone"
  | "API server starts"
  | "API server restarts with the agent"
  | "group hidden"
  | "group unavailable"
  | "group stays unavailable"
  | "forbidden"
  | "token expired"
  | "API errors"
  | "one API error"
  | "false absence"
  | "watches break"
  | "requests slow"
  | "stale lists"
  | "bookmarks held"
  | "watch events lost"
  | "deletions at last version"
  | "compaction"
  | "etcd restored"
  | "CRD late"
  | "scope narrowed"
  | "cluster rebuilt";

/** One step of a plan. Its own seed makes it independent of the other steps, so that a plan can shrink. */
export type Step =
  | {
      readonly type: "write";
      readonly at: number;
      readonly seed: number;
      readonly cluster: number;
      readonly write: Write;
    }
  | {
      readonly type: "fault";
      readonly at: number;
      readonly seed: number;
      readonly cluster: number;
      readonly fault: Fault;
      /** Duration of the fault, in milliseconds. */
      readonly forMs: number;
    }
  | {
      readonly type: "run";
      readonly at: number;
      readonly seed: number;
      readonly cluster: number;
      readonly dryRun: boolean;
    };

/** A cluster of a plan. */
export interface PlannedCluster {
  readonly account: number;
  /** True if lists and watches of its custom objects lack fields that single reads have. */
  readonly isAbridged: boolean;
}

/** What happens in a simulation, apart from the delays of messages. */
export interface Plan {
  readonly seed: number;
  readonly clusters: readonly PlannedCluster[];
  readonly ingesters: number;
  /** Error of the wall clock of each backend, in milliseconds. */
  readonly skewsMs: readonly number[];
  /** Ordered by time. All faults have ended at `quietMs`. */
  readonly steps: readonly Step[];
  /** Time after which nothing changes and nothing fails, in milliseconds. */
  readonly quietMs: number;
  /** True if all messages are delivered once more at the end. */
  readonly isReplayed: boolean;
}

/** Weight of each write in a plan. */
export const WRITES: Readonly<Record<Write, number>> = {
  create: 30,
  update: 40,
  delete: 12,
  recreate: 8,
  "delete many": 2,
  "delete namespace": 2,
  "create odd": 3,
  "install CRD": 3,
  "remove CRD": 2,
  "edit row": 4,
  "delete row": 4,
};

/** Weight of each fault in a plan. */
export const FAULTS: Readonly<Record<Fault, number>> = {
  "kill backend": 3,
  "kill ingester": 3,
  "kill agent": 4,
  "stop backend": 2,
  "stop agent": 2,
  "second agent": 2,
  "second agent stays": 2,
  "reset connections": 3,
  "silent connections": 2,
  "partition agent": 2,
  "broker gone": 2,
  "partition full": 2,
  "cut off consumers": 2,
  "publishes refused": 2,
  "receipts lost": 2,
  "messages lost": 3,
  "acknowledgements lost": 2,
  "deliveries late": 2,
  "database gone": 2,
  "Postgres restored": 3,
  "locks held": 2,
  "commits fail": 2,
  "commit answers lost": 2,
  "API server gone": 2,
  "API server starts": 2,
  "API server restarts with the agent": 2,
  "group hidden": 2,
  "group unavailable": 2,
  "group stays unavailable": 2,
  forbidden: 2,
  "token expired": 2,
  "API errors": 2,
  "one API error": 2,
  "false absence": 2,
  "watches break": 2,
  "requests slow": 2,
  "stale lists": 2,
  "bookmarks held": 2,
  "watch events lost": 2,
  "deletions at last version": 2,
  compaction: 2,
  "etcd restored": 3,
  "CRD late": 2,
  "scope narrowed": 6,
  "cluster rebuilt": 2,
};

/** Weight of each number of clusters: each one costs time. */
const CLUSTERS = { 1: 72, 2: 22, 3: 4, 4: 2 };

/**
 * Creates the plan of a seed. Each plan has few kinds of faults and can have each of them several times: what many kinds
 * at a time hide from each other, one of them alone shows (swarm testing; Groce and others, ISSTA 2012).
 *
 * With `only`, each plan has some of these faults and no others.
 */
export function createPlan(seed: number, only: readonly Fault[] = []): Plan {
  const random = createSeededRandom(seed);
  // Most plans are short, because the time of a simulation costs as much as its faults.
  const quietMs = Math.round(
    chance(random, 0.8) ? between(random, 6_000, 13_000) : between(random, 13_000, 45_000),
  );
  const clusters = Array.from({ length: Number(weighted(random, CLUSTERS)) }, () => ({
    account: index(random, 3),
    isAbridged: chance(random, 0.1),
  }));
  const backends = chance(random, 0.5) ? 1 : 2;
  const step = { seed: () => index(random, 2 ** 31), cluster: () => index(random, clusters.length) };
  const writes: Step[] = Array.from({ length: 5 + index(random, 35) }, () => ({
    type: "write",
    at: Math.round(between(random, 0, quietMs)),
    seed: step.seed(),
    cluster: step.cluster(),
    write: weighted(random, WRITES),
  }));
  const isFocused = only.length > 0;
  const kinds = Array.from({ length: 1 + index(random, 4) }, () =>
    isFocused ? pick(random, only) : weighted(random, FAULTS),
  );
  const faults: Step[] = Array.from({ length: isFocused ? 2 + index(random, 6) : index(random, 8) }, () => {
    const at = Math.round(between(random, 0, quietMs));
    return {
      type: "fault",
      at,
      seed: step.seed(),
      cluster: step.cluster(),
      fault: pick(random, kinds),
      forMs: Math.round(Math.min(quietMs - at, between(random, 100, pick(random, [1_000, 10_000, 40_000])))),
    };
  });
  const runs: Step[] = Array.from({ length: index(random, 3) }, () => ({
    type: "run",
    at: Math.round(between(random, 0, quietMs)),
    seed: step.seed(),
    cluster: step.cluster(),
    dryRun: chance(random, 0.5),
  }));
  return {
    seed,
    clusters,
    ingesters: chance(random, 0.6) ? 1 : 2,
    skewsMs: Array.from({ length: backends }, () => skew(random)),
    steps: [...writes, ...faults, ...runs].toSorted((a, b) => a.at - b.at),
    quietMs,
    isReplayed: chance(random, 0.1),
  };
}

/** Most clocks are right; some are wrong by minutes. */
function skew(random: Random): number {
  return chance(random, 0.8) ? 0 : Math.round(between(random, -120_000, 120_000));
}
