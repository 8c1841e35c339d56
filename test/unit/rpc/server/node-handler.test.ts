import { type ClientHttp2Stream, connect, constants } from "node:http2";
import { expect, test } from "vitest";
import { serveForTest } from "../../../support/rpc/serve-for-test.ts";

const PATH = "/evenkeel.v1.FleetService/ListClusters";
const CALLS = 100;

/** Returns at the end of a stream, also of one that fails. */
function closeOf(stream: ClientHttp2Stream): Promise<unknown> {
  return new Promise((resolve) => stream.once("close", resolve));
}

/** Sends calls on one connection at once. */
function sendCalls(url: string) {
  const session = connect(url);
  session.on("error", () => {});
  const headers = { ":method": "POST", ":path": PATH, "content-type": "application/json" };
  const streams = Array.from({ length: CALLS }, () => {
    const stream = session
      .request(headers)
      .on("error", () => {})
      .resume();
    stream.end("{}");
    return stream;
  });
  return { session, streams };
}

test("calls that arrive together begin in several turns of the event loop (L36)", async () => {
  let turns = 0;
  const turnsOfCalls: number[] = [];
  await using server = await serveForTest({
    fleet: {
      listClusters() {
        turnsOfCalls.push(turns);
        return {};
      },
    },
  });
  const { session, streams } = sendCalls(server.url);
  const ended = Promise.all(streams.map((stream) => closeOf(stream)));
  while (turnsOfCalls.length < CALLS) {
    turns += 1;
    await new Promise(setImmediate);
  }
  await ended;
  session.destroy();
  expect(new Set(turnsOfCalls).size).toBeGreaterThanOrEqual(CALLS / 8 - 1);
});

test("the call of a client that has left before its turn does not begin (L36)", async () => {
  let calls = 0;
  const first = Promise.withResolvers<void>();
  await using server = await serveForTest({
    fleet: {
      listClusters() {
        calls += 1;
        first.resolve();
        return {};
      },
    },
  });
  const clients = Array.from({ length: 5 }, () => sendCalls(server.url));
  await first.promise;
  for (const stream of clients.flatMap(({ streams }) => streams)) {
    stream.close(constants.NGHTTP2_CANCEL);
  }
  // A call of a client that stays gets its turn behind all others.
  const last = sendCalls(server.url);
  await Promise.all(last.streams.map((stream) => closeOf(stream)));
  for (const { session } of [...clients, last]) {
    session.destroy();
  }
  expect(calls).toBeLessThan(5 * CALLS);
});

test("calls that nothing could begin soon are refused before they begin (L36)", async () => {
  let calls = 0;
  await using server = await serveForTest({
    fleet: {
      listClusters() {
        calls += 1;
        return {};
      },
    },
  });
  const clients = Array.from({ length: 30 }, () => sendCalls(server.url));
  const streams = clients.flatMap((client) => client.streams);
  await Promise.all(streams.map((stream) => closeOf(stream)));
  for (const { session } of clients) {
    session.destroy();
  }
  const refused = streams.filter(({ rstCode }) => rstCode === constants.NGHTTP2_REFUSED_STREAM).length;
  expect(refused).toBeGreaterThan(0);
  expect(calls).toBeLessThanOrEqual(streams.length - refused);
});
