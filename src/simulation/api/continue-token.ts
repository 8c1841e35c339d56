import { badRequest } from "./api-status.ts";

/** Position in a paged list. */
export interface ContinueToken {
  /** Revision of the first page; -1 to continue at the newest, in an inconsistent list. */
  readonly revision: number;
  /** The next page begins at this key or at the first one after it. */
  readonly startKey: string;
}

/** Encodes a token in the format of the real server (`k8s.io/apiserver/pkg/storage/continue.go`). */
export function toContinueToken({ revision, startKey }: ContinueToken): string {
  const token = { v: "meta.k8s.io/v1", rv: revision, start: `/${startKey}` };
  return Buffer.from(JSON.stringify(token)).toString("base64url");
}

/**
 * Decodes a token.
 *
 * @throws ApiStatusError (400) if the text is not a token
 */
export function parseContinueToken(text: string): ContinueToken {
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
