import { describe, expect, it } from "vitest";
import {
  type ComparisonFacts,
  type ComparisonStatement,
  judgeComparison,
} from "../../../../src/domain/reconciliation/judge-comparison.ts";

const END: ComparisonStatement = {
  attempt: 2,
  firstSequence: 5n,
  scopeGeneration: 3n,
  listVersion: "100",
  listed: 10n,
  equal: 4n,
  put: 3n,
  compared: 8n,
  managed: 1n,
  gone: 1n,
  unrepresentable: 1n,
};

const FACTS: ComparisonFacts = {
  epoch: 1000n,
  sequence: 9n,
  attempt: 2,
  sent: 8n,
  incarnation: 500n,
  highWatermark: 90n,
  firstRepair: 5n,
  declaredGeneration: 3n,
  changedGeneration: 2n,
  orderedBy: "VERSION",
  gapSequence: 5n,
  refusedSequence: 4n,
};

describe("judgeComparison", () => {
  it("accepts a statement that agrees with what the ingester knows", () => {
    expect(judgeComparison(END, FACTS)).toBeUndefined();
  });

  const wrong: [string, string, Partial<ComparisonStatement>, Partial<ComparisonFacts>][] = [
    ["an attempt that was not begun", "StaleAttempt", { attempt: 9 }, {}],
    ["an attempt whose inventory is not complete", "StaleAttempt", {}, { attempt: 1 }],
    ["a first sequence of 0", "BadRange", { firstSequence: 0n }, {}],
    ["a first sequence above its own", "BadRange", { firstSequence: 10n }, { firstRepair: undefined }],
    ["a repair before its first sequence", "BadRange", {}, { firstRepair: 4n }],
    ["a lost message in its range", "SequenceGap", {}, { gapSequence: 6n }],
    ["a refused item at its first sequence", "Refused", {}, { refusedSequence: 5n }],
    ["a scope before the resource type changed", "ScopeChanged", { scopeGeneration: 1n }, {}],
    ["a scope that was never declared", "ScopeChanged", { scopeGeneration: 7n }, {}],
    ["no scope", "ScopeChanged", { scopeGeneration: 0n }, { changedGeneration: 0n }],
    ["fewer objects than were sent", "IncompleteComparison", { compared: 7n }, {}],
    ["more objects than were sent", "IncompleteComparison", { compared: 9n }, {}],
    ["a listed object without an outcome", "InconsistentCounts", { listed: 11n }, {}],
    ["an outcome without a listed object", "InconsistentCounts", { put: 4n }, {}],
    ["an incarnation above the epoch", "BadIncarnation", { incarnation: 1001n }, {}],
    ["no version for a resource type with versions", "OrderChanged", { listVersion: "" }, {}],
    ["a version for a resource type without them", "OrderChanged", {}, { orderedBy: "POSITION" }],
    ["a list below the high watermark", "VersionsWentBack", { listVersion: "89" }, {}],
    [
      "the same incarnation, named, below it",
      "VersionsWentBack",
      { listVersion: "89", incarnation: 500n },
      {},
    ],
    ["an older incarnation", "VersionsWentBack", { incarnation: 499n }, {}],
  ];
  it.each(wrong)("refuses %s: %s", (_, reason, end, facts) => {
    expect(judgeComparison({ ...END, ...end }, { ...FACTS, ...facts })).toMatchObject({ reason });
  });

  const right: [string, Partial<ComparisonStatement>, Partial<ComparisonFacts>][] = [
    ["a list at the high watermark", { listVersion: "90" }, {}],
    ["a list below the high watermark of an older incarnation", { listVersion: "5", incarnation: 1000n }, {}],
    ["a version of 39 digits", { listVersion: "9".repeat(39) }, {}],
    ["no version, by position", { listVersion: "" }, { orderedBy: "POSITION" }],
    ["an order that is not known yet", { listVersion: "" }, { orderedBy: undefined }],
    ["no repairs", {}, { firstRepair: undefined }],
    ["a resource type that an earlier session declared", { scopeGeneration: 1n }, { changedGeneration: 0n }],
  ];
  it.each(right)("accepts %s", (_, end, facts) => {
    expect(judgeComparison({ ...END, ...end }, { ...FACTS, ...facts })).toBeUndefined();
  });
});
