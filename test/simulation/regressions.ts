import type { Plan } from "./plan.ts";

/** A shrunk plan that breaks an invariant if a protection of the product is missing. */
export interface Regression {
  /** The fault that it finds then; see the escaped faults in docs/verification.md. */
  readonly fault: string;
  readonly plan: Plan;
}

const ONE_CLUSTER = {
  clusters: [{ account: 0, isAbridged: false }],
  ingesters: 1,
  skewsMs: [0, 0],
  isReplayed: false,
};

/** A plan is data, so that it means the same after a change of the plans of all seeds. */
export const REGRESSIONS: readonly Regression[] = [
  {
    fault: "a replica that lags for more than 2 s counts as a restored etcd, and its lists delete rows (R6)",
    plan: {
      ...ONE_CLUSTER,
      seed: 131,
      steps: [
        { type: "fault", at: 2_864, seed: 1_518_525_232, cluster: 0, fault: "stale lists", forMs: 15_209 },
      ],
      quietMs: 18_073,
    },
  },
];
