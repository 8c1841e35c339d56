import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSystemClock } from "../../../src/lib/clock.ts";
import { createSeededRandom } from "../../../src/lib/random.ts";
import { type ApiServer, createApiServer } from "../../../src/simulation/api-server.ts";
import { SimulatedCluster } from "../../../src/simulation/simulated-cluster.ts";
import { createTestLog } from "../../support/vitest/test-log.ts";

describe("the simulated API server over HTTP", () => {
  let cluster: SimulatedCluster;
  let server: ApiServer;
  beforeEach(async () => {
    const clock = createSystemClock();
    cluster = new SimulatedCluster({ clock, random: createSeededRandom(1), maxWatchBacklog: 100 });
    server = await createApiServer(new AbortController().signal, { cluster, log: createTestLog() });
    cluster.create({ apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "a", name: "x" } });
  });
  afterEach(async () => {
    await server[Symbol.asyncDispose]();
    expect(cluster.watches).toBe(0);
  });

  const until = async (isSo: () => boolean): Promise<void> => {
    for (let tries = 0; !isSo(); tries += 1) {
      expect(tries, "gave up waiting").toBeLessThan(1000);
      await sleep(5);
    }
  };
  const touch = (size = 0): void => {
    cluster.update("configmaps", "a", "x", (object) => ({ ...object, data: { filler: "x".repeat(size) } }));
  };

  it("answers a list, a forced error with Retry-After, and an unsupported method", async () => {
    const list = await fetch(`${server.url}/api/v1/configmaps`);
    expect(list.headers.get("content-type")).toBe("application/json");
    expect(await list.json()).toMatchObject({ items: [{ metadata: { name: "x" } }] });
    cluster.faults.forceResponse({ status: 503, retryAfterSeconds: 2 });
    const refused = await fetch(`${server.url}/api/v1/configmaps`);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "2"]);
    expect((await fetch(`${server.url}/api/v1/configmaps`, { method: "POST" })).status).toBe(405);
  });

  it("sends the headers of a watch at once, and its events when they happen", async () => {
    const response = await fetch(`${server.url}/api/v1/configmaps?watch=1&resourceVersion=2`);
    expect(response.status).toBe(200);
    const reader = response.body?.getReader();
    touch();
    const { value } = (await reader?.read()) ?? {};
    expect(JSON.parse(Buffer.from(value ?? []).toString())).toMatchObject({ type: "MODIFIED" });
    await reader?.cancel();
    await until(() => cluster.watches === 0);
  });

  it("breaks the connection of a watch", async () => {
    const response = await fetch(`${server.url}/api/v1/configmaps?watch=1&resourceVersion=2`);
    const text = expect(response.text()).rejects.toThrow();
    await until(() => cluster.watches === 1);
    cluster.breakWatches();
    await text;
  });

  it("disconnects a client that does not read, with bounded memory", async () => {
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    socket.pause().on("error", () => {});
    await once(socket, "connect");
    socket.write("GET /api/v1/configmaps?watch=1&resourceVersion=2 HTTP/1.1\r\nhost: localhost\r\n\r\n");
    await until(() => cluster.watches === 1);
    let writes = 0;
    await until(() => {
      touch(50_000);
      cluster.compact();
      writes += 1;
      return cluster.watches === 0;
    });
    // More than the backlog, because the sockets' buffers hold events too.
    expect(writes).toBeGreaterThan(100);
    socket.destroy();
  });
});
