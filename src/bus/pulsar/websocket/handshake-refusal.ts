import { RetryableError, TerminalError } from "../../../lib/errors.ts";

/** Meaning of a status of the handshake. */
interface Meaning {
  /** The cause or the action, for people. */
  readonly advice: string;
  /** A retry cannot succeed. */
  readonly isTerminal?: true;
  /** The refusal may pass soon, so that publishes that wait for a connection continue to wait. */
  readonly isPassing?: true;
}

const MEANING_OF_STATUS: Readonly<Record<number, Meaning>> = {
  400: { advice: "Pulsar does not accept the name of the topic or subscription", isTerminal: true },
  401: { advice: "check the bus's token" },
  403: { advice: "the token's role lacks the permission on the topic" },
  /** Servers other than a broker also answer 404. */
  404: { advice: "check that tenant and namespace exist and that the bus URL is that of the WebSocket API" },
  405: { advice: "check that the bus URL is that of the WebSocket API" },
  /** A subscription that is not shared by key, or an exclusive producer. */
  409: { advice: "another client uses the topic or subscription with another type" },
  429: { advice: "the broker is overloaded", isPassing: true },
  /** The broker answers 503 to an exceeded quota after about 45 s. */
  503: { advice: "a quota is exceeded, or the topic was terminated" },
  500: { advice: "see the broker's log", isPassing: true },
  502: { advice: "the broker behind the proxy does not answer", isPassing: true },
  504: { advice: "the broker took too long to load the topic", isPassing: true },
};

/** Reports that the broker refused the WebSocket. */
export class HandshakeRefusedError extends RetryableError {
  override readonly name = "HandshakeRefusedError";
  /** True if the refusal may pass soon. */
  readonly isPassing: boolean;

  constructor(message: string, isPassing: boolean) {
    super(message);
    this.isPassing = isPassing;
  }
}

/** Returns the error of a handshake that the broker answered with this status and page. */
export function toHandshakeError(what: string, status: number, body: string): Error {
  const {
    advice,
    isTerminal,
    isPassing = false,
  } = MEANING_OF_STATUS[status] ?? {
    advice: "expected a WebSocket",
  };
  const reason = toReason(body);
  const message = `${what}: refused with ${status}${reason === "" ? "" : ` (${reason})`}; ${advice}`;
  return isTerminal ? new TerminalError(message) : new HandshakeRefusedError(message, isPassing);
}

/**
 * Returns the reason in a page. Jetty writes its error into the title, and Pulsar writes a JSON object there.
 */
function toReason(body: string): string {
  const title = /<title>(?:Error \d+ )?(.*?)(?:<\/title>|$)/s.exec(body)?.[1] ?? "";
  const plain = title.replaceAll("&quot;", '"').replaceAll("&apos;", "'").replaceAll("&amp;", "&");
  return (/"errorMsg":"(.*?)"/.exec(plain)?.[1] ?? plain).trim().slice(0, 300);
}
