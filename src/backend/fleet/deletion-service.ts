import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import {
  type DeletionSet,
  type FleetService,
  ListDeletionSetsRequestSchema,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { NotFoundError } from "../../lib/errors.ts";
import { identityOf } from "../../rpc/auth/authenticator.ts";
import type { DeletionStore } from "../../store/deletion-store.ts";
import { toPageQuery, toPageToken } from "./page-token.ts";

/** Methods of FleetService about deletion sets. */
type DeletionMethods = Pick<
  ServiceImpl<typeof FleetService>,
  "listDeletionSets" | "getDeletionSet" | "approveDeletionSet" | "rejectDeletionSet"
>;

export interface DeletionServiceOptions {
  readonly deletions: DeletionStore;
  /** Asserts that the caller sees these clusters. */
  readonly assertClusters: (context: HandlerContext, names: readonly string[]) => Promise<void>;
}

/**
 * Creates the methods that show deletion sets and decide about them. A token of a single cluster sees the sets of that
 * cluster and decides about none: it is the token of an agent, and the agent causes them.
 */
export function createDeletionMethods({
  deletions,
  assertClusters,
}: DeletionServiceOptions): DeletionMethods {
  const getSet = async ({ signal, values }: HandlerContext, id: string): Promise<DeletionSet> => {
    const { account, cluster } = identityOf(values);
    const set = await deletions.get(signal, account, id.toLowerCase());
    if (set === undefined || (cluster !== undefined && set.cluster !== cluster)) {
      throw new NotFoundError(`no deletion set ${id}`);
    }
    return set;
  };

  /** Returns the account and the name of a caller who may decide about the set. */
  const assertDecider = async (context: HandlerContext, id: string) => {
    await getSet(context, id);
    const { account, cluster, subject = account } = identityOf(context.values);
    if (cluster !== undefined) {
      const message = `deletion set ${id}: a token of the cluster "${cluster}" cannot decide; use one of the account`;
      throw new ConnectError(message, Code.PermissionDenied);
    }
    return { account, decidedBy: subject, id: id.toLowerCase() };
  };

  return {
    async listDeletionSets(request, context) {
      const caller = identityOf(context.values);
      const { clusters: names, includeClosed } = request;
      await assertClusters(context, names);
      const clusters = caller.cluster === undefined ? names : [caller.cluster];
      const query = {
        ...toPageQuery(ListDeletionSetsRequestSchema, request, caller),
        clusters: clusters.length === 0 ? undefined : clusters,
        includeClosed,
      };
      const { items, next } = await deletions.list(context.signal, caller.account, query);
      const nextPageToken = toPageToken(ListDeletionSetsRequestSchema, request, caller, next);
      return { deletionSets: [...items], nextPageToken };
    },

    async getDeletionSet({ id }, context) {
      return { deletionSet: await getSet(context, id) };
    },

    async approveDeletionSet({ id, maxDeletions }, context) {
      const { account, decidedBy, id: setId } = await assertDecider(context, id);
      const limit = maxDeletions === 0n ? {} : { maxDeletions: Number(maxDeletions) };
      const approval = { decidedBy, ...limit };
      return { deletionSet: await deletions.approve(context.signal, account, setId, approval) };
    },

    async rejectDeletionSet({ id }, context) {
      const { account, decidedBy, id: setId } = await assertDecider(context, id);
      return { deletionSet: await deletions.reject(context.signal, account, setId, decidedBy) };
    },
  };
}
