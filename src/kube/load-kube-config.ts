import { KubeConfig } from "@kubernetes/client-node";
import { ConfigError, toMessage } from "../lib/errors.ts";

/** The source of the access to a cluster. */
export type KubeConfigSource =
  /** A kubeconfig file. Defaults: kubectl's file and the current context. */
  | { readonly type: "kubeconfig"; readonly path?: string; readonly context?: string }
  /** The service account that Kubernetes mounts into a pod. */
  | { readonly type: "in-cluster" }
  /** An API server without authentication, such as `kubectl proxy`. */
  | { readonly type: "server"; readonly url: string };

/**
 * Loads a configuration for `createKubeTransport`.
 *
 * @throws ConfigError if the source cannot be read or its context has no cluster.
 */
export function loadKubeConfig(source: KubeConfigSource): KubeConfig {
  const config = new KubeConfig();
  try {
    load(config, source);
  } catch (cause) {
    throw new ConfigError(`the ${source.type} configuration cannot be loaded: ${toMessage(cause)}`, {
      cause,
    });
  }
  if (config.getCurrentCluster() === null) {
    const contexts = config.getContexts().map(({ name }) => name);
    throw new ConfigError(
      `the kubeconfig has no cluster for context ${JSON.stringify(config.getCurrentContext() ?? "")}; ` +
        `choose one of ${JSON.stringify(contexts)}`,
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
