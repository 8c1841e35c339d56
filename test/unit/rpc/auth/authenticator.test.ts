import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { FleetService } from "../../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { SyncService } from "../../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { Health } from "../../../../gen/proto/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../../../gen/proto/grpc/reflection/v1/reflection_pb.ts";
import { grpcClient, serveForTest, transportsTo } from "../../../support/rpc/serve-for-test.ts";

const nobody = {
  authenticate: () => Promise.reject(new ConnectError("who are you?", Code.Unauthenticated)),
};
const refused = expect.objectContaining({ code: Code.Unauthenticated, rawMessage: "who are you?" });

describe("a caller without a token", () => {
  test("gets answers of Health, over every protocol", async () => {
    await using server = await serveForTest({}, { authenticator: nobody });
    for (const [name, transport] of Object.entries(transportsTo(server.url))) {
      await expect(createClient(Health, transport).check({}), name).resolves.toMatchObject({ status: 1 });
    }
  });

  test("is refused by all other services: queries, streams and reflection", async () => {
    await using server = await serveForTest({}, { authenticator: nobody });
    const fleet = grpcClient(FleetService, server.url);
    const none = (async function* () {})();
    const calls: readonly Promise<unknown>[] = [
      fleet.listClusters({}),
      fleet.startReconciliation({ cluster: "c1" }),
      Array.fromAsync(fleet.watchReconciliationRuns({})),
      Array.fromAsync(grpcClient(SyncService, server.url).sync(none)),
      Array.fromAsync(grpcClient(ServerReflection, server.url).serverReflectionInfo(none)),
    ];
    for (const result of await Promise.allSettled(calls)) {
      expect(result).toEqual({ status: "rejected", reason: refused });
    }
  });
});
