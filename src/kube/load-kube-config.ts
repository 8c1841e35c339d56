import { KubeConfig } from "@kubernetes/client-node";
import { ConfigError, toMessage } from "../lib/errors.ts";

/** Where the way to a cluster is written. */
export type KubeConfigSource =
  /** A kubeconfig file; without `path` where kubectl looks for it, without `context` its current context. */
  | { readonly type: "kubeconfig"; readonly path?: string; readonly context?: string }
  /** The service account that is mounted into a pod. */
  | { readonly type: "in-cluster" }
  /** An API server without authentication, such as `kubectl proxy`. */
  | { readonly type: "server"; readonly url: string };

/** Loads a configuration for `createKubeTransport`; throws `ConfigError` when it has no such cluster. */
export function loadKubeConfig(source: KubeConfigSource): KubeConfig {
  const config = new KubeConfig();
  try {
    load(config, source);
  } catch (cause) {
    throw new ConfigError(`cannot load the ${source.type} configuration: ${toMessage(cause)}`, { cause });
  }
  if (config.getCurrentCluster() === null) {
    const contexts = config.getContexts().map(({ name }) => name);
    throw new ConfigError(
      `the kubeconfig has no cluster for context ${JSON.stringify(config.getCurrentContext() ?? "")}; ` +
        `its contexts are ${JSON.stringify(contexts)}`,
    );
  }
  return config;
}

function load(config: KubeConfig, source: KubeConfigSource): void {
  switch (source.type) {
    case "kubeconfig":
      if (source.path === undefined) {
        config.loadFromDefault();
      } else {
        config.loadFromFile(source.path);
      }
      if (source.context !== undefined) {
        config.setCurrentContext(source.context);
      }
      return;
    case "in-cluster":
      config.loadFromCluster();
      return;
    case "server": {
      // The library takes plain HTTP only when it is told that nothing is verified.
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
