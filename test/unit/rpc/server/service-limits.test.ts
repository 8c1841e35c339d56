import { create } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import { Code, createClient } from "@connectrpc/connect";
import { compressionGzip, createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, test } from "vitest";
import { FleetService, GetClusterRequestSchema } from "../../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { SyncService } from "../../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { Health } from "../../../../gen/proto/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../../../gen/proto/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionAlpha } from "../../../../gen/proto/grpc/reflection/v1alpha/reflection_pb.ts";
import { grpcClient, serveForTest } from "../../../support/rpc/serve-for-test.ts";

const KIB = 1024;

async function* once<T>(message: T) {
  yield message;
}

function clients(baseUrl: string, isCompressed: boolean) {
  const transport = createGrpcTransport({
    baseUrl,
    ...(isCompressed && { sendCompression: compressionGzip, compressMinBytes: 0 }),
  });
  const health = createClient(Health, transport);
  const fleet = createClient(FleetService, transport);
  const sync = createClient(SyncService, transport);
  const reflection = createClient(ServerReflection, transport);
  const alpha = createClient(ServerReflectionAlpha, transport);
  /** Sends about this number of bytes to a method of each service. */
  return {
    "Health.Check": (bytes: number) => health.check({ service: "x".repeat(bytes) }),
    "Health.Watch": (bytes: number) => Array.fromAsync(health.watch({ service: "x".repeat(bytes) })),
    FleetService: (bytes: number) => fleet.getCluster({ name: "x".repeat(bytes) }),
    SyncService: (bytes: number) =>
      Array.fromAsync(
        sync.sync(once({ message: { case: "hello" as const, value: { cluster: "x".repeat(bytes) } } })),
      ),
    "reflection v1": (bytes: number) =>
      Array.fromAsync(reflection.serverReflectionInfo(once({ host: "x".repeat(bytes) }))),
    "reflection v1alpha": (bytes: number) =>
      Array.fromAsync(alpha.serverReflectionInfo(once({ host: "x".repeat(bytes) }))),
  };
}

/** A service that only reads its requests. */
const sync = {
  async *sync(requests: AsyncIterable<unknown>) {
    for await (const _ of requests) {
      yield {};
    }
  },
};

describe("a service reads no more than its largest legitimate message", () => {
  test.each([
    ["Health.Check", 1, Code.ResourceExhausted],
    ["Health.Watch", 1, Code.ResourceExhausted],
    ["FleetService", 64, Code.ResourceExhausted],
    ["SyncService", 8 * KIB, Code.ResourceExhausted],
    ["reflection v1", 64, Code.ResourceExhausted],
    ["reflection v1alpha", 64, Code.ResourceExhausted],
  ] as const)("%s: %d KiB", async (name, kib, code) => {
    await using server = await serveForTest({ sync });
    const call = clients(server.url, false)[name](kib * KIB);
    await expect(call).rejects.toMatchObject({ code });
  });

  test.each([
    // Neither probes nor agents compress.
    ["Health.Check", 0.1, Code.Unimplemented],
    ["Health.Watch", 0.1, Code.Unimplemented],
    ["SyncService", 0.1, Code.Unimplemented],
    // Others may compress. The limit applies to the decompressed message.
    ["FleetService", 64, Code.ResourceExhausted],
    ["reflection v1", 64, Code.ResourceExhausted],
    ["reflection v1alpha", 64, Code.ResourceExhausted],
  ] as const)("%s: %d KiB, compressed", async (name, kib, code) => {
    await using server = await serveForTest({ sync });
    const call = clients(server.url, true)[name](kib * KIB);
    await expect(call).rejects.toMatchObject({ code });
  });

  test("and no unknown field", async () => {
    const seen: unknown[] = [];
    await using server = await serveForTest({
      fleet: {
        getCluster(request) {
          seen.push(request.name, request.$unknown);
          return {};
        },
      },
    });
    const request = create(GetClusterRequestSchema, { name: "c1" });
    request.$unknown = [{ no: 99, wireType: WireType.Varint, data: Uint8Array.of(1) }];
    await grpcClient(FleetService, server.url).getCluster(request);
    expect(seen).toEqual(["c1", undefined]);
  });
});

describe("a request in JSON with an unknown field", () => {
  test.each<[string, object, string]>([
    ["ListObjects", { clutsers: ["a"] }, "clutsers"],
    ["ListObjects", { resources: [{ kind: "pods" }] }, "kind"],
    ["GetCluster", { name: "a", "na\u001bme": "b" }, "na\\u001bme"],
  ])("%s %j names the field", async (method, request, field) => {
    await using server = await serveForTest({ fleet: { listObjects: () => ({}), getCluster: () => ({}) } });
    const response = await fetch(`${server.url}/${FleetService.typeName}/${method}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(request),
    });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain(`key \\"${field}\\" is unknown`);
  });
});

test("at most 1,000 Watch streams are open, and the end of one admits another", async () => {
  await using server = await serveForTest({});
  // A connection has a limit of 100 streams.
  const clients = Array.from({ length: 11 }, () => grpcClient(Health, server.url));
  const stops: AbortController[] = [];
  const open = async () => {
    const stop = new AbortController();
    stops.push(stop);
    const client = clients[stops.length % clients.length] as (typeof clients)[number];
    const stream = client.watch({}, { signal: stop.signal })[Symbol.asyncIterator]();
    await stream.next();
    return stream;
  };
  const streams = await Promise.all(Array.from({ length: 1_000 }, open));
  await expect(open()).rejects.toMatchObject({ code: Code.ResourceExhausted });
  stops[0]?.abort();
  await streams[0]?.next().catch(() => {});
  await expect
    .poll(
      () =>
        open().then(
          () => "open",
          () => "refused",
        ),
      { interval: 1 },
    )
    .toBe("open");
  await expect(open()).rejects.toMatchObject({ code: Code.ResourceExhausted });
  for (const stop of stops) {
    stop.abort();
  }
});

describe("a status repeats only the beginning of a name", () => {
  test("of a service", async () => {
    await using server = await serveForTest({});
    const call = grpcClient(Health, server.url).check({ service: "x".repeat(1_000) });
    await expect(call).rejects.toMatchObject({
      code: Code.NotFound,
      rawMessage: expect.stringMatching(/^no service x{50,250}\.\.\. here$/),
    });
  });

  test.each(["fileByFilename", "fileContainingSymbol", "allExtensionNumbersOfType"] as const)(
    "of %s",
    async (name) => {
      await using server = await serveForTest({});
      const messageRequest = { case: name, value: "x".repeat(10_000) };
      const client = grpcClient(ServerReflection, server.url);
      const [answer] = await Array.fromAsync(client.serverReflectionInfo(once({ messageRequest })));
      expect(answer?.messageResponse).toMatchObject({
        case: "errorResponse",
        value: { errorMessage: expect.stringMatching(/^no \w+ x{50,250}\.\.\.( here)?$/) },
      });
    },
  );
});
