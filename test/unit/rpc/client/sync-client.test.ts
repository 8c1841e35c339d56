import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, it } from "vitest";
import { BatchSchema, BatchType } from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { PutObjectSchema } from "../../../../gen/proto/evenkeel/v1/object_pb.ts";
import { HelloSchema, SyncRequestSchema } from "../../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { InvalidArgumentError } from "../../../../src/lib/errors.ts";
import { createSyncClient } from "../../../../src/rpc/client/sync-client.ts";
import { serveForTest } from "../../../support/rpc/serve-for-test.ts";

const signal = new AbortController().signal;

it("a refused message is an error that names the fields, not only a refusal (R52)", async () => {
  await using server = await serveForTest({
    sync: {
      // biome-ignore lint/correctness/useYield: the stream ends with an error
      async *sync(requests) {
        for await (const _ of requests) {
          // The validation refuses the message.
        }
      },
    },
  });
  const value = create(PutObjectSchema, { ref: { name: "x".repeat(2_000) }, checksum: new Uint8Array(32) });
  const batch = create(BatchSchema, {
    resourceType: { version: "v1", resource: "pods" },
    type: BatchType.DEFAULT,
    items: [{ message: { case: "putObject", value } }],
  });
  const requests = async function* () {
    yield create(SyncRequestSchema, { message: { case: "batch", value: batch } });
  };
  const error = await Array.fromAsync(
    createSyncClient(`http://127.0.0.1:${server.port}`, undefined)(signal, requests()),
  ).catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(InvalidArgumentError);
  expect(error).toMatchObject({
    violations: expect.arrayContaining([
      expect.objectContaining({ field: "batch.items[0].put_object.ref.name" }),
    ]),
  });
});

it("a refusal without fields has its message as the only violation", async () => {
  await using server = await serveForTest({
    sync: {
      // biome-ignore lint/correctness/useYield: the stream ends with an error
      async *sync() {
        throw new ConnectError("no such thing", Code.InvalidArgument);
      },
    },
  });
  const requests = async function* () {
    yield create(SyncRequestSchema, { message: { case: "hello", value: create(HelloSchema) } });
  };
  const error = await Array.fromAsync(
    createSyncClient(`http://127.0.0.1:${server.port}`, undefined)(signal, requests()),
  ).catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(InvalidArgumentError);
});
