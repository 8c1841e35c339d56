import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { RequestOptions } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadKubeConfig } from "../../../src/kube/load-kube-config.ts";
import { ConfigError } from "../../../src/lib/errors.ts";

/** A kubeconfig with one cluster, user and context of the same name. */
function kubeconfig(name: string, server: string, user: string, current = name): string {
  return `apiVersion: v1
kind: Config
clusters: [{name: ${name}, cluster: {server: "${server}"}}]
users: [{name: ${name}, user: ${user}}]
contexts: [{name: ${name}, context: {cluster: ${name}, user: ${name}}}]
current-context: "${current}"
`;
}

const LAB = "https://127.0.0.1:6443";

describe("a kubeconfig is read as kubectl reads it (L25)", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "evenkeel-kubeconfig-"));
    const files: Record<string, string> = {
      token: "token-of-file",
      "plain.yaml": kubeconfig("lab", LAB, "{token: lab-token}"),
      "other.yaml": kubeconfig("other", "https://127.0.0.1:9", "{token: other-token}"),
      "duplicate.yaml": kubeconfig("lab", "https://127.0.0.1:9", "{token: other-token}"),
      "no-context.yaml": kubeconfig("third", "https://127.0.0.1:7", "{token: third-token}", ""),
      "context.yaml": "apiVersion: v1\nkind: Config\ncurrent-context: lab\n",
      "empty.yaml": "",
      "token-file.yaml": kubeconfig("lab", LAB, "{tokenFile: token, token: older}"),
      "http.yaml": kubeconfig("lab", "http://127.0.0.1:8001", "{}"),
      "far-http.yaml": kubeconfig("lab", "http://10.0.0.1:8001", "{}"),
      "as.yaml": kubeconfig("lab", LAB, "{token: lab-token, as: jane}"),
      "as-groups.yaml": kubeconfig("lab", LAB, "{token: lab-token, as: jane, as-groups: [admins]}"),
      "unknown-cluster-key.yaml": kubeconfig("lab", `${LAB}", certificate: "x`, "{}"),
      "broken.yaml": "users: [{name: a, user: {token: SECRET}]\n",
      "list.yaml": "- SECRET\n",
      "no-name.yaml": "clusters: [{cluster: {server: SECRET}}]\n",
      "twice.yaml": "clusters: [{name: a, cluster: {}}, {name: a, cluster: {}}]\n",
      "dangling.yaml": "contexts: [{name: a, context: {cluster: b, user: c}}]\ncurrent-context: a\n",
    };
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(join(folder, name), text);
    }
    mkdirSync(join(folder, ".kube"));
    writeFileSync(join(folder, ".kube", "config"), files["other.yaml"] ?? "");
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const list = (names: string): string =>
    names
      .split(":")
      .map((name) => (name === "" ? "" : join(folder, name)))
      .join(":");

  /** Returns the server and the credentials of a request. */
  async function read(names: string, context?: string, path?: string): Promise<string> {
    const environment = { HOME: folder, ...(names !== "" && { KUBECONFIG: list(names) }) };
    const source = {
      type: "kubeconfig",
      ...(path !== undefined && { path: join(folder, path) }),
      ...(context !== undefined && { context }),
    } as const;
    const config = loadKubeConfig(source, environment);
    const options: RequestOptions = { headers: {} };
    await config.applyToHTTPSOptions(options);
    const { Authorization = "anonymous", "Impersonate-User": as = "" } = options.headers as Record<
      string,
      string
    >;
    return [config.getCurrentCluster()?.server, Authorization, as].filter((part) => part !== "").join(" ");
  }

  test.each([
    ["plain.yaml", `${LAB} Bearer lab-token`],
    ["plain.yaml:other.yaml", `${LAB} Bearer lab-token`],
    ["other.yaml:plain.yaml", "https://127.0.0.1:9 Bearer other-token"],
    ["plain.yaml:duplicate.yaml", `${LAB} Bearer lab-token`],
    [":plain.yaml:", `${LAB} Bearer lab-token`],
    ["context.yaml:plain.yaml", `${LAB} Bearer lab-token`],
    ["no-context.yaml:plain.yaml", `${LAB} Bearer lab-token`],
    ["missing.yaml:empty.yaml:plain.yaml", `${LAB} Bearer lab-token`],
    ["token-file.yaml", `${LAB} Bearer token-of-file`],
    ["http.yaml", "http://127.0.0.1:8001 anonymous"],
    ["as.yaml", `${LAB} Bearer lab-token jane`],
    ["", "https://127.0.0.1:9 Bearer other-token"],
  ])("KUBECONFIG=%s", async (names, expected) => {
    expect(await read(names)).toBe(expected);
  });

  test("with a context of any file", async () => {
    expect(await read("plain.yaml:no-context.yaml", "third")).toBe("https://127.0.0.1:7 Bearer third-token");
  });

  test("with a path, which takes precedence", async () => {
    expect(await read("plain.yaml", undefined, "other.yaml")).toBe("https://127.0.0.1:9 Bearer other-token");
  });

  test.each([
    ["missing.yaml", "kubeconfig: expected a file at"],
    ["context.yaml", 'kubeconfig: no context "lab"; choose one of []'],
    ["no-context.yaml", 'kubeconfig: no context ""; choose one of ["third"]'],
    [
      "far-http.yaml",
      "clusters[lab].cluster.server: expected https, or http on loopback, found http://10.0.0.1:8001",
    ],
    ["as-groups.yaml", "users[lab].user.as-groups: not supported"],
    ["unknown-cluster-key.yaml", "clusters[lab].cluster.certificate: not supported"],
    ["broken.yaml", "broken.yaml:1:40: expected consistent indentation"],
    ["list.yaml", "list.yaml:1:1: expected a mapping"],
    ["no-name.yaml", "no-name.yaml: clusters[0]: expected name and cluster"],
    ["twice.yaml:plain.yaml", "twice.yaml: clusters: expected each name once, found a twice"],
    ["dangling.yaml", 'context "a" names cluster "b", which does not exist'],
    ["dangling.yaml:plain.yaml", 'context "a" names cluster "b", which does not exist'],
  ])("KUBECONFIG=%s is refused by its key, without its text", async (names, message) => {
    const error = await read(names).catch((cause: unknown) => cause as Error);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message).toContain(message);
    expect((error as Error).message).not.toContain("SECRET");
  });

  test("a path that does not exist is named", async () => {
    await expect(read("", undefined, "missing.yaml")).rejects.toThrow(
      /cannot be loaded: ENOENT.*missing\.yaml/,
    );
  });
});
