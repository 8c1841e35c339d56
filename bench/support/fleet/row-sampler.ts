import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { ObjectState, Samples } from "./messages.ts";

/** Time between two queries, which the measured times include. */
const POLL_MS = 10;
/** Rows of one query, the oldest changes first. */
const MAX_ROWS = 500;

/** A change of an object. */
export interface SampledChange {
  readonly account: string;
  readonly cluster: string;
  readonly state: ObjectState;
  /** `performance.now()` before the change. */
  readonly at: number;
}

/** Waits for the rows of changes. */
export interface RowSampler {
  /** Waits for the row of a change from now on. */
  add(change: SampledChange): void;
  take(): Samples;
}

/**
 * Polls the rows of sampled changes by their primary keys. A trigger with NOTIFY would take a lock of the whole database
 * at each commit, and so delay what is measured. It ends with the process.
 */
export async function startRowSampler(databaseUrl: string): Promise<RowSampler> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query("SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off");
  const waiting = new Map<number, SampledChange>();
  let latencies: number[] = [];
  let count = 0;

  const poll = async (): Promise<void> => {
    const polled = [...waiting].slice(0, MAX_ROWS);
    const values = [
      polled.map(([id]) => id),
      polled.map(([, { account }]) => account),
      polled.map(([, { cluster }]) => cluster),
      ...[0, 1, 2, 3, 4].map((column) => polled.map(([, { state }]) => state[column])),
    ];
    const { rows } = await client.query<{ id: number }>({ name: "sample", text: FIND_ROWS, values });
    const now = performance.now();
    for (const { id } of rows) {
      latencies.push(now - (waiting.get(id)?.at ?? now));
      waiting.delete(id);
    }
  };
  const run = async (): Promise<never> => {
    for (;;) {
      if (waiting.size > 0) {
        await poll();
      }
      await sleep(POLL_MS);
    }
  };
  void run();
  return {
    add(change) {
      waiting.set(count++, change);
    },
    take() {
      const taken = latencies;
      latencies = [];
      return { latencies: taken, waiting: waiting.size };
    },
  };
}

// Also a later state of the object: a row that has passed the change has it.
const FIND_ROWS = `
SELECT s.id
FROM unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
  AS s(id, account, cluster, resource, namespace, name, uid, version)
JOIN kubernetes_object o
  ON o.account = s.account AND o.cluster = s.cluster AND o.api_group = '' AND o.resource = s.resource
  AND o.namespace = s.namespace AND o.name = s.name
WHERE o.uid = s.uid AND o.resource_version::numeric >= s.version::numeric`;
