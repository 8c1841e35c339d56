import { hash } from "node:crypto";
import { clone, type DescMessage, type Message, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { InvalidArgumentError } from "../../lib/errors.ts";
import type { Identity } from "../../rpc/auth/identity.ts";
import type { PageQuery, Position } from "../../store/fleet-store.ts";

/** A request of a list, as in AIP-158. */
type ListRequest = Message & { pageSize: number; pageToken: string };

/** Whose list it is. */
type Caller = Pick<Identity, "account" | "cluster">;

const DEFAULT_PAGE_SIZE = 100;
const MAX_PAGE_SIZE = 1000;

/**
 * What a request asks of a list: a page size of 0 is 100, one above 1,000 is 1,000.
 *
 * @throws InvalidArgumentError when its page_token is no token, or that of another request or caller: what a request
 * asks for must not change between pages, except their size.
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
    throw invalidToken("belongs to another request: repeat that one, or begin without a token");
  }
  return { after, limit };
}

/** The token with which this request goes on at that position; empty when there is nothing more. */
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
 * Stands for everything that the request asks for, and for whose it is. It guards against mistakes, not against people: whoever makes up a
 * token reads another part of a list that they may read anyway.
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
    // Refused below.
  }
  throw invalidToken("is not a token that a page came with");
}

function invalidToken(description: string): InvalidArgumentError {
  return new InvalidArgumentError([{ field: "page_token", description }], {
    info: { reason: "INVALID_PAGE_TOKEN" },
  });
}
