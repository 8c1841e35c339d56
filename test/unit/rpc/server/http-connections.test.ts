import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { type AddressInfo, connect, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createSystemClock } from "../../../../src/lib/clock.ts";
import { createHttpConnections, type HttpConnections } from "../../../../src/rpc/server/http-connections.ts";

const timeouts = { sniffMs: 60, headersMs: 60, checkMs: 20, pingMs: 60 };
let connections: HttpConnections;
const server = createServer((socket) => connections.accept(socket));

beforeEach(async () => {
  connections = createHttpConnections(createSystemClock(), (_, response) => response.end("ok"), timeouts);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterEach(async () => {
  connections.destroy();
  server.close();
  await once(server, "close");
});

// Without limits such a client would keep its connection forever, and the test would reach its own timeout.
test.each([
  ["sends nothing", "", ""],
  ["stops in the preface of HTTP/2", "PRI * HTT", ""],
  ["stops in its headers", "GET / HTTP/1.1\r\nHost: a\r\nX-Slow:", "HTTP/1.1 408"],
])("a client that %s is disconnected", async (_, bytes, answer) => {
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.write(bytes);
  expect(await text(socket)).toContain(answer);
});

const isConnected = (): Promise<boolean> =>
  new Promise((resolve) => server.getConnections((_, count) => resolve(count > 0)));

test("R61: a client that no longer answers pings is disconnected, and one that answers is not", async () => {
  const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  session.on("error", () => {});
  let pings = 0;
  session.on("ping", () => {
    pings += 1;
  });
  await expect.poll(() => pings, { interval: 5 }).toBeGreaterThan(3);
  expect(session.destroyed).toBe(false);
  const frozen = connect((server.address() as AddressInfo).port, "127.0.0.1");
  frozen.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0");
  frozen.resume();
  await once(frozen, "close");
  session.destroy();
  await expect.poll(isConnected, { interval: 5 }).toBe(false);
});
