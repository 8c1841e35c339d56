import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../../src/lib/random.ts";
import type { KubeClient } from "../kube/kube-client.ts";

/** Text that compresses a little, as manifests do not. In capitals, so that no name of ours turns up in it by chance. */
function toText(random: Random, length: number): string {
  const letters = Array.from({ length: Math.min(length, 4_096) }, () => 65 + Math.floor(random.float() * 26));
  return String.fromCharCode(...letters)
    .repeat(Math.ceil(length / 4_096))
    .slice(0, length);
}

/** Names that come and go. */
const NAMES = 40;

/**
 * Creates, changes and deletes ConfigMaps of a namespace until `signal` aborts, some twenty a second. Each text names
 * the namespace, so that what turns up elsewhere is known.
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
  // Names of an earlier churn's leftovers are not taken.
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
