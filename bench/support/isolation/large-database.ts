import { createDatabase, type Database } from "../../../src/store/postgres/database.ts";
import type { World } from "../world.ts";

/** Account and large cluster of the database. */
export const LARGE = { account: "acme", cluster: "c1" };
const CLUSTERS = 1_000;
/** Resource types of the large cluster. */
export const LARGE_TYPES = 91;

/** Number of rows of a database. */
export interface LargeDatabaseOptions {
  /** Ended runs of all clusters. */
  readonly runs: number;
  /** Objects of the large cluster, in turn of each resource type. */
  readonly objects: number;
}

/** Fills a database with 1,000 clusters, one of which is large. The caller closes it. */
export async function createLargeDatabase(world: World, options: LargeDatabaseOptions): Promise<Database> {
  const database = createDatabase({ url: await world.createDatabase() });
  const client = await database.pool.connect();
  await client.query(`BEGIN; ${fill(options)}; COMMIT`);
  await client.query("VACUUM ANALYZE");
  client.release();
  return database;
}

const fill = ({ runs, objects }: LargeDatabaseOptions): string => `
SET LOCAL evenkeel.writer = 'ingester';
INSERT INTO cluster (account, name, uid, epoch)
SELECT 'acme', 'c' || c, 'uid of c' || c, 1 FROM generate_series(1, ${CLUSTERS}) c;
INSERT INTO agent_session
  (account, cluster, epoch, instance_id, agent_version, kubernetes_version, reply_topic, opened_at, seen_at)
SELECT 'acme', 'c' || c, 1, 'agent-1', '', '', '', now() - interval '1 h', now()
FROM generate_series(1, ${CLUSTERS}) c;
INSERT INTO reconciliation_run
  (account, cluster, id, initiator, trigger, state, epoch, started_at, deadline_at, ended_at)
SELECT 'acme', 'c' || c, gen_random_uuid(), '', 'INTERVAL', 'SUCCEEDED', 1,
  now() - r * interval '10 min' - interval '2 min', now(), now() - r * interval '10 min'
FROM generate_series(1, ${CLUSTERS}) c, generate_series(1, ${runs / CLUSTERS}) r;
INSERT INTO resource_state (account, cluster, api_group, resource, api_version, kind, singular, namespaced, incarnation)
SELECT 'acme', 'c' || c, 'g' || g, 'r', 'v1', 'K', 'k', TRUE, 1
FROM generate_series(1, 8) c, generate_series(1, ${LARGE_TYPES}) g;
INSERT INTO kubernetes_object
  (account, cluster, api_group, resource, namespace, name, api_version, state, uid, resource_version,
   observed_version, incarnation, content, checksum)
SELECT 'acme', 'c1', 'g' || (i % ${LARGE_TYPES} + 1), 'r', 'n', 'o' || i, 'v1', 'present', i::text, i::text, i, 1,
  '{}', decode(repeat('00', 32), 'hex')
FROM generate_series(1, ${objects}) i`;
