import { resourceTypeKey } from "../../domain/resource-type.ts";
import { CompactedError, type MvccStore, type StoreEntry } from "../mvcc-store.ts";
import { type ServedResource, toApiVersion } from "../served-resources.ts";
import type { SimulatedObject } from "../simulated-object.ts";
import { badRequest, expired, tooLargeResourceVersion } from "./api-status.ts";
import type { ListParameters } from "./list-query.ts";
import { type Representation, represent, withResourceVersion } from "./representation.ts";

/** Parameters of a list. */
export interface ListQuery {
  readonly served: ServedResource;
  readonly namespace: string | undefined;
  readonly options: ListParameters;
  readonly representation: Representation;
  /** Newest revision that the server knows. A server that lags behind has an older one than the store. */
  readonly newestRevision: number;
}

const TOO_OLD = "The resourceVersion for the provided list is too old.";
const tokenTooOld =
  "The provided continue parameter is too old to display a consistent list result. You can start a new list " +
  "without the continue parameter, or use the continue token in this response to retrieve the remainder of the " +
  "results. Continuing with the provided token results in an inconsistent list - objects that were created, " +
  "modified, or deleted between the time the first chunk was returned and now may show up in the list.";

/**
 * Returns the body of a list or of a page. Items have the order of their keys in etcd, by the bytes of
 * "namespace/name": "a-b/x" comes before "a/x". Items of built-in resource types have no `kind` and `apiVersion`.
 */
export function createListBody(store: MvccStore<SimulatedObject>, query: ListQuery): object {
  const { served, namespace, options, representation } = query;
  const page = readPage(store, query);
  const inNamespace = page.entries.filter(
    ({ key }) => namespace === undefined || key.startsWith(`${namespace}/`),
  );
  const items = options.limit > 0 ? inNamespace.slice(0, options.limit) : inNamespace;
  const remaining = inNamespace.length - items.length;
  const metadata = {
    resourceVersion: String(page.revision),
    ...(remaining > 0
      ? {
          continue: toContinueToken({ revision: page.revision, startKey: `${items.at(-1)?.key}\0` }),
          remainingItemCount: remaining,
        }
      : {}),
  };
  return representation === "metadata"
    ? {
        kind: "PartialObjectMetadataList",
        apiVersion: "meta.k8s.io/v1",
        metadata,
        items: items.map((entry) => represent(withResourceVersion(entry), "metadata")),
      }
    : {
        kind: `${served.kind}List`,
        apiVersion: toApiVersion(served),
        metadata,
        items: items.map((entry) => toItem(withResourceVersion(entry), served)),
      };
}

interface Page {
  readonly revision: number;
  /** Entries from the beginning of the page to the end of the list. */
  readonly entries: readonly StoreEntry<SimulatedObject>[];
}

function readPage(store: MvccStore<SimulatedObject>, { served, options, newestRevision }: ListQuery): Page {
  const prefix = resourceTypeKey(served);
  if (options.continueToken !== undefined) {
    if (options.resourceVersion !== undefined && options.resourceVersion !== 0n) {
      throw badRequest("specifying resource version is not allowed when using continue");
    }
    const { revision, startKey } = parseContinueToken(options.continueToken);
    const at = revision < 0 ? newestRevision : revision;
    const onCompacted = () => expired(tokenTooOld, toContinueToken({ revision: -1, startKey }));
    return { revision: at, entries: readAt(store, prefix, at, onCompacted, startKey) };
  }
  const asked = options.resourceVersion;
  if (asked !== undefined && asked > BigInt(newestRevision)) {
    throw tooLargeResourceVersion(asked, newestRevision);
  }
  // With a limit, a version without a match is exact (ValidateListOptions in k8s.io/apiserver/pkg/storage).
  const isExact = options.match === "Exact" || (options.match === undefined && options.limit > 0);
  const revision = isExact && asked !== undefined && asked > 0n ? Number(asked) : newestRevision;
  return { revision, entries: readAt(store, prefix, revision, () => expired(TOO_OLD)) };
}

function readAt(
  store: MvccStore<SimulatedObject>,
  prefix: string,
  revision: number,
  onCompacted: () => Error,
  startKey?: string,
): StoreEntry<SimulatedObject>[] {
  try {
    return store.list(prefix, revision, startKey);
  } catch (error) {
    throw error instanceof CompactedError ? onCompacted() : error;
  }
}

function toItem(object: SimulatedObject, served: ServedResource): object {
  if (served.custom) {
    return object;
  }
  const { kind: _kind, apiVersion: _apiVersion, ...rest } = object;
  return rest;
}

/** Position in a paged list. */
export interface ContinueToken {
  /** Revision of the first page; -1 to continue at the newest, in an inconsistent list. */
  readonly revision: number;
  /** The next page begins at this key or at the first one after it. */
  readonly startKey: string;
}

/** Encodes a token in the format of the real server (`k8s.io/apiserver/pkg/storage/continue.go`). */
function toContinueToken({ revision, startKey }: ContinueToken): string {
  const token = { v: "meta.k8s.io/v1", rv: revision, start: `/${startKey}` };
  return Buffer.from(JSON.stringify(token)).toString("base64url");
}

/**
 * Decodes a token.
 *
 * @throws ApiStatusError (400) if the text is not a token
 */
function parseContinueToken(text: string): ContinueToken {
  let token: Partial<Record<"v" | "rv" | "start", unknown>> | null;
  try {
    token = JSON.parse(Buffer.from(text, "base64url").toString());
  } catch {
    token = null;
  }
  if (
    token?.v !== "meta.k8s.io/v1" ||
    typeof token.start !== "string" ||
    token.start === "" ||
    token.start === "/"
  ) {
    throw badRequest("invalid continue token: continue key is not valid");
  }
  if (typeof token.rv !== "number" || !Number.isInteger(token.rv) || token.rv === 0) {
    throw badRequest(
      "invalid continue token: continue key is not valid: incorrect encoded start resourceVersion",
    );
  }
  return { revision: token.rv, startKey: token.start.replace(/^\//, "") };
}
