import { create, createFileRegistry, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import {
  ServerReflection,
  type ServerReflectionRequestSchema,
} from "../../../../gen/proto/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionAlpha } from "../../../../gen/proto/grpc/reflection/v1alpha/reflection_pb.ts";
import { grpcClient, serveForTest } from "../../../support/rpc/serve-for-test.ts";

type Ask = NonNullable<MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"]>;

/** Returns the answers to these requests on one stream, of either version of the service. */
async function ask(
  url: string,
  service: typeof ServerReflection | typeof ServerReflectionAlpha,
  asks: Ask[],
) {
  const requests = (async function* () {
    yield* asks.map((messageRequest) => ({ host: "h", messageRequest }));
  })();
  const client = grpcClient(service as typeof ServerReflection, url);
  const responses = await Array.fromAsync(client.serverReflectionInfo(requests));
  return responses.map(({ validHost, originalRequest, messageResponse }, index) => {
    expect(validHost).toBe("h");
    expect(originalRequest?.messageRequest.case).toBe(asks[index]?.case);
    return messageResponse;
  });
}

function filesOf(response: Awaited<ReturnType<typeof ask>>[number] | undefined) {
  expect(response?.case).toBe("fileDescriptorResponse");
  const bytes = response?.case === "fileDescriptorResponse" ? response.value.fileDescriptorProto : [];
  return bytes.map((each) => fromBinary(FileDescriptorProtoSchema, each));
}

/** Returns the files, each behind its imports. Fails if an import is missing. */
function toImportOrder(files: readonly FileDescriptorProto[]): FileDescriptorProto[] {
  const ordered = new Set<FileDescriptorProto>();
  const add = (name: string): void => {
    const file = files.find((each) => each.name === name) ?? expect.fail(`${name} is missing`);
    file.dependency.forEach(add);
    ordered.add(file);
  };
  add(files[0]?.name ?? "");
  return [...ordered];
}

describe.each([
  ["v1", ServerReflection],
  ["v1alpha", ServerReflectionAlpha],
] as const)("%s", (_, service) => {
  test("lists the services", async () => {
    await using server = await serveForTest({});
    const [response] = await ask(server.url, service, [{ case: "listServices", value: "*" }]);
    expect(
      response?.case === "listServicesResponse" && response.value.service.map(({ name }) => name),
    ).toEqual([
      "evenkeel.v1.FleetService",
      "evenkeel.v1.SyncService",
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
    ]);
  });

  test("returns a file with all its imports, sufficient for a registry", async () => {
    await using server = await serveForTest({});
    const [response] = await ask(server.url, service, [
      { case: "fileContainingSymbol", value: "evenkeel.v1.SyncService" },
    ]);
    const file = filesOf(response);
    expect(file[0]?.name).toBe("evenkeel/v1/sync_service.proto");
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: toImportOrder(file) }));
    expect(registry.getMessage("evenkeel.v1.BatchItem")).toBeDefined();
    expect(registry.getMessage("google.protobuf.Duration")).toBeDefined();
  });

  test("sends each import once per stream", async () => {
    await using server = await serveForTest({});
    const [first, second] = await ask(server.url, service, [
      { case: "fileByFilename", value: "evenkeel/v1/sync_service.proto" },
      { case: "fileByFilename", value: "evenkeel/v1/batch.proto" },
    ]);
    expect(filesOf(first).length).toBeGreaterThan(5);
    expect(filesOf(second).map(({ name }) => name)).toEqual(["evenkeel/v1/batch.proto"]);
  });

  test.each([
    ["message", "evenkeel.v1.PutObject", "evenkeel/v1/object.proto"],
    ["nested message", "google.protobuf.DescriptorProto.ExtensionRange", "google/protobuf/descriptor.proto"],
    ["field", "evenkeel.v1.PutObject.content", "evenkeel/v1/object.proto"],
    ["oneof", "evenkeel.v1.BatchItem.message", "evenkeel/v1/batch.proto"],
    ["enum", "evenkeel.v1.BatchType", "evenkeel/v1/batch.proto"],
    ["enum value", "evenkeel.v1.BATCH_TYPE_DEFAULT", "evenkeel/v1/batch.proto"],
    ["method", "evenkeel.v1.SyncService.Sync", "evenkeel/v1/sync_service.proto"],
    ["extension", "buf.validate.field", "buf/validate/validate.proto"],
    ["detail of an error", "google.rpc.BadRequest", "google/rpc/error_details.proto"],
  ])("finds the file of a %s", async (_, symbol, name) => {
    await using server = await serveForTest({});
    const [response] = await ask(server.url, service, [{ case: "fileContainingSymbol", value: symbol }]);
    expect(filesOf(response)[0]?.name).toBe(name);
  });

  test("lists the extensions of a message", async () => {
    await using server = await serveForTest({});
    const containingType = "google.protobuf.FieldOptions";
    const [numbers, file, none] = await ask(server.url, service, [
      { case: "allExtensionNumbersOfType", value: containingType },
      { case: "fileContainingExtension", value: { containingType, extensionNumber: 1159 } },
      { case: "allExtensionNumbersOfType", value: "evenkeel.v1.Batch" },
    ]);
    expect(numbers).toMatchObject({
      value: { baseTypeName: containingType, extensionNumber: expect.arrayContaining([1159]) },
    });
    expect(filesOf(file)[0]?.name).toBe("buf/validate/validate.proto");
    expect(none).toMatchObject({ value: { extensionNumber: [] } });
  });

  test.each<[string, Ask]>([
    ["file", { case: "fileByFilename", value: "no.proto" }],
    ["symbol", { case: "fileContainingSymbol", value: "no.Symbol" }],
    ["extension", { case: "fileContainingExtension", value: { containingType: "a.B", extensionNumber: 1 } }],
    ["message", { case: "allExtensionNumbersOfType", value: "a.B" }],
  ])("answers an unknown %s with an error, and the stream continues", async (_, question) => {
    await using server = await serveForTest({});
    const [error, next] = await ask(server.url, service, [question, { case: "listServices", value: "" }]);
    expect(error).toMatchObject({ case: "errorResponse", value: { errorCode: Code.NotFound } });
    expect(next?.case).toBe("listServicesResponse");
  });
});
