import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { ReconciliationTrigger } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import {
  FindingType,
  type ReconciliationFinding,
  ReconciliationFindingSchema,
  type ReconciliationRun,
  ReconciliationRunSchema,
  ReconciliationState,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import type { DriftType, InjectedDrift } from "../../../src/dev/drift.ts";
import { formatDriftEvent, formatRunEvent } from "../../../src/dev/format-run-event.ts";

describe("the output of dev", () => {
  const at = (seconds: number): Date => new Date(Date.UTC(2026, 0, 1, 12, 0, seconds));
  const drift = (type: DriftType, seconds: number, ...names: [string, ...string[]]): InjectedDrift => {
    const [first, ...more] = names.map((name) => ({ resourceKey: "services", namespace: "shop", name }));
    return { type, time: at(seconds), objects: first === undefined ? expect.fail() : [first, ...more] };
  };
  const run = (
    from: number,
    to: number,
    change: MessageInitShape<typeof ReconciliationRunSchema> = {},
  ): ReconciliationRun =>
    create(ReconciliationRunSchema, {
      trigger: ReconciliationTrigger.INTERVAL,
      state: ReconciliationState.SUCCEEDED,
      startTime: timestampFromDate(at(from)),
      endTime: timestampFromDate(at(to)),
      inventoryBytes: 18_432n,
      repairBytes: 912n,
      results: [
        {
          resourceType: { group: "", version: "v1", resource: "services" },
          listed: 24n,
          findings: [{ type: FindingType.STALE_ROW, count: 1n }],
        },
      ],
      ...change,
    });
  const finding = (name: string, type: FindingType = FindingType.STALE_ROW): ReconciliationFinding =>
    create(ReconciliationFindingSchema, {
      ref: { resourceType: { group: "", version: "v1", resource: "services" }, namespace: "shop", name },
      type,
    });

  it("has a line for injected drift", () => {
    expect(formatDriftEvent(drift("deleted-row", 5, "cart"))).toBe(
      "12:00:05  broke     services shop/cart: deleted from Postgres",
    );
    expect(formatDriftEvent(drift("deleted-resource-type", 5, "cart", "api"))).toBe(
      "12:00:05  broke     2 services: deleted from Postgres, all of the resource type",
    );
  });

  it("has one line for a dry run, which repairs no drift", () => {
    const open = [drift("edited-content", 5, "cart")];
    const story = formatRunEvent(open, run(10, 11, { dryRun: true }), [finding("cart")]);
    expect(story).toEqual({
      lines: [
        "12:00:11  run       dry run: 24 objects in 1 resource type compared, 1 row to repair; " +
          "18.4 kB of inventory, 912 B of repairs, 1000 ms",
      ],
      open,
    });
  });

  it("has the findings of a run, its cost, and the verified time", () => {
    const story = formatRunEvent([drift("edited-content", 5, "cart")], run(10, 11), [finding("cart")]);
    expect(story).toEqual({
      lines: [
        "12:00:11  run       on schedule: 24 objects in 1 resource type compared, 1 row repaired; 18.4 kB of inventory, 912 B of repairs, 1000 ms",
        "          repaired  services shop/cart: edited in Postgres, same version (after 6 s)",
        "          verified  the copy equals the cluster as of 12:00:10",
      ],
      open: [],
    });
  });

  it("keeps drift open if it is later than the run or of a resource type that was not verified", () => {
    const late = drift("edited-content", 10, "late");
    expect(formatRunEvent([late], run(10, 11), []).open).toEqual([late]);
    const early = drift("edited-content", 5, "early");
    const failed = {
      resourceType: { group: "", version: "v1", resource: "services" },
      failure: { message: "403" },
    };
    const partial = run(10, 11, { state: ReconciliationState.PARTIAL, results: [failed] });
    const story = formatRunEvent([early], partial, []);
    expect(story.open).toEqual([early]);
    expect(story.lines).toHaveLength(1);
    expect(story.lines[0]).toContain("1 resource type not verified");
  });

  it("keeps a resource type open if a run found only some of its objects, until a later run verifies it", () => {
    const whole = drift("deleted-resource-type", 10, "cart", "api");
    expect(formatRunEvent([whole], run(10, 11), [finding("cart", FindingType.MISSING_ROW)]).open).toEqual([
      whole,
    ]);
    expect(formatRunEvent([whole], run(20, 21), [finding("cart", FindingType.MISSING_ROW)]).open).toEqual([]);
  });

  it("reports drift that a live change repaired, and findings that were not injected", () => {
    const story = formatRunEvent([drift("absurd-version", 5, "cart")], run(10, 11), [
      finding("other", FindingType.GHOST_ROW),
    ]);
    expect(story.open).toEqual([]);
    expect(story.lines.slice(1, 3)).toEqual([
      "          repaired  services shop/cart: by a live change, before the run",
      "          repaired  services shop/other: was a ghost",
    ]);
  });

  it.each([
    [ReconciliationState.FAILED, "failed: the agent went away"],
    [ReconciliationState.EXPIRED, "expired: the agent went away"],
    [ReconciliationState.SUPERSEDED, "superseded, the agent reconnected"],
  ])("reports nothing as verified after a run that ended in state %s", (state, words) => {
    const open = [drift("deleted-row", 5, "cart")];
    const story = formatRunEvent(
      open,
      run(10, 11, { state, failure: { message: "the agent went away" } }),
      [],
    );
    expect(story).toEqual({ lines: [`12:00:11  run       on schedule: ${words}`], open });
  });
});
