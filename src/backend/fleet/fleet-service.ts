import { create } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  type FleetService,
  ListClustersRequestSchema,
  ListObjectsRequestSchema,
  ListReconciliationFindingsRequestSchema,
  ListReconciliationRunsRequestSchema,
  type ReconciliationRun,
  ReconciliationRunSchema,
  ReconciliationState,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import type { ReconciliationRequest } from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { ObjectRef } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { Clock } from "../../lib/clock.ts";
import { InvalidArgumentError, NotFoundError } from "../../lib/errors.ts";
import { identityOf } from "../../rpc/auth/identity.ts";
import type { FleetStore } from "../../store/fleet-store.ts";
import { toPageQuery, toPageToken } from "./page-token.ts";
import { restrictToCluster } from "./restrict-to-cluster.ts";
import { watchRuns } from "./watch-runs.ts";

/**
 * Starts a run of a cluster and returns what was asked for. Throws `ConflictError` while another run of it is active,
 * `TerminalError` when the cluster is not connected, and `NotFoundError` when there is none of that name.
 */
export type StartRun = (
  signal: AbortSignal,
  account: string,
  cluster: string,
) => Promise<{ readonly request: ReconciliationRequest }>;

/** What {@link createFleetService} needs. */
export interface FleetServiceOptions {
  readonly store: FleetStore;
  readonly clock: Clock;
  readonly startRun: StartRun;
}

/**
 * Answers questions about the clusters of the caller's account: about all, or about the one that the caller may speak
 * for. What is another's is not there, in every answer alike. Requests have been validated before.
 */
export function createFleetService({
  store: everything,
  clock,
  startRun,
}: FleetServiceOptions): ServiceImpl<typeof FleetService> {
  /** Who calls, and what is there for them. */
  const callerOf = ({ values }: HandlerContext) => {
    const { account, cluster } = identityOf(values);
    const store = cluster === undefined ? everything : restrictToCluster(everything, cluster);
    return { account, store, ...(cluster !== undefined && { cluster }) };
  };

  const getRun = async (context: HandlerContext, id: string): Promise<ReconciliationRun> => {
    const { account, store } = callerOf(context);
    return (await store.getRun(context.signal, account, id)) ?? notFound(`no reconciliation run ${id}`);
  };

  const getCluster = async (context: HandlerContext, name: string) => {
    const { account, store } = callerOf(context);
    return (await store.getCluster(context.signal, account, name)) ?? notFound(`no cluster "${name}"`);
  };

  return {
    async listClusters(request, context) {
      const caller = callerOf(context);
      const query = toPageQuery(ListClustersRequestSchema, request, caller);
      const { items, next } = await caller.store.listClusters(context.signal, caller.account, query);
      const nextPageToken = toPageToken(ListClustersRequestSchema, request, caller, next);
      return { clusters: [...items], nextPageToken };
    },

    async getCluster({ name }, context) {
      return { cluster: await getCluster(context, name) };
    },

    async listObjects(request, context) {
      const caller = callerOf(context);
      const { cluster, group, namespace, includeContent } = request;
      const page = toPageQuery(ListObjectsRequestSchema, request, caller);
      const resource = orUnset(request.resource);
      const query = { ...page, cluster, group, resource, namespace, includeContent };
      const { items, next } = await caller.store.listObjects(context.signal, caller.account, query);
      if (items.length === 0) {
        await getCluster(context, cluster);
      }
      const nextPageToken = toPageToken(ListObjectsRequestSchema, request, caller, next);
      return { objects: [...items], nextPageToken };
    },

    async getObject({ cluster, ref }, context) {
      assertResourceType(ref);
      const { account, store } = callerOf(context);
      const object = await store.getObject(context.signal, account, cluster, ref);
      return { object: object ?? notFound(`no ${nameOf(ref)} in cluster ${cluster}`) };
    },

    async listReconciliationRuns(request, context) {
      const caller = callerOf(context);
      const page = toPageQuery(ListReconciliationRunsRequestSchema, request, caller);
      const cluster = orUnset(request.cluster);
      const query = { ...page, cluster };
      const { items, next } = await caller.store.listRuns(context.signal, caller.account, query);
      if (items.length === 0 && cluster !== undefined) {
        await getCluster(context, cluster);
      }
      const nextPageToken = toPageToken(ListReconciliationRunsRequestSchema, request, caller, next);
      return { runs: [...items], nextPageToken };
    },

    async getReconciliationRun({ id }, context) {
      return { run: await getRun(context, id) };
    },

    async listReconciliationFindings(request, context) {
      const caller = callerOf(context);
      const { runId } = request;
      const query = toPageQuery(ListReconciliationFindingsRequestSchema, request, caller);
      const { items, next } = await caller.store.listFindings(context.signal, caller.account, runId, query);
      if (items.length === 0) {
        await getRun(context, runId);
      }
      const nextPageToken = toPageToken(ListReconciliationFindingsRequestSchema, request, caller, next);
      return { findings: [...items], nextPageToken };
    },

    async startReconciliation({ cluster }, context) {
      const caller = callerOf(context);
      if (caller.cluster !== undefined && caller.cluster !== cluster) {
        notFound(`no cluster "${cluster}"`);
      }
      const { request } = await startRun(context.signal, caller.account, cluster);
      return { run: toRequestedRun(cluster, request) };
    },

    async *watchReconciliationRuns(request, context) {
      const { account, store } = callerOf(context);
      const query = { account, cluster: orUnset(request.cluster) };
      for await (const run of watchRuns(context.signal, store, clock, query)) {
        yield { run };
      }
    },
  };
}

function toRequestedRun(cluster: string, { runId, initiator, trigger, time }: ReconciliationRequest) {
  const state = ReconciliationState.REQUESTED;
  return create(ReconciliationRunSchema, {
    id: runId,
    cluster,
    initiator,
    trigger,
    state,
    ...(time && { startTime: time }),
  });
}

/** In these requests an empty text is one that is not set. */
function orUnset(value: string): string | undefined {
  return value === "" ? undefined : value;
}

// Outside a Batch a ref needs its kind, which the rules of ObjectRef cannot say.
function assertResourceType(ref: ObjectRef | undefined): asserts ref is ObjectRef {
  if (ref?.resourceType === undefined) {
    throw new InvalidArgumentError([{ field: "ref.kind", description: "value is required" }]);
  }
}

function nameOf({ resourceType, namespace, name }: ObjectRef): string {
  const what = [resourceType?.resource, resourceType?.group].filter(Boolean).join(".");
  return namespace === "" ? `${what} ${name}` : `${what} ${namespace}/${name}`;
}

function notFound(message: string): never {
  throw new NotFoundError(message);
}
