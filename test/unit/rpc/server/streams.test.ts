import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { expect, it } from "vitest";
import {
  type SyncRequest,
  SyncRequestSchema,
  SyncService,
} from "../../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { ConflictError } from "../../../../src/lib/errors.ts";
import { grpcClient, serveForTest } from "../../../support/rpc/serve-for-test.ts";

const hello = create(SyncRequestSchema, {
  message: { case: "hello", value: { cluster: "c1", clusterUid: "uid", instanceId: "i" } },
});

it("a call that ends with an error leaves no stream open, even if the client has more to send", async () => {
  // An open stream would delay the close until this time.
  const closeTimeoutMs = 60_000;
  const server = await serveForTest(
    {
      sync: {
        async *sync(requests) {
          for await (const _ of requests) {
            yield { message: { case: "welcome" as const, value: {} } };
            throw new ConflictError("replaced");
          }
        },
      },
    },
    { closeTimeoutMs },
  );
  const more = Promise.withResolvers<SyncRequest>();
  async function* requests() {
    yield hello;
    yield await more.promise;
  }
  const responses = grpcClient(SyncService, server.url).sync(requests())[Symbol.asyncIterator]();
  await responses.next();
  await expect(responses.next()).rejects.toMatchObject({ code: Code.Aborted });
  await server.close();
  more.resolve(hello);
});
