import { once } from "node:events";
import type { Socket } from "node:net";

// First bytes of every HTTP/2 connection (RFC 9113, section 3.4). No HTTP/1 request can begin with them.
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/**
 * Returns the HTTP version of a new connection. It reads the first bytes and leaves them in the socket. Anything but
 * the preface of HTTP/2 counts as HTTP/1.1, because that server also answers bytes that are not HTTP.
 *
 * @throws Error if `signal` aborts, or if the connection ends before the version is known
 */
export async function sniffHttpVersion(signal: AbortSignal, socket: Socket): Promise<"1.1" | "2"> {
  const ended = new AbortController();
  const onEnd = (): void => ended.abort(new Error("connection: ended before its first request"));
  socket.once("end", onEnd).once("close", onEnd);
  const either = AbortSignal.any([signal, ended.signal]);
  let seen = Buffer.alloc(0);
  try {
    for (;;) {
      either.throwIfAborted();
      const chunk: Buffer | null = socket.read();
      if (chunk === null) {
        await once(socket, "readable", { signal: either });
        continue;
      }
      seen = Buffer.concat([seen, chunk]);
      const length = Math.min(seen.length, preface.length);
      const same = seen.compare(preface, 0, length, 0, length) === 0;
      if (!same || length === preface.length) {
        socket.unshift(seen);
        return same ? "2" : "1.1";
      }
    }
  } finally {
    socket.off("end", onEnd).off("close", onEnd);
  }
}
