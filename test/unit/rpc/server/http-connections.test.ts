import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { type AddressInfo, connect, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createSystemClock } from "../../../../src/lib/clock.ts";
import { createHttpConnections, type HttpConnections } from "../../../../src/rpc/server/http-connections.ts";
import type { NodeHandler } from "../../../../src/rpc/server/node-handler.ts";

const timeouts = {
  ...{ sniffMs: 60, headersMs: 60, requestMs: 90, checkMs: 20 },
  ...{ firstStreamMs: 60, idleMs: 150, pingMs: 60 },
};
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS = "\0\0\0\u0004\0\0\0\0\0";
let requests = 0;
/** Answers every request except those for "/open" and bodies. */
const answer: NodeHandler = (request, response) => {
  requests += 1;
  if (request.url !== "/open" && request.method === "GET") {
    response.end("ok");
  }
};
let connections: HttpConnections;
const server = createServer((socket) => connections.accept(socket));

beforeEach(async () => {
  connections = createHttpConnections(createSystemClock(), answer, timeouts);
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
  ["sends only the preface of HTTP/2", PREFACE, ""],
  ["sends the preface and SETTINGS of HTTP/2", PREFACE + SETTINGS, ""],
  ["stops in a frame of HTTP/2", `${PREFACE}${SETTINGS}\0\0\u0040\u0001\u0004\0\0\0\u0001\u0082`, ""],
  ["stops in its body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx", ""],
  ["sends nothing", "", ""],
  ["stops in the preface of HTTP/2", "PRI * HTT", ""],
  ["stops in its headers", "GET / HTTP/1.1\r\nHost: a\r\nX-Slow:", "HTTP/1.1 408"],
])("a client that %s is disconnected", async (_, bytes, answer) => {
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.write(Buffer.from(bytes, "latin1"));
  expect(await text(socket)).toContain(answer);
});

const isConnected = (): Promise<boolean> =>
  new Promise((resolve) => server.getConnections((_, count) => resolve(count > 0)));

test("R61: a client that no longer answers pings is disconnected, and one that answers is not", async () => {
  const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  session.on("error", () => {});
  // An open stream, so that the connection is not idle.
  session.request({ ":path": "/open" }).on("error", () => {});
  let pings = 0;
  session.on("ping", () => {
    pings += 1;
  });
  await expect.poll(() => pings, { interval: 5 }).toBeGreaterThan(3);
  expect(session.destroyed).toBe(false);
  const frozen = connect((server.address() as AddressInfo).port, "127.0.0.1");
  frozen.write(PREFACE + SETTINGS);
  frozen.resume();
  await once(frozen, "close");
  session.destroy();
  await expect.poll(isConnected, { interval: 5 }).toBe(false);
});

test("a connection has 100 calls at a time, and others wait for their end (L36)", async () => {
  // With the usual time limits: a busy machine exceeds those of the other tests.
  connections = createHttpConnections(createSystemClock(), answer);
  requests = 0;
  const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  session.on("error", () => {});
  await once(session, "remoteSettings");
  const streams = Array.from({ length: 300 }, () => session.request({ ":path": "/open" }));
  for (const stream of streams) {
    stream.on("error", () => {});
  }
  const pong = (): Promise<void> => new Promise((resolve) => session.ping(() => resolve()));
  while (requests < 100) {
    await pong();
  }
  await pong();
  expect(requests).toBe(100);
  streams[0]?.close();
  while (requests < 101) {
    await pong();
  }
  await pong();
  expect(requests).toBe(101);
  session.destroy();
});

test("a connection of HTTP/2 without requests ends after a while, and one with an open stream does not", async () => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const [idle, busy] = [connectHttp2(url), connectHttp2(url)];
  const stream = busy.request({ ":path": "/open" }).on("error", () => {});
  const request = idle.request({ ":path": "/" });
  expect(await text(request)).toBe("ok");
  const answered = performance.now();
  await once(idle, "close");
  // Timers of Node can be early by a part of a millisecond.
  expect(performance.now() - answered).toBeGreaterThan(timeouts.idleMs - 2);
  await new Promise((resolve) => setTimeout(resolve, timeouts.idleMs));
  expect(busy.destroyed).toBe(false);
  stream.close();
  await once(busy, "close");
});
