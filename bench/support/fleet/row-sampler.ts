import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { SampledChange } from "./messages.ts";

/** Time between two queries, which the measured times include. */
const POLL_MS = 10;
/** Rows of one query, the oldest changes first. */
const MAX_ROWS = 500;

/** Waits for the rows of changes. */
export interface RowSampler extends AsyncDisposable {
  /** Waits for the row of a change from now on. */
  add(account: string, change: SampledChange): void;
  /** Number of changes whose rows have not been seen. */
  readonly waiting: number;
  /** Returns the milliseconds from each change to its row since the last call. Changes that wait are not included. */
  take(): number[];
}

/**
 * Polls the rows of sampled changes by their primary keys. A trigger with NOTIFY would take a lock of the whole database
 * at each commit, and so delay what is measured.
 */
export async function startRowSampler(databaseUrl: string): Promise<RowSampler> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query("SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off");
  const waiting = new Map<number, { readonly account: string; readonly change: SampledChange }>();
  let latencies: number[] = [];
  let count = 0;
  let isStopped = false;

  const poll = async (): Promise<void> => {
    while (!isStopped) {
      if (waiting.size > 0) {
        const polled = [...waiting].slice(0, MAX_ROWS);
        const values = [
          polled.map(([id]) => id),
          polled.map(([, { account }]) => account),
          polled.map(([, { change }]) => change.cluster),
          ...[0, 1, 2, 3, 4].map((column) => polled.map(([, { change }]) => change.state[column])),
        ];
        const { rows } = await client.query<{ id: number }>({ name: "sample", text: FIND_ROWS, values });
        const now = process.hrtime.bigint();
        for (const { id } of rows) {
          latencies.push(Number(now - BigInt(waiting.get(id)?.change.at ?? now)) / 1e6);
          waiting.delete(id);
        }
      }
      await sleep(POLL_MS);
    }
  };
  const polling = poll();
  return {
    add(account, change) {
      waiting.set(count++, { account, change });
    },
    get waiting() {
      return waiting.size;
    },
    take() {
      const taken = latencies;
      latencies = [];
      return taken;
    },
    async [Symbol.asyncDispose]() {
      isStopped = true;
      await polling;
      await client.end();
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
