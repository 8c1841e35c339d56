import { create, fromBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { AgentSession, Cluster as ClusterRow, ResourceState } from "../../../gen/prisma/client.ts";
import {
  type Cluster,
  ClusterSchema,
  type Freshness,
  FreshnessSchema,
  ResourceAvailabilitySchema,
  type ResourceStatus,
  ResourceStatusSchema,
  type Session,
  SessionSchema,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { ScopeDeclaredSchema } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import type { Database } from "../postgres/database.ts";
import { selectNow } from "../postgres/database-time.ts";
import { isRecent } from "../session-store.ts";
import { selectWithheld } from "../sql/deletion-sets.ts";
import { enumFromName, toFailure } from "./runs.ts";

/** Rows that form a {@link Cluster}. */
export interface ClusterParts {
  readonly row: ClusterRow;
  readonly session: AgentSession | undefined;
  readonly connected: boolean;
  /** Agents that wait for the session. */
  readonly standbyCount: number;
  /** States of its resource types. */
  readonly states: readonly Pick<
    ResourceState,
    "verifiedAt" | "availability" | "presentRows" | "quarantinedRows"
  >[];
  /** Number of deletions that are withheld. */
  readonly withheld: bigint;
  /** Time of the database. */
  readonly now: Date;
}

/** Returns the cluster without its resource types. */
function toCluster({ row, session, connected, standbyCount, states, withheld, now }: ClusterParts): Cluster {
  const readable = states.filter(({ availability }) => availability !== "NOT_READABLE");
  const scope = session?.scope == null ? undefined : fromBinary(ScopeDeclaredSchema, session.scope);
  const verified = oldest(readable.map(({ verifiedAt }) => pastOrNull(verifiedAt, now)));
  return create(ClusterSchema, {
    name: row.name,
    uid: row.uid,
    connected,
    standbys: standbyCount,
    objects: sumCounts(states.map(({ presentRows }) => presentRows)),
    quarantined: sumCounts(states.map(({ quarantinedRows }) => quarantinedRows)),
    ...(session && { session: toSession(session) }),
    ...(row.lastEventAt && { lastEventTime: timestampFromDate(row.lastEventAt) }),
    freshness: toFreshness(verified ?? null),
    warnings: scope?.warnings ?? [],
    undecidedGroups: scope?.undecided ?? [],
    resourceTypes: states.length,
    notReadable: states.length - readable.length,
    withheld,
  });
}

/** Returns the status of a resource type in scope. */
function toResourceStatus(state: ResourceState, now: Date): ResourceStatus {
  const { group, apiVersion: version, resource, kind, singular, shortNames, namespaced } = state;
  const { categories, verbs, namespaces, lowWatermark, highWatermark, incarnation, verifiedAt } = state;
  const failure = toFailure(state.failureReason, state.failureMessage);
  return create(ResourceStatusSchema, {
    resourceType: { group, version, resource },
    kind,
    singular,
    shortNames,
    namespaced,
    categories,
    verbs,
    namespaces,
    objects: sumCounts([state.presentRows]),
    quarantined: sumCounts([state.quarantinedRows]),
    tombstones: sumCounts([state.absentRows]),
    lowWatermark: lowWatermark.toFixed(),
    highWatermark: highWatermark.toFixed(),
    incarnation,
    freshness: toFreshness(pastOrNull(verifiedAt, now)),
    availability: enumFromName(ResourceAvailabilitySchema, state.availability),
    ...(failure && { failure }),
  });
}

function toSession(session: AgentSession): Session {
  const {
    epoch,
    instanceId,
    agentVersion,
    kubernetesVersion,
    openedAt,
    closedAt,
    appliedSequence,
    gapSequence,
  } = session;
  return create(SessionSchema, {
    epoch,
    instanceId,
    agentVersion,
    kubernetesVersion,
    openTime: timestampFromDate(openedAt),
    appliedSequence,
    gapSequence,
    ...(closedAt && { closeTime: timestampFromDate(closedAt) }),
  });
}

/** Returns the freshness of rows with this verified time; null: never verified. */
export function toFreshness(verifiedAt: Date | null): Freshness {
  return create(FreshnessSchema, verifiedAt === null ? {} : { verifiedTime: timestampFromDate(verifiedAt) });
}

/** Returns the time; null for one in the future, which is from before the database's clock went back. */
function pastOrNull(time: Date | null, now: Date): Date | null {
  return time === null || time > now ? null : time;
}

/** Returns the oldest time; undefined if there is none or one is unknown. */
function oldest(times: readonly (Date | null)[]): Date | undefined {
  const known = times.filter((time) => time !== null);
  if (known.length === 0 || known.length < times.length) {
    return undefined;
  }
  return new Date(Math.min(...known.map((time) => time.getTime())));
}

/** Returns the clusters of these rows, without resource types. */
export async function selectClusters(
  { prisma, pool }: Database,
  account: string,
  rows: readonly ClusterRow[],
): Promise<Map<string, Cluster>> {
  const cluster = { in: rows.map(({ name }) => name) };
  const [sessions, standbys, states, now, withheld] = await Promise.all([
    prisma.agentSession.findMany({
      where: { account, OR: rows.map(({ name, epoch }) => ({ cluster: name, epoch })) },
    }),
    prisma.agentStandby.findMany({ where: { account, cluster }, select: { cluster: true, seenAt: true } }),
    prisma.resourceState.findMany({
      where: { account, cluster },
      select: {
        ...{ cluster: true, verifiedAt: true, availability: true },
        ...{ presentRows: true, quarantinedRows: true },
      },
    }),
    selectNow(pool),
    selectWithheld(pool, account, cluster.in),
  ]);
  const entries = rows.map((row): [string, Cluster] => {
    const session = sessions.find((each) => each.cluster === row.name);
    const connected = session !== undefined && session.closedAt === null && isRecent(session.seenAt, now);
    const ofCluster = <T extends { readonly cluster: string }>(all: readonly T[]): T[] =>
      all.filter((each) => each.cluster === row.name);
    const standbyCount = ofCluster(standbys).filter(({ seenAt }) => isRecent(seenAt, now)).length;
    const parts = {
      row,
      session,
      connected,
      standbyCount,
      states: ofCluster(states),
      withheld: withheld.get(row.name) ?? 0n,
      now,
    };
    return [row.name, toCluster(parts)];
  });
  return new Map(entries);
}

/** Returns the resource types in the scope of a cluster, by group and resource. */
export async function selectResourceStatuses({ prisma, pool }: Database, account: string, cluster: string) {
  const [states, now] = await Promise.all([
    prisma.resourceState.findMany({
      where: { account, cluster },
      orderBy: [{ group: "asc" }, { resource: "asc" }],
    }),
    selectNow(pool),
  ]);
  return states.map((state) => toResourceStatus(state, now));
}

/** Returns the sum of kept numbers of rows. One is below 0 after writes of others that no run has counted yet. */
function sumCounts(counts: readonly bigint[]): bigint {
  return counts.reduce((sum, count) => sum + (count > 0n ? count : 0n), 0n);
}
