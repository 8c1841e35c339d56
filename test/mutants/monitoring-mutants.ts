import type { Mutant } from "./mutant.ts";

const QUERY = "src/store/sql/select-freshness.ts";
const QUERY_TESTS = ["test/integration/store/ingest-store.pg.test.ts"];
const MONITOR = "src/backend/fleet/freshness-monitor.ts";
const MONITOR_TESTS = ["test/unit/backend/fleet/freshness-monitor.test.ts"];

const RULES = "deploy/monitoring/rules.yaml";
const RULE_TESTS = ["test/integration/monitoring/rules.test.ts"];
const METRIC_TESTS = ["test/integration/monitoring/metric-names.test.ts"];

/** Protections of the metrics and alerts that show the age of the copy. */
export const monitoringMutants: readonly Mutant[] = [
  {
    race: "L30",
    file: QUERY,
    find: "age_ms > $1::float8",
    replace: "age_ms > 2 * $1::float8",
    tests: QUERY_TESTS,
    only: "a cluster above the limit",
  },
  {
    race: "L30",
    file: QUERY,
    find: "  WHERE c.removed_at IS NULL\n",
    replace: "",
    tests: QUERY_TESTS,
    only: "a removed cluster",
  },
  {
    race: "L30",
    file: QUERY,
    find: "    WHERE availability <> 'NOT_READABLE'\n",
    replace: "",
    tests: QUERY_TESTS,
    only: "out of scope",
  },
  {
    race: "L30",
    file: QUERY,
    find: "  LEFT JOIN (",
    replace: "  JOIN (",
    tests: QUERY_TESTS,
    only: "never verified from its first session",
  },
  {
    race: "L30",
    file: QUERY,
    find: "CASE WHEN bool_or(verified_at <= now())\n             THEN min",
    replace: "CASE WHEN TRUE\n             THEN min",
    tests: QUERY_TESTS,
    only: "never verified from its first session",
  },
  {
    race: "L30",
    file: QUERY,
    find: "THEN min(CASE WHEN verified_at <= now() THEN verified_at ELSE joined_at END) END",
    replace: "THEN min(verified_at) END",
    tests: QUERY_TESTS,
    only: "an unverified resource type",
  },
  {
    race: "L30",
    file: MONITOR,
    find: "STALE_AFTER_INTERVALS * intervalMs",
    replace: "intervalMs",
    tests: MONITOR_TESTS,
    only: "a limit of three intervals",
  },
  {
    race: "L30",
    file: MONITOR,
    find: "          last = undefined;\n",
    replace: "",
    tests: MONITOR_TESTS,
    only: "no samples after a reading that failed",
  },
  {
    race: "L30",
    file: MONITOR,
    find: "const DEADLINE_MS = 10_000;",
    replace: "const DEADLINE_MS = 60_000;",
    tests: MONITOR_TESTS,
    only: "gives a reading up",
  },
  {
    race: "L30",
    file: "src/telemetry/serve-probes.ts",
    find: "      await runChecks();\n",
    replace: "",
    tests: ["test/unit/telemetry/telemetry.test.ts"],
    only: "the number of failed checks",
  },
  {
    race: "L30",
    file: "src/main/backend.ts",
    find: ", freshness.run(running.signal)",
    replace: "",
    tests: METRIC_TESTS,
    only: "each series that a rule names",
  },
  {
    race: "L30",
    file: RULES,
    find: "rate(evenkeel_ingester_lag_seconds_bucket[5m])",
    replace: "rate(evenkeel_ingester_lag_seconds[5m])",
    tests: METRIC_TESTS,
    only: "each series that a rule names",
  },
  {
    race: "L30",
    file: RULES,
    find: "rate(evenkeel_ingester_lag_seconds_bucket[5m])",
    replace: "evenkeel_ingester_lag_seconds_bucket",
    tests: RULE_TESTS,
    only: "sees each alert fire",
  },
  {
    race: "L30",
    file: RULES,
    find: "max(last_over_time(evenkeel_backend_stale_clusters[5m]))",
    replace: "max(evenkeel_backend_stale_clusters)",
    tests: RULE_TESTS,
    only: "sees each alert fire",
  },
  {
    race: "L30",
    file: RULES,
    find: "absent_over_time(evenkeel_backend_stale_clusters[5m])",
    replace: "absent(evenkeel_backend_stale_clusters)",
    tests: RULE_TESTS,
    only: "sees each alert fire",
  },
  {
    race: "L30",
    file: RULES,
    find: 'publish_failures_total{outcome="refused"}',
    replace: 'publish_failures_total{outcome="rejected"}',
    tests: METRIC_TESTS,
    only: "the labels by which",
  },
  {
    race: "L30",
    file: MONITOR,
    find: '"evenkeel_backend_stale_clusters"',
    replace: '"evenkeel_backend_old_clusters"',
    tests: METRIC_TESTS,
    only: "each series that a rule names",
  },
];
