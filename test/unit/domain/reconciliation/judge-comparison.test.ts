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

const NOTHING_BEFORE = { firstRepair: undefined, gapSequence: 0n, refusedSequence: 0n };

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

  it("says what was expected and what was found", () => {
    const messages = wrong.map(([, , end, facts]) =>
      judgeComparison({ ...END, ...end }, { ...FACTS, ...facts }),
    );
    expect(messages.map((fault) => fault?.message).join("\n")).toMatchInlineSnapshot(`
      "expected the end of attempt 2, found attempt 9
      expected the end of attempt 1, found attempt 2
      expected a first sequence from 1 to 9, found 0
      expected a first sequence from 1 to 9, found 10
      expected a first sequence of at most 4, the first repair, found 5
      messages between sequences 5 and 6 were lost
      an item of sequence 5 could not be applied; see the quarantined objects
      expected a scope generation from 2 to 3, found 1
      expected a scope generation from 2 to 3, found 7
      expected a scope generation from 1 to 3, found 0
      the inventory had 8 objects, the agent compared 7
      the inventory had 8 objects, the agent compared 9
      11 objects were listed, but equal, put, managed, gone and unrepresentable sum to 10
      10 objects were listed, but equal, put, managed, gone and unrepresentable sum to 11
      expected an incarnation of at most the session's epoch 1000, found 1001
      expected a comparison by version, found one by position
      expected a comparison by position, found one by version
      expected a list at version 90 or higher, found version 89
      expected a list at version 90 or higher, found version 89
      expected incarnation 500 or a newer one, found 499"
    `);
  });

  const right: [string, Partial<ComparisonStatement>, Partial<ComparisonFacts>][] = [
    ["a list at the high watermark", { listVersion: "90" }, {}],
    ["a list below the high watermark of an older incarnation", { listVersion: "5", incarnation: 1000n }, {}],
    ["a version of 39 digits", { listVersion: "9".repeat(39) }, {}],
    ["no version, by position", { listVersion: "" }, { orderedBy: "POSITION" }],
    ["an order that is not known yet", { listVersion: "" }, { orderedBy: undefined }],
    ["no repairs", {}, { firstRepair: undefined }],
    ["the first sequence of its session", { firstSequence: 1n }, NOTHING_BEFORE],
    ["a range of its own sequence only", { firstSequence: 9n }, { firstRepair: undefined }],
    ["the stored incarnation, named", { incarnation: 500n }, {}],
    ["a resource type that an earlier session declared", { scopeGeneration: 1n }, { changedGeneration: 0n }],
  ];
  it.each(right)("accepts %s", (_, end, facts) => {
    expect(judgeComparison({ ...END, ...end }, { ...FACTS, ...facts })).toBeUndefined();
  });
});
