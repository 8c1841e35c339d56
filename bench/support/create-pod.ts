import type { SimulatedObject } from "../../src/simulation/simulated-object.ts";
import { podObject, runningStatus } from "../../src/simulation/workload-objects.ts";

const IMAGE = "registry.example.com/shop/checkout:1.4.2";
const TIME = "2026-01-01T00:00:00Z";
/** Bytes of one environment variable in canonical JSON. */
const VARIABLE_BYTES = 66;
/** Bytes that the server adds: uid, version, creation time. */
const STAMPED_BYTES = 140;

/** Returns the pod number `index`, in one of fifty namespaces, padded with environment variables to `contentBytes`. */
export function createPod(index: number, contentBytes: number): SimulatedObject {
  const namespace = `team-${String(index % 50).padStart(2, "0")}`;
  const owner = ownerOf(namespace, index);
  const suffix = index.toString(36).padStart(5, "0");
  const pod = podObject(owner, { namespace, name: "checkout", image: IMAGE }, suffix, `node-${index % 200}`);
  const small = { ...pod, status: runningStatus("checkout", IMAGE, TIME, 0) };
  const room = contentBytes - STAMPED_BYTES - JSON.stringify(small).length;
  const env = Array.from({ length: Math.max(0, Math.round(room / VARIABLE_BYTES)) }, (_, at) => ({
    name: `SETTING_${String(at).padStart(3, "0")}`,
    value: `value-${index}-${at}`.padEnd(30, "x"),
  }));
  return env.length === 0 ? small : { ...small, spec: { ...spreadable(small.spec), env } };
}

function ownerOf(namespace: string, index: number): SimulatedObject {
  const uid = `00000000-0000-4000-8000-${String(index % 1000).padStart(12, "0")}`;
  const labels = { app: "checkout", "pod-template-hash": "6d4cf56db6" };
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { namespace, name: "checkout-6d4cf56db6", uid, labels },
  };
}

function spreadable(value: SimulatedObject["spec"]): object {
  return typeof value === "object" && value !== null ? value : {};
}
