import { readFileSync } from "node:fs";

/** A vector of the contract's conformance suite. */
export interface CanonicalVector {
  readonly name: string;
  readonly text: string;
  readonly canonical: string;
  /** SHA-256 of the canonical text in UTF-8, as hexadecimal digits. */
  readonly sha256: string;
  /** False if Postgres's `jsonb` cannot hold the text; unset if it can. */
  readonly storable?: boolean;
}

/** The vectors of canonical JSON. */
export const canonicalVectors = JSON.parse(
  readFileSync(new URL("../../proto/conformance/canonical.json", import.meta.url), "utf8"),
) as readonly CanonicalVector[];
