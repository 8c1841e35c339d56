import { expect, it } from "vitest";
import { keepAlive, PING_INTERVAL_MS } from "../../../../../src/bus/pulsar/websocket/keep-alive.ts";
import { ManualClock } from "../../../../support/manual-clock.ts";

it("keepAlive pings while pings are answered, and drops a connection without an answer", async () => {
  const clock = new ManualClock();
  let [pings, bytesRead, isAnswering] = [0, 100, true];
  const dropped: string[] = [];
  const stop = new AbortController();
  const running = keepAlive(stop.signal, clock, {
    ping() {
      pings += 1;
      bytesRead += isAnswering ? 2 : 0;
    },
    get bytesRead() {
      return bytesRead;
    },
    drop(reason) {
      dropped.push(reason);
      stop.abort();
    },
  });
  await clock.advance(10 * PING_INTERVAL_MS);
  expect([pings, dropped]).toEqual([11, []]);
  isAnswering = false;
  await clock.advance(2 * PING_INTERVAL_MS);
  expect(dropped).toEqual(["a ping was not answered within 20000 ms"]);
  await running;
  expect(clock.pending).toBe(0);
});

it("keepAlive drops a connection on which no ping can be sent, and does not reject (I10)", async () => {
  const stop = new AbortController();
  const clock = new ManualClock();
  const dropped: string[] = [];
  const keeping = keepAlive(stop.signal, clock, {
    ping() {
      throw new Error("the socket is not writable");
    },
    bytesRead: 0,
    drop: (reason) => void dropped.push(reason),
  });
  stop.abort();
  await keeping;
  expect(dropped).toEqual(["a ping cannot be sent: the socket is not writable"]);
  expect(clock.pending).toBe(0);
});
