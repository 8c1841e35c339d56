import { create } from "@bufbuild/protobuf";
import { beforeEach, describe, expect, it } from "vitest";
import { type SyncRequest, SyncRequestSchema } from "../../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { PublishUnknownError } from "../../../../src/bus/bus.ts";
import { InvalidArgumentError, RetryableError } from "../../../../src/lib/errors.ts";
import { ControlledProducer, turn } from "../../../support/backend/controlled-producer.ts";
import { createSession, requestOf } from "../../../support/backend/session-for-test.ts";
import { batch as messageBatch, PODS, put } from "../../../support/store/messages.ts";

const { signal } = new AbortController();

function scope(sequence: bigint, generation = 1n): SyncRequest {
  return create(SyncRequestSchema, {
    sequence,
    message: { case: "scopeDeclared", value: { generation, resources: [] } },
  });
}

function batch(sequence: bigint): SyncRequest {
  return create(SyncRequestSchema, {
    sequence,
    message: { case: "batch", value: { resourceType: { version: "v1", resource: "pods" }, type: 1 } },
  });
}

describe("a session", () => {
  let producer: ControlledProducer;

  beforeEach(() => {
    producer = new ControlledProducer();
  });

  const published = () => producer.events.map(({ sequence, body }) => `${sequence} ${body.case}`);

  it("stamps the agent's messages with its own identity", async () => {
    const session = createSession({ producer });
    await session.accept(signal, scope(1n));
    expect(producer.events[0]).toMatchObject({
      account: "acme",
      cluster: "c1",
      clusterUid: "uid-c1",
      epoch: 7n,
      sequence: 1n,
    });
    expect(producer.publishes[0]?.message.key).toBe('["acme","c1"]');
  });

  it("splits a batch above the bus's limit, and acknowledges it with the last receipt of its parts", async () => {
    const session = createSession({ producer, maxMessageBytes: 3_000 });
    const text = `"${"x".repeat(1_500)}"`;
    const items = ["a/1", "a/2", "a/3"].map((key) => put(key, { observed: 10, content: text }));
    const value = { ...messageBatch(items), resourceType: PODS };
    await session.accept(
      signal,
      create(SyncRequestSchema, { sequence: 1n, message: { case: "batch", value } }),
    );
    expect(producer.events.map(({ sequence, part, parts }) => [sequence, part, parts])).toEqual([
      [1n, 0, 3],
      [1n, 1, 3],
      [1n, 2, 3],
    ]);
    const responses = session.outbox.take(signal);
    await producer.receive(0);
    await producer.receive(2);
    let acknowledged: unknown;
    const first = responses.next().then(({ value: response }) => {
      acknowledged = response?.message;
    });
    await turn();
    expect(acknowledged).toBeUndefined();
    await producer.receive(1);
    await first;
    expect(acknowledged).toEqual({ case: "acknowledgement", value: { sequence: 1n } });
  });

  it.each([
    ["a gap", 3n],
    ["a repetition", 1n],
    ["no number", 0n],
  ])("refuses %s in the numbers, and publishes nothing of it", async (_, sequence) => {
    const session = createSession({ producer });
    await session.accept(signal, scope(1n));
    const refused = session.accept(signal, batch(sequence));
    await expect(refused).rejects.toThrow(InvalidArgumentError);
    await expect(refused).rejects.toThrow(`sequence: expected 2, the next sequence, found ${sequence}`);
    expect(published()).toEqual(["1 scopeDeclared"]);
  });

  it.each([
    ["more pairs than an agent can watch", 5_000, "found 25000000"],
    ["a resource type twice", 1, "must name each group and resource once"],
  ])("refuses a scope with %s, and publishes nothing of it (L9)", async (_, count, message) => {
    const session = createSession({ producer });
    const names = Array.from({ length: count }, (_, index) => `n${index}`);
    const resources = [...names, "n0"].map((resource) => ({
      resourceType: { version: "v1", resource },
      namespaced: true,
    }));
    const value = {
      generation: 1n,
      namespaces: names,
      resources: count === 1 ? resources : resources.slice(1),
    };
    const refused = session.accept(
      signal,
      create(SyncRequestSchema, { sequence: 1n, message: { case: "scopeDeclared", value } }),
    );
    await expect(refused).rejects.toThrow(InvalidArgumentError);
    await expect(refused).rejects.toThrow(message);
    expect(published()).toEqual([]);
  });

  it("refuses ends of comparisons with an incarnation above its epoch, and publishes none of them", async () => {
    const session = createSession({ producer });
    const endOf = (resource: string, incarnation: bigint) => ({
      resourceType: { version: "v1", resource },
      incarnation,
    });
    const ends = [endOf("pods", 7n), endOf("nodes", 8n)];
    const request = create(SyncRequestSchema, {
      sequence: 1n,
      message: { case: "resourcesReconciled", value: { ends } },
    });
    await expect(session.accept(signal, request)).rejects.toThrow(
      "resources_reconciled.ends[1].incarnation: expected at most the session's epoch 7, found 8",
    );
    expect(published()).toEqual([]);
  });

  it("refuses a second Hello", async () => {
    const session = createSession({ producer });
    const hello = create(SyncRequestSchema, { sequence: 1n, message: { case: "hello", value: {} } });
    await expect(session.accept(signal, hello)).rejects.toThrow("hello: expected scope_declared, batch");
    expect(published()).toEqual([]);
  });

  it("publishes the connect run behind the first scope, once (R13)", async () => {
    const session = createSession({ producer, connectRun: requestOf() });
    await session.accept(signal, scope(1n));
    await session.accept(signal, batch(2n));
    await session.accept(signal, scope(3n, 2n));
    expect(published()).toEqual(["1 scopeDeclared", "0 reconciliationRequest", "2 batch", "3 scopeDeclared"]);
  });

  it("acknowledges stored messages, and ends after a publish with unknown outcome (R19, R29)", async () => {
    const session = createSession({ producer });
    await session.accept(signal, scope(1n));
    await session.accept(signal, batch(2n));
    await producer.receive(0);
    const messages = session.outbox.take(signal);
    expect((await messages.next()).value).toMatchObject({ message: { value: { sequence: 1n } } });
    await producer.fail(1, new PublishUnknownError("no receipt"));
    await expect(messages.next()).rejects.toThrow(RetryableError);
    await expect(session.accept(signal, batch(3n))).rejects.toThrow(RetryableError);
    expect(producer.publishes).toHaveLength(2);
  });

  it("flushes accepted messages", async () => {
    const session = createSession({ producer });
    await session.accept(signal, scope(1n));
    let flushed = false;
    const flushing = session.flush(signal).then(() => {
      flushed = true;
    });
    await turn();
    expect(flushed).toBe(false);
    await producer.receive(0);
    await flushing;
  });
});
