import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import { assertValid } from "./validation.ts";

/**
 * Checks every request message against the rules in its .proto before the handler sees it, and each message of a
 * client stream as it comes: those before an invalid one have been handed on by then.
 */
export function createValidationInterceptor(): Interceptor {
  return (next) => (request) => {
    const schema: DescMessage = request.method.input;
    if (request.stream) {
      return next({ ...request, message: validateEach(schema, request.message) });
    }
    assertValid(schema, request.message);
    return next(request);
  };
}

async function* validateEach<T extends Message>(schema: DescMessage, messages: AsyncIterable<T>) {
  for await (const message of messages) {
    assertValid(schema, message);
    yield message;
  }
}
