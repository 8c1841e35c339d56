import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../../src/lib/random.ts";
import type { KubeClient } from "../kube/kube-client.ts";

/**
 * Text that compresses a little, as manifests do. It is in capitals, so that it cannot contain a name by
 * chance.
 */
function toText(random: Random, length: number): string {
  const letters = Array.from({ length: Math.min(length, 4_096) }, () => 65 + Math.floor(random.float() * 26));
  return String.fromCharCode(...letters)
    .repeat(Math.ceil(length / 4_096))
    .slice(0, length);
}

/** Names of the ConfigMaps that are created and deleted. */
const NAMES = 40;

/**
 * Creates, changes and deletes ConfigMaps of a namespace until `signal` aborts, about 20 a second. Each text
 * contains the namespace, so that a text in the wrong place is recognized.
 */
export async function churnConfigMaps(
  signal: AbortSignal,
  kube: KubeClient,
  namespace: string,
  random: Random,
  maxTextLength = 2_000,
): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  const present = new Set<string>();
  // Names that an earlier churn left behind are not used.
  const prefix = `churned-${Math.floor(random.float() * 1_000_000)}`;
  for (let step = 0; !signal.aborted; step += 1) {
    const name = `${prefix}-${Math.floor(random.float() * NAMES)}`;
    const body = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name, namespace },
      data: {
        at: `${namespace} step ${step}`,
        text: toText(random, Math.floor(random.float() * maxTextLength)),
      },
    };
    if (!present.has(name)) {
      await kube.send("POST", path, body);
      present.add(name);
    } else if (random.float() < 0.3) {
      await kube.send("DELETE", `${path}/${name}`);
      present.delete(name);
    } else {
      await kube.send("PUT", `${path}/${name}`, body);
    }
    await sleep(20 + random.float() * 60);
  }
}
