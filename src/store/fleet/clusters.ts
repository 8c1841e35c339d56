import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { AgentSession, Cluster as ClusterRow, KindState } from "../../../gen/prisma/client.ts";
import {
  type Cluster,
  type ClusterKind,
  ClusterKindSchema,
  ClusterSchema,
  type Session,
  SessionSchema,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";

/** How many objects there are, by state. */
export interface ObjectCounts {
  readonly present: number;
  readonly quarantined: number;
}

/** What a {@link Cluster} is made of. */
export interface ClusterParts {
  readonly row: ClusterRow;
  readonly session: AgentSession | undefined;
  readonly connected: boolean;
  readonly counts: ObjectCounts;
  /** The states of its kinds. */
  readonly states: readonly Pick<KindState, "verifiedAt">[];
}

/** The cluster without its kinds. */
export function toCluster({ row, session, connected, counts, states }: ClusterParts): Cluster {
  const verified = oldest(states.map(({ verifiedAt }) => verifiedAt));
  return create(ClusterSchema, {
    name: row.name,
    uid: row.uid,
    connected,
    objects: BigInt(counts.present),
    quarantined: BigInt(counts.quarantined),
    ...(session && { session: toSession(session) }),
    ...(row.lastEventAt && { lastEventTime: timestampFromDate(row.lastEventAt) }),
    ...(verified && { verifiedTime: timestampFromDate(verified) }),
  });
}

/** The state of a kind in scope. */
export function toClusterKind(state: KindState, counts: ObjectCounts): ClusterKind {
  const { group, version, resource, namespaces, floor, highWaterMark, incarnation, verifiedAt } = state;
  return create(ClusterKindSchema, {
    kind: { group, version, resource },
    namespaces,
    objects: BigInt(counts.present),
    quarantined: BigInt(counts.quarantined),
    floor: floor.toFixed(),
    highWaterMark: highWaterMark.toFixed(),
    incarnation,
    ...(verifiedAt && { verifiedTime: timestampFromDate(verifiedAt) }),
  });
}

function toSession(session: AgentSession): Session {
  const { epoch, instanceId, agentVersion, openedAt, closedAt, appliedSequence, gapSequence } = session;
  return create(SessionSchema, {
    epoch,
    instanceId,
    agentVersion,
    openTime: timestampFromDate(openedAt),
    appliedSequence,
    gapSequence,
    ...(closedAt && { closeTime: timestampFromDate(closedAt) }),
  });
}

/** The oldest of the times; undefined when there is none, or one is not known. */
function oldest(times: readonly (Date | null)[]): Date | undefined {
  const known = times.filter((time) => time !== null);
  if (known.length === 0 || known.length < times.length) {
    return undefined;
  }
  return new Date(Math.min(...known.map((time) => time.getTime())));
}
