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
} from "../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import type { ReconciliationRequest } from "../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { ObjectRef } from "../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { Clock } from "../lib/clock.ts";
import { InvalidArgumentError, NotFoundError } from "../lib/errors.ts";
import { identityOf } from "../rpc/identity.ts";
import type { FleetStore } from "../store/fleet-store.ts";
import { toPageQuery, toPageToken } from "./page-token.ts";
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

/** Answers questions about the clusters of the caller's account. Requests have been validated before. */
export function createFleetService(options: FleetServiceOptions): ServiceImpl<typeof FleetService> {
  const { store, clock, startRun } = options;

  const getRun = async (context: HandlerContext, id: string): Promise<ReconciliationRun> =>
    (await store.getRun(context.signal, accountOf(context), id)) ?? notFound(`no reconciliation run ${id}`);

  const getCluster = async (context: HandlerContext, name: string) =>
    (await store.getCluster(context.signal, accountOf(context), name)) ?? notFound(`no cluster "${name}"`);

  return {
    async listClusters(request, context) {
      const query = toPageQuery(ListClustersRequestSchema, request);
      const { items, next } = await store.listClusters(context.signal, accountOf(context), query);
      return { clusters: [...items], nextPageToken: toPageToken(ListClustersRequestSchema, request, next) };
    },

    async getCluster({ name }, context) {
      return { cluster: await getCluster(context, name) };
    },

    async listObjects(request, context) {
      const { cluster, group, namespace, includeContent } = request;
      const page = toPageQuery(ListObjectsRequestSchema, request);
      const resource = orUnset(request.resource);
      const query = { ...page, cluster, group, resource, namespace, includeContent };
      const { items, next } = await store.listObjects(context.signal, accountOf(context), query);
      if (items.length === 0) {
        await getCluster(context, cluster);
      }
      return { objects: [...items], nextPageToken: toPageToken(ListObjectsRequestSchema, request, next) };
    },

    async getObject({ cluster, ref }, context) {
      assertKind(ref);
      const object = await store.getObject(context.signal, accountOf(context), cluster, ref);
      return { object: object ?? notFound(`no ${nameOf(ref)} in cluster ${cluster}`) };
    },

    async listReconciliationRuns(request, context) {
      const query = toPageQuery(ListReconciliationRunsRequestSchema, request);
      const cluster = orUnset(request.cluster);
      const { items, next } = await store.listRuns(context.signal, accountOf(context), { ...query, cluster });
      if (items.length === 0 && cluster !== undefined) {
        await getCluster(context, cluster);
      }
      const nextPageToken = toPageToken(ListReconciliationRunsRequestSchema, request, next);
      return { runs: [...items], nextPageToken };
    },

    async getReconciliationRun({ id }, context) {
      return { run: await getRun(context, id) };
    },

    async listReconciliationFindings(request, context) {
      const query = toPageQuery(ListReconciliationFindingsRequestSchema, request);
      const { items, next } = await store.listFindings(
        context.signal,
        accountOf(context),
        request.runId,
        query,
      );
      if (items.length === 0) {
        await getRun(context, request.runId);
      }
      const nextPageToken = toPageToken(ListReconciliationFindingsRequestSchema, request, next);
      return { findings: [...items], nextPageToken };
    },

    async startReconciliation({ cluster }, context) {
      const { request } = await startRun(context.signal, accountOf(context), cluster);
      return { run: toRequestedRun(cluster, request) };
    },

    async *watchReconciliationRuns(request, context) {
      const query = { account: accountOf(context), cluster: orUnset(request.cluster) };
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

function accountOf({ values }: HandlerContext): string {
  return identityOf(values).account;
}

/** In these requests an empty text is one that is not set. */
function orUnset(value: string): string | undefined {
  return value === "" ? undefined : value;
}

// Outside a Batch a ref needs its kind, which the rules of ObjectRef cannot say.
function assertKind(ref: ObjectRef | undefined): asserts ref is ObjectRef {
  if (ref?.kind === undefined) {
    throw new InvalidArgumentError([{ field: "ref.kind", description: "value is required" }]);
  }
}

function nameOf({ kind, namespace, name }: ObjectRef): string {
  const what = [kind?.resource, kind?.group].filter(Boolean).join(".");
  return namespace === "" ? `${what} ${name}` : `${what} ${namespace}/${name}`;
}

function notFound(message: string): never {
  throw new NotFoundError(message);
}
