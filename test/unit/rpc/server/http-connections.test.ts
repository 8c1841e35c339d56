import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createSystemClock } from "../../../../src/lib/system-clock.ts";
import { createHttpConnections, type HttpConnections } from "../../../../src/rpc/server/http-connections.ts";

const timeouts = { sniffMs: 60, headersMs: 60, checkMs: 20 };
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
