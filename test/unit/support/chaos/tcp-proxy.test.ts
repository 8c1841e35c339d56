import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createTcpProxy, type TcpProxy } from "../../../support/chaos/tcp-proxy.ts";

/** Time after which bytes that would pass have passed on a machine that is not frozen. */
const SILENCE_MS = 100;

let proxy: TcpProxy;
const echo = createServer((socket) => {
  served.push(socket);
  socket.on("error", () => {});
  socket.on("data", (data) => {
    received += data.toString();
    socket.write(data);
  });
});
let received: string;
const clients: Socket[] = [];
let served: Socket[];

beforeEach(async () => {
  received = "";
  served = [];
  echo.listen(0, "127.0.0.1");
  await once(echo, "listening");
  proxy = await createTcpProxy((echo.address() as AddressInfo).port);
});
afterEach(async () => {
  for (const client of clients.splice(0)) {
    client.destroy();
  }
  await proxy[Symbol.asyncDispose]();
  echo.close();
  await once(echo, "close");
});

/** Opens a connection that collects what it receives. */
async function open() {
  const socket = connect(proxy.port, "127.0.0.1").on("error", () => {});
  clients.push(socket);
  await once(socket, "connect");
  const client = { socket, answer: "" };
  socket.on("data", (data) => {
    client.answer += data.toString();
  });
  return client;
}
const answerOf = (client: { readonly answer: string }) => expect.poll(() => client.answer, { interval: 5 });

test("bytes pass, late if they are delayed", async () => {
  const client = await open();
  client.socket.write("a");
  await answerOf(client).toBe("a");
  proxy.delay(SILENCE_MS);
  const started = performance.now();
  client.socket.write("b");
  await answerOf(client).toBe("ab");
  // Both directions.
  expect(performance.now() - started).toBeGreaterThan(2 * SILENCE_MS - 5);
});

test("a cut closes connections and refuses others until it is healed", async () => {
  const client = await open();
  client.socket.write("a");
  await answerOf(client).toBe("a");
  proxy.cut();
  await expect.poll(() => client.socket.closed, { interval: 5 }).toBe(true);
  const refused = connect(proxy.port, "127.0.0.1").on("error", () => {});
  await expect.poll(() => refused.closed, { interval: 5 }).toBe(true);
  proxy.heal();
  const next = await open();
  next.socket.write("b");
  await answerOf(next).toBe("b");
});

test("one direction passes, and the bytes of the other one follow later", async () => {
  const client = await open();
  proxy.passOnly("toServer");
  client.socket.write("a");
  await expect.poll(() => received, { interval: 5 }).toBe("a");
  await sleep(SILENCE_MS);
  expect(client.answer).toBe("");
  proxy.heal();
  await answerOf(client).toBe("a");
});

test("a frozen connection stays silent and open, and new ones pass", async () => {
  const client = await open();
  client.socket.write("a");
  await answerOf(client).toBe("a");
  proxy.freeze();
  proxy.heal();
  client.socket.write("b");
  const next = await open();
  next.socket.write("c");
  await answerOf(next).toBe("c");
  expect([client.answer, received, client.socket.closed]).toEqual(["a", "ac", false]);
});

test.each(["client", "server"] as const)("a half-open connection is reset at the %s only", async (reset) => {
  const client = await open();
  client.socket.write("a");
  await answerOf(client).toBe("a");
  expect(served).toHaveLength(1);
  proxy.halfOpen(reset);
  await expect
    .poll(() => ({ client: client.socket.closed, server: served[0]?.closed }), { interval: 5 })
    .toEqual({ client: reset === "client", server: reset === "server" });
  await sleep(SILENCE_MS);
  expect([client.socket.closed, served[0]?.closed]).toEqual([reset === "client", reset === "server"]);
  const next = await open();
  next.socket.write("b");
  await answerOf(next).toBe("b");
});

test("a side that ends still receives the answer", async () => {
  const client = await open();
  client.socket.end("last");
  await once(client.socket, "close");
  expect(client.answer).toBe("last");
});

test("a server that still writes to a client that has closed its connection is reset", async () => {
  const writing = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    served.push(socket);
    socket.resume();
    socket.once("end", () => {
      const timer = setInterval(() => socket.write("late"), 5);
      socket.on("close", () => clearInterval(timer));
    });
  }).listen(0, "127.0.0.1");
  await once(writing, "listening");
  await using own = await createTcpProxy((writing.address() as AddressInfo).port);
  const client = connect(own.port, "127.0.0.1");
  await once(client, "connect");
  client.destroy();
  await expect.poll(() => served[0]?.closed, { interval: 5 }).toBe(true);
  writing.close();
});
