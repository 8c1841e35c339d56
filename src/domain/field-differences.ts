import { truncate } from "../lib/text.ts";
import {
  canonicalize,
  compareCodePoints,
  isExactNumber,
  parseExact,
  UncanonicalError,
} from "./canonical-json.ts";

/** A field that differs between a stored and an observed content. */
export interface DifferentField {
  /** JSON Pointer (RFC 6901) of the field, shortened to {@link MAX_PATH_BYTES}. */
  readonly path: string;
  /** Stored value as canonical JSON, shortened to {@link MAX_VALUE_BYTES}; empty if there is none. */
  readonly stored: string;
  /** Observed value in the same form. */
  readonly observed: string;
}

/** Most fields of one comparison. */
export const MAX_FIELDS = 20;

/** Longest value and path, in bytes of UTF-8. */
export const MAX_VALUE_BYTES = 200;
export const MAX_PATH_BYTES = 500;

/**
 * Returns the first fields, in the order of keys, that differ between two JSON texts. Objects are compared by key,
 * arrays by index, numbers by all of their digits. Returns no field if one text has no canonical form, for example
 * because it is nested too deep.
 *
 * @throws SyntaxError if a text is not JSON
 */
export function findFieldDifferences(stored: string, observed: string): DifferentField[] {
  const found: DifferentField[] = [];
  try {
    collect(parseExact(stored), parseExact(observed), "", found);
    return found;
  } catch (error) {
    if (error instanceof UncanonicalError) {
      return [];
    }
    throw error;
  }
}

/** Adds the differences of two values; undefined is a field that one side lacks. */
function collect(stored: unknown, observed: unknown, path: string, found: DifferentField[]): void {
  if (found.length === MAX_FIELDS || stored === observed) {
    return;
  }
  if (Array.isArray(stored) && Array.isArray(observed)) {
    for (let i = 0; i < Math.max(stored.length, observed.length); i++) {
      collect(stored[i], observed[i], `${path}/${i}`, found);
    }
  } else if (isObject(stored) && isObject(observed)) {
    const keys = new Set([...Object.keys(stored), ...Object.keys(observed)]);
    for (const key of [...keys].sort(compareCodePoints)) {
      collect(memberOf(stored, key), memberOf(observed, key), `${path}/${escapeToken(key)}`, found);
    }
  } else {
    const [a, b] = [toText(stored), toText(observed)];
    if (a !== b) {
      found.push({
        path: truncate(path, MAX_PATH_BYTES),
        stored: truncate(a, MAX_VALUE_BYTES),
        observed: truncate(b, MAX_VALUE_BYTES),
      });
    }
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isExactNumber(value);
}

/** Returns an own member: a key such as "constructor" must not find an inherited one. */
function memberOf(object: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function toText(value: unknown): string {
  return value === undefined ? "" : canonicalize(value);
}

/** Escapes a key for a JSON Pointer. Postgres can store neither U+0000 nor half of a surrogate pair. */
function escapeToken(key: string): string {
  return key.toWellFormed().replaceAll("\0", "\ufffd").replaceAll("~", "~0").replaceAll("/", "~1");
}
