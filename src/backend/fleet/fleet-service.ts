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
  View,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import type { ReconciliationRequest } from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { ObjectRef } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import type { Clock } from "../../lib/clock.ts";
import { ConflictError, InvalidArgumentError, NotFoundError, UnsupportedError } from "../../lib/errors.ts";
import { identityOf } from "../../rpc/auth/authenticator.ts";
import type { DeletionStore } from "../../store/deletion-store.ts";
import type { FleetStore, ObjectQuery } from "../../store/fleet-store.ts";
import { createDeletionMethods } from "./deletion-service.ts";
import { toPageQuery, toPageToken } from "./page-token.ts";
import { type ReadStore, restrictToCluster } from "./restrict-to-cluster.ts";
import { RunWatcher } from "./run-watcher.ts";

/**
 * Starts a run of a cluster and returns its request.
 *
 * @throws ConflictError while another run of the cluster is active, TerminalError if the cluster is not
 * connected, NotFoundError if no cluster has this name.
 */
export type StartRun = (
  signal: AbortSignal,
  account: string,
  cluster: string,
  run: { readonly id?: string; readonly dryRun: boolean },
) => Promise<{ readonly request: ReconciliationRequest }>;

export interface FleetServiceOptions {
  readonly store: FleetStore;
  readonly deletions: DeletionStore;
  readonly clock: Clock;
  readonly startRun: StartRun;
}

/**
 * Creates the service that reads the clusters of the caller's account. A token of a cluster reads that
 * cluster only. Every method reports all other clusters as NOT_FOUND. Requests are already validated.
 */
export function createFleetService({
  store: everything,
  deletions,
  clock,
  startRun,
}: FleetServiceOptions): ServiceImpl<typeof FleetService> {
  const watcher = new RunWatcher(everything, clock);
  /** Returns the caller with the store that is restricted to it. */
  const callerOf = ({ values }: HandlerContext) => {
    const { account, cluster } = identityOf(values);
    const store: ReadStore = cluster === undefined ? everything : restrictToCluster(everything, cluster);
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

  const assertClusters = async (context: HandlerContext, names: readonly string[]): Promise<void> => {
    await Promise.all(names.map((name) => getCluster(context, name)));
  };

  return {
    ...createDeletionMethods({ deletions, assertClusters }),

    async listClusters(request, context) {
      const caller = callerOf(context);
      const page = toPageQuery(ListClustersRequestSchema, request, caller);
      const query = { ...page, namePrefix: orUnset(request.namePrefix) };
      const { items, next } = await caller.store.listClusters(context.signal, caller.account, query);
      const nextPageToken = toPageToken(ListClustersRequestSchema, request, caller, next);
      return { clusters: [...items], nextPageToken };
    },

    async getCluster({ name }, context) {
      return { cluster: await getCluster(context, name) };
    },

    async listObjects(request, context) {
      const caller = callerOf(context);
      assertUnset(request, "labelSelector", "label_selector");
      assertUnset(request, "fieldSelector", "field_selector");
      const page = toPageQuery(ListObjectsRequestSchema, request, caller);
      const query: ObjectQuery = {
        ...page,
        clusters: orAll(request.clusters),
        resources: request.resources.map(({ group, resource }) => ({ group, resource: orUnset(resource) })),
        namespace: request.namespace,
        namePrefix: orUnset(request.namePrefix),
        hasContent: request.view === View.FULL,
      };
      const { items, next } = await caller.store.listObjects(context.signal, caller.account, query);
      if (items.length === 0) {
        await assertClusters(context, request.clusters);
      }
      const nextPageToken = toPageToken(ListObjectsRequestSchema, request, caller, next);
      return { objects: [...items], nextPageToken };
    },

    async getObject({ cluster, ref }, context) {
      assertResourceType(ref);
      const { account, store } = callerOf(context);
      const object = await store.getObject(context.signal, account, cluster, ref);
      if (object === undefined) {
        await getCluster(context, cluster);
        notFound(`no ${nameOf(ref)} in cluster "${cluster}"`);
      }
      return { object };
    },

    async listReconciliationRuns(request, context) {
      const caller = callerOf(context);
      const page = toPageQuery(ListReconciliationRunsRequestSchema, request, caller);
      const query = { ...page, clusters: orAll(request.clusters) };
      const { items, next } = await caller.store.listRuns(context.signal, caller.account, query);
      if (items.length === 0) {
        await assertClusters(context, request.clusters);
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

    async startReconciliation({ cluster, requestId, dryRun }, context) {
      const { account, store, cluster: own } = callerOf(context);
      if (own !== undefined && own !== cluster) {
        notFound(`no cluster "${cluster}"`);
      }
      const id = orUnset(requestId)?.toLowerCase();
      const find = async () =>
        id === undefined ? undefined : await store.getRun(context.signal, account, id);
      const repeated = await find();
      if (repeated !== undefined) {
        return { run: assertSameRequest(repeated, cluster, dryRun) };
      }
      try {
        const { request } = await startRun(context.signal, account, cluster, {
          ...(id !== undefined && { id }),
          dryRun,
        });
        return { run: toRequestedRun(cluster, request) };
      } catch (error) {
        // A concurrent request with the same ID may have created the run.
        const winner = error instanceof ConflictError ? await find() : undefined;
        if (winner === undefined) {
          throw error;
        }
        return { run: assertSameRequest(winner, cluster, dryRun) };
      }
    },

    async *watchReconciliationRuns(request, context) {
      const { account, cluster } = callerOf(context);
      await assertClusters(context, request.clusters);
      const clusters = cluster === undefined ? orAll(request.clusters) : [cluster];
      for await (const run of watcher.watch(context.signal, account, { clusters })) {
        yield { run };
      }
    },
  };
}

function toRequestedRun(cluster: string, { runId, initiator, trigger, time, dryRun }: ReconciliationRequest) {
  const state = ReconciliationState.REQUESTED;
  return create(ReconciliationRunSchema, {
    id: runId,
    cluster,
    initiator,
    trigger,
    state,
    dryRun,
    ...(time && { startTime: time }),
  });
}

/** In these requests an empty list of names selects all. */
function orAll(names: readonly string[]): readonly string[] | undefined {
  return names.length === 0 ? undefined : names;
}

function assertUnset<Name extends string>(
  request: Readonly<Record<Name, string>>,
  name: Name,
  field: string,
): void {
  if (request[name] !== "") {
    throw unsupported(field);
  }
}

function unsupported(field: string): UnsupportedError {
  return new UnsupportedError(`${field}: not supported by this version of the server; leave it out`);
}

function assertSameRequest(run: ReconciliationRun, cluster: string, dryRun: boolean): ReconciliationRun {
  if (run.cluster !== cluster || run.dryRun !== dryRun) {
    const use = `${run.dryRun ? "a dry run" : "a run"} of cluster "${run.cluster}"`;
    throw new InvalidArgumentError([
      { field: "request_id", description: `was used for ${use}; choose another one` },
    ]);
  }
  return run;
}

/** In these requests an empty string means unset. */
function orUnset(value: string): string | undefined {
  return value === "" ? undefined : value;
}

// Outside a batch a ref needs its resource type, which the validation rules of ObjectRef cannot express.
function assertResourceType(ref: ObjectRef | undefined): asserts ref is ObjectRef {
  if (ref?.resourceType === undefined) {
    throw new InvalidArgumentError([{ field: "ref.resource_type", description: "value is required" }]);
  }
}

function nameOf({ resourceType, namespace, name }: ObjectRef): string {
  const what = resourceTypeKey(resourceType);
  return namespace === "" ? `${what} ${name}` : `${what} ${namespace}/${name}`;
}

function notFound(message: string): never {
  throw new NotFoundError(message);
}
