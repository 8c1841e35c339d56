import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { createKubeTransport } from "../../../src/kube/http-transport.ts";
import { loadKubeConfig } from "../../../src/kube/load-kube-config.ts";

/** Counts its runs, and returns a token with the number of the run, without an expiry. */
const PLUGIN = `#!/bin/sh
echo run >> "$0.runs"
printf '%s' "$KUBERNETES_EXEC_INFO" > "$0.info"
count=$(wc -l < "$0.runs" | tr -d ' ')
printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"t%s"}}' "$count"
`;

/** An API server that accepts one token, and a transport whose plugin is found relative to its kubeconfig. */
async function serve(accepted: () => string) {
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-credentials-"));
  const tokens: string[] = [];
  const delayed = Promise.withResolvers<void>();
  const server = createServer(async (request, response) => {
    const token = request.headers.authorization?.replace("Bearer ", "") ?? "";
    tokens.push(token);
    if (request.url === "/late") {
      await delayed.promise;
    }
    response.writeHead(token === accepted() ? 200 : 401).end("{}");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  writeFileSync(join(folder, "plugin"), PLUGIN, { mode: 0o755 });
  writeFileSync(
    join(folder, "config"),
    `clusters: [{name: lab, cluster: {server: "http://127.0.0.1:${port}"}}]
users: [{name: lab, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin, provideClusterInfo: true}}}]
contexts: [{name: lab, context: {cluster: lab, user: lab}}]
current-context: lab
`,
  );
  const transport = createKubeTransport(loadKubeConfig({ type: "kubeconfig", path: join(folder, "config") }));
  onTestFinished(() => {
    transport.close();
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  const { signal } = new AbortController();
  return {
    tokens,
    port,
    get: async (path = "/api") => (await transport.get(signal, { path })).status,
    answerLate: delayed.resolve,
    runs: () => readFileSync(join(folder, "plugin.runs"), "utf8").split("\n").length - 1,
    info: () => JSON.parse(readFileSync(join(folder, "plugin.info"), "utf8")),
  };
}

describe("a plugin without an expiry (L26)", () => {
  test("runs once for all requests, and again once after a 401", async () => {
    let accepted = "t1";
    const server = await serve(() => accepted);
    const all = () => Promise.all(Array.from({ length: 10 }, () => server.get()));
    expect(await all()).toEqual(Array.from({ length: 10 }, () => 200));
    expect(server.runs()).toBe(1);
    accepted = "t2";
    expect(await all()).toEqual(Array.from({ length: 10 }, () => 200));
    expect(server.runs()).toBe(2);
    expect(await server.get()).toBe(200);
    expect(server.runs()).toBe(2);
  });

  test("runs not again for a 401 that is older than its last run", async () => {
    let accepted = "t1";
    const server = await serve(() => accepted);
    await server.get();
    accepted = "t2";
    const late = server.get("/late");
    await expect.poll(() => server.tokens).toEqual(["t1", "t1"]);
    expect(await server.get()).toBe(200);
    server.answerLate();
    expect(await late).toBe(200);
    expect(server.runs()).toBe(2);
  });

  test("runs once more for a request that stays refused", async () => {
    const server = await serve(() => "never");
    expect(await server.get()).toBe(401);
    expect(server.tokens).toEqual(["t1", "t2"]);
  });

  test("gets the cluster in KUBERNETES_EXEC_INFO", async () => {
    const server = await serve(() => "t1");
    await server.get();
    expect(server.info()).toMatchObject({
      apiVersion: "client.authentication.k8s.io/v1",
      kind: "ExecCredential",
      spec: { interactive: false, cluster: { server: `http://127.0.0.1:${server.port}` } },
    });
  });
});
