import * as z from "zod/mini";
import { DEFAULT_SCRUB_ROWS } from "../../domain/limits.ts";
import { withDefault } from "../field.ts";
import type { ValueType } from "../value-types.ts";

const rowCount: ValueType<number> = {
  schema: z.int().check(z.minimum(0), z.maximum(1_000_000)),
  expected: "a whole number from 0 to 1000000",
  fromText: (value) => (/^\d{1,7}$/.test(value) ? Number(value) : value),
  placeholder: "count",
};

/** Rows of each resource type whose checksums each run recomputes. */
export const scrubRows = withDefault<number>(
  rowCount,
  DEFAULT_SCRUB_ROWS,
  "Rows of each resource type whose checksums each run recomputes; 0: none",
);
