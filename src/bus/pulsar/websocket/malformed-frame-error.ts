import { RetryableError } from "../../../lib/errors.ts";

/** The other side has sent what Pulsar's WebSocket API does not. Says what it was, never its content. */
export class MalformedFrameError extends RetryableError {
  override readonly name = "MalformedFrameError";

  constructor(expected: string, found: string, options?: ErrorOptions) {
    super(
      `expected ${expected} of Pulsar's WebSocket API, found ${found}: does the bus URL lead to a broker?`,
      options,
    );
  }
}
