import { beforeEach, describe, expect, it } from "vitest";
import { PublishWindow } from "../../../../src/backend/sync/publish-window.ts";
import { PublishRefusedError, PublishUnknownError } from "../../../../src/bus/bus.ts";
import { RetryableError } from "../../../../src/lib/errors.ts";
import { MemoryBudget } from "../../../../src/lib/memory-budget.ts";
import { ControlledProducer, turn } from "../../../support/backend/controlled-producer.ts";

const { signal } = new AbortController();
const MEBIBYTE = 1024 * 1024;

function message(bytes = 10) {
  return { key: "k", payload: new Uint8Array(bytes) };
}

describe("PublishWindow", () => {
  let producer: ControlledProducer;
  let budget: MemoryBudget;
  let stored: bigint[];
  let failures: Error[];
  let window: PublishWindow;

  beforeEach(() => {
    producer = new ControlledProducer();
    stored = [];
    failures = [];
    budget = new MemoryBudget(64 * MEBIBYTE);
    window = new PublishWindow(producer, budget.of("acme"), {
      stored: (sequence) => stored.push(sequence),
      failure: (error) => failures.push(error),
    });
  });

  const publish = async (...sequences: bigint[]): Promise<void> => {
    for (const sequence of sequences) {
      await window.publish(signal, sequence, message(), () => {});
    }
  };

  it("publishes several messages concurrently and in order, and reports nothing before the first receipt (R19)", async () => {
    await publish(1n, 2n, 3n);
    expect(producer.publishes).toHaveLength(3);
    expect(stored).toEqual([]);
  });

  it("reports the contiguous prefix of receipts (R19)", async () => {
    await publish(1n, 2n, 3n, 4n);
    await producer.receive(1);
    await producer.receive(3);
    expect(stored).toEqual([]);
    await producer.receive(0);
    expect(stored).toEqual([2n]);
    await producer.receive(2);
    expect(stored).toEqual([2n, 4n]);
  });

  it("waits for the receipts of unnumbered messages, and does not report them", async () => {
    await publish(1n, 0n, 2n);
    await producer.receive(0);
    await producer.receive(2);
    expect(stored).toEqual([1n]);
    await producer.receive(1);
    expect(stored).toEqual([1n, 2n]);
  });

  it("waits while too many bytes are in flight, and accepts one message of any size", async () => {
    await window.publish(signal, 1n, message(5 * MEBIBYTE), () => {});
    const second = window.publish(signal, 2n, message(3 * MEBIBYTE), () => {});
    await turn();
    expect(producer.publishes).toHaveLength(1);
    await producer.receive(0);
    await second;
    // Each message counts 1 KiB more than its payload.
    await window.publish(signal, 3n, message(MEBIBYTE - 2048), () => {});
    const fourth = window.publish(signal, 4n, message(1), () => {});
    await turn();
    expect(producer.publishes).toHaveLength(3);
    await producer.receive(1);
    await fourth;
  });

  it("keeps less in flight the less room its account has, and at least one message (L35)", async () => {
    const others = budget.of("acme");
    others.hold(44 * MEBIBYTE);
    // The account may take 4 MiB: (3 * 20 - 44) / 4. A session may hold an eighth of that.
    await window.publish(signal, 1n, message(MEBIBYTE / 2), () => {});
    const second = window.publish(signal, 2n, message(MEBIBYTE / 2), () => {});
    await turn();
    expect(producer.publishes).toHaveLength(1);
    others.hold(20 * MEBIBYTE);
    await producer.receive(0);
    await second;
    others.release(64 * MEBIBYTE);
    await window.publish(signal, 3n, message(MEBIBYTE / 2), () => {});
    expect(producer.publishes).toHaveLength(3);
  });

  it("gives back the memory of a message with its outcome (L35)", async () => {
    await publish(1n, 2n);
    expect(budget.bytes).toBeGreaterThan(20);
    await producer.receive(0);
    await producer.fail(1, new PublishUnknownError("no receipt"));
    expect(budget.bytes).toBe(0);
  });

  it.each([
    ["refused", new PublishRefusedError("refused")],
    ["unknown", new PublishUnknownError("no receipt")],
  ])("publishes and tells nothing more after one that was %s (R29)", async (_, error) => {
    await publish(1n, 2n, 3n);
    await producer.fail(1, error);
    await producer.receive(2);
    await producer.receive(0);
    expect(stored).toEqual([]);
    expect(failures).toHaveLength(1);
    expect(failures[0]).toBeInstanceOf(RetryableError);
    await expect(publish(4n)).rejects.toBe(failures[0]);
    expect(producer.publishes).toHaveLength(3);
  });

  it("does not publish a message that waited for room after an earlier one fails (R29)", async () => {
    await window.publish(signal, 1n, message(5 * MEBIBYTE), () => {});
    const second = expect(window.publish(signal, 2n, message(), () => {})).rejects.toThrow("no receipt");
    await turn();
    await producer.fail(0, new PublishUnknownError("no receipt"));
    await second;
    expect(producer.publishes).toHaveLength(1);
  });

  it("reports one failure, regardless of their number", async () => {
    await publish(1n, 2n);
    await producer.fail(1, new PublishRefusedError("second"));
    await producer.fail(0, new PublishRefusedError("first"));
    expect(failures.map((error) => error.message)).toEqual(["publish failed: second"]);
  });

  it("flushes: resolves when no message is in flight, or one has failed", async () => {
    await window.flush(signal);
    await publish(1n, 2n);
    let flushed = false;
    const flushing = window.flush(signal).then(() => {
      flushed = true;
    });
    await producer.receive(0);
    expect(flushed).toBe(false);
    await producer.receive(1);
    await flushing;
    await publish(3n);
    const failing = window.flush(signal);
    await producer.fail(2, new PublishRefusedError("refused"));
    await failing;
  });

  it("stops waiting for room when the signal aborts", async () => {
    await window.publish(signal, 1n, message(5 * MEBIBYTE), () => {});
    const stop = new AbortController();
    const second = window.publish(stop.signal, 2n, message(), () => {});
    stop.abort(new Error("stop"));
    await expect(second).rejects.toThrow("stop");
  });
});
