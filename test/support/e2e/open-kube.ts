import { createKubeTransport } from "../../../src/kube/http-transport.ts";
import type { KubeTransport } from "../../../src/kube/kube.ts";
import { type KubeConfigSource, loadKubeConfig } from "../../../src/kube/load-kube-config.ts";

/** Opens a cluster's API; disposing it closes the connections. */
export function openKube(source: KubeConfigSource): KubeTransport & Disposable {
  const transport = createKubeTransport(loadKubeConfig(source));
  return { get: transport.get, [Symbol.dispose]: () => transport.close() };
}
