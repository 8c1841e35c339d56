import { once } from "node:events";
import { type ClientHttp2Stream, connect as connectHttp2, type IncomingHttpHeaders } from "node:http2";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import type { Authenticator } from "../../../../src/rpc/auth/authenticator.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { serveForTest } from "../../../support/rpc/serve-for-test.ts";

const FLEET = "/evenkeel.v1.FleetService";
/** Bytes of a body that does not fit into the buffers of a socket. */
const REST = 10_000_000;
const fleet = {
  getCluster: () => ({}),
  async *watchReconciliationRuns() {
    yield {};
  },
};

/** Sends the beginning of a request over HTTP/2, and returns its stream. */
function begin(url: string, path: string, contentType: string): ClientHttp2Stream {
  const session = connectHttp2(url);
  session.on("error", () => {});
  const stream = session.request({ ":method": "POST", ":path": path, "content-type": contentType });
  stream.once("close", () => session.destroy());
  stream.write("{");
  return stream;
}

describe("the body of a request with one message arrives within 10 seconds, or the call ends", () => {
  test.each([
    ["unary, Connect", "GetCluster", "application/json", { ":status": 504 }],
    ["unary, gRPC", "GetCluster", "application/grpc", { "grpc-status": String(Code.DeadlineExceeded) }],
    [
      "server stream, gRPC",
      "WatchReconciliationRuns",
      "application/grpc",
      { "grpc-status": String(Code.DeadlineExceeded) },
    ],
  ])("%s, HTTP/2", async (_name, method, contentType, expected) => {
    const clock = new ManualClock();
    await using server = await serveForTest({ fleet }, { clock });
    const stream = begin(server.url, `${FLEET}/${method}`, contentType);
    const headers: IncomingHttpHeaders = {};
    stream.on("response", (found) => Object.assign(headers, found));
    stream.on("trailers", (found) => Object.assign(headers, found));
    await expect.poll(() => clock.pending).toBeGreaterThan(0);
    await clock.advance(9_999);
    expect(headers).toEqual({});
    await clock.advance(1);
    await once(stream.resume(), "close");
    expect(headers).toMatchObject(expected);
  });

  test("unary, HTTP/1.1, and the connection is closed", async () => {
    const clock = new ManualClock();
    await using server = await serveForTest({ fleet }, { clock });
    const answer = post(server.port, `${FLEET}/GetCluster`);
    await expect.poll(() => clock.pending).toBeGreaterThan(0);
    await clock.advance(10_000);
    await expect.poll(() => clock.pending).toBeGreaterThan(0);
    await clock.advance(1000);
    expect(await answer).toMatch(/^HTTP\/1\.1 504 .*expected its body within 10000 ms/s);
  });
});

describe("a refused request over HTTP/1.1", () => {
  const authenticator: Authenticator = {
    authenticate: async () => {
      throw new ConnectError("no token", Code.Unauthenticated);
    },
  };

  test("gets its answer after its body, and keeps its connection", async () => {
    await using server = await serveForTest({ fleet }, { authenticator });
    const socket = connect(server.port, "127.0.0.1");
    await once(socket, "connect");
    const answers: string[] = [];
    socket.setEncoding("utf8").on("data", (chunk: string) => answers.push(chunk));
    const request = `POST ${FLEET}/GetCluster HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n`;
    for (const count of [1, 2]) {
      socket.write(`${request}Content-Length: ${REST}\r\n\r\n`);
      // Several turns of the server's event loop lie between the headers and the body.
      for (let sent = 0; sent < REST; sent += REST / 100) {
        socket.write(Buffer.alloc(REST / 100, " "));
        await new Promise((resolve) => setImmediate(resolve));
      }
      await expect.poll(() => answers.join("").match(/HTTP\/1\.1 401/g)).toHaveLength(count);
    }
    socket.destroy();
  });

  test("gets its answer a second later without the rest of its body, and no open connection", async () => {
    const clock = new ManualClock();
    await using server = await serveForTest({ fleet }, { clock, authenticator });
    const answer = post(server.port, `${FLEET}/GetCluster`);
    await expect.poll(() => clock.pending).toBeGreaterThan(0);
    await clock.advance(1000);
    expect(await answer).toMatch(/^HTTP\/1\.1 401 .*connection: close/is);
  });
});

/** Sends a request whose body stops, and returns what the server sends until it closes the connection. */
async function post(port: number, path: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`,
  );
  return await text(socket);
}
