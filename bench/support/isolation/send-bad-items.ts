import { create } from "@bufbuild/protobuf";
import { BatchType } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { SyncRequestSchema } from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { createSyncClient } from "../../../src/rpc/client/sync-client.ts";
import { PODS } from "../tenant-bus.ts";
import type { Target } from "./target.ts";

/** Sends a batch of items without content through the agent's client. Returns the error; undefined if there is none. */
export async function sendBadItems({ url, token }: Target, count: number): Promise<unknown> {
  const sync = createSyncClient(url, { read: () => token, isRenewable: false });
  const items = Array.from({ length: count }, () => ({}));
  const hello = { cluster: "bad", clusterUid: "uid of bad", instanceId: "agent", agentVersion: "bench" };
  const batch = { resourceType: PODS, type: BatchType.DEFAULT, items };
  try {
    const requests = (async function* () {
      yield create(SyncRequestSchema, { message: { case: "hello", value: hello } });
      yield create(SyncRequestSchema, { sequence: 1n, message: { case: "batch", value: batch } });
    })();
    for await (const _ of sync(AbortSignal.timeout(30_000), requests)) {
      // Only its end matters.
    }
    return undefined;
  } catch (cause) {
    return cause;
  }
}
