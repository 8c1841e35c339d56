import pg from "pg";
import { canonicalize } from "../../src/domain/canonical-json.ts";
import { checksumOf } from "../../src/domain/content-format.ts";
import { toByteaArray, toTextArray } from "../../src/store/sql/binary-array.ts";
import { createPod } from "./create-pod.ts";

const BATCH = 250;

interface Row {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly version: string;
  readonly content: Buffer;
  readonly checksum: Uint8Array;
}

/**
 * Writes pods with the ingester's columns and arrays but without the write rule. Returns the duration in milliseconds.
 */
export async function insertRaw(url: string, count: number, contentBytes: number): Promise<number> {
  const rows = Array.from({ length: count }, (_, index) => toRow(index, contentBytes));
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const start = performance.now();
    for (let at = 0; at < rows.length; at += BATCH) {
      await client.query(INSERT, toParameters(rows.slice(at, at + BATCH)));
    }
    return performance.now() - start;
  } finally {
    await client.end();
  }
}

function toRow(index: number, contentBytes: number): Row {
  const pod = createPod(index, contentBytes);
  const { namespace = "", name } = pod.metadata;
  const uid = `00000000-0000-4000-9000-${String(index).padStart(12, "0")}`;
  const version = String(index + 1);
  const metadata = {
    ...pod.metadata,
    uid,
    resourceVersion: version,
    creationTimestamp: "2026-01-01T00:00:00Z",
  };
  const content = Buffer.from(canonicalize({ ...pod, metadata }));
  return { namespace, name, uid, version, content, checksum: checksumOf(content) };
}

function toParameters(rows: readonly Row[]): unknown[] {
  return [
    new Date(),
    toTextArray(rows.map(({ namespace }) => namespace)),
    toTextArray(rows.map(({ name }) => name)),
    toTextArray(rows.map(({ uid }) => uid)),
    toTextArray(rows.map(({ version }) => version)),
    toTextArray(rows.map(({ content }) => content)),
    toByteaArray(rows.map(({ checksum }) => checksum)),
  ];
}

const INSERT = `
INSERT INTO kubernetes_object
  (account, cluster, api_group, resource, namespace, name, api_version, state, uid, resource_version,
   observed_version, incarnation, content, checksum, content_format, updated_at)
SELECT 'default', 'raw', '', 'pods', namespace, name, 'v1', 'present', uid, resource_version,
       resource_version::numeric, 0, content::jsonb, checksum, 'form', $1
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[])
  AS i(namespace, name, uid, resource_version, content, checksum)
ON CONFLICT (account, cluster, api_group, resource, namespace, name) DO UPDATE SET content = EXCLUDED.content`;
