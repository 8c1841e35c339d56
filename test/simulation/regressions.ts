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
  {
    fault: "an event without some fields is stored and verified, if the first read of its type fails (R55)",
    plan: {
      seed: 1217,
      clusters: [
        { account: 0, isAbridged: true },
        { account: 0, isAbridged: false },
      ],
      ingesters: 2,
      skewsMs: [0],
      steps: [
        { type: "write", at: 6396, seed: 1064510869, cluster: 1, write: "create" },
        { type: "write", at: 7347, seed: 447277224, cluster: 0, write: "install CRD" },
        { type: "fault", at: 12474, seed: 588205536, cluster: 0, fault: "false absence", forMs: 9417 },
        { type: "write", at: 18437, seed: 1213832052, cluster: 0, write: "create" },
      ],
      quietMs: 21891,
      isReplayed: false,
    },
  },
  {
    fault: "a restored Postgres without the scope of the open session never gets a run (R71)",
    plan: {
      seed: 1229,
      clusters: [{ account: 0, isAbridged: false }],
      ingesters: 1,
      skewsMs: [0, -113094],
      steps: [
        { type: "write", at: 1374, seed: 191968142, cluster: 0, write: "create" },
        { type: "write", at: 5068, seed: 911917169, cluster: 0, write: "delete" },
        { type: "fault", at: 5803, seed: 1493423700, cluster: 0, fault: "kill agent", forMs: 12614 },
        { type: "write", at: 8630, seed: 2091272284, cluster: 0, write: "recreate" },
        { type: "fault", at: 11417, seed: 1172789683, cluster: 0, fault: "Postgres restored", forMs: 785 },
      ],
      quietMs: 27443,
      isReplayed: false,
    },
  },
  {
    fault: "a resource type that left and came back without a session sends objects that are gone (R30)",
    plan: {
      seed: 204,
      clusters: [{ account: 1, isAbridged: false }],
      ingesters: 1,
      skewsMs: [-30939],
      steps: [
        { type: "fault", at: 838, seed: 392981605, cluster: 0, fault: "partition full", forMs: 6007 },
        { type: "write", at: 4200, seed: 2061685278, cluster: 0, write: "install CRD" },
        { type: "write", at: 7715, seed: 128642157, cluster: 0, write: "update" },
        { type: "write", at: 7902, seed: 390309652, cluster: 0, write: "delete many" },
        { type: "write", at: 8336, seed: 1839799619, cluster: 0, write: "remove CRD" },
        { type: "write", at: 10196, seed: 370303562, cluster: 0, write: "install CRD" },
      ],
      quietMs: 12712,
      isReplayed: true,
    },
  },
];
