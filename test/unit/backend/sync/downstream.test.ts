import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { BatchSchema, RefusedItemsSchema } from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { Downstream, type Response } from "../../../../src/backend/sync/downstream.ts";
import { MemoryBudget } from "../../../../src/lib/memory-budget.ts";

const { signal } = new AbortController();
const memory = new MemoryBudget(1024 ** 3).of("acme");

function batchOf(observedVersion: string) {
  return create(BatchSchema, { observedVersion });
}

/** One line for each message. */
function show({ message }: Response): string {
  switch (message?.case) {
    case "acknowledgement":
      return `ack ${message.value.sequence}`;
    case "batch":
      return `batch ${message.value.observedVersion}`;
    case "drain":
      return `drain ${message.value.retryAfter?.seconds}.${message.value.retryAfter?.nanos}`;
    case "refusedItems":
      return `refused ${message.value.sequence}`;
    default:
      return String(message?.case);
  }
}

async function takeAll(outbox: Downstream): Promise<string[]> {
  const lines: string[] = [];
  for await (const response of outbox.take(signal)) {
    lines.push(show(response));
  }
  return lines;
}

describe("Downstream", () => {
  it("counts the bytes of the batches that wait", async () => {
    const outbox = new Downstream(memory);
    outbox.offer(batchOf("1"));
    outbox.offer(batchOf("22"));
    outbox.acknowledge(1n);
    expect(outbox.bytes).toBe(3 + 4);
    outbox.close(undefined);
    await takeAll(outbox);
    expect(outbox.bytes).toBe(0);
  });

  it("sends only the newest acknowledgement", async () => {
    const outbox = new Downstream(memory);
    for (const sequence of [1n, 2n, 3n]) {
      outbox.acknowledge(sequence);
    }
    outbox.close(undefined);
    expect(await takeAll(outbox)).toEqual(["ack 3"]);
  });

  it("sends an acknowledgement that arrives while the agent reads a batch slowly", async () => {
    const outbox = new Downstream(memory);
    outbox.offer(batchOf("1"));
    const messages = outbox.take(signal);
    expect(show((await messages.next()).value as Response)).toBe("batch 1");
    outbox.acknowledge(7n);
    outbox.acknowledge(8n);
    expect(show((await messages.next()).value as Response)).toBe("ack 8");
  });

  it("keeps the order of batches, and sends no acknowledgement twice", async () => {
    const outbox = new Downstream(memory);
    outbox.acknowledge(1n);
    outbox.offer(batchOf("1"));
    outbox.offer(batchOf("2"));
    outbox.close(undefined);
    expect(await takeAll(outbox)).toEqual(["ack 1", "batch 1", "batch 2"]);
  });

  it("refuses batches above its limits in items and in bytes, and still sends acknowledgements (R36)", async () => {
    const few = new Downstream(memory, { maxItems: 2, maxBytes: 1000 });
    expect([1, 2, 3].map((n) => few.offer(batchOf(String(n))))).toEqual([true, true, false]);
    few.acknowledge(9n);
    few.close(undefined);
    expect(await takeAll(few)).toEqual(["ack 9", "batch 1", "batch 2"]);
    const small = new Downstream(memory, { maxItems: 100, maxBytes: 50 });
    expect([small.offer(batchOf("1".repeat(38))), small.offer(batchOf("1".repeat(38)))]).toEqual([
      true,
      false,
    ]);
  });

  it("charges its batches to the account, and gives back what the agent took or left (L35)", async () => {
    const budget = new MemoryBudget(10_000);
    const outbox = new Downstream(budget.of("acme"));
    expect([1, 2].map((n) => outbox.offer(batchOf(String(n).repeat(500))))).toEqual([true, false]);
    const held = budget.bytes;
    expect(held).toBeGreaterThan(1_000);
    const messages = outbox.take(signal);
    await messages.next();
    expect(budget.bytes).toBe(0);
    expect(outbox.offer(batchOf("3".repeat(500)))).toBe(true);
    expect(budget.bytes).toBe(held);
    outbox.release();
    expect(budget.bytes).toBe(0);
    expect(outbox.offer(batchOf("4"))).toBe(false);
    expect(budget.bytes).toBe(0);
  });

  it("R94: drops the notices that a slow agent does not read, before anything else", async () => {
    const outbox = new Downstream(memory, { maxItems: 2, maxBytes: 1000 });
    for (let sequence = 1n; sequence <= 100n; sequence += 1n) {
      outbox.notify(create(RefusedItemsSchema, { sequence }));
    }
    outbox.acknowledge(9n);
    expect(outbox.offer(batchOf("1"))).toBe(true);
    outbox.close(undefined);
    const kept = Array.from({ length: 8 }, (_, index) => `refused ${index + 1}`);
    expect(await takeAll(outbox)).toEqual(["ack 9", ...kept, "batch 1"]);
  });

  it("R94: sends a notice that arrives while the agent reads another one slowly", async () => {
    const outbox = new Downstream(memory);
    const messages = outbox.take(signal);
    for (const sequence of [1n, 2n]) {
      outbox.notify(create(RefusedItemsSchema, { sequence }));
      expect(show((await messages.next()).value as Response)).toBe(`refused ${sequence}`);
    }
  });

  it("sends Drain last, with the first delay", async () => {
    const outbox = new Downstream(memory);
    outbox.acknowledge(4n);
    outbox.drain(1500);
    outbox.drain(9000);
    outbox.offer(batchOf("1"));
    expect(await takeAll(outbox)).toEqual(["ack 4", "drain 1.500000000"]);
  });

  it("throws the error of close() after the messages that it still has", async () => {
    const outbox = new Downstream(memory);
    outbox.offer(batchOf("1"));
    outbox.close(new Error("replaced"));
    const messages = outbox.take(signal);
    expect(show((await messages.next()).value as Response)).toBe("batch 1");
    await expect(messages.next()).rejects.toThrow("replaced");
    expect(outbox.offer(batchOf("2"))).toBe(false);
  });
});
