import type { ElsewhereRow } from "../../support/isolation/isolation-case.ts";

/** Rows that a test measures, because time or state must be controlled, and rows without a mechanism. */
export const elsewhere: readonly ElsewhereRow[] = [
  {
    row: 5,
    attack: "274 connections with 300 descriptors",
    place: "test/unit/rpc/server/connection-limit.test.ts",
  },
  {
    row: 10,
    attack: "consumer cut off, silent Postgres, frozen peer",
    place:
      "test/integration/blocked-cluster.pulsar.test.ts, test/e2e/silent-postgres.pg.test.ts, npm run test:chaos",
  },
  {
    row: 11,
    attack: "events under each transient error",
    place: "test/unit/ingester/disposition.test.ts, test/unit/store/postgres/sql-error.test.ts",
  },
  {
    row: 15,
    attack: "one partition over its quota",
    place: "test/integration/bus/pulsar-websocket-broker.pulsar.test.ts",
  },
  {
    row: 16,
    attack: "scope of 150 x 300",
    place: "test/integration/store/large-scope.pg.test.ts, test/unit/event/split-scope.test.ts",
  },
  {
    row: 18,
    attack: "2,000 kinds, 100 requests at a time",
    place: "test/unit/agent/watch/first-lists.test.ts",
  },
  {
    row: 19,
    attack: "second migrate behind a stranded lock",
    place: "test/unit/store/postgres/migrate.pg.test.ts",
  },
  {
    row: 20,
    attack: "credential refused with 401; kubeconfig cases",
    place: "test/unit/kube/credentials.test.ts, test/unit/kube/load-kube-config.test.ts",
  },
  { row: 24, attack: "a silent watch", place: "test/unit/kube/watch.test.ts, with a clock of its own" },
];
