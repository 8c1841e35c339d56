import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../../src/lib/random.ts";
import type { KubeClient } from "../kube/kube-client.ts";

/**
 * ConfigMaps that are changed and never deleted, and those that are created and deleted again and again. There are so
 * many that the next change of an object does not soon hide the loss of the last one.
 */
const KEPT = 20;
const CHURNED = 200;

/** Pause between two requests, in milliseconds: about 9 requests a second. Several scenarios run at a time. */
const MIN_PAUSE_MS = 40;
const MAX_PAUSE_MS = 160;

/** Pause after a request that did not reach the API server. */
const RETRY_MS = 200;

/** Namespace of the churn and the size of its objects. */
export interface ChurnOptions {
  readonly kube: KubeClient;
  readonly namespace: string;
  readonly random: Random;
  /** Bytes of the largest object. */
  readonly maxTextBytes: number;
}

/** Creates a namespace and the ConfigMaps that exist throughout. */
export async function prepareChurn({ kube, namespace }: ChurnOptions): Promise<void> {
  await kube.send("POST", "/api/v1/namespaces", { metadata: { name: namespace } });
  for (let index = 0; index < KEPT; index += 1) {
    await kube.send("POST", pathOf(namespace), toConfigMap(namespace, `kept-${index}`, "first"));
  }
}

/**
 * Creates, changes, deletes and recreates ConfigMaps until `signal` aborts, and calls `onChange` after each change. The
 * sequence of requests depends on `random` only. The API server may be down meanwhile.
 */
export async function churn(
  signal: AbortSignal,
  { kube, namespace, random, maxTextBytes }: ChurnOptions,
  onChange: () => void,
): Promise<void> {
  for (let step = 0; !signal.aborted; step += 1) {
    const [method, name] = pickRequest(random);
    const text = toText(random, maxTextBytes);
    const pauseMs = MIN_PAUSE_MS + random.float() * (MAX_PAUSE_MS - MIN_PAUSE_MS);
    const path = method === "POST" ? pathOf(namespace) : `${pathOf(namespace)}/${name}`;
    const body = method === "DELETE" ? undefined : toConfigMap(namespace, name, `step ${step} ${text}`);
    try {
      await kube.send(method, path, body);
      onChange();
      await sleep(pauseMs);
    } catch (error) {
      // The object exists already, or not yet: the next request finds another one.
      const isAnswer = error instanceof Error && /was answered with (404|409)/.test(error.message);
      await sleep(isAnswer ? pauseMs : RETRY_MS);
    }
  }
}

function pickRequest(random: Random): readonly ["POST" | "PUT" | "DELETE", string] {
  const churned = `churned-${Math.floor(random.float() * CHURNED)}`;
  const choice = random.float();
  if (choice < 0.2) {
    return ["PUT", `kept-${Math.floor(random.float() * KEPT)}`];
  }
  return [choice < 0.5 ? "POST" : choice < 0.75 ? "PUT" : "DELETE", churned];
}

/** Returns text that hardly compresses. */
function toText(random: Random, maxBytes: number): string {
  const length = Math.floor(random.float() * maxBytes);
  return Array.from({ length: Math.ceil(length / 8) }, () =>
    Math.floor(random.float() * 36 ** 8)
      .toString(36)
      .padStart(8, "0"),
  ).join("");
}

function pathOf(namespace: string): string {
  return `/api/v1/namespaces/${namespace}/configmaps`;
}

/** Returns the text in each object of a namespace, so that content in the wrong place is recognized. */
export function markOf(namespace: string): string {
  return `churn of ${namespace}`;
}

function toConfigMap(namespace: string, name: string, value: string) {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace },
    data: { value: `${markOf(namespace)} ${value}` },
  };
}
