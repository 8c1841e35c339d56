import { describe, expect, it } from "vitest";
import { DeleteReason } from "../../../../gen/proto/evenkeel/v1/object_pb.ts";
import { createAgentCounters } from "../../../../src/agent/metrics.ts";
import type { ResourceContext } from "../../../../src/agent/resource-context.ts";
import type { Change } from "../../../../src/agent/uplink/live-segment.ts";
import { IndexWriter } from "../../../../src/agent/watch/index-writer.ts";
import { PackedIndex } from "../../../../src/agent/watch/object-index.ts";
import { VersionsWentBackError, VersionTracker } from "../../../../src/agent/watch/version-tracker.ts";
import type { SpanOptions } from "../../../../src/lib/telemetry.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { PODS } from "../../../support/store/messages.ts";
import { createTestLog } from "../../../support/vitest/test-log.ts";

const { OBSERVED, NOT_LISTED } = DeleteReason;
const { signal } = new AbortController();
const x = { namespace: "a", name: "x" };

/** An index writer of Pods, and what it sends. */
function createWriter() {
  const changes: Change[] = [];
  const spans: [string, SpanOptions | undefined][] = [];
  const context = {
    ...{ clock: new ManualClock(), log: createTestLog(), counters: createAgentCounters() },
    ...{ resourceType: PODS, versions: new VersionTracker() },
    tracer: {
      start: (name: string, options?: SpanOptions) => {
        spans.push([name, options]);
        return { traceParent: `trace ${spans.length}`, end: () => {} };
      },
    },
  };
  const room = { wait: Promise.resolve() };
  const sink = {
    async whenRoom(caller: AbortSignal, add: () => void) {
      await room.wait;
      caller.throwIfAborted();
      add();
    },
    offer: (change: Change) => void changes.push(change),
    dropPuts: () => {},
  };
  const writer = new IndexWriter(context as unknown as ResourceContext, new PackedIndex(), sink);
  const put = (resourceVersion: string, observed: bigint, metadata: object = x): Promise<void> =>
    writer.put(
      signal,
      { object: { metadata: { ...x, uid: "u", resourceVersion, ...metadata } } },
      "f",
      observed,
    );
  const sent = () =>
    changes.map(({ item: { message } }) =>
      message.case === "putObject" || message.case === "deleteObject"
        ? `${message.case} ${message.value.ref?.name} at ${message.value.observedVersion}`
        : "",
    );
  return { writer, put, sent, changes, spans, context, room };
}

describe("an index writer", () => {
  it("sends an object, and knows it then", async () => {
    const { writer, put, changes, spans, context } = createWriter();
    context.versions.learn(3n, 0n);
    await put("7", 9n);
    expect(changes).toMatchObject([{ resourceType: PODS, incarnation: 3n, traceParent: "trace 1" }]);
    const { checksum = new Uint8Array(), ...known } = writer.index.get("a/x") ?? {};
    expect(known).toEqual({ uid: "u", resourceVersion: "7" });
    expect(changes[0]?.item.message.value).toMatchObject({
      ...{ ref: x, uid: "u", resourceVersion: "7", observedVersion: "9" },
      checksum: Buffer.from(checksum),
    });
    const startTime = context.clock.now();
    expect(spans).toEqual([["observe", { startTime, attributes: { resourceType: "pods" } }]]);
  });

  it.each([
    ["an older state", "6", []],
    ["the same state", "7", ["putObject x at 9"]],
    ["a newer state", "8", ["putObject x at 9"]],
    ["a state without version, observed later", "", ["putObject x at 9"]],
  ])("sends %s of an object that it knows at version 7, or not", async (_, resourceVersion, expected) => {
    const { writer, put, sent } = createWriter();
    writer.index.set("a/x", { uid: "u", resourceVersion: "7", checksum: undefined });
    await put(resourceVersion, 9n);
    expect(sent()).toEqual(expected);
  });

  it.each([
    ["before its state", 6n, []],
    ["at its state", 7n, ["deleteObject x at 7"]],
    ["after it", 8n, ["deleteObject x at 8"]],
  ])("sends the end of an object %s, or not", async (_, observed, expected) => {
    const { writer, sent } = createWriter();
    writer.index.set("a/x", { uid: "u", resourceVersion: "7", checksum: undefined });
    await writer.delete(signal, x, "u", observed, OBSERVED);
    expect(sent()).toEqual(expected);
    expect(writer.index.has("a/x")).toBe(expected.length === 0);
  });

  it("sends nothing that became old while the sink had no room", async () => {
    const { writer, put, sent, room } = createWriter();
    const { promise, resolve } = Promise.withResolvers<void>();
    room.wait = promise;
    const sending = Promise.all([put("7", 7n), writer.delete(signal, x, "u", 7n, OBSERVED)]);
    writer.index.set("a/x", { uid: "v", resourceVersion: "8", checksum: undefined });
    resolve();
    await sending;
    expect(sent()).toEqual([]);
  });

  it("states how many objects a list lacks, 0 for an observed end", async () => {
    const { writer, changes } = createWriter();
    await writer.delete(signal, x, "u", 7n, NOT_LISTED, 3n);
    await writer.delete(signal, x, "u", 8n, OBSERVED);
    expect(changes.map(({ item }) => item.message.value)).toMatchObject([
      { reason: NOT_LISTED, missing: 3n },
      { reason: OBSERVED, missing: 0n },
    ]);
  });

  it("records the Deletes that it sends in the logs that are open, with the uid that messages carry", async () => {
    const { writer } = createWriter();
    const [open, closed] = [writer.openDeletionLog(), writer.openDeletionLog()];
    writer.closeDeletionLog(closed);
    await writer.delete(signal, x, "u\0", 7n, OBSERVED);
    expect(open.endOf("a/x", "", 6n)).toEqual({
      ...{ uid: expect.stringMatching(/^sha256:/), observed: 7n, reason: OBSERVED },
    });
    expect(closed.endOf("a/x", "", 6n)).toBeUndefined();
  });

  it("counts the objects that no row can hold, and logs the first", async () => {
    const { writer, put, sent, context } = createWriter();
    await put("7", 7n, { name: "odd\0" });
    await put("7", 7n, { name: "other\0" });
    await writer.delete(signal, { ...x, name: "odd\0" }, "u", 8n, OBSERVED);
    expect([sent(), context.counters.unrepresentable]).toEqual([[], 3]);
    expect(context.log.entries).toEqual([
      {
        level: "error",
        message: "objects skipped, because no row can have their keys",
        fields: { resourceType: "pods", first: "a/odd\\u0000", problem: expect.stringContaining("U+0000") },
      },
    ]);
  });

  it("sends an object that the contract cannot carry without its content, and reports it", async () => {
    const { put, changes, context } = createWriter();
    await put("7", 7n, { uid: "u\0" });
    const quarantineReason = expect.stringContaining("metadata.uid");
    expect(changes[0]?.item.message.value).toMatchObject({ quarantineReason, content: new Uint8Array() });
    expect(context.counters.quarantined).toBe(1);
    expect(context.log.entries[0]?.fields).toMatchObject({ key: "a/x", reason: quarantineReason });
  });

  it("sends no observation of an incarnation that ended while it waited for room (R16)", async () => {
    const { writer, changes, room } = createWriter();
    const incarnation = new AbortController();
    room.wait = Promise.resolve().then(() => incarnation.abort(new VersionsWentBackError()));
    const object = { metadata: { ...x, uid: "u", resourceVersion: "1" } };
    await expect(writer.put(incarnation.signal, { object }, "f", 1n)).rejects.toThrow("went back");
    await expect(writer.delete(incarnation.signal, x, "u", 1n, NOT_LISTED)).rejects.toThrow("went back");
    expect(changes).toEqual([]);
  });
});
