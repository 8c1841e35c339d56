import { once } from "node:events";
import type { Socket } from "node:net";

// What every HTTP/2 connection begins with (RFC 9113, section 3.4); no HTTP/1 request can.
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/**
 * The version of HTTP that a client speaks on a new connection, found out from its first bytes, which stay in the
 * socket for whoever reads it next. Anything but the preface of HTTP/2 counts as HTTP/1.1, whose server has an answer
 * for what is no HTTP at all.
 *
 * Rejects when `signal` aborts, and when the connection ends before it is decided.
 */
export async function sniffHttpVersion(signal: AbortSignal, socket: Socket): Promise<"1.1" | "2"> {
  const ended = new AbortController();
  const onEnd = (): void => ended.abort(new Error("the connection ended before its first request"));
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
