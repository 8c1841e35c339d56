import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { createKubeTransport } from "../../src/kube/http-transport.ts";
import { loadKubeConfig } from "../../src/kube/load-kube-config.ts";
import { withoutPassword } from "../../src/lib/postgres-url.ts";
import { createTokenSource } from "../../src/lib/token-source.ts";
import { parsePrivateKey, parsePublicKeys } from "../../src/rpc/auth/jwt/keys.ts";
import { toConnectionOptions } from "../../src/store/postgres/connection-options.ts";
import { runForTest } from "../support/cli/run-for-test.ts";

const SECRET = "S3cr3tPw";
const folder = mkdtempSync(join(tmpdir(), "evenkeel-secrets-"));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function fileWith(text: string, mode = 0o600): string {
  files += 1;
  const path = join(folder, `file-${files}`);
  writeFileSync(path, text, { mode });
  return path;
}

/** All output of a command line, which must fail: nothing else would show that its error was reached. */
async function outputOf(args: readonly string[], environment: Record<string, string> = {}): Promise<string> {
  const { code, out, err } = await runForTest(args, { environment });
  expect(code).not.toBe(0);
  return `${out}${err}`;
}

/** Everything of an error that a log can contain at any level. */
async function errorOf(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    return inspect(error, { depth: 10, showHidden: true });
  }
  throw new Error("expected an error");
}

const CREDENTIALS = [`postgres://u:${SECRET}@h`, `S3cr3tPw`];

/** Files whose line with a secret cannot be read, in each way in which the parser or a check can fail. */
const BROKEN_LINES = [
  ...CREDENTIALS.flatMap((value) => [
    `- ${value}`,
    `${value}`,
    `databaseUrl:${value}`,
    `databaseUrl:${value}: x`,
    `${value}: x`,
    `databaseUrl: "${value}`,
    `databaseUrl: [${value}`,
    `databaseUrl: {${value}: x}`,
    `databaseUrl: x: ${value}`,
    `databaseUrl: *${value}`,
    `databaseUrl: !${value} x`,
    `databaseUrl: &${value} x\ndatabaseUrl: y`,
    `databaseUrl: |${value}\n x`,
    `databaseUrl: @${value}`,
    `databaseUrl: %${value}`,
    `databaseUrl: "\\q${value}"`,
    `%${value} x\n---\na: b`,
    `? ${value}`,
    `? [${value}]\n: x`,
    `port: ${value}`,
    `busUrl: ${value}`,
    `server: ${value}`,
    `host: [${value}]`,
    `a: &a [*a, ${value}]`,
    `\tdatabaseUrl: ${value}`,
  ]),
];

describe("no secret is in any output (L29)", () => {
  test.each(BROKEN_LINES)("of a configuration file with the line %j", async (text) => {
    const output = await outputOf(["server", "--insecure-no-auth", "--config", fileWith(text)]);
    expect(output).not.toContain(SECRET);
    expect(output).toMatch(/file-\d+:\d+:\d+|databaseUrl/);
  });

  test.each(BROKEN_LINES)("of a kubeconfig with the line %j", async (text) => {
    const path = fileWith(text);
    expect(await errorOf(() => loadKubeConfig({ type: "kubeconfig", path }))).not.toContain(SECRET);
  });

  test.each<[string, readonly string[], Record<string, string>?]>([
    ["a database URL with a bad part", ["migrate", "--database-url", `postgres://u:${SECRET}%zz@h/d`]],
    ["a database URL with a bare slash", ["migrate", "--database-url", `postgres://u:1/${SECRET}@h/d`]],
    ["a database URL with a bad parameter", ["migrate", "--database-url", `postgres://h/d?${SECRET}=x`]],
    ["a database URL of no server", ["migrate", "--database-url", `postgres://u:${SECRET}@127.0.0.1:1/d`]],
    ["a password parameter", ["migrate", "--database-url", `postgres://u@127.0.0.1:1/d?password=${SECRET}`]],
    ["another scheme", ["migrate"], { EVENKEEL_DATABASE_URL: `mysql://u:${SECRET}@h/d` }],
    ["a database file", ["migrate", "--database-url-file", fileWith(`postgres://u:${SECRET}/@h`)]],
    ["a database file of another text", ["migrate", "--database-url-file", fileWith(SECRET)]],
    ["a bus URL", ["dlq", "list", "--bus-url", `ws://u:${SECRET}@127.0.0.1:1`]],
    ["a bus URL with a query", ["dlq", "list", "--bus-url", `ws://127.0.0.1:1?token=${SECRET}`]],
    ["a bus URL of another scheme", ["dlq", "list", "--bus-url", `amqp://u:${SECRET}@h`]],
    ["a bus URL that is none", ["dlq", "list", "--bus-url", `u:${SECRET}@h`]],
    ["an admin URL", ["admin", "topics", "--bus-url", "ws://h", "--bus-admin-url", `http://u:${SECRET}@h`]],
    ["a server's URL", ["clusters", "--server", `http://u:${SECRET}@127.0.0.1:1`]],
    ["a URL in another setting", ["clusters", "--server", `postgres://u:${SECRET}@h/d?x=${SECRET}`]],
    ["a list", ["agent", "--cluster", "c", "--namespaces", `postgres://u:${SECRET}@h`]],
    ["a token that is none", ["clusters", "--token", `${SECRET} x`]],
    ["a token for no server", ["clusters", "--server", "http://127.0.0.1:1", "--token", `a.${SECRET}.b`]],
    ["a token file", ["clusters", "--server", "http://127.0.0.1:1", "--token-file", fileWith(`${SECRET} x`)]],
    ["a trace URL", ["agent", "--cluster", "c", "--trace-url", `ftp://u:${SECRET}@h?key=${SECRET}`]],
    ["an unknown flag", ["migrate", `--databse-url=postgres://u:${SECRET}@h`]],
    ["an unknown command", [`postgres://u:${SECRET}@h`]],
    ["an extra argument", ["migrate", `postgres://u:${SECRET}@h`]],
    ["a signing key", ["token", "create", "--account", "a", "--key", fileWith(`-----BEGIN ${SECRET}-----`)]],
    ["an exposed key", ["token", "create", "--account", "a", "--key", fileWith(SECRET, 0o644)]],
  ])("of a command with %s", async (_, args, environment) => {
    expect(await outputOf(args, environment)).not.toContain(SECRET);
  });

  test.each<[string, () => unknown]>([
    [
      "a private key",
      () => parsePrivateKey(`-----BEGIN PRIVATE KEY-----\n${SECRET}\n-----END PRIVATE KEY-----`),
    ],
    ["a public key", () => parsePublicKeys(`-----BEGIN ${SECRET.toUpperCase()}-----`)],
    ["a JWK set", () => parsePublicKeys(`{"keys": [{"d": "${SECRET}"}]`)],
    ["a token file", () => createTokenSource({ tokenFile: fileWith(`${SECRET} x`) })?.read()],
    ["the default of a database URL", () => toConnectionOptions("postgres://h/d", { PGPORT: SECRET })],
    ["the URL of a proxy", () => createTransport({ HTTPS_PROXY: `http://u:${SECRET}@[h` })],
    ["a proxy of a kubeconfig", () => get({}, `proxy-url: "http://u:${SECRET}@127.0.0.1:1"`)],
    ["a bad proxy of a kubeconfig", () => get({}, `proxy-url: "http://u:${SECRET}@[h"`)],
    ["a bad SOCKS proxy of a kubeconfig", () => get({}, `proxy-url: "socks5://u:${SECRET}@[h"`)],
    ["an API server's URL", () => get({}, `server: "ftp://u:${SECRET}@h"`)],
    ["an API server's URL without TLS", () => get({}, `server: "http://u:${SECRET}@10.0.0.1"`)],
    ["a plugin's output", () => get({}, "server: https://127.0.0.1:1", toPlugin(`${SECRET} is the token`))],
  ])("of an error for %s", async (_, work) => {
    expect(await errorOf(work)).not.toContain(SECRET);
  });

  test("of a proxy that refuses its user", async () => {
    const proxy = createServer().on("connect", (_, socket) => socket.end("HTTP/1.1 407 No\r\n\r\n"));
    await once(proxy.listen(0, "127.0.0.1"), "listening");
    const { port } = proxy.address() as AddressInfo;
    const error = await errorOf(() => get({ HTTPS_PROXY: `http://u:${SECRET}@127.0.0.1:${port}` }));
    proxy.close();
    expect(error).toContain("407");
    expect(messagesOf(error)).not.toContain(SECRET);
  });

  test.each([
    `postgres://u:${SECRET}@h/d`,
    `postgres://u@h/d?password=${SECRET}`,
    `postgres://u:x@h/d?sslmode=disable&password=${SECRET}`,
  ])("of the banner of dev with %s", (url) => {
    expect(withoutPassword(url)).not.toContain(SECRET);
  });
});

/** Only the text of an error: Node's error of a proxy refers to the request, which no log prints. */
function messagesOf(inspected: string): string {
  return inspected.split("\n    at ")[0] ?? "";
}

function toPlugin(output: string): string {
  writeFileSync(join(folder, "plugin"), `#!/bin/sh\necho '${output}'\n`, { mode: 0o755 });
  return "{exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin}}";
}

function createTransport(environment: Record<string, string>, cluster = "", user = "{}") {
  const server = cluster.includes("server:") ? "" : "server: https://10.0.0.1:6443, ";
  const path = fileWith(`clusters: [{name: lab, cluster: {${server}${cluster}}}]
users: [{name: lab, user: ${user}}]
contexts: [{name: lab, context: {cluster: lab, user: lab}}]
current-context: lab
`);
  return createKubeTransport(loadKubeConfig({ type: "kubeconfig", path }), environment);
}

async function get(environment: Record<string, string>, cluster?: string, user?: string): Promise<void> {
  const transport = createTransport(environment, cluster, user);
  try {
    await transport.get(AbortSignal.timeout(10_000), { path: "/api" });
  } finally {
    transport.close();
  }
}
