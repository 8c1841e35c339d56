import type { ResourceType } from "../../gen/proto/evenkeel/v1/resource_pb.ts";
import { parseExact } from "../domain/canonical-json.ts";
import { type KubeRequest, type KubeTransport, resourcePath } from "./kube.ts";
import {
  ExpiredListError,
  KubeUnavailableError,
  MalformedResponseError,
  ResponseTooLargeError,
} from "./kube-error.ts";
import { isRecord, type KubeObject, toKubeObject } from "./kube-object.ts";
import { describeRequest, getText, MAX_RESPONSE_BYTES, parseAnswer } from "./read-response.ts";

export interface ListOptions {
  readonly resourceType: ResourceType;
  /** One namespace; unset lists all. */
  readonly namespace?: string;
  /** Requests only the `metadata` of each object. A server that cannot do that sends whole objects. */
  readonly metadataOnly: boolean;
  /** Maximum objects of a page; default 250. */
  readonly limit?: number;
}

/** A part of a list. */
export interface ListPage {
  /** Version of the whole list, equal on each of its pages; opaque. Empty if the server states none. */
  readonly version: string;
  readonly items: readonly KubeObject[];
}

/** A page with its `continue` token and about the number of its bytes. */
interface ReceivedPage extends ListPage {
  readonly next: string;
  readonly bytes: number;
}

/** Memory holds a whole page twice, as text and as objects: 250 pods are about 5 MB. */
const DEFAULT_LIMIT = 250;

/** Maximum bytes of a page with several objects. Parsed, it takes several times as much. */
const MAX_PAGE_BYTES = 8 * 1024 * 1024;

/** The second media type is for servers that cannot reduce objects to their metadata. */
const METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/**
 * Lists a resource type in pages. The requests have no resourceVersion, so that the list is linearizable: at
 * least as new as every observation before the call.
 *
 * A page of more than 8 MiB is abandoned and requested again with half as many objects, down to one: the memory must
 * not depend on what is in the cluster. Later pages grow again while they have less than half of that.
 *
 * The list is complete only if the iteration ends without an error; the pages before an error are not a list.
 * Items have `apiVersion` and `kind`, which the API server omits in the items of built-in resource types.
 *
 * @throws ExpiredListError for status 410.
 * @throws MalformedResponseError for a page of another version, or that is not a list with items.
 */
export async function* listPages(
  signal: AbortSignal,
  transport: KubeTransport,
  { resourceType, namespace, metadataOnly, limit = DEFAULT_LIMIT }: ListOptions,
): AsyncGenerator<ListPage, void, undefined> {
  const path = resourcePath(resourceType, namespace);
  const accept = metadataOnly ? METADATA_ONLY : "application/json";
  let version: string | undefined;
  let token = "";
  let size = limit;
  do {
    const toRequest = (objects: number): KubeRequest => ({
      path,
      query: { limit: String(objects), ...(token === "" ? {} : { continue: token }) },
      accept,
    });
    const page = await getFittingPage(signal, transport, toRequest, metadataOnly, size);
    version ??= page.version;
    if (page.version !== version) {
      throw new MalformedResponseError(
        `${describeRequest({ path })}: expected a page at version "${version}", found "${page.version}"`,
      );
    }
    yield page;
    token = page.next;
    size = page.bytes * 2 < MAX_PAGE_BYTES ? Math.min(limit, page.size * 2) : page.size;
  } while (token !== "");
}

/** Returns a page of up to `size` objects, as many as fit into `MAX_PAGE_BYTES`, with the size that was requested. */
async function getFittingPage(
  signal: AbortSignal,
  transport: KubeTransport,
  toRequest: (size: number) => KubeRequest,
  metadataOnly: boolean,
  size: number,
): Promise<ReceivedPage & { readonly size: number }> {
  for (let objects = size; ; objects = Math.floor(objects / 2)) {
    const maxBytes = objects === 1 ? MAX_RESPONSE_BYTES : MAX_PAGE_BYTES;
    try {
      const page = await getPage(signal, transport, toRequest(objects), metadataOnly, maxBytes);
      return { ...page, size: objects };
    } catch (error) {
      if (!(error instanceof ResponseTooLargeError) || objects === 1) {
        throw error;
      }
    }
  }
}

/**
 * Returns the version that a list would have now, and reads one object for it. This detects versions that
 * went back.
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
  maxBytes = MAX_RESPONSE_BYTES,
): Promise<ReceivedPage> {
  const what = describeRequest(request);
  try {
    const text = await getText(signal, transport, request, maxBytes);
    // The four metadata fields that the agent reads are strings, so that numbers need not be exact.
    const response = parseAnswer(text, what, metadataOnly ? JSON.parse : parseExact);
    return { ...toPage(response, what), bytes: text.length };
  } catch (error) {
    if (error instanceof KubeUnavailableError && error.status === 410) {
      throw new ExpiredListError(error.message, { cause: error });
    }
    throw error;
  }
}

/**
 * Returns a page. Some aggregated APIs state no version, which is then empty. A page of a proxy has neither the
 * kind of a list nor items.
 */
function toPage(response: unknown, what: string): Omit<ReceivedPage, "bytes"> {
  const { kind, metadata, items: found } = (isRecord(response) ? response : {}) as Record<string, unknown>;
  if (typeof kind !== "string" || !kind.endsWith("List")) {
    throw new MalformedResponseError(`${what}: expected a kind that ends in "List", found ${typeof kind}`);
  }
  // Go encodes a nil slice as null. A response without the field is not a list.
  const items = found === null ? [] : found;
  if (!Array.isArray(items)) {
    throw new MalformedResponseError(`${what}: expected a list with items`);
  }
  const { resourceVersion, continue: next } = (isRecord(metadata) ? metadata : {}) as Record<string, unknown>;
  const version = resourceVersion ?? "";
  if (typeof version !== "string") {
    throw new MalformedResponseError(
      `${what}: expected a text in metadata.resourceVersion, found ${typeof version}`,
    );
  }
  const itemType = itemTypeOf(response as Record<string, unknown>);
  return {
    version,
    next: typeof next === "string" ? next : "",
    items: items.map((item: unknown) => ({ ...itemType, ...toKubeObject(item, what) })),
  };
}

/**
 * Returns the type of the items, which built-in items omit: the items of a "PodList" of "v1" are "Pod" of
 * "v1".
 */
function itemTypeOf(list: Record<string, unknown>): { apiVersion?: string; kind?: string } {
  const { apiVersion, kind } = list as { apiVersion?: unknown; kind?: unknown };
  return typeof apiVersion === "string" && typeof kind === "string" && kind.endsWith("List")
    ? { apiVersion, kind: kind.slice(0, -"List".length) }
    : {};
}
