import { RetryableError, TerminalError } from "../../../lib/errors.ts";

/** What a status of the handshake means. */
interface Meaning {
  /** What to do about it, for people. */
  readonly advice: string;
  /** Trying again cannot help. */
  readonly isTerminal?: true;
  /** It may pass in a moment, so that who waits for a connection may wait on. */
  readonly isPassing?: true;
}

const MEANING_OF_STATUS: Readonly<Record<number, Meaning>> = {
  400: { advice: "the name of the topic or subscription is not one that Pulsar takes", isTerminal: true },
  401: { advice: "check the bus's token" },
  403: { advice: "the token's role may not do this on the topic" },
  /** Also what something that is no broker says. */
  404: { advice: "are tenant and namespace there, and is it the WebSocket API that the bus URL leads to?" },
  405: { advice: "is it the WebSocket API that the bus URL leads to?" },
  /** A subscription that is not shared by key, or an exclusive producer. */
  409: { advice: "something else has the topic or subscription in another way" },
  429: { advice: "the broker has too much to do", isPassing: true },
  /** Also a quota, after some 45 s. */
  503: { advice: "a quota is exceeded, or the topic was terminated" },
  500: { advice: "the broker's log says more", isPassing: true },
  502: { advice: "the broker behind the proxy does not answer", isPassing: true },
  504: { advice: "the broker took too long to load the topic", isPassing: true },
};

/** The broker has answered, but not with a WebSocket. */
export class HandshakeRefusedError extends RetryableError {
  override readonly name = "HandshakeRefusedError";
  /** It may pass in a moment. */
  readonly isPassing: boolean;

  constructor(message: string, isPassing: boolean) {
    super(message);
    this.isPassing = isPassing;
  }
}

/** The error of a handshake that was answered with this status, and the page that came with it. */
export function toHandshakeError(what: string, status: number, body: string): Error {
  const {
    advice,
    isTerminal,
    isPassing = false,
  } = MEANING_OF_STATUS[status] ?? {
    advice: "expected a WebSocket",
  };
  const reason = toReason(body);
  const message = `${what}: refused with ${status}${reason === "" ? "" : ` (${reason})`}: ${advice}`;
  return isTerminal ? new TerminalError(message) : new HandshakeRefusedError(message, isPassing);
}

/** Jetty writes its error as the title of a page, and Pulsar an object into it. */
function toReason(body: string): string {
  const title = /<title>(?:Error \d+ )?(.*?)(?:<\/title>|$)/s.exec(body)?.[1] ?? "";
  const plain = title.replaceAll("&quot;", '"').replaceAll("&apos;", "'").replaceAll("&amp;", "&");
  return (/"errorMsg":"(.*?)"/.exec(plain)?.[1] ?? plain).trim().slice(0, 300);
}
