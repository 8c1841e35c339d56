import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type KubernetesObject as FleetObject,
  KubernetesObjectSchema,
  ObjectStateSchema,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { canonicalizeJsonbText } from "../../domain/canonical-text.ts";
import type { Clock } from "../../lib/clock.ts";
import { runInSlices, type Slices } from "../../lib/slices.ts";
import { selectClusters, selectResourceStatuses, toFreshness } from "../fleet/clusters.ts";
import { enumFromName, selectRuns, toFinding } from "../fleet/runs.ts";
import type { FleetStore, PageQuery } from "../fleet-store.ts";
import {
  type ObjectPosition,
  type ObjectRow,
  selectContents,
  selectObject,
  selectObjects,
} from "../sql/select-objects.ts";
import { ContentReads } from "./content-reads.ts";
import { type Database, read } from "./database.ts";
import { selectNow } from "./database-time.ts";
import { ofClusters, toPage, toParts, toTimePosition } from "./page.ts";

/** Largest page of objects with their contents, in bytes, unless its only object is larger. */
const MAX_PAGE_BYTES = 2 * 1024 * 1024;

/** Creates the fleet store in Postgres. A signal does not interrupt a query that has begun. */
export function createPgFleetStore(database: Database, clock: Clock): FleetStore {
  const { prisma, pool } = database;
  const contentReads = new ContentReads();

  return {
    listClusters: (signal, account, query) =>
      read(signal, async () => {
        const [after] = query.after === undefined ? [] : toParts(query.after, 1);
        const rows = await prisma.cluster.findMany({
          where: {
            account,
            removedAt: null,
            name: {
              ...(after !== undefined && { gt: after }),
              ...(query.namePrefix !== undefined && { startsWith: query.namePrefix }),
            },
          },
          orderBy: { name: "asc" },
          take: query.limit + 1,
        });
        const clusters = await selectClusters(database, account, rows.slice(0, query.limit));
        const { next } = toPage(
          rows,
          query,
          ({ name }) => name,
          ({ name }) => [name],
        );
        return { items: [...clusters.values()], next };
      }),

    getCluster: (signal, account, name) =>
      read(signal, async () => {
        const row = await prisma.cluster.findUnique({
          where: { account_name: { account, name }, removedAt: null },
        });
        if (row === null) {
          return undefined;
        }
        const [clusters, resources] = await Promise.all([
          selectClusters(database, account, [row]),
          selectResourceStatuses(database, account, name),
        ]);
        const cluster = clusters.get(name);
        return cluster && { ...cluster, resources };
      }),

    listObjects: (signal, account, query) =>
      read(signal, async () => {
        const after = toObjectPosition(query);
        if (!query.hasContent) {
          const rows = await selectObjects(pool, account, query, after);
          return toPage(rows, query, (row) => toObject(row, ""), positionOf);
        }
        using _ = await contentReads.begin(signal, account);
        const rows = await selectContents(pool, account, query, after, MAX_PAGE_BYTES);
        const shown = cutPage(rows, query.limit);
        const items = await runInSlices(signal, clock, toObjects(shown));
        // A page that has reached a limit may be the last one. Then the next one is empty.
        const last = shown.length < rows.length || sizeOf(shown) > MAX_PAGE_BYTES ? shown.at(-1) : undefined;
        return { items, next: last && positionOf(last) };
      }),

    getObject: (signal, account, cluster, { resourceType, namespace, name }) =>
      read(signal, async () => {
        const { group = "", resource = "" } = resourceType ?? {};
        using _ = await contentReads.begin(signal, account);
        const row = await selectObject(pool, account, [cluster, group, resource, namespace, name]);
        const [object] = await runInSlices(signal, clock, toObjects(row === undefined ? [] : [row]));
        return object;
      }),

    listRuns: (signal, account, query) =>
      read(signal, async () => {
        const rows = await prisma.reconciliationRun.findMany({
          where: { account, ...ofClusters(query), ...behindRun(query) },
          orderBy: [{ startedAt: "desc" }, { id: "asc" }],
          take: query.limit + 1,
        });
        const items = await selectRuns(database, account, rows.slice(0, query.limit));
        const { next } = toPage(
          rows,
          query,
          ({ id }) => id,
          ({ startedAt, id }) => [startedAt.toISOString(), id],
        );
        return { items, next };
      }),

    getRun: (signal, account, id) =>
      read(signal, async () => {
        const row = await prisma.reconciliationRun.findUnique({ where: { account_id: { account, id } } });
        return row === null ? undefined : (await selectRuns(database, account, [row]))[0];
      }),

    listOpenRuns: (signal, account, { endedWithinMs, except }) =>
      read(signal, async () => {
        const endedSince = new Date((await selectNow(pool)).getTime() - endedWithinMs);
        const rows = await prisma.reconciliationRun.findMany({
          where: {
            account,
            id: { notIn: [...except] },
            OR: [{ endedAt: null }, { endedAt: { gte: endedSince } }],
          },
          orderBy: [{ startedAt: "asc" }, { id: "asc" }],
        });
        return await selectRuns(database, account, rows);
      }),

    listFindings: (signal, account, runId, page) =>
      read(signal, async () => {
        const run = await prisma.reconciliationRun.findUnique({
          where: { account_id: { account, id: runId } },
          select: { cluster: true, dryRun: true },
        });
        if (run === null) {
          return { items: [], next: undefined };
        }
        const query = {
          where: { account, cluster: run.cluster, runId, ...behindFinding(page) },
          orderBy: [{ group: "asc" }, { resource: "asc" }, { namespace: "asc" }, { name: "asc" }],
          take: page.limit + 1,
        } satisfies Parameters<typeof prisma.reconciliationFinding.findMany>[0];
        const rows = run.dryRun
          ? await prisma.dryRunFinding.findMany(query)
          : await prisma.reconciliationFinding.findMany(query);
        return toPage(rows, page, toFinding, (row) => [row.group, row.resource, row.namespace, row.name]);
      }),
  };
}

function toObjectPosition({ after }: PageQuery): ObjectPosition | undefined {
  if (after === undefined) {
    return undefined;
  }
  const [cluster = "", group = "", resource = "", namespace = "", name = ""] = toParts(after, 5);
  return [cluster, group, resource, namespace, name];
}

/** Returns the condition for the runs after a position: older ones, and those of the same time with a greater id. */
function behindRun(page: PageQuery) {
  const behind = toTimePosition(page);
  return behind === undefined
    ? {}
    : { OR: [{ startedAt: { lt: behind.time } }, { startedAt: behind.time, id: { gt: behind.id } }] };
}

/** Returns the row comparison `(group, resource, namespace, name) > (...)` in Prisma's terms. */
function behindFinding({ after }: PageQuery) {
  if (after === undefined) {
    return {};
  }
  const [group = "", resource = "", namespace = "", name = ""] = toParts(after, 4);
  return {
    OR: [
      { group: { gt: group } },
      { group, resource: { gt: resource } },
      { group, resource, namespace: { gt: namespace } },
      { group, resource, namespace, name: { gt: name } },
    ],
  };
}

/** Returns the rows of a page: up to the limit, and up to `MAX_PAGE_BYTES` of contents, but at least one. */
function cutPage(rows: readonly ObjectRow[], limit: number): readonly ObjectRow[] {
  const shown = rows.slice(0, limit);
  return shown.length > 1 && sizeOf(shown) > MAX_PAGE_BYTES ? shown.slice(0, -1) : shown;
}

function sizeOf(rows: readonly ObjectRow[]): number {
  return rows.reduce((sum, { content }) => sum + Buffer.byteLength(content ?? ""), 0);
}

function positionOf({ cluster, group, resource, namespace, name }: ObjectRow): ObjectPosition {
  return [cluster, group, resource, namespace, name];
}

/** Returns the objects of rows. It canonicalizes the contents, because jsonb changes white space and order. */
function* toObjects(rows: readonly ObjectRow[]): Slices<FleetObject[]> {
  const objects: FleetObject[] = [];
  for (const row of rows) {
    const content = row.content === null ? "" : yield* canonicalizeJsonbText(row.content);
    objects.push(toObject(row, content));
  }
  return objects;
}

function toObject(row: ObjectRow, content: string): FleetObject {
  const { group, version, resource, namespace, name } = row;
  return create(KubernetesObjectSchema, {
    cluster: row.cluster,
    ref: { resourceType: { group, version, resource }, namespace, name },
    uid: row.uid,
    resourceVersion: row.resource_version,
    observedVersion: row.observed_version,
    content,
    checksum: row.checksum ?? new Uint8Array(),
    managedBy: row.managed_by ?? "",
    state: enumFromName(ObjectStateSchema, row.state.toUpperCase()),
    quarantineReason: row.quarantine_reason ?? "",
    updateTime: timestampFromDate(row.updated_at),
    freshness: toFreshness(row.verified_at),
  });
}
