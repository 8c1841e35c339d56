import { hash } from "node:crypto";
import { canonicalize } from "./canonical-json.ts";

/** Grows with every change of the canonical rules. */
const CANONICAL_RULES = 1;

/** How content is made of an object. */
export interface ContentRules {
  /** Paths of fields that are left out, such as `metadata.managedFields`. */
  readonly stripped: readonly string[];
  /** Paths of fields whose values are replaced. */
  readonly redacted: readonly string[];
  /** `apiVersion` in which the objects are read, where it matters. */
  readonly apiVersion?: string;
}

/** The rules without redaction. */
export const DEFAULT_CONTENT_RULES: ContentRules = { stripped: ["metadata.managedFields"], redacted: [] };

/**
 * A short name of the rules: content of another form compares as different, so that a changed setting or a
 * new agent converges. 16 hexadecimal digits; the order of the paths does not matter.
 */
export function contentFormatFingerprint({ stripped, redacted, apiVersion = "" }: ContentRules): string {
  const rules = {
    rules: CANONICAL_RULES,
    stripped: stripped.toSorted(),
    redacted: redacted.toSorted(),
    apiVersion,
  };
  return hash("sha256", canonicalize(rules)).slice(0, 16);
}
