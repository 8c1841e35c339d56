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
  {
    fault: "a watch that lags sends an object that is gone, after the inventory and before the end (R95)",
    plan: {
      seed: 2647,
      clusters: [{ account: 1, isAbridged: false }],
      ingesters: 1,
      skewsMs: [0, 0],
      steps: [
        { type: "write", at: 584, seed: 2070050761, cluster: 0, write: "delete" },
        { type: "fault", at: 1555, seed: 1516081408, cluster: 0, fault: "one API error", forMs: 8292 },
        { type: "write", at: 1779, seed: 491637257, cluster: 0, write: "update" },
        { type: "write", at: 2550, seed: 44205131, cluster: 0, write: "update" },
        { type: "write", at: 3853, seed: 399570319, cluster: 0, write: "update" },
        { type: "write", at: 3889, seed: 2113256023, cluster: 0, write: "update" },
        { type: "write", at: 4059, seed: 1589936825, cluster: 0, write: "install CRD" },
        { type: "fault", at: 4829, seed: 1368613073, cluster: 0, fault: "one API error", forMs: 939 },
        { type: "write", at: 4835, seed: 242252299, cluster: 0, write: "delete namespace" },
        { type: "write", at: 4891, seed: 1019931148, cluster: 0, write: "delete" },
        { type: "fault", at: 5216, seed: 189991567, cluster: 0, fault: "one API error", forMs: 1925 },
        { type: "fault", at: 7235, seed: 1976431624, cluster: 0, fault: "token expired", forMs: 2612 },
        { type: "fault", at: 8095, seed: 635544380, cluster: 0, fault: "second agent stays", forMs: 1752 },
        { type: "write", at: 8454, seed: 319302450, cluster: 0, write: "create odd" },
        { type: "write", at: 8564, seed: 1197331739, cluster: 0, write: "edit row" },
        { type: "write", at: 8685, seed: 962509689, cluster: 0, write: "create" },
        { type: "write", at: 8719, seed: 865238166, cluster: 0, write: "create" },
        { type: "write", at: 8873, seed: 1207114403, cluster: 0, write: "update" },
        { type: "write", at: 9218, seed: 1333710497, cluster: 0, write: "delete namespace" },
        { type: "write", at: 9425, seed: 186868618, cluster: 0, write: "remove CRD" },
      ],
      quietMs: 9847,
      isReplayed: false,
    },
  },
  {
    fault: "a run reads an object whose deletion the watch then reports at its last version (R54)",
    plan: {
      seed: 5512,
      clusters: [{ account: 2, isAbridged: false }],
      ingesters: 2,
      skewsMs: [0],
      steps: [
        { type: "fault", at: 1228, seed: 2096214010, cluster: 0, fault: "receipts lost", forMs: 3468 },
        { type: "write", at: 2516, seed: 22581450, cluster: 0, write: "delete" },
        { type: "write", at: 2859, seed: 248461145, cluster: 0, write: "delete" },
        { type: "write", at: 3099, seed: 1827435121, cluster: 0, write: "update" },
        { type: "write", at: 4067, seed: 1544227569, cluster: 0, write: "create" },
        { type: "write", at: 4088, seed: 911899521, cluster: 0, write: "update" },
        { type: "write", at: 4109, seed: 1437360716, cluster: 0, write: "update" },
        { type: "write", at: 4292, seed: 1685480189, cluster: 0, write: "delete" },
        { type: "write", at: 4403, seed: 536203610, cluster: 0, write: "create" },
        {
          type: "fault",
          at: 4868,
          seed: 415686943,
          cluster: 0,
          fault: "deletions at last version",
          forMs: 2352,
        },
        { type: "run", at: 4926, seed: 1468703486, cluster: 0, dryRun: true },
        { type: "write", at: 4982, seed: 1155818381, cluster: 0, write: "delete" },
      ],
      quietMs: 7220,
      isReplayed: false,
    },
  },
  {
    fault: "a comparison goes on with a list of the incarnation before (R16)",
    plan: {
      seed: 10186,
      clusters: [
        { account: 0, isAbridged: false },
        { account: 1, isAbridged: false },
      ],
      ingesters: 2,
      skewsMs: [0, 0],
      steps: [
        { type: "write", at: 146, seed: 661724560, cluster: 0, write: "create" },
        { type: "fault", at: 1067, seed: 1554750793, cluster: 0, fault: "etcd restored", forMs: 1006 },
        { type: "write", at: 4853, seed: 914752921, cluster: 0, write: "create" },
      ],
      quietMs: 10894,
      isReplayed: false,
    },
  },
  {
    fault: "a Put that is sent again shows an object whose deletion has its last version (R54)",
    plan: {
      seed: 8457,
      clusters: [
        { account: 0, isAbridged: false },
        { account: 0, isAbridged: false },
      ],
      ingesters: 1,
      skewsMs: [0, -55542],
      steps: [
        { type: "write", at: 29, seed: 1213861153, cluster: 0, write: "create" },
        { type: "write", at: 690, seed: 1222489690, cluster: 0, write: "delete" },
        { type: "fault", at: 1031, seed: 1437001794, cluster: 0, fault: "publishes refused", forMs: 9084 },
        { type: "write", at: 1049, seed: 730742644, cluster: 0, write: "create" },
        { type: "write", at: 1648, seed: 675150825, cluster: 0, write: "delete namespace" },
        { type: "run", at: 3201, seed: 2067775412, cluster: 1, dryRun: true },
        { type: "write", at: 3710, seed: 518435621, cluster: 1, write: "delete" },
        { type: "write", at: 4835, seed: 1085680322, cluster: 0, write: "recreate" },
        { type: "write", at: 5100, seed: 1876265375, cluster: 0, write: "create" },
        { type: "write", at: 5260, seed: 410403369, cluster: 0, write: "delete" },
        { type: "run", at: 5897, seed: 1399726091, cluster: 0, dryRun: false },
        { type: "write", at: 6006, seed: 1289701516, cluster: 1, write: "create odd" },
        { type: "write", at: 6046, seed: 52384048, cluster: 0, write: "update" },
        { type: "write", at: 6405, seed: 1527529279, cluster: 1, write: "update" },
        {
          type: "fault",
          at: 6535,
          seed: 227329439,
          cluster: 0,
          fault: "deletions at last version",
          forMs: 3580,
        },
        { type: "write", at: 6892, seed: 839461579, cluster: 0, write: "update" },
        { type: "write", at: 6940, seed: 1108705744, cluster: 0, write: "update" },
        { type: "write", at: 6980, seed: 1279186340, cluster: 0, write: "create" },
        { type: "write", at: 7404, seed: 1978342771, cluster: 0, write: "delete" },
      ],
      quietMs: 10115,
      isReplayed: false,
    },
  },
  {
    fault: "a run reads objects of a definition that is removed meanwhile, and blames a gateway (R51)",
    plan: {
      seed: 8428,
      clusters: [{ account: 1, isAbridged: false }],
      ingesters: 1,
      skewsMs: [0, 0],
      steps: [
        { type: "write", at: 956, seed: 1737511082, cluster: 0, write: "install CRD" },
        { type: "write", at: 1781, seed: 406888729, cluster: 0, write: "remove CRD" },
      ],
      quietMs: 10613,
      isReplayed: false,
    },
  },
  {
    fault:
      "a read returns an object that was replaced, from before the watch event, and its row comes back (R6)",
    plan: {
      seed: 211649,
      clusters: [{ account: 1, isAbridged: false }],
      ingesters: 1,
      skewsMs: [0],
      steps: [
        { type: "fault", at: 3862, seed: 1271114368, cluster: 0, fault: "stale lists", forMs: 297 },
        { type: "write", at: 4057, seed: 407138231, cluster: 0, write: "recreate" },
      ],
      quietMs: 12564,
      isReplayed: false,
    },
  },
];
