import { type Clock, DeadlineError } from "../lib/clock.ts";
import { RetryableError } from "../lib/errors.ts";
import type { KubeRequest, KubeResponse, KubeTransport } from "./kube.ts";
import { describeRequest } from "./read-response.ts";

/** How long a request may take, its body included, in milliseconds. */
export interface RequestDeadlines {
  readonly requestMs: number;
  /** Added to the `timeoutSeconds` of a watch, after which the server should have ended it. */
  readonly watchGraceMs: number;
}

/**
 * Bounds each request of a transport in time, so that a connection that died without a word holds nothing up.
 * A request that takes longer throws `RetryableError`.
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
