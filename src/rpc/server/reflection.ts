import {
  create,
  type DescFile,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Code, type ConnectRouter } from "@connectrpc/connect";
import { file_google_rpc_error_details } from "../../../gen/proto/google/rpc/error_details_pb.ts";
import {
  ServerReflection,
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "../../../gen/proto/grpc/reflection/v1/reflection_pb.ts";
import {
  ServerReflectionRequestSchema as RequestAlphaSchema,
  ServerReflectionResponseSchema as ResponseAlphaSchema,
  ServerReflection as ServerReflectionAlpha,
} from "../../../gen/proto/grpc/reflection/v1alpha/reflection_pb.ts";
import { truncate } from "../../lib/text.ts";
import { createDescriptorIndex, type DescriptorIndex, toFileBytes, withImports } from "./descriptor-index.ts";

/** Longest text of an error, in bytes. It repeats the requested name. */
const MAX_ERROR_BYTES = 256;

/**
 * Registers gRPC server reflection, v1 and v1alpha, for itself and the services registered so far. Clients such as
 * grpcurl can then call them and read the details of errors without the .proto files. Reflection needs the same
 * authentication as the services.
 */
export function registerReflection(router: ConnectRouter): void {
  const services = new Set(router.handlers.map(({ service }) => service));
  services.add(ServerReflection).add(ServerReflectionAlpha);
  const index = createDescriptorIndex([...services], [file_google_rpc_error_details]);
  router.service(ServerReflection, {
    serverReflectionInfo: (requests) => answerEach(index, requests),
  });
  router.service(ServerReflectionAlpha, {
    async *serverReflectionInfo(requests) {
      // v1alpha differs only in its name. The bytes are the same.
      const asV1 = transformTo(ServerReflectionRequestSchema, RequestAlphaSchema, requests);
      yield* transformTo(ResponseAlphaSchema, ServerReflectionResponseSchema, answerEach(index, asV1));
    },
  });
}

type Answer = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]>;

async function* transformTo<To extends DescMessage, From extends DescMessage>(
  to: To,
  from: From,
  messages: AsyncIterable<MessageShape<From>>,
): AsyncGenerator<MessageShape<To>> {
  for await (const message of messages) {
    yield fromBinary(to, toBinary(from, message));
  }
}

async function* answerEach(
  index: DescriptorIndex,
  requests: AsyncIterable<ServerReflectionRequest>,
): AsyncGenerator<ServerReflectionResponse> {
  const sent = new Set<DescFile>();
  for await (const request of requests) {
    yield create(ServerReflectionResponseSchema, {
      validHost: request.host,
      originalRequest: request,
      messageResponse: answer(index, sent, request.messageRequest),
    });
  }
}

function answer(
  index: DescriptorIndex,
  sent: Set<DescFile>,
  request: ServerReflectionRequest["messageRequest"],
): Answer {
  switch (request.case) {
    case "listServices":
      return { case: "listServicesResponse", value: { service: index.services.map((name) => ({ name })) } };
    case "fileByFilename":
      return toFiles(sent, index.fileByName(request.value), `file ${request.value}`);
    case "fileContainingSymbol":
      return toFiles(sent, index.fileBySymbol(request.value), `symbol ${request.value}`);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = request.value;
      const known = index.extensionsOf(containingType)?.find(({ number }) => number === extensionNumber);
      return toFiles(sent, known?.file, `extension ${extensionNumber} of ${containingType}`);
    }
    case "allExtensionNumbersOfType": {
      const known = index.extensionsOf(request.value);
      return known === undefined
        ? toError(Code.NotFound, `no message ${request.value}`)
        : {
            case: "allExtensionNumbersResponse",
            value: { baseTypeName: request.value, extensionNumber: known.map(({ number }) => number) },
          };
    }
    case undefined:
      return toError(Code.InvalidArgument, "message_request is not set");
    default:
      return request satisfies never;
  }
}

/** Returns the file with its imports, except the imports that this stream has already sent. */
function toFiles(sent: Set<DescFile>, file: DescFile | undefined, what: string): Answer {
  if (file === undefined) {
    return toError(Code.NotFound, `no ${what}`);
  }
  const files = [...withImports(file)].filter((each) => each === file || !sent.has(each));
  for (const each of files) {
    sent.add(each);
  }
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto: files.map(toFileBytes) } };
}

function toError(errorCode: Code, message: string): Answer {
  const errorMessage = truncate(message, MAX_ERROR_BYTES);
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
