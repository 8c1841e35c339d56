import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { FleetService, View } from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import type { Finding, IsolationCase } from "../../support/isolation/isolation-case.ts";
import { measureLoad } from "../../support/isolation/measure-load.ts";
import { ATTACKER, startTarget, type Target } from "../../support/isolation/target.ts";
import { queryRows } from "../../support/query-rows.ts";
import type { World } from "../../support/world.ts";

const MAX_PAGE_BYTES = 2 * 1024 * 1024;
/** Readers end after this time, and those that have not read all rows count as failed. */
const MAX_MS = 60_000;

/** Answers whose size follows stored contents. */
export const pageCases: readonly IsolationCase[] = [
  {
    row: 4,
    attack: "pages with contents: 60 x 3.5 MB, one reader",
    bound: "a page <= 2 MiB or one row; all rows; G",
    run: (world) => readPages(world, { rows: 60, repeats: 700_000, readers: 1 }),
  },
  {
    row: 4,
    attack: "pages with contents: 20 x 1 MB, 8 readers at once",
    bound: "a page <= 2 MiB or one row; all rows; G",
    run: (world) => readPages(world, { rows: 20, repeats: 200_000, readers: 8 }),
  },
];

interface Pages {
  readonly rows: number;
  /** Number of 5-byte texts in each content, two bytes of which JSON escapes. */
  readonly repeats: number;
  readonly readers: number;
}

async function readPages(world: World, { rows, repeats, readers }: Pages): Promise<Finding> {
  await using target = await startTarget(world);
  for (const statement of fill(rows, repeats)) {
    await queryRows(target.databaseUrl, statement);
  }
  const { load, value: read } = await measureLoad(target, () =>
    Promise.all(Array.from({ length: readers }, () => readAll(target))),
  );
  const counts = read.map(({ objects }) => objects);
  const largest = Math.max(...read.map(({ largestBytes }) => largestBytes));
  const isBounded = read.every(({ isPageBounded }) => isPageBounded);
  const pages = read.reduce((sum, { pages: each }) => sum + each, 0);
  const detail = `${counts.reduce((a, b) => a + b, 0)} rows in ${pages} pages, largest ${(largest / 1024 / 1024).toFixed(1)} MiB`;
  return { load, detail, holds: isBounded && counts.every((count) => count === rows) };
}

async function readAll({ url, token }: Target) {
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
      { view: View.FULL, pageSize: 1_000, pageToken },
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
function fill(rows: number, repeats: number): string[] {
  return [
    `INSERT INTO cluster (account, name, uid, epoch) VALUES ('${ATTACKER}', 'large', 'uid', 1)`,
    `INSERT INTO resource_state
       (account, cluster, api_group, resource, api_version, kind, singular, namespaced, incarnation)
     VALUES ('${ATTACKER}', 'large', '', 'configmaps', 'v1', 'ConfigMap', 'configmap', TRUE, 1)`,
    `INSERT INTO kubernetes_object
       (account, cluster, api_group, resource, namespace, name, api_version, state, uid, resource_version,
        observed_version, incarnation, content)
     SELECT '${ATTACKER}', 'large', '', 'configmaps', 'n', 'o' || i, 'v1', 'present', i::text, i::text, i, 1,
       jsonb_build_object('a', repeat(E'a\\n"é', ${repeats}))
     FROM generate_series(1, ${rows}) i`,
  ];
}
