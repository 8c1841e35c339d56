import type { Interceptor } from "@connectrpc/connect";

/**
 * Ends streams when the server closes: the signal of a streaming call aborts with `closing` too.
 *
 * Connect's own `shutdownSignal` would abort unary calls as well, which are short and had better finish.
 */
export function createDrainInterceptor(closing: AbortSignal): Interceptor {
  return (next) => (request) =>
    request.stream ? next({ ...request, signal: AbortSignal.any([request.signal, closing]) }) : next(request);
}
