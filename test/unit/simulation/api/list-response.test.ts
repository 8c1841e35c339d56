import { beforeEach, describe, expect, it } from "vitest";
import { createSeededRandom } from "../../../../src/lib/random.ts";
import { SimulatedCluster } from "../../../../src/simulation/simulated-cluster.ts";
import { createSimulatedTransport } from "../../../../src/simulation/simulated-transport.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

describe("lists of the simulated cluster", () => {
  let cluster: SimulatedCluster;
  beforeEach(() => {
    cluster = new SimulatedCluster({ clock: new ManualClock(), random: createSeededRandom(1) });
    for (const name of ["x", "y", "z"]) {
      cluster.create({ apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "a", name } });
    }
  });

  const list = async (query: Record<string, string> = {}) => {
    const transport = createSimulatedTransport(cluster);
    const response = await transport.get(new AbortController().signal, { path: "/api/v1/configmaps", query });
    const chunks = await Array.fromAsync(response.body);
    const body = JSON.parse(Buffer.concat(chunks).toString());
    return { status: response.status, retryAfterMs: response.retryAfterMs, body };
  };
  const names = (body: { items: { metadata: { name: string } }[] }): string[] =>
    body.items.map(({ metadata }) => metadata.name);

  it("with an expired token are answered with 410 and a token that continues at the newest revision", async () => {
    const first = await list({ limit: "1" });
    cluster.delete("configmaps", "a", "y");
    cluster.compact();
    const second = await list({ limit: "1", continue: first.body.metadata.continue });
    expect(second).toMatchObject({ status: 410, body: { kind: "Status", reason: "Expired", code: 410 } });
    const third = await list({ limit: "5", continue: second.body.metadata.continue });
    expect(names(third.body)).toEqual(["z"]);
    expect(third.body.metadata.resourceVersion).toBe("5");
  });

  it("at a compacted version are answered with 410", async () => {
    cluster.delete("configmaps", "a", "y");
    cluster.compact();
    const { status, body } = await list({ resourceVersion: "2", resourceVersionMatch: "Exact" });
    expect(status).toBe(410);
    expect(body).toMatchObject({
      reason: "Expired",
      message: "The resourceVersion for the provided list is too old.",
    });
  });

  it("treat a version with a limit and without a match as exact", async () => {
    expect(names((await list({ resourceVersion: "2", limit: "5" })).body)).toEqual(["x"]);
    expect(names((await list({ resourceVersion: "2" })).body)).toEqual(["x", "y", "z"]);
  });

  it("are stale while the server lags behind its etcd, also those of the newest version", async () => {
    cluster.faults.staleLists = { revision: 2, affects: "any" };
    expect(names((await list({ resourceVersion: "0" })).body)).toEqual(["x"]);
    expect(names((await list()).body)).toEqual(["x", "y", "z"]);
    cluster.faults.staleLists = { revision: 2, affects: "all" };
    const stale = await list();
    expect(names(stale.body)).toEqual(["x"]);
    expect(stale.body.metadata.resourceVersion).toBe("2");
    expect((await list({ resourceVersion: "4" })).status).toBe(504);
  });

  it("get a forced answer for the configured number of times", async () => {
    cluster.faults.forceResponse({ status: 500, matches: (url) => url.startsWith("/api/v1/pods") });
    cluster.faults.forceResponse({ status: 429, reason: "TooManyRequests", retryAfterSeconds: 3, times: 2 });
    expect(await list()).toMatchObject({
      status: 429,
      retryAfterMs: 3000,
      body: { reason: "TooManyRequests" },
    });
    expect((await list()).status).toBe(429);
    expect((await list()).status).toBe(200);
  });

  it("return older versions after a restore of etcd", async () => {
    cluster.restore(3);
    const { body } = await list();
    expect(names(body)).toEqual(["x", "y"]);
    expect(body.metadata.resourceVersion).toBe("3");
  });

  it("refuse selectors instead of ignoring them", async () => {
    expect((await list({ labelSelector: "app=x" })).status).toBe(400);
  });
});
