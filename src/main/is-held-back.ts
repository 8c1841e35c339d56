import type { SubscriptionStats } from "../bus/pulsar-admin/pulsar-admin.ts";

/**
 * Whether a broker holds messages back for no reason, as seen by two looks some seconds apart: some wait to be handed
 * out, no consumer has any that would have to be acknowledged before, and nothing was handed out since.
 *
 * Pulsar's Key_Shared dispatcher comes to this at the end of a topic when consumers have come or gone: it waits there for
 * the next message, and forgets those that it has put back (apache/pulsar#26236, mended in 2026). Whatever it hands out next
 * of that partition sets it going, and so does a consumer that joins.
 */
export function isHeldBack(
  before: SubscriptionStats | undefined,
  now: SubscriptionStats | undefined,
): boolean {
  return (
    before !== undefined &&
    now !== undefined &&
    [before, now].every(({ inReplay, unacknowledged }) => inReplay > 0 && unacknowledged === 0) &&
    before.delivered === now.delivered
  );
}
