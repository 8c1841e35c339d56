import type { ResourceType } from "../../gen/proto/evenkeel/v1/resource_pb.ts";
import { parseExact } from "../domain/canonical-json.ts";
import { type KubeRequest, type KubeTransport, resourcePath } from "./kube.ts";
import { ExpiredListError, KubeUnavailableError, MalformedResponseError } from "./kube-error.ts";
import { isRecord, type KubeObject, toKubeObject } from "./kube-object.ts";
import { describeRequest, getJson } from "./read-response.ts";

/** What to list, and how. */
export interface ListOptions {
  readonly resourceType: ResourceType;
  /** One namespace; unset lists all. */
  readonly namespace?: string;
  /** Only `metadata` of each object, where the server can do that. */
  readonly metadataOnly: boolean;
  /** Most objects of a page; 250 unless set. */
  readonly limit?: number;
}

/** A part of a list. */
export interface ListPage {
  /** Version of the whole list, the same on each of its pages. Opaque here. */
  readonly version: string;
  readonly items: readonly KubeObject[];
}

/** A page is in memory as a whole, as text and as objects: 250 pods are some 5 MB. */
const DEFAULT_LIMIT = 250;

/** A server that cannot cut objects down to their metadata sends them whole. */
const METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/**
 * Lists a kind in pages, linearizably: no resourceVersion is asked for, so the list is at least as new as
 * anything that was observed before the call.
 *
 * The list is complete only when the iteration ends by itself. A page that cannot be had throws: 410 in the
 * middle {@link ExpiredListError}, a page of another version or without items {@link MalformedResponseError};
 * what came before it is then no list. Items carry `apiVersion` and `kind`, which the API server leaves out
 * of the items of its own kinds.
 */
export async function* listPages(
  signal: AbortSignal,
  transport: KubeTransport,
  { resourceType, namespace, metadataOnly, limit = DEFAULT_LIMIT }: ListOptions,
): AsyncGenerator<ListPage, void, undefined> {
  const path = resourcePath(resourceType, namespace);
  let version: string | undefined;
  let token = "";
  do {
    const query = { limit: String(limit), ...(token === "" ? {} : { continue: token }) };
    const request = { path, query, accept: metadataOnly ? METADATA_ONLY : "application/json" };
    const page = await getPage(signal, transport, request, metadataOnly);
    version ??= page.version;
    if (page.version !== version) {
      throw new MalformedResponseError(
        `${describeRequest(request)}: a page at version ${page.version} in a list at version ${version}`,
      );
    }
    yield page;
    token = page.next;
  } while (token !== "");
}

/**
 * The version at which a list would be now, at the price of one object: a probe for versions that went back.
 */
export async function currentVersion(
  signal: AbortSignal,
  transport: KubeTransport,
  resourceType: ResourceType,
  namespace?: string,
): Promise<string> {
  const request = {
    path: resourcePath(resourceType, namespace),
    query: { limit: "1" },
    accept: METADATA_ONLY,
  };
  return (await getPage(signal, transport, request, true)).version;
}

async function getPage(
  signal: AbortSignal,
  transport: KubeTransport,
  request: KubeRequest,
  metadataOnly: boolean,
): Promise<ListPage & { readonly next: string }> {
  try {
    // The four fields that are read of metadata are strings: they need no exact numbers.
    const response = await getJson(signal, transport, request, metadataOnly ? JSON.parse : parseExact);
    return toPage(response, describeRequest(request));
  } catch (error) {
    if (error instanceof KubeUnavailableError && error.status === 410) {
      throw new ExpiredListError(error.message, { cause: error });
    }
    throw error;
  }
}

function toPage(response: unknown, what: string): ListPage & { readonly next: string } {
  const metadata = isRecord(response) ? response["metadata"] : undefined;
  if (!isRecord(response) || !isRecord(metadata) || typeof metadata["resourceVersion"] !== "string") {
    throw new MalformedResponseError(`${what}: expected a list with metadata.resourceVersion`);
  }
  // Go writes an empty slice that was never made as null; a list without the field is none.
  const items = response["items"] === null ? [] : response["items"];
  if (!Array.isArray(items)) {
    throw new MalformedResponseError(`${what}: expected a list with items`);
  }
  const itemType = itemTypeOf(response);
  return {
    version: metadata["resourceVersion"],
    next: typeof metadata["continue"] === "string" ? metadata["continue"] : "",
    items: items.map((item: unknown) => ({ ...itemType, ...toKubeObject(item, what) })),
  };
}

/** A "PodList" of "v1" has items that are a "Pod" of "v1", and do not say so. */
function itemTypeOf(list: Record<string, unknown>): { apiVersion?: string; kind?: string } {
  const { apiVersion, kind } = list as { apiVersion?: unknown; kind?: unknown };
  return typeof apiVersion === "string" && typeof kind === "string" && kind.endsWith("List")
    ? { apiVersion, kind: kind.slice(0, -"List".length) }
    : {};
}
