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

describe("the demo's story", () => {
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

  it("tells what was broken", () => {
    expect(formatDriftEvent(drift("deleted-row", 5, "cart"))).toBe(
      "12:00:05  broke     services shop/cart: deleted by hand from Postgres",
    );
    expect(formatDriftEvent(drift("deleted-resource-type", 5, "cart", "api"))).toBe(
      "12:00:05  broke     2 services: deleted by hand from Postgres, the whole resource type",
    );
  });

  it("tells what a run found, what that cost, and since when the copy is true", () => {
    const story = formatRunEvent([drift("edited-content", 5, "cart")], run(10, 11), [finding("cart")]);
    expect(story).toEqual({
      lines: [
        "12:00:11  run       on schedule: 24 objects in 1 resource type compared, 1 row set right; 18.4 kB of inventory, 912 B of repairs, 1000 ms",
        "          repaired  services shop/cart: edited by hand in Postgres, its version kept (after 6 s)",
        "          verified  the copy is what the cluster was at 12:00:10",
      ],
      open: [],
    });
  });

  it("keeps what was not found open: broken after the run began, or of a kind that was not verified", () => {
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

  it("keeps a kind open of which a run found only a part before it was broken to the end", () => {
    const whole = drift("deleted-resource-type", 10, "cart", "api");
    expect(formatRunEvent([whole], run(10, 11), [finding("cart", FindingType.MISSING_ROW)]).open).toEqual([
      whole,
    ]);
    expect(formatRunEvent([whole], run(20, 21), [finding("cart", FindingType.MISSING_ROW)]).open).toEqual([]);
  });

  it("says so when a live change was faster, and when a run found more than was injected", () => {
    const story = formatRunEvent([drift("absurd-version", 5, "cart")], run(10, 11), [
      finding("other", FindingType.GHOST_ROW),
    ]);
    expect(story.open).toEqual([]);
    expect(story.lines.slice(1, 3)).toEqual([
      "          right     services shop/cart: a live change was faster",
      "          repaired  services shop/other: was a ghost",
    ]);
  });

  it.each([
    [ReconciliationState.FAILED, "failed: the agent went away"],
    [ReconciliationState.EXPIRED, "not done in time: the agent went away"],
    [ReconciliationState.SUPERSEDED, "given up, the agent connected anew"],
  ])("claims nothing of a run that ended in state %s", (state, words) => {
    const open = [drift("deleted-row", 5, "cart")];
    const story = formatRunEvent(
      open,
      run(10, 11, { state, failure: { message: "the agent went away" } }),
      [],
    );
    expect(story).toEqual({ lines: [`12:00:11  run       on schedule: ${words}`], open });
  });
});
