import { describe, expect, it } from "vitest";
import type { SubscriptionStats } from "../../../../src/bus/pulsar/admin/pulsar-admin.ts";
import { isHeldBack } from "../../../../src/bus/pulsar/is-held-back.ts";

const waiting: SubscriptionStats = { backlog: 11, inReplay: 11, unacknowledged: 0, delivered: 166 };

describe("events that the broker holds back", () => {
  it("wait at two looks, while nobody has any and nothing was handed out", () => {
    expect(isHeldBack(waiting, { ...waiting, backlog: 12, inReplay: 12 })).toBe(true);
  });

  it.each<[string, SubscriptionStats | undefined, SubscriptionStats | undefined]>([
    ["were not there before", { ...waiting, inReplay: 0 }, waiting],
    ["are not there any more", waiting, { ...waiting, inReplay: 0 }],
    ["wait for a consumer that has others", waiting, { ...waiting, unacknowledged: 1 }],
    ["waited for a consumer that had others", { ...waiting, unacknowledged: 1 }, waiting],
    ["move", waiting, { ...waiting, delivered: 167 }],
    ["were not looked at before", undefined, waiting],
    ["are not seen now", waiting, undefined],
  ])("are not those that %s", (_, before, now) => {
    expect(isHeldBack(before, now)).toBe(false);
  });
});
