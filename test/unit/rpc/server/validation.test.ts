import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { BatchType } from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { FleetService } from "../../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import {
  type SyncRequest,
  SyncRequestSchema,
  SyncService,
} from "../../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { BadRequestSchema } from "../../../../gen/proto/google/rpc/error_details_pb.ts";
import { assertValid } from "../../../../src/domain/validation.ts";
import { InvalidArgumentError, TerminalError } from "../../../../src/lib/errors.ts";
import { createSyncClient } from "../../../../src/rpc/client/sync-client.ts";
import { grpcClient, serveForTest, transportsTo } from "../../../support/rpc/serve-for-test.ts";

/** Returns the violations of a refused call, as "field: description". */
async function violationsOf(call: Promise<unknown>): Promise<string[]> {
  const error = await call.then(
    () => expect.fail("the call was not refused"),
    (reason: unknown) => ConnectError.from(reason),
  );
  expect(error.code).toBe(Code.InvalidArgument);
  const details = error.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations);
  for (const { field } of details) {
    expect(error.rawMessage).toContain(field);
  }
  return details.map(({ field, description }) => `${field}: ${description}`);
}

describe("a unary request", () => {
  test("is refused with the field and the expected value, over every protocol", async () => {
    await using server = await serveForTest({ fleet: { getCluster: () => ({}) } });
    for (const [name, transport] of Object.entries(transportsTo(server.url))) {
      const call = createClient(FleetService, transport).getCluster({ name: "" });
      expect(await violationsOf(call), name).toEqual(["name: must be at least 1 characters"]);
    }
  });

  test("is refused with every field that violates a rule, nested ones by path", async () => {
    await using server = await serveForTest({ fleet: { getObject: () => ({}) } });
    const call = grpcClient(FleetService, server.url).getObject({
      cluster: "",
      ref: { resourceType: { group: "Apps", version: "v1", resource: "deployments" }, name: ".." },
    });
    expect((await violationsOf(call)).map((violation) => violation.split(":")[0])).toEqual([
      "cluster",
      "ref.resource_type.group",
      "ref.name",
    ]);
  });
});

test("a stream is refused at its first invalid message, after those before it were handled", async () => {
  const handled: string[] = [];
  await using server = await serveForTest({
    sync: {
      async *sync(requests) {
        for await (const { sequence, message } of requests) {
          handled.push(message.case ?? "nothing");
          yield { message: { case: "acknowledgement", value: { sequence } } };
        }
      },
    },
  });
  const item = (name: string, checksum: number) => ({
    message: {
      case: "putObject" as const,
      value: { ref: { name }, content: Buffer.from("{}"), checksum: Buffer.alloc(checksum) },
    },
  });
  const requests = (async function* () {
    yield {
      message: { case: "hello" as const, value: { cluster: "c1", clusterUid: "u1", instanceId: "i1" } },
    };
    const resourceType = { group: "", version: "v1", resource: "pods" };
    const items = [item("a", 32), item("b", 31), item("x/y", 32)];
    yield {
      sequence: 1n,
      message: { case: "batch" as const, value: { resourceType, type: BatchType.DEFAULT, items } },
    };
  })();
  const call = Array.fromAsync(grpcClient(SyncService, server.url).sync(requests));
  expect((await violationsOf(call)).map((violation) => violation.split(":")[0])).toEqual([
    "batch.items[1].put_object.checksum",
    "batch.items[2].put_object.ref.name",
  ]);
  expect(handled).toEqual(["hello"]);
});

/** Creates a batch of empty items, each of which violates a rule. */
function emptyItems(count: number): SyncRequest {
  return create(SyncRequestSchema, {
    message: { case: "batch", value: { items: Array.from({ length: count }, () => ({})) } },
  });
}

describe("the cost of a refusal does not grow with the message", () => {
  test.each([2_000, 100_000])("a message of %d items names its first violation only", (count) => {
    const refuse = (): void => assertValid(SyncRequestSchema, emptyItems(count));
    expect(refuse).toThrow(InvalidArgumentError);
    try {
      refuse();
    } catch (error) {
      expect((error as InvalidArgumentError).violations).toHaveLength(1);
    }
  });

  test.each([10, 200, 1_000, 100_000])(
    "the refusal of %d items reaches the agent, and ends it",
    async (count) => {
      await using server = await serveForTest({
        sync: {
          async *sync(requests) {
            for await (const _ of requests) {
              yield {};
            }
          },
        },
      });
      const requests = (async function* () {
        yield create(SyncRequestSchema, {
          message: { case: "hello", value: { cluster: "c1", clusterUid: "uid-1", instanceId: "agent-1" } },
        });
        yield emptyItems(count);
      })();
      const { signal } = new AbortController();
      const call = Array.fromAsync(createSyncClient(server.url, undefined)(signal, requests));
      const error = await call.catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(TerminalError);
      const { message, cause } = error as TerminalError;
      expect(Buffer.byteLength(message)).toBeLessThanOrEqual(4096);
      const [details] = ConnectError.from(cause).findDetails(BadRequestSchema);
      expect(details?.fieldViolations.length).toBeLessThanOrEqual(20);
      expect(details?.fieldViolations[0]?.field).toMatch(/^batch/);
    },
  );
});
