import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import { assertValid } from "../../domain/validation.ts";

/**
 * Creates an interceptor that validates every request message before the handler receives it. In a client stream it
 * validates each message on arrival, so the handler has received those before an invalid one.
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
