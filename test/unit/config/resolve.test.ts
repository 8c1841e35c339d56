import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { migrateProgram } from "../../../src/config/programs/admin.ts";
import { agentProgram, DEFAULT_EXCLUDED_RESOURCES } from "../../../src/config/programs/agent.ts";
import { clientProgram } from "../../../src/config/programs/client.ts";
import { devProgram } from "../../../src/config/programs/dev.ts";
import { serverProgram } from "../../../src/config/programs/server.ts";
import { resolveConfig } from "../../../src/config/resolve.ts";
import { DEFAULT_DELETION_GUARD } from "../../../src/domain/reconciliation/deletion-guard.ts";
import { ConfigError } from "../../../src/lib/errors.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-config-"));
afterAll(() => rmSync(folder, { recursive: true }));

type Texts = Readonly<Record<string, string>>;

function fileWith(content: string): string {
  const path = join(folder, "config.yaml");
  writeFileSync(path, content);
  return path;
}

const database = { EVENKEEL_DATABASE_URL: "postgres://u:hunter2@h/d" };
const noAuth = { EVENKEEL_INSECURE_NO_AUTH: "true" };
const server = (environment: Texts = {}, flags: Readonly<Record<string, unknown>> = {}) =>
  resolveConfig(serverProgram, { flags, environment: { ...database, ...noAuth, ...environment } });
const serverFromFile = (content: string) => server({}, { config: fileWith(content) });
const agent = (environment: Texts) =>
  resolveConfig(agentProgram, { flags: {}, environment: { EVENKEEL_CLUSTER: "c1", ...environment } });

describe("defaults", () => {
  test("of the server", () => {
    expect(server()).toEqual({
      host: "127.0.0.1",
      port: 7070,
      auth: { type: "none" },
      databaseUrl: database.EVENKEEL_DATABASE_URL,
      reconcileIntervalMs: 600_000,
      allowDuplicateClusters: false,
      runDeadlineMs: 300_000,
      scrubRows: 1_000,
      guard: DEFAULT_DELETION_GUARD,
      telemetry: { logLevel: "info", logFormat: "auto", probes: undefined, traces: undefined },
    });
  });

  test("of the agent", () => {
    const { excludeResources, ...config } = agent({});
    expect(config).toEqual({
      server: "http://127.0.0.1:7070",
      discoveryIntervalMs: 300_000,
      token: undefined,
      tokenFile: undefined,
      cluster: "c1",
      resources: ["*"],
      namespaces: [],
      kubeconfig: undefined,
      kubeContext: undefined,
      telemetry: { logLevel: "info", logFormat: "auto", probes: undefined, traces: undefined },
    });
    expect(excludeResources).toEqual(DEFAULT_EXCLUDED_RESOURCES);
  });

  test("of dev, client and migrate", () => {
    const none = { flags: {}, environment: {} };
    expect(resolveConfig(devProgram, none)).toMatchObject({
      port: 7070,
      databaseUrl: undefined,
      dataDir: undefined,
      churn: true,
      drift: true,
      driftIntervalMs: 5_000,
      reconcileIntervalMs: 10_000,
    });
    expect(resolveConfig(clientProgram, none)).toEqual({
      server: "http://127.0.0.1:7070",
      token: undefined,
      tokenFile: undefined,
    });
    expect(() => resolveConfig(migrateProgram, none)).toThrow(
      "databaseUrl: required; set --database-url, EVENKEEL_DATABASE_URL, or databaseUrl in the --config file",
    );
  });
});

test("probes and traces are what was asked for", () => {
  const { telemetry } = agent({
    EVENKEEL_PROBE_PORT: "9090",
    EVENKEEL_PROBE_HOST: "0.0.0.0",
    EVENKEEL_TRACE_URL: "http://collector:4318/v1/traces",
    EVENKEEL_TRACE_RATIO: "0.5",
  });
  expect(telemetry).toEqual({
    logLevel: "info",
    logFormat: "auto",
    probes: { host: "0.0.0.0", port: 9090 },
    traces: { url: "http://collector:4318/v1/traces", ratio: 0.5 },
  });
  expect(() => agent({ EVENKEEL_TRACE_RATIO: "1.5" })).toThrow(
    "traceRatio (environment EVENKEEL_TRACE_RATIO): expected a number from 0 to 1",
  );
});

test("a flag stands above the environment, that above the file, that above the default", () => {
  const config = fileWith("port: 1\nlogLevel: debug\nreconcileInterval: 1h30m");
  expect(server({}, { config })).toMatchObject({
    port: 1,
    telemetry: { logLevel: "debug" },
    reconcileIntervalMs: 5_400_000,
  });
  expect(server({ EVENKEEL_PORT: "2" }, { config })).toMatchObject({
    port: 2,
    telemetry: { logLevel: "debug" },
  });
  expect(server({ EVENKEEL_PORT: "2" }, { config, port: "3" })).toMatchObject({ port: 3 });
  expect(server({ EVENKEEL_CONFIG: config })).toMatchObject({ port: 1 });
  expect(serverFromFile("")).toMatchObject({ port: 7070 });
});

test("lists and switches", () => {
  const selectResources = (resources: string) => agent({ EVENKEEL_RESOURCES: resources }).resources;
  const exclude = (resources: string) => agent({ EVENKEEL_EXCLUDE_RESOURCES: resources }).excludeResources;
  expect(selectResources("deployments.v1.apps, pods")).toEqual(["deployments.v1.apps", "pods"]);
  expect(selectResources("*")).toEqual(["*"]);
  expect(selectResources("*,secrets,*.apps")).toEqual(["*", "secrets", "*.apps"]);
  expect(exclude("*.apps,pods")).toEqual(["*.apps", "pods"]);
  expect(exclude("")).toEqual([]);
  const environment = { EVENKEEL_DRIFT: "false" };
  expect(resolveConfig(devProgram, { flags: { churn: false }, environment })).toMatchObject({
    churn: false,
    drift: false,
  });
});

describe("what is wrong is named, with its key, where it stands, what was expected and what was found (L29)", () => {
  test.each<[string, () => unknown, string]>([
    [
      "type in a file",
      () => serverFromFile('port: "7070"'),
      "config.yaml:1:7): expected a port from 0 to 65535, found a text",
    ],
    [
      "key in a file",
      () => serverFromFile("prot: 1"),
      "config.yaml:1:1: unknown key; expected one of host, port",
    ],
    ["file that is missing", () => server({}, { config: "/no/file" }), "/no/file: cannot be read"],
    ["file that is no YAML", () => serverFromFile("a: [1"), ":1:6: expected consistent indentation"],
    [
      "value that is a tag",
      () => serverFromFile("host: !x"),
      ':1:7: expected a value in quotes, because "!"',
    ],
    [
      "value that is an alias",
      () => serverFromFile("host: *x"),
      ':1:7: expected a value in quotes, because "*"',
    ],
    ["key twice", () => serverFromFile("port: 1\nport: 2"), ":2:1: expected each key once"],
    [
      "file that is no mapping",
      () => serverFromFile("[1]"),
      "config.yaml:1:1: expected a mapping of keys to values",
    ],
    ["variable", () => server({ EVENKEEL_PROT: "1" }), "EVENKEEL_PROT (environment): unknown variable"],
    [
      "port in the environment",
      () => server({ EVENKEEL_PORT: "70700" }),
      "port (environment EVENKEEL_PORT): expected a port from 0 to 65535, found 70700",
    ],
    [
      "port in a flag",
      () => server({}, { port: "http" }),
      'port (flag --port): expected a port from 0 to 65535, found "http"',
    ],
    ["duration without unit", () => serverFromFile("runDeadline: 10"), "expected a duration such as"],
    ["too little memory", () => server({ EVENKEEL_MEMORY_LIMIT: "300MiB" }), 'a size of at least "384MiB"'],
    ["duration of nothing", () => server({ EVENKEEL_RUN_DEADLINE: "0s" }), "expected a duration such as"],
    [
      "host of dev that others reach",
      () => resolveConfig(devProgram, { flags: { host: "0.0.0.0" }, environment: {} }),
      "because dev does not authenticate callers, found",
    ],
    ["level", () => server({ EVENKEEL_LOG_LEVEL: "loud" }), "one of debug, info, warn, error, silent, found"],
    ["cluster's name", () => agent({ EVENKEEL_CLUSTER: "A_b" }), "a DNS subdomain such as prod-1, found"],
    ["resource type", () => agent({ EVENKEEL_RESOURCES: "v1/pods" }), "a list of resource types (pods,"],
    ["resource in two versions", () => agent({ EVENKEEL_RESOURCES: "b.v1.a,b.v2.a" }), "each once"],
    ["resource types, none", () => agent({ EVENKEEL_RESOURCES: "" }), "a list of resource types (pods,"],
    ["excluded path", () => agent({ EVENKEEL_EXCLUDE_RESOURCES: "apps/*" }), "and groups (*.apps), found"],
    ["exclusion of all", () => agent({ EVENKEEL_EXCLUDE_RESOURCES: "*" }), "and groups (*.apps), found"],
    ["url", () => agent({ EVENKEEL_SERVER: "localhost:7070" }), "a URL such as http://127.0.0.1:7070, found"],
  ])("%s", (_, resolve, message) => {
    expect(resolve).toThrow(ConfigError);
    expect(resolve).toThrow(message);
  });

  test("all at once", () => {
    expect(() => server({ EVENKEEL_PORT: "x", EVENKEEL_RUN_DEADLINE: "1" })).toThrow(
      /port \(.*\n {2}runDeadline \(/s,
    );
  });

  test("but a secret is not shown", () => {
    const resolve = () => server({ EVENKEEL_DATABASE_URL: "mysql://u:hunter2@h/d" });
    expect(resolve).toThrow(
      "databaseUrl (environment EVENKEEL_DATABASE_URL): expected a URL such as postgres",
    );
    expect(resolve).not.toThrow("hunter2");
  });
});

describe("the URL of the database may be in a file (L29)", () => {
  const migrate = (flags: Texts) => resolveConfig(migrateProgram, { flags, environment: {} });

  test("and is read without the line end", () => {
    const databaseUrlFile = fileWith("postgres://u:p@h/d\n");
    expect(migrate({ databaseUrlFile })).toEqual({ databaseUrl: "postgres://u:p@h/d" });
    expect(resolveConfig(devProgram, { flags: { databaseUrlFile }, environment: {} })).toMatchObject({
      databaseUrl: "postgres://u:p@h/d",
    });
  });

  test.each([
    [
      "set twice",
      () => ({ databaseUrl: "postgres://h", databaseUrlFile: "f" }),
      "set together with databaseUrlFile",
    ],
    ["missing", () => ({ databaseUrlFile: "/no/file" }), "databaseUrlFile: /no/file: cannot be read: ENOENT"],
    [
      "of another text",
      () => ({ databaseUrlFile: fileWith("hunter2") }),
      "config.yaml: expected a URL such as",
    ],
  ])("and not %s", (_, flags, message) => {
    expect(() => migrate(flags())).toThrow(ConfigError);
    expect(() => migrate(flags())).toThrow(message);
  });
});

test.each([
  [{ EVENKEEL_SERVER: "http://u:hunter2@h" }, "expected no user and no password in the URL"],
  [{ EVENKEEL_SERVER: "http://h?key=hunter2" }, 'expected a URL without "?" and "#"'],
  [{ EVENKEEL_SERVER: "ftp://h/hunter2@x?y" }, 'expected a URL without "?" and "#"'],
  [{ EVENKEEL_SERVER: "u:hunter2@h" }, "expected a URL such as http://127.0.0.1:7070, found"],
])("the URL of a server has no credentials: %j (L29)", (environment, message) => {
  expect(() => agent(environment)).toThrow(message);
  expect(() => agent(environment)).not.toThrow(":hunter2");
});

test("variables of other programs, and those that Kubernetes makes of a Service named evenkeel, are no mistake", () => {
  const links = {
    EVENKEEL_SERVICE_HOST: "10.0.0.1",
    EVENKEEL_SERVICE_PORT: "7070",
    EVENKEEL_SERVICE_PORT_GRPC: "7070",
    EVENKEEL_PORT: "tcp://10.0.0.1:7070",
    EVENKEEL_PORT_7070_TCP: "tcp://10.0.0.1:7070",
    EVENKEEL_PORT_7070_TCP_PROTO: "tcp",
    EVENKEEL_PORT_7070_TCP_PORT: "7070",
    EVENKEEL_PORT_7070_TCP_ADDR: "10.0.0.1",
    EVENKEEL_AGENT_PORT: "tcp://10.0.0.2:7070",
    EVENKEEL_CLUSTER: "c1",
  };
  expect(server(links).port).toBe(7070);
});
