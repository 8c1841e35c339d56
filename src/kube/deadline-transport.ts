import { type Clock, DeadlineError } from "../lib/clock.ts";
import { RetryableError } from "../lib/errors.ts";
import type { KubeRequest, KubeResponse, KubeTransport } from "./kube.ts";
import { describeRequest } from "./read-response.ts";

/** Time limits of a request with its body, in milliseconds. */
export interface RequestDeadlines {
  readonly requestMs: number;
  /** Time that a watch may take beyond its `timeoutSeconds`, at which the server should end it. */
  readonly watchGraceMs: number;
}

/**
 * Returns a transport that limits the time of each request. Without a limit, a request on a connection that
 * died silently would never end. A request that takes longer rejects with `RetryableError`.
 */
export function withDeadlines(
  transport: KubeTransport,
  clock: Clock,
  { requestMs, watchGraceMs }: RequestDeadlines,
): KubeTransport {
  return {
    async get(signal, request) {
      const watchSeconds =
        request.query?.["watch"] === undefined ? 0 : Number(request.query["timeoutSeconds"]);
      const ms = watchSeconds > 0 ? watchSeconds * 1000 + watchGraceMs : requestMs;
      const deadline = clock.deadline(signal, ms);
      try {
        const response = await transport.get(deadline.signal, request);
        return { ...response, body: bounded(response, deadline, signal, request) };
      } catch (error) {
        deadline[Symbol.dispose]();
        throw translate(error, signal, request);
      }
    },
  };
}

async function* bounded(
  { body }: KubeResponse,
  deadline: Disposable,
  signal: AbortSignal,
  request: KubeRequest,
): AsyncGenerator<Uint8Array, void, undefined> {
  using _ = deadline;
  try {
    yield* body;
  } catch (error) {
    throw translate(error, signal, request);
  }
}

function translate(error: unknown, signal: AbortSignal, request: KubeRequest): unknown {
  const late = error instanceof DeadlineError && !signal.aborted;
  return late ? new RetryableError(`${describeRequest(request)}: ${error.message}`, { cause: error }) : error;
}
