import type { Mutant } from "./mutant.ts";

const TIME_TESTS = ["test/integration/store/database-time.pg.test.ts"];

/** Protections of times, sessions and the identity of clusters. */
export const clusterMutants: readonly Mutant[] = [
  {
    race: "R60",
    file: "src/store/sql/verify-resource.ts",
    find: "least($7, now())",
    replace: "$7",
    tests: TIME_TESTS,
    only: "R60",
  },
  {
    race: "R60",
    file: "src/store/sql/verify-resource.ts",
    find: "CASE WHEN k.verified_at <= now() THEN k.verified_at END",
    replace: "k.verified_at",
    tests: TIME_TESTS,
    only: "R60",
  },
  {
    race: "R60",
    file: "src/store/fleet/clusters.ts",
    find: "time === null || time > now ? null : time",
    replace: "now && time",
    tests: TIME_TESTS,
    only: "R60",
  },
  {
    race: "R60",
    file: "src/store/sql/list-due.ts",
    find: " AND r.started_at <= now()",
    replace: "",
    tests: TIME_TESTS,
    only: "R60",
  },
  {
    race: "R60",
    file: "src/store/sql/expire-runs.ts",
    find: " OR started_at > now() + interval '5 s'",
    replace: "",
    tests: TIME_TESTS,
    only: "R60",
  },
  {
    race: "R60",
    file: "src/store/sql/is-alive.ts",
    find: "AND clock_timestamp() + interval '${SESSION_AHEAD_MS} ms'",
    replace: "AND clock_timestamp() + interval '30 days'",
    tests: TIME_TESTS,
    only: "R60",
  },
  {
    race: "R60",
    file: "src/main/clock-monitor.ts",
    find: "Math.abs(skew) > MAX_SKEW_MS",
    replace: "skew > MAX_SKEW_MS",
    tests: ["test/unit/main/clock-monitor.pg.test.ts"],
    only: "R60",
  },
];
