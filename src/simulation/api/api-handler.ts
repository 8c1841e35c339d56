import { resourceTypeKey } from "../../domain/resource-type.ts";
import type { ForcedResponse } from "../faults.ts";
import type { ResourceKey } from "../served-resources.ts";
import { type SimulatedCluster, toObjectKey } from "../simulated-cluster.ts";
import type { FeedSubscription } from "../watch-feed.ts";
import {
  ApiStatusError,
  methodNotAllowed,
  objectNotFound,
  resourceNotFound,
  tooLargeResourceVersion,
} from "./api-status.ts";
import {
  createCoreVersionsBody,
  createGroupBody,
  createGroupsBody,
  createResourcesBody,
  createVersionBody,
} from "./discovery-response.ts";
import { parseListOptions, parseRevision } from "./list-query.ts";
import { createListBody } from "./list-response.ts";
import { negotiate, type Representation, represent, withResourceVersion } from "./representation.ts";
import { parseRoute, type Route } from "./request-path.ts";
import { createWatchBody } from "./watch-response.ts";

/** A request to the simulated API server, over any transport. */
export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly accept: string | undefined;
}

/** Answer to an {@link ApiRequest}: a text or a stream of lines. */
export type ApiResponse =
  | {
      readonly type: "text";
      readonly status: number;
      readonly contentType: string;
      readonly retryAfterSeconds: number | undefined;
      readonly text: string;
    }
  | {
      readonly type: "stream";
      /** The caller disposes it when the connection ends. Its `cut` requests to break the connection. */
      readonly subscription: FeedSubscription;
      readonly lines: (signal: AbortSignal) => AsyncGenerator<string, void, undefined>;
    };

/** Answers one request from the current state of the cluster. It never throws because of a client's input. */
export function answer(cluster: SimulatedCluster, request: ApiRequest): ApiResponse {
  const forced = cluster.faults.takeAnswer(`${request.path}?${request.query}`);
  if (forced !== undefined) {
    return toStatusResponse(toForcedError(forced));
  }
  try {
    const route = parseRoute(request.path, cluster.resources());
    if (route === undefined) {
      return plainText(404, "404 page not found\n");
    }
    if (request.method !== "GET") {
      throw methodNotAllowed();
    }
    return answerRoute(cluster, request, route);
  } catch (error) {
    if (error instanceof ApiStatusError) {
      return toStatusResponse(error);
    }
    throw error;
  }
}

function answerRoute(cluster: SimulatedCluster, request: ApiRequest, route: Route): ApiResponse {
  switch (route.type) {
    case "health":
      return plainText(200, "ok");
    case "version":
      return json(200, createVersionBody());
    case "core-versions":
      return json(200, createCoreVersionsBody());
    case "groups":
      return json(200, createGroupsBody(cluster.resources()));
    case "group":
      return json(200, createGroupBody(route.group, cluster.resources()));
    case "resources":
      return json(200, createResourcesBody(route.group, route.version, cluster.resources()));
    case "unknown-resource":
      throw resourceNotFound();
    case "collection":
      return answerCollection(cluster, request, route);
    case "object":
      return json(200, readObject(cluster, request, route, negotiate(request.accept, "object")));
    default:
      return route satisfies never;
  }
}

function answerCollection(
  cluster: SimulatedCluster,
  { query, accept }: ApiRequest,
  { served, namespace }: Extract<Route, { type: "collection" }>,
): ApiResponse {
  const options = parseListOptions(query);
  if (!options.watch) {
    const representation = negotiate(accept, "list");
    const newestRevision = toNewestRevision(cluster, resourceTypeKey(served), options.resourceVersion);
    return json(
      200,
      createListBody(cluster.store, { served, namespace, options, representation, newestRevision }),
    );
  }
  const watch = { served, namespace, options, representation: negotiate(accept, "object") };
  const subscription = cluster.subscribe(resourceTypeKey(served));
  return {
    type: "stream",
    subscription,
    lines: (signal) => createWatchBody(signal, cluster, watch, subscription),
  };
}

function readObject(
  cluster: SimulatedCluster,
  { query }: ApiRequest,
  { served, namespace, name }: Extract<Route, { type: "object" }>,
  representation: Representation,
): object {
  const asked = parseRevision(query.get("resourceVersion"));
  const newest = toNewestRevision(cluster, resourceTypeKey(served), asked);
  if (asked !== undefined && asked > BigInt(newest)) {
    throw tooLargeResourceVersion(asked, newest);
  }
  const entry = cluster.store.get(resourceTypeKey(served), toObjectKey(namespace ?? "", name), newest);
  if (entry === undefined) {
    throw objectNotFound(served, name);
  }
  return represent(withResourceVersion(entry), representation);
}

/** Returns the newest revision that the answer to this request may contain. */
function toNewestRevision(
  { faults, store }: SimulatedCluster,
  resourceKey: ResourceKey,
  asked: bigint | undefined,
): number {
  const stale = faults.staleLists;
  return stale !== undefined &&
    (stale.resourceKey ?? resourceKey) === resourceKey &&
    (stale.affects === "all" || asked === 0n)
    ? Math.min(stale.revision, store.revision)
    : store.revision;
}

function toForcedError({
  status,
  reason = "InternalError",
  retryAfterSeconds,
}: ForcedResponse): ApiStatusError {
  return new ApiStatusError({
    code: status,
    reason,
    message: `forced answer ${status} of the simulated cluster`,
    ...(retryAfterSeconds === undefined ? {} : { details: { retryAfterSeconds } }),
  });
}

function toStatusResponse({ body }: ApiStatusError): ApiResponse {
  const retryAfterSeconds = body.details?.retryAfterSeconds;
  return { ...json(body.code, body), retryAfterSeconds };
}

function json(status: number, body: object): Extract<ApiResponse, { type: "text" }> {
  const text = JSON.stringify(body);
  return { type: "text", status, contentType: "application/json", retryAfterSeconds: undefined, text };
}

function plainText(status: number, text: string): ApiResponse {
  return {
    type: "text",
    status,
    contentType: "text/plain; charset=utf-8",
    retryAfterSeconds: undefined,
    text,
  };
}
