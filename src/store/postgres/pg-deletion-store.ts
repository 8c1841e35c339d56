import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ClientBase } from "pg";
import type { DeletionSetResource as PartRow, DeletionSet as SetRow } from "../../../gen/prisma/client.ts";
import {
  DeletionOriginSchema,
  type DeletionSet,
  DeletionSetSchema,
  DeletionSetStateSchema,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { NotFoundError, TerminalError } from "../../lib/errors.ts";
import type { DeletionStore } from "../deletion-store.ts";
import { enumFromName } from "../fleet/runs.ts";
import type { PageQuery } from "../fleet-store.ts";
import {
  applyDeletionSet,
  type DecidableSet,
  decideDeletionSet,
  findDecidable,
  selectWithheldObjects,
} from "../sql/decide-deletions.ts";
import { requestVerdict } from "../sql/guard-deletions.ts";
import { type ClusterKey, type Database, read } from "./database.ts";
import { ofClusters, toPage, toTimePosition } from "./page.ts";

const OPEN = ["WITHHELD", "REJECTED"];

/** Objects of a set that `get` returns. */
const MAX_EXAMPLES = 100;

/** Creates the store of deletion sets in Postgres. */
export function createPgDeletionStore(database: Database): DeletionStore {
  const { prisma, pool } = database;

  const partsOf = async (account: string, rows: readonly SetRow[]): Promise<PartRow[]> =>
    await prisma.deletionSetResource.findMany({
      where: {
        account,
        cluster: { in: [...new Set(rows.map(({ cluster }) => cluster))] },
        setId: { in: rows.map(({ id }) => id) },
      },
      orderBy: [{ group: "asc" }, { resource: "asc" }],
    });

  /** Decides about a set in a transaction that holds the lock of its cluster, and returns it afterwards. */
  const decide = async (
    signal: AbortSignal,
    account: string,
    id: string,
    change: (client: ClientBase, key: ClusterKey, set: DecidableSet) => Promise<void>,
  ): Promise<DeletionSet> => {
    const find = () =>
      read(signal, () => prisma.deletionSet.findUnique({ where: { account_id: { account, id } } }));
    const missing = new NotFoundError(`no deletion set ${id}`);
    const found = (await find()) ?? raise(missing);
    const key = { account, cluster: found.cluster };
    await database.transaction(key, async (client) => {
      await change(client, key, (await findDecidable(client, key, id)) ?? raise(missing));
    });
    const decided = (await find()) ?? raise(missing);
    return toDeletionSet(decided, await read(signal, () => partsOf(account, [decided])));
  };

  return {
    list: (signal, account, query) =>
      read(signal, async () => {
        const rows = await prisma.deletionSet.findMany({
          where: {
            account,
            ...ofClusters(query),
            ...(query.includeClosed ? {} : { state: { in: OPEN } }),
            ...behindSet(query),
          },
          orderBy: [{ createdAt: "desc" }, { id: "asc" }],
          take: query.limit + 1,
        });
        const parts = await partsOf(account, rows);
        return toPage(
          rows,
          query,
          (row) =>
            toDeletionSet(
              row,
              parts.filter(({ setId }) => setId === row.id),
            ),
          ({ createdAt, id }) => [createdAt.toISOString(), id],
        );
      }),

    get: (signal, account, id) =>
      read(signal, async () => {
        const row = await prisma.deletionSet.findUnique({ where: { account_id: { account, id } } });
        if (row === null) {
          return undefined;
        }
        const set = toDeletionSet(row, await partsOf(account, [row]));
        return { ...set, examples: await selectWithheldObjects(pool, account, row, MAX_EXAMPLES) };
      }),

    approve: (signal, account, id, { decidedBy, maxDeletions }) =>
      decide(signal, account, id, async (client, key, set) => {
        assertState(id, set, OPEN);
        if (maxDeletions !== undefined && set.deletions > maxDeletions) {
          throw new TerminalError(
            `deletion set ${id}: expected at most ${maxDeletions} deletions, found ${set.deletions}; read it again`,
          );
        }
        await applyDeletionSet(client, key, set);
        await decideDeletionSet(client, key, id, "APPLIED", decidedBy);
        await requestVerdict(client, key);
      }),

    reject: (signal, account, id, decidedBy) =>
      decide(signal, account, id, async (client, key, set) => {
        assertState(id, set, ["WITHHELD"]);
        await decideDeletionSet(client, key, id, "REJECTED", decidedBy);
      }),
  };
}

function behindSet(page: PageQuery) {
  const behind = toTimePosition(page);
  return behind === undefined
    ? {}
    : { OR: [{ createdAt: { lt: behind.time } }, { createdAt: behind.time, id: { gt: behind.id } }] };
}

function assertState(id: string, { state }: DecidableSet, allowed: readonly string[]): void {
  if (!allowed.includes(state)) {
    throw new TerminalError(`deletion set ${id}: expected the state ${allowed.join(" or ")}, found ${state}`);
  }
}

function raise(error: Error): never {
  throw error;
}

function toDeletionSet(row: SetRow, parts: readonly PartRow[]): DeletionSet {
  return create(DeletionSetSchema, {
    id: row.id,
    cluster: row.cluster,
    origin: enumFromName(DeletionOriginSchema, row.origin),
    state: enumFromName(DeletionSetStateSchema, row.state),
    resources: parts.map(({ group, apiVersion: version, resource, rows, deletions, detail }) => ({
      resourceType: { group, version, resource },
      rows,
      deletions,
      detail,
    })),
    createTime: timestampFromDate(row.createdAt),
    decidedBy: row.decidedBy,
    runId: row.runId ?? "",
    ...(row.decidedAt && { decideTime: timestampFromDate(row.decidedAt) }),
  });
}
