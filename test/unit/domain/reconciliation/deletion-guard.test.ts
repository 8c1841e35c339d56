import { expect, it } from "vitest";
import {
  DEFAULT_DELETION_GUARD,
  mustWithhold,
} from "../../../../src/domain/reconciliation/deletion-guard.ts";

const GUARD = { maxDeletions: 100, maxShare: 0.2, agreementMs: 1 };

it.each([
  ["above both limits", true, { deletions: 101, created: 0, rows: 504 }],
  ["at the number", false, { deletions: 100, created: 0, rows: 100 }],
  ["at the share", false, { deletions: 200, created: 0, rows: 1_000 }],
  ["above the share", true, { deletions: 201, created: 0, rows: 1_000 }],
  ["above the number, a small share", false, { deletions: 101, created: 0, rows: 1_000 }],
  ["without the new objects above both limits", false, { deletions: 150, created: 50, rows: 200 }],
  ["with the new objects above both limits", true, { deletions: 151, created: 50, rows: 200 }],
])("R90: deletions %s: withheld is %s", (_, isWithheld, counts) => {
  expect(mustWithhold(counts, GUARD)).toBe(isWithheld);
});

it("withholds by default more than 100 deletions of a fifth of the rows, until two comparisons agree for 10 minutes", () => {
  expect(DEFAULT_DELETION_GUARD).toEqual({ maxDeletions: 100, maxShare: 0.2, agreementMs: 600_000 });
});
