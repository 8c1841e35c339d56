import { readFileSync, writeFileSync } from "node:fs";

/** A request to delete an object, as the API server recorded it. */
export interface AuditedDeletion {
  readonly namespace: string;
  readonly name: string;
  /** Time at which the API server received the request. */
  readonly receivedAt: Date;
  /** Uid of the deleted object; unset if the API server ended before it recorded the outcome. */
  readonly uid?: string;
}

/**
 * Records the requests to delete ConfigMaps, when they arrive and when they are answered. The answer has the uid of the
 * object.
 */
const POLICY = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  rules: [
    {
      level: "RequestResponse",
      verbs: ["delete", "deletecollection"],
      resources: [{ group: "", resources: ["configmaps"] }],
    },
    { level: "None" },
  ],
};

/** Writes the audit policy of {@link readDeletions}. JSON is YAML. */
export function writeAuditPolicy(path: string): void {
  writeFileSync(path, JSON.stringify(POLICY));
}

interface AuditEvent {
  readonly auditID: string;
  readonly stage: string;
  readonly requestReceivedTimestamp: string;
  readonly objectRef: { readonly namespace: string; readonly name: string };
  readonly responseStatus?: { readonly code: number };
  readonly responseObject?: { readonly details?: { readonly uid?: string } };
}

/** Returns the deletions of a namespace that succeeded, or whose outcome is unknown, from the audit log of all. */
export function readDeletions(path: string, namespace: string): readonly AuditedDeletion[] {
  const byRequest = new Map<string, AuditedDeletion>();
  // The last line may be incomplete, because the server was killed or is about to write the rest.
  const lines = readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line.endsWith("}") && line.includes(namespace));
  for (const line of lines) {
    const event: AuditEvent = JSON.parse(line);
    const { objectRef, auditID, responseStatus, responseObject } = event;
    if (objectRef.namespace !== namespace) {
      continue;
    }
    const code = responseStatus?.code ?? 0;
    if (event.stage === "ResponseComplete" && code >= 400 && code < 500) {
      byRequest.delete(auditID);
      continue;
    }
    const uid = responseObject?.details?.uid;
    byRequest.set(auditID, {
      namespace,
      name: objectRef.name,
      receivedAt: new Date(event.requestReceivedTimestamp),
      ...(uid !== undefined && { uid }),
    });
  }
  return [...byRequest.values()];
}
