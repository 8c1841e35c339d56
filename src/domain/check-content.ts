import { canonicalize, UncanonicalError } from "./canonical-json.ts";
import { MAX_REASON_LENGTH } from "./limits.ts";
import { isAt, scanCanonical, showBytes } from "./scan-canonical.ts";

/** Identity that an object's content must have in its metadata. */
export interface ObjectIdentity {
  /** Empty for an object without a namespace. */
  readonly namespace: string;
  readonly name: string;
  /** Empty for an object without a uid. */
  readonly uid: string;
}

/** The checked members of the metadata. Their lengths differ, so most other members cost one comparison. */
const FIELDS = ["name", "namespace", "uid", "managedFields"] as const;
type Field = (typeof FIELDS)[number];
const FIELD_OF_LENGTH: ReadonlyMap<number, { readonly field: Field; readonly bytes: Buffer }> = new Map(
  FIELDS.map((field) => [field.length, { field, bytes: Buffer.from(field) }]),
);

const OPEN_BRACE = 0x7b;
const N = 0x6e;

/**
 * Finds the reason why bytes are not the content of the object: they are not canonical JSON, not an object, hold
 * `metadata.managedFields`, or belong to another object. Takes linear time.
 *
 * @returns a text of at most 1,024 characters for people; undefined if the bytes are the content of the object
 */
export function findContentProblem(content: Uint8Array, object: ObjectIdentity): string | undefined {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const positions: Partial<Record<Field, number>> = {};
  try {
    scanCanonical(bytes, (start, end, valueStart) => {
      const candidate = FIELD_OF_LENGTH.get(end - start);
      if (candidate !== undefined && isAt(bytes, start, candidate.bytes)) {
        positions[candidate.field] = valueStart;
      }
    });
  } catch (error) {
    if (!(error instanceof UncanonicalError)) {
      throw error;
    }
    return toReason(error.message);
  }
  if (bytes[0] !== OPEN_BRACE) {
    return toReason(`expected a JSON object, found ${showBytes(bytes, 0, bytes.length)}`);
  }
  if (positions.managedFields !== undefined) {
    return toReason("expected no metadata.managedFields, found some");
  }
  for (const field of ["name", "namespace", "uid"] as const) {
    const found = differenceAt(bytes, positions[field], object[field]);
    if (found !== undefined) {
      return toReason(`expected metadata.${field} ${JSON.stringify(object[field])}, found ${found}`);
    }
  }
  return undefined;
}

/**
 * Compares the value at the position with the expected one; a member that is absent or null is empty. Canonical JSON
 * writes equal texts as equal bytes, so nothing is decoded. Returns the found value, for people, if they differ.
 */
function differenceAt(bytes: Buffer, position: number | undefined, expected: string): string | undefined {
  if (position === undefined || bytes[position] === N) {
    return expected === "" ? undefined : "none";
  }
  return isAt(bytes, position, Buffer.from(canonicalize(expected)))
    ? undefined
    : (/^"(?:[^"\\]|\\.)*"/.exec(showBytes(bytes, position, bytes.length))?.[0] ?? "another value");
}

function toReason(problem: string): string {
  return `content: ${problem}`.slice(0, MAX_REASON_LENGTH);
}
