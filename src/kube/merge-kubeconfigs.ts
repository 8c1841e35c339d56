import { dirname, resolve } from "node:path";
import { ConfigError, toMessage } from "../lib/errors.ts";
import { hideCredentials } from "../lib/hide-credentials.ts";
import { isLocalUrl } from "../lib/loopback.ts";
import { readYaml } from "../lib/read-yaml.ts";

/** The text of a kubeconfig file. */
export interface KubeconfigFile {
  readonly path: string;
  readonly text: string;
}

type Values = Readonly<Record<string, unknown>>;

/** A named entry of one of the lists of a kubeconfig. */
interface Entry {
  readonly name: string;
  readonly values: Values;
}

/** A kubeconfig with the entries of one context, in the form of a file. */
export interface MinifiedKubeconfig {
  readonly clusters: readonly { readonly name: string; readonly cluster: Values }[];
  readonly users: readonly { readonly name: string; readonly user: Values }[];
  readonly contexts: readonly { readonly name: string; readonly context: Values }[];
  readonly "current-context": string;
}

/** Keys of a cluster and of a user, and the paths among them, which are relative to their file. */
const CLUSTER_KEYS = [
  "server",
  "certificate-authority",
  "certificate-authority-data",
  "insecure-skip-tls-verify",
  "tls-server-name",
  "proxy-url",
  "disable-compression",
  "extensions",
];
const USER_KEYS = [
  "client-certificate",
  "client-certificate-data",
  "client-key",
  "client-key-data",
  "token",
  "tokenFile",
  "as",
  "username",
  "password",
  "auth-provider",
  "exec",
  "extensions",
];
const PATHS = ["certificate-authority", "client-certificate", "client-key", "tokenFile"];

/**
 * Merges kubeconfig files by kubectl's rules, and returns the entries of one context: the first file that names a
 * context is that of the current one, and the first file with an entry of a name defines it alone. Paths become
 * absolute.
 *
 * @param context name of the context; default: the current one
 * @throws ConfigError that names file and key, for what kubectl refuses, and for keys that the agent does not support
 */
export function mergeKubeconfigs(
  files: readonly KubeconfigFile[],
  context: string | undefined,
): MinifiedKubeconfig {
  const documents = files.map((file) => ({ ...file, document: parse(file) }));
  const collect = (list: string, key: string): Map<string, Entry> => {
    const entries = new Map<string, Entry>();
    for (const { path, document } of documents) {
      for (const [name, entry] of readEntries(path, document, list, key)) {
        entries.set(name, entries.get(name) ?? entry);
      }
    }
    return entries;
  };
  const [clusters, users] = [collect("clusters", "cluster"), collect("users", "user")];
  const contexts = collect("contexts", "context");
  const current = documents.map(({ document }) => document["current-context"]).find((name) => name);
  const name = context ?? (typeof current === "string" ? current : "");
  const chosen = contexts.get(name);
  if (chosen === undefined) {
    const names = JSON.stringify([...contexts.keys()]);
    throw new ConfigError(`kubeconfig: no context ${JSON.stringify(name)}; choose one of ${names}`);
  }
  const { cluster, user } = chosen.values;
  const clusterEntry = clusters.get(String(cluster));
  if (clusterEntry === undefined) {
    throw new ConfigError(
      `kubeconfig: context ${JSON.stringify(name)} names cluster ${JSON.stringify(cluster)}, which does not exist`,
    );
  }
  const userEntry = user === undefined || user === "" ? undefined : users.get(String(user));
  if (user !== undefined && user !== "" && userEntry === undefined) {
    throw new ConfigError(
      `kubeconfig: context ${JSON.stringify(name)} names user ${JSON.stringify(user)}, which does not exist`,
    );
  }
  return {
    clusters: [{ name: clusterEntry.name, cluster: toCluster(clusterEntry) }],
    users:
      userEntry === undefined ? [] : [{ name: userEntry.name, user: toUser(userEntry, clusterEntry.values) }],
    contexts: [{ name, context: chosen.values }],
    "current-context": name,
  };
}

/** Parses a file. Its errors name the place and never quote the text, which has credentials. */
function parse({ path, text }: KubeconfigFile): Values {
  try {
    return readYaml(text).values;
  } catch (cause) {
    throw new ConfigError(`kubeconfig ${path}:${toMessage(cause)}`, { cause });
  }
}

function readEntries(path: string, document: Values, list: string, key: string): Map<string, Entry> {
  const items = document[list] ?? [];
  if (!Array.isArray(items)) {
    throw new ConfigError(`kubeconfig ${path}: ${list}: expected a list`);
  }
  const entries = new Map<string, Entry>();
  for (const [index, item] of items.entries()) {
    const { name, [key]: values } = isValues(item) ? item : {};
    if (typeof name !== "string" || !isValues(values ?? {})) {
      throw new ConfigError(`kubeconfig ${path}: ${list}[${index}]: expected name and ${key}`);
    }
    if (entries.has(name)) {
      throw new ConfigError(`kubeconfig ${path}: ${list}: expected each name once, found ${name} twice`);
    }
    entries.set(name, { name, values: toAbsolute(dirname(path), (values ?? {}) as Values) });
  }
  return entries;
}

function toAbsolute(directory: string, values: Values): Values {
  const absolute: Record<string, unknown> = { ...values };
  for (const key of PATHS) {
    const value = values[key];
    if (typeof value === "string" && value !== "") {
      absolute[key] = resolve(directory, value);
    }
  }
  const { exec } = values;
  // As in shells, a command without a slash is searched in PATH.
  if (isValues(exec) && typeof exec["command"] === "string" && exec["command"].includes("/")) {
    absolute["exec"] = { ...exec, command: resolve(directory, exec["command"]) };
  }
  return absolute;
}

function toCluster({ name, values }: Entry): Values {
  assertSupported(`clusters[${name}].cluster`, values, CLUSTER_KEYS);
  const { server, "proxy-url": proxy } = values;
  if (proxy && (typeof proxy !== "string" || !URL.canParse(proxy))) {
    throw new ConfigError(`kubeconfig: clusters[${name}].cluster.proxy-url: expected a URL`);
  }
  if (typeof server !== "string" || !URL.canParse(server)) {
    throw new ConfigError(`kubeconfig: clusters[${name}].cluster.server: expected a URL`);
  }
  if (!server.startsWith("http:")) {
    return values;
  }
  if (!isLocalUrl(server)) {
    throw new ConfigError(
      `kubeconfig: clusters[${name}].cluster.server: expected https, or http on loopback, ` +
        `found ${hideCredentials(server)}`,
    );
  }
  // The library accepts plain HTTP only with TLS verification disabled.
  return { ...values, "insecure-skip-tls-verify": true };
}

function toUser({ name, values: read }: Entry, cluster: Values): Values {
  assertSupported(`users[${name}].user`, read, USER_KEYS);
  const { exec } = read;
  const values = isValues(exec) ? { ...read, exec: withExecInfo(exec, cluster) } : read;
  const { tokenFile, token, ...rest } = values;
  return tokenFile === undefined
    ? values
    : // The library reads such a file again each minute. Its content takes precedence, as in client-go.
      { ...rest, "auth-provider": { name: "tokenFile", config: { tokenFile } } };
}

/** Adds KUBERNETES_EXEC_INFO (KEP-541), which the library does not set, to the environment of a plugin. */
function withExecInfo(exec: Values, cluster: Values): Values {
  const { apiVersion, env, provideClusterInfo } = exec;
  const info = {
    apiVersion,
    kind: "ExecCredential",
    spec: { interactive: false, ...(provideClusterInfo === true && { cluster }) },
  };
  const own = { name: "KUBERNETES_EXEC_INFO", value: JSON.stringify(info) };
  return { ...exec, env: [...(Array.isArray(env) ? env : []), own] };
}

/** To ignore a key could mean to continue as another user, or without a check. */
function assertSupported(where: string, values: Values, supported: readonly string[]): void {
  const unknown = Object.keys(values).find((key) => !supported.includes(key) && values[key] !== null);
  if (unknown !== undefined) {
    // A key that is no name may be a value without a space before it.
    const key = /^[a-z-]{1,40}$/i.test(unknown) ? unknown : "(a key that is no name)";
    throw new ConfigError(`kubeconfig: ${where}.${key}: not supported; remove it, or use another user`);
  }
}

function isValues(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
