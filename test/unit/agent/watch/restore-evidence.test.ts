import { describe, expect, it } from "vitest";
import { RestoreEvidence } from "../../../../src/agent/watch/restore-evidence.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { CONFIG_MAPS, PODS, resourceType } from "../../../support/store/messages.ts";

const WIDGETS = resourceType("example.com", "v1", "widgets");
const GADGETS = resourceType("example.com", "v1", "gadgets");

describe("the evidence of a restored etcd (R16)", () => {
  it.each([
    ["another resource type of the core group", PODS, CONFIG_MAPS, true],
    ["a resource type of another group", PODS, WIDGETS, true],
    ["one of the core group, for an extension", WIDGETS, PODS, true],
    ["one of the same extension, whose replica may lag", WIDGETS, GADGETS, false],
    ["the resource type itself", PODS, PODS, false],
  ])("%s", (_, own, other, expected) => {
    const evidence = new RestoreEvidence(new ManualClock());
    evidence.add(other);
    expect(evidence.isShared(own)).toBe(expected);
    evidence.remove(other);
    expect(evidence.isShared(own)).toBe(false);
  });

  it("counts from the first response below the watermark, and again after the proof", async () => {
    const clock = new ManualClock();
    const evidence = new RestoreEvidence(clock);
    evidence.add(PODS);
    await clock.advance(20_000);
    evidence.add(PODS);
    expect(evidence.belowMs(PODS)).toBe(20_000);
    evidence.conclude(PODS);
    expect(evidence.isShared(CONFIG_MAPS)).toBe(true);
    await clock.advance(5_000);
    evidence.add(PODS);
    expect(evidence.belowMs(PODS)).toBe(0);
    evidence.remove(PODS);
    await clock.advance(5_000);
    expect(evidence.belowMs(PODS)).toBe(0);
  });

  it("counts for a minute", async () => {
    const clock = new ManualClock();
    const evidence = new RestoreEvidence(clock);
    evidence.add(CONFIG_MAPS);
    await clock.advance(60_000);
    expect(evidence.isShared(PODS)).toBe(true);
    await clock.advance(1);
    expect(evidence.isShared(PODS)).toBe(false);
  });
});
