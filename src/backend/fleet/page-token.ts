import { hash } from "node:crypto";
import { clone, type DescMessage, type Message, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { InvalidArgumentError } from "../../lib/errors.ts";
import type { Identity } from "../../rpc/auth/authenticator.ts";
import type { PageQuery, Position } from "../../store/fleet-store.ts";

/** Request for a page of a list (AIP-158). */
type ListRequest = Message & { pageSize: number; pageToken: string };

/** The caller that a page token is bound to. */
type Caller = Pick<Identity, "account" | "cluster">;

const DEFAULT_PAGE_SIZE = 100;
const MAX_PAGE_SIZE = 1000;

/**
 * Returns the page that a request asks for. A page size of 0 means 100; a size above 1,000 means 1,000.
 *
 * @throws InvalidArgumentError if `page_token` is malformed, or belongs to another request or caller. Between
 * pages only the page size may change.
 */
export function toPageQuery<Desc extends DescMessage>(
  schema: Desc,
  request: MessageShape<Desc> & ListRequest,
  caller: Caller,
): PageQuery {
  const limit = Math.min(request.pageSize === 0 ? DEFAULT_PAGE_SIZE : request.pageSize, MAX_PAGE_SIZE);
  if (request.pageToken === "") {
    return { after: undefined, limit };
  }
  const [digest, ...after] = decode(request.pageToken);
  if (digest !== digestOf(schema, request, caller)) {
    throw invalidToken("belongs to another request or caller; repeat that request, or start without a token");
  }
  return { after, limit };
}

/** Returns the token of the next page; empty behind the last page. */
export function toPageToken<Desc extends DescMessage>(
  schema: Desc,
  request: MessageShape<Desc> & ListRequest,
  caller: Caller,
  next: Position | undefined,
): string {
  if (next === undefined) {
    return "";
  }
  return Buffer.from(JSON.stringify([digestOf(schema, request, caller), ...next])).toString("base64url");
}

/**
 * Returns a digest of the request and the caller. It detects mistakes and is no protection: a forged token
 * reads another part of a list that the caller may read anyway.
 */
function digestOf<Desc extends DescMessage>(
  schema: Desc,
  request: MessageShape<Desc> & ListRequest,
  { account, cluster = "" }: Caller,
): string {
  const question = Object.assign(clone(schema, request), { pageSize: 0, pageToken: "" });
  const bytes = Buffer.concat([
    Buffer.from(JSON.stringify([schema.typeName, account, cluster])),
    toBinary(schema, question),
  ]);
  return hash("sha256", bytes, "base64url").slice(0, 16);
}

function decode(token: string): string[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    if (Array.isArray(parts) && parts.every((part) => typeof part === "string")) {
      return parts;
    }
  } catch {
    // Reported below.
  }
  throw invalidToken("is malformed; use the next_page_token of the previous page");
}

function invalidToken(description: string): InvalidArgumentError {
  return new InvalidArgumentError([{ field: "page_token", description }], {
    info: { reason: "INVALID_PAGE_TOKEN" },
  });
}
