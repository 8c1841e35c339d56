import { describe, expect, it } from "vitest";
import { VersionTracker } from "../../../../src/agent/watch/version-tracker.ts";

/** Creates a tracker of an incarnation. */
function tracker(incarnation: bigint, highWatermark: bigint): VersionTracker {
  const versions = new VersionTracker();
  versions.learn(incarnation, highWatermark);
  return versions;
}

const state = ({ incarnation, highWatermark, incarnationSignal }: VersionTracker) => ({
  ...{ incarnation, highWatermark },
  hasEnded: incarnationSignal.aborted,
});

describe("the versions of a resource type", () => {
  it("belong to no incarnation before the first inventory", () => {
    expect(state(new VersionTracker())).toEqual({
      incarnation: undefined,
      highWatermark: 0n,
      hasEnded: false,
    });
  });

  it("only grow within an incarnation, whoever observed them", () => {
    const versions = tracker(3n, 100n);
    versions.observe(90n);
    versions.learn(3n, 80n);
    expect(versions.highWatermark).toBe(100n);
    versions.observe(110n);
    expect(versions.highWatermark).toBe(110n);
    versions.learn(3n, 120n);
    expect(state(versions)).toEqual({ incarnation: 3n, highWatermark: 120n, hasEnded: false });
  });

  it("of an agent that observed some before its first inventory keep them", () => {
    const versions = new VersionTracker();
    versions.observe(100n);
    const { incarnationSignal } = versions;
    versions.learn(3n, 50n);
    expect(state(versions)).toMatchObject({ incarnation: 3n, highWatermark: 100n });
    expect(incarnationSignal.aborted).toBe(false);
  });

  it("begin again with a newer incarnation, which ends the work of the old one", () => {
    const versions = tracker(3n, 100n);
    const old = versions.incarnationSignal;
    versions.learn(4n, 10n);
    expect(state(versions)).toEqual({ incarnation: 4n, highWatermark: 10n, hasEnded: false });
    expect(old.aborted).toBe(true);
    expect(String(old.reason)).toContain("went back");
  });

  it("are not those of an older incarnation", () => {
    const versions = tracker(3n, 100n);
    versions.learn(2n, 500n);
    expect(state(versions)).toEqual({ incarnation: 3n, highWatermark: 100n, hasEnded: false });
  });
});

describe("versions in doubt (R16)", () => {
  it("are those above the stated one, up to the high watermark", () => {
    const versions = tracker(3n, 100n);
    versions.doubt(90n);
    const isInDoubt = ["89", "90", "91", "100", "101", "", "x"].map((text) => versions.isInDoubt(text));
    expect(isInDoubt).toEqual([false, false, true, true, false, false, false]);
  });

  it("are none before a version below the watermark was stated", () => {
    expect(tracker(3n, 100n).isInDoubt("91")).toBe(false);
  });

  it("are all that were in doubt since they were settled", () => {
    const versions = tracker(3n, 100n);
    versions.doubt(90n);
    versions.observe(120n);
    versions.doubt(95n);
    expect(versions.inDoubt).toEqual({ above: 90n, upTo: 120n });
    versions.doubt(80n);
    expect(versions.inDoubt).toEqual({ above: 80n, upTo: 120n });
  });

  it("are settled by who read them all, unless others came meanwhile", () => {
    const versions = tracker(3n, 100n);
    versions.doubt(90n);
    const first = versions.inDoubt;
    versions.doubt(90n);
    versions.settle(first);
    expect(versions.isInDoubt("91")).toBe(true);
    versions.settle(versions.inDoubt);
    expect(versions.inDoubt).toBeUndefined();
    expect(versions.isInDoubt("91")).toBe(false);
  });

  it("end with the incarnation", () => {
    const versions = tracker(3n, 100n);
    versions.doubt(90n);
    versions.restart(4n, 95n);
    expect(versions.inDoubt).toBeUndefined();
  });
});
