import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { FleetService, View } from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { queryRows } from "../query-rows.ts";
import { ATTACKER, type Target } from "./target.ts";

/** Objects with large contents, of a cluster of the attacker. */
export interface LargeObjects {
  readonly cluster: string;
  readonly rows: number;
  /** Number of 5-byte texts in each content, two bytes of which JSON escapes. */
  readonly repeats: number;
}

/** Result of one reader. */
export interface ReadPages {
  readonly objects: number;
  readonly pages: number;
  readonly largestBytes: number;
  /** True if each page had one row or at most 2 MiB. */
  readonly isPageBounded: boolean;
}

const MAX_PAGE_BYTES = 2 * 1024 * 1024;
/** Readers end after this time, and those that have not read all rows count as failed. */
const MAX_MS = 60_000;

/** Writes the objects into the database. */
export async function fillLargeObjects({ databaseUrl }: Target, large: LargeObjects): Promise<void> {
  for (const statement of fill(large)) {
    await queryRows(databaseUrl, statement);
  }
}

/** Reads the objects with their contents, by several readers at once. */
export function readLargeObjects(
  target: Target,
  large: LargeObjects,
  readers: number,
): Promise<readonly ReadPages[]> {
  return Promise.all(Array.from({ length: readers }, () => readAll(target, large.cluster)));
}

async function readAll({ url, token }: Target, cluster: string): Promise<ReadPages> {
  const client = createClient(
    FleetService,
    createGrpcTransport({ baseUrl: url, readMaxBytes: 64 * 1024 * 1024 }),
  );
  const headers = { authorization: `Bearer ${token}` };
  const read = { objects: 0, pages: 0, largestBytes: 0, isPageBounded: true };
  const deadline = performance.now() + MAX_MS;
  let pageToken = "";
  do {
    const page = await client.listObjects(
      { clusters: [cluster], view: View.FULL, pageSize: 1_000, pageToken },
      { headers, timeoutMs: MAX_MS },
    );
    const bytes = page.objects.reduce((sum, { content }) => sum + content.length, 0);
    read.objects += page.objects.length;
    read.pages += 1;
    read.largestBytes = Math.max(read.largestBytes, bytes);
    read.isPageBounded &&= bytes <= MAX_PAGE_BYTES || page.objects.length === 1;
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && performance.now() < deadline);
  return read;
}

/** Repeated text, because Postgres compresses it and its escapes cost the reader. */
function fill({ cluster, rows, repeats }: LargeObjects): string[] {
  return [
    `INSERT INTO cluster (account, name, uid, epoch) VALUES ('${ATTACKER}', '${cluster}', 'uid of ${cluster}', 1)`,
    `INSERT INTO resource_state
       (account, cluster, api_group, resource, api_version, kind, singular, namespaced, incarnation)
     VALUES ('${ATTACKER}', '${cluster}', '', 'configmaps', 'v1', 'ConfigMap', 'configmap', TRUE, 1)`,
    `INSERT INTO kubernetes_object
       (account, cluster, api_group, resource, namespace, name, api_version, state, uid, resource_version,
        observed_version, incarnation, content)
     SELECT '${ATTACKER}', '${cluster}', '', 'configmaps', 'n', 'o' || i, 'v1', 'present', i::text, i::text, i, 1,
       jsonb_build_object('a', repeat(E'a\\n"é', ${repeats}))
     FROM generate_series(1, ${rows}) i`,
  ];
}
