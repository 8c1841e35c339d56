import { setTimeout as sleep } from "node:timers/promises";
import type { Batch } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { ObjectLayout } from "./object-layouts.ts";
import { createObjectWriter, type ObjectWriter } from "./object-writer.ts";
import { queryRows } from "./query-rows.ts";
import { quantile } from "./statistics.ts";
import type { World } from "./world.ts";

/** Work on the database of one layout. */
export type Work = (writer: ObjectWriter, turn: number) => Promise<unknown>;

/**
 * Comparison of layouts of the object table. Each layout has its own database and does the same work in turn. Each turn
 * begins with another layout, so that other load of the machine affects all of them.
 */
export interface LayoutComparison extends AsyncDisposable {
  /** Does the work once per layout, without measuring it. */
  each(work: (writer: ObjectWriter) => Promise<unknown>): Promise<void>;
  /** Prints the median time of `turns` calls. */
  measure(title: string, turns: number, work: Work): Promise<void>;
  /** Prints objects per second and bytes of WAL per object. Each batch goes to each cluster, two clusters at once. */
  write(title: string, clusters: readonly string[], batches: Iterable<Batch>): Promise<void>;
  /** Prints sizes and heap-only updates, and ends the comparison. */
  finish(): Promise<void>;
}

interface Candidate {
  readonly name: string;
  readonly url: string;
  readonly writer: ObjectWriter;
  times: number[];
  walBytes: number;
}

const WRITERS = 2;
const NAME_LENGTH = 54;

/** Creates a database for each layout. */
export async function compareLayouts(
  world: World,
  layouts: readonly ObjectLayout[],
): Promise<LayoutComparison> {
  const candidates: Candidate[] = [];
  for (const { name, ddl } of layouts) {
    const url = await world.createDatabase();
    const writer = createObjectWriter(url);
    candidates.push({ name, url, writer, times: [], walBytes: 0 });
    for (const statement of ddl) {
      await writer.query(statement);
    }
  }
  let turn = 0;

  const takeTurns = async (work: (candidate: Candidate) => Promise<unknown>): Promise<void> => {
    const first = turn++ % candidates.length;
    for (const candidate of [...candidates.slice(first), ...candidates.slice(0, first)]) {
      const start = performance.now();
      await work(candidate);
      candidate.times.push(performance.now() - start);
    }
  };
  const print = (title: string, format: (candidate: Candidate, medianMs: number) => string): void => {
    console.log(`  ${title}, median of ${candidates[0]?.times.length}`);
    let base = 0;
    for (const candidate of candidates) {
      const ms = quantile(candidate.times, 0.5);
      base ||= ms;
      const ratio = `time ${(ms / base).toFixed(2)}`;
      console.log(`    ${candidate.name.padEnd(NAME_LENGTH)} ${format(candidate, ms)}, ${ratio}`);
      candidate.times = [];
      candidate.walBytes = 0;
    }
  };

  return {
    async each(work) {
      for (const { writer } of candidates) {
        await work(writer);
      }
    },
    async measure(title, turns, work) {
      for (let count = 0; count < turns; count += 1) {
        await takeTurns(({ writer }) => work(writer, count));
      }
      print(title, (_, ms) => `${ms.toFixed(2)} ms`);
    },
    async write(title, clusters, batches) {
      let objects = 0;
      let batchSize = 0;
      for (const batch of batches) {
        batchSize = batch.items.length;
        for (let at = 0; at < clusters.length; at += WRITERS) {
          const together = clusters.slice(at, at + WRITERS);
          objects += batchSize * together.length;
          await takeTurns(async (candidate) => {
            const { writer } = candidate;
            const wal = await readWal(writer);
            await Promise.all(together.map((cluster) => writer.apply(cluster, batch)));
            candidate.walBytes += (await readWal(writer)) - wal;
          });
        }
      }
      print(title, ({ walBytes }, ms) => {
        const rate = Math.round((Math.min(WRITERS, clusters.length) * batchSize * 1000) / ms);
        return `${rate.toLocaleString("en")} objects/s, ${Math.round(walBytes / objects)} bytes of WAL each`;
      });
    },
    async finish() {
      console.log("  at the end");
      for (const { name, url, writer } of candidates) {
        // Backends of Postgres report their statistics when they end.
        await writer[Symbol.asyncDispose]();
        await sleep(200);
        const [row] = await queryRows<Record<string, string>>(url, STATISTICS);
        const figures = Object.entries(row ?? {}).map(([key, value]) => `${key} ${value}`);
        console.log(`    ${name.padEnd(NAME_LENGTH)} ${figures.join(", ")}`);
      }
      candidates.length = 0;
    },
    async [Symbol.asyncDispose]() {
      for (const { writer } of candidates) {
        await writer[Symbol.asyncDispose]();
      }
    },
  };
}

async function readWal(writer: ObjectWriter): Promise<number> {
  const [row] = await writer.query<{ bytes: string }>(
    "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS bytes",
  );
  return Number(row?.bytes);
}

const STATISTICS = `
SELECT pg_size_pretty(sum(pg_relation_size(c.oid))) AS heap,
       pg_size_pretty(sum(pg_relation_size(c.reltoastrelid))) AS toast,
       pg_size_pretty(sum(pg_indexes_size(c.oid))) AS indexes,
       sum(s.n_tup_upd) AS updates,
       round(100 * sum(s.n_tup_hot_upd)::numeric / nullif(sum(s.n_tup_upd), 0), 1) || ' %' AS "heap-only",
       sum(s.n_dead_tup) AS dead,
       sum(s.autovacuum_count) AS autovacuums
FROM pg_class c JOIN pg_stat_user_tables s ON s.relid = c.oid
WHERE c.relkind = 'r' AND c.relname ~ '^kubernetes_object(_[0-9]+)?$'`;
