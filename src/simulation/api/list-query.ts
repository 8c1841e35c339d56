import { badRequest, invalidListOptions, type OptionCause } from "./api-status.ts";

/** Validated query options of a list or a watch. */
export interface ListParameters {
  readonly watch: boolean;
  /** 0: no limit. */
  readonly limit: number;
  readonly continueToken: string | undefined;
  /** Undefined: the newest; 0: any. */
  readonly resourceVersion: bigint | undefined;
  readonly match: "Exact" | "NotOlderThan" | undefined;
  readonly allowWatchBookmarks: boolean;
  readonly timeoutSeconds: number | undefined;
}

/**
 * Parses and validates the query as `ValidateListOptions` of `k8s.io/apimachinery` does. Selectors and streaming lists
 * (`sendInitialEvents`) are not simulated. They are refused, not ignored.
 *
 * @throws ApiStatusError if the query is invalid
 */
export function parseListOptions(query: URLSearchParams): ListParameters {
  const watch = isTrue(query.get("watch"));
  const match = query.get("resourceVersionMatch") || undefined;
  const resourceVersion = parseRevision(query.get("resourceVersion"));
  const continueToken = query.get("continue") || undefined;
  for (const selector of ["labelSelector", "fieldSelector"]) {
    if (query.get(selector)) {
      throw badRequest(`${selector} is not simulated`);
    }
  }
  const causes: OptionCause[] = [];
  if (query.get("sendInitialEvents")) {
    const forbidden = watch ? "watch unless the WatchList feature gate is enabled" : "list";
    causes.push(forbid("sendInitialEvents", `sendInitialEvents is forbidden for ${forbidden}`));
  }
  if (match !== undefined) {
    causes.push(...validateMatch(match, watch, resourceVersion, continueToken));
  }
  if (causes.length > 0) {
    throw invalidListOptions(causes);
  }
  return {
    watch,
    limit: parseCount("limit", query.get("limit")) ?? 0,
    continueToken,
    resourceVersion,
    match: match as ListParameters["match"],
    allowWatchBookmarks: isTrue(query.get("allowWatchBookmarks")),
    timeoutSeconds: parseCount("timeoutSeconds", query.get("timeoutSeconds")),
  };
}

/**
 * Parses `resourceVersion`.
 *
 * @throws ApiStatusError (400) if the text is not a version
 */
export function parseRevision(text: string | null): bigint | undefined {
  if (text === null || text === "") {
    return undefined;
  }
  if (!/^\d+$/.test(text)) {
    throw badRequest(`invalid resource version: ${JSON.stringify(text)}`);
  }
  return BigInt(text);
}

function validateMatch(
  match: string,
  watch: boolean,
  resourceVersion: bigint | undefined,
  continueToken: string | undefined,
): OptionCause[] {
  const field = "resourceVersionMatch";
  if (watch) {
    return [forbid(field, `${field} is forbidden for watch unless sendInitialEvents is provided`)];
  }
  const causes: OptionCause[] = [];
  if (resourceVersion === undefined) {
    causes.push(forbid(field, `${field} is forbidden unless resourceVersion is provided`));
  }
  if (continueToken !== undefined) {
    causes.push(forbid(field, `${field} is forbidden when continue is provided`));
  }
  if (match !== "Exact" && match !== "NotOlderThan") {
    const message = `Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan", ""`;
    causes.push({ field, reason: "FieldValueNotSupported", message });
  }
  if (match === "Exact" && resourceVersion === 0n) {
    causes.push(forbid(field, `${field} "exact" is forbidden for resourceVersion "0"`));
  }
  return causes;
}

function forbid(field: string, message: string): OptionCause {
  return { field, reason: "FieldValueForbidden", message: `Forbidden: ${message}` };
}

function isTrue(value: string | null): boolean {
  return value === "1" || value === "true";
}

function parseCount(name: string, value: string | null): number | undefined {
  if (value === null || value === "") {
    return undefined;
  }
  if (!/^\d{1,9}$/.test(value)) {
    throw badRequest(`invalid ${name}: ${JSON.stringify(value)}`);
  }
  return Number(value);
}
