import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readDeletions } from "../../../support/chaos/audit-log.ts";

const directory = mkdtempSync(join(tmpdir(), "evenkeel-audit-"));
afterAll(() => rmSync(directory, { recursive: true }));

const at = "2026-01-02T03:04:05.000006Z";
const event = (auditID: string, name: string, more: object, namespace = "mine"): string =>
  JSON.stringify({ auditID, requestReceivedTimestamp: at, objectRef: { namespace, name }, ...more });
const received = { stage: "RequestReceived" };
const completed = (code: number, uid?: string) => ({
  stage: "ResponseComplete",
  responseStatus: { code },
  responseObject: { details: uid === undefined ? {} : { uid } },
});

test("deletions that succeeded have a uid, those without an outcome have none, and refused ones are left out", () => {
  const path = join(directory, "audit.log");
  const lines = [
    event("1", "deleted", received),
    event("1", "deleted", completed(200, "uid-1")),
    event("2", "absent", received),
    event("2", "absent", completed(404)),
    event("3", "unknown", received),
    event("4", "elsewhere", received, "theirs"),
    event("5", "incomplete", received).slice(0, -10),
  ];
  writeFileSync(path, lines.join("\n"));
  const receivedAt = new Date(at);
  expect(readDeletions(path, "mine")).toEqual([
    { namespace: "mine", name: "deleted", receivedAt, uid: "uid-1" },
    { namespace: "mine", name: "unknown", receivedAt },
  ]);
});
