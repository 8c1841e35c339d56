import type { Interceptor } from "@connectrpc/connect";
import type { TokenSource } from "../../lib/token-source.ts";

/** Creates an interceptor that sends the current token with every call, as `authorization: Bearer TOKEN` (RFC 6750). */
export function createTokenInterceptor(source: TokenSource): Interceptor {
  return (next) => async (request) => {
    request.header.set("authorization", `Bearer ${source.read()}`);
    return await next(request);
  };
}
