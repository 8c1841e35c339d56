import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { ConfigError, toMessage } from "../lib/errors.ts";
import { type KubeconfigFile, mergeKubeconfigs } from "./merge-kubeconfigs.ts";

/** The source of the access to a cluster. */
export type KubeConfigSource =
  /** A kubeconfig file. Defaults: kubectl's file and the current context. */
  | { readonly type: "kubeconfig"; readonly path?: string; readonly context?: string }
  /** The service account that Kubernetes mounts into a pod. */
  | { readonly type: "in-cluster" }
  /** An API server without authentication, such as `kubectl proxy`. */
  | { readonly type: "server"; readonly url: string };

/** Where Kubernetes mounts the token of a Pod's service account. */
const SERVICE_ACCOUNT_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/**
 * Loads a configuration for `createKubeTransport`. Kubeconfigs are found and merged as kubectl does: the given path, or
 * the files of KUBECONFIG of which some may be missing, or `~/.kube/config`. Without any of these, it is that of the
 * Pod's service account.
 *
 * @throws ConfigError if the source cannot be read, or has what the agent does not support.
 */
export function loadKubeConfig(
  source: KubeConfigSource,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): KubeConfig {
  const config = new KubeConfig();
  try {
    load(config, source, environment);
  } catch (cause) {
    if (cause instanceof ConfigError) {
      throw cause;
    }
    throw new ConfigError(`the ${source.type} configuration cannot be loaded: ${toMessage(cause)}`, {
      cause,
    });
  }
  return config;
}

function load(
  config: KubeConfig,
  source: KubeConfigSource,
  environment: Readonly<Record<string, string | undefined>>,
): void {
  switch (source.type) {
    case "kubeconfig": {
      const files = source.path === undefined ? readDefault(environment) : [readKubeconfig(source.path)];
      if (files.length === 0 && source.context === undefined) {
        config.loadFromCluster();
        return;
      }
      config.loadFromString(JSON.stringify(mergeKubeconfigs(files, source.context)));
      return;
    }
    case "in-cluster":
      config.loadFromCluster();
      return;
    case "server": {
      // The library accepts plain HTTP only with TLS verification disabled.
      const isPlain = source.url.startsWith("http:");
      config.loadFromClusterAndUser(
        { name: "server", server: source.url, skipTLSVerify: isPlain },
        { name: "anonymous" },
      );
      return;
    }
    default:
      source satisfies never;
  }
}

/** Returns kubectl's files; none if there are none and the process runs in a Pod. */
function readDefault(environment: Readonly<Record<string, string | undefined>>): KubeconfigFile[] {
  const { KUBECONFIG: list = "", HOME: home = homedir() } = environment;
  const paths =
    list === "" ? [join(home, ".kube", "config")] : list.split(delimiter).filter((path) => path !== "");
  const files = [...new Set(paths)].flatMap((path) => (existsSync(path) ? [readKubeconfig(path)] : []));
  if (files.length === 0 && (list !== "" || !existsSync(SERVICE_ACCOUNT_TOKEN))) {
    throw new ConfigError(
      `kubeconfig: expected a file at ${paths.join(" or ")}, found none; set --kubeconfig or KUBECONFIG`,
    );
  }
  return files;
}

function readKubeconfig(path: string): KubeconfigFile {
  return { path, text: readFileSync(path, "utf8") };
}
