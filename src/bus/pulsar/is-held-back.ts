import type { SubscriptionStats } from "./admin/pulsar-admin.ts";

/**
 * Whether a broker holds messages back for no reason, as seen by two looks some seconds apart: some wait to be handed
 * out, no consumer has any that would have to be acknowledged before, and nothing was handed out since.
 *
 * Seen of Pulsar 4.0.8 in quiet partitions, after consumers had come and gone. It looks like apache/pulsar#26236 (mended in
 * 2026): at the end of a topic the Key_Shared dispatcher waits for the next message, and forgets those that it has put back.
 * A consumer that joins sets it going.
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
