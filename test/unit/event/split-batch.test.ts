import { create, equals, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Batch, BatchSchema } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { CompressedBatchSchema, EventSchema } from "../../../gen/proto/evenkeel/v1/event_pb.ts";
import type { OutgoingMessage } from "../../../src/bus/bus.ts";
import { decodeEvent, encodeEventInParts } from "../../../src/event/codec.ts";
import { TerminalError } from "../../../src/lib/errors.ts";
import { batch, put, remove } from "../../support/store/messages.ts";

const identity = { account: "acme", cluster: "c1", clusterUid: "uid-1", epoch: 7n };

/** Sends a batch over a bus with these limits, and returns the received parts. */
function transport(value: Batch, limits: { maxMessageBytes: number; compress: boolean }) {
  const content = { sequence: 5n, publishTime: new Date(0), body: { case: "batch", value } as const };
  const messages = encodeEventInParts(identity, content, limits);
  const events = messages.map(decodeEvent);
  return {
    messages,
    events,
    batches: events.map(({ body }) => (body.case === "batch" ? body.value : undefined)),
  };
}

function isOnly([first, ...rest]: (Batch | undefined)[], expected: Batch): boolean {
  return first !== undefined && rest.length === 0 && equals(BatchSchema, first, expected);
}

/** Text that does not compress. */
function noise(length: number, seed: number): string {
  let state = seed;
  return Array.from({ length }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return String.fromCharCode(35 + ((state >> 16) % 57));
  }).join("");
}

describe("a batch on the bus", () => {
  it("is one unchanged message if it fits", () => {
    const value = batch([put("a/x", { observed: 10 }), remove("a/y", 11)]);
    const { events, batches } = transport(value, { maxMessageBytes: 100_000, compress: true });
    expect(isOnly(batches, value)).toBe(true);
    expect(events[0]).toMatchObject({ sequence: 5n, part: 0, parts: 0 });
  });

  it("is compressed if the bus asks for it and it saves bytes", () => {
    const text = batch([put("a/x", { observed: 10, content: JSON.stringify("abc ".repeat(5_000)) })]);
    const limits = { maxMessageBytes: 100_000, compress: true };
    const { messages, batches } = transport(text, limits);
    expect(messages[0]?.payload.byteLength).toBeLessThan(2_000);
    expect(isOnly(batches, text)).toBe(true);
    const plain = transport(text, { ...limits, compress: false });
    expect(plain.messages[0]?.payload.byteLength).toBeGreaterThan(20_000);
    const random = batch([
      put("a/x", { observed: 10, checksum: new Uint8Array(32), content: noise(5_000, 1) }),
    ]);
    expect(transport(random, limits).messages[0]?.payload.byteLength).toBeLessThan(5_500);
  });

  it("is split above the limit: each part fits, no item is lost and none is duplicated", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(20), fc.nat(6_000)), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 2_500, max: 20_000 }),
        fc.boolean(),
        (objects, maxMessageBytes, compress) => {
          const items = objects.map(([name, size], index) =>
            put(`a/${name}`, { observed: 10 + index, content: noise(size + 2, index + 1) }),
          );
          const { messages, events, batches } = transport(batch(items), { maxMessageBytes, compress });
          for (const { payload } of messages) {
            expect(payload.byteLength).toBeLessThanOrEqual(maxMessageBytes);
          }
          if (events.length > 1) {
            expect(events.map(({ part, parts }) => [part, parts])).toEqual(
              events.map((_, index) => [index, events.length]),
            );
          }
          const last = new Map(
            batches.flatMap((part) =>
              (part?.items ?? []).map(({ message }) => {
                const observed = message.case === "putObject" ? message.value.observedVersion : "";
                return [message.value?.ref?.name, observed] as const;
              }),
            ),
          );
          expect(last).toEqual(new Map(objects.map(([name], index) => [String(name), String(10 + index)])));
        },
      ),
    );
  });

  it("omits the content of an object that fits into no message, with the reason", () => {
    const items = [
      put("a/huge", { observed: 10, content: noise(9_000, 1) }),
      put("a/small", { observed: 10 }),
    ];
    const { batches } = transport(batch(items), { maxMessageBytes: 4_000, compress: true });
    const messages = batches.flatMap((part) => part?.items.map(({ message }) => message.value) ?? []);
    expect(messages).toMatchObject([
      {
        ref: { name: "huge" },
        content: new Uint8Array(),
        quarantineReason: expect.stringMatching(/content of 9000 bytes .* at most 4000/),
      },
      { ref: { name: "small" }, quarantineReason: "" },
    ]);
    expect(items[0]?.message.value).toMatchObject({ quarantineReason: "" });
  });
});

describe("a compressed batch", () => {
  const compressed = (change: { zstd?: Uint8Array; uncompressedBytes?: number }): OutgoingMessage => {
    const text = batch([put("a/x", { observed: 10, content: JSON.stringify("abc ".repeat(5_000)) })]);
    const { messages } = transport(text, { maxMessageBytes: 100_000, compress: true });
    const [message] = messages;
    if (message === undefined) {
      throw new Error("no message");
    }
    const event = fromBinary(EventSchema, message.payload);
    if (event.body.case !== "compressedBatch") {
      throw new Error("the batch was not compressed");
    }
    event.body.value = create(CompressedBatchSchema, { ...event.body.value, ...change });
    return { ...message, payload: toBinary(EventSchema, event) };
  };

  it.each([
    ["that is larger than declared", { uncompressedBytes: 100 }],
    ["that is smaller than declared", { uncompressedBytes: 30_000 }],
    ["that declares more than the limit", { uncompressedBytes: 2 ** 31 }],
    ["that is not zstd", { zstd: Uint8Array.of(1, 2, 3) }],
  ])("%s is refused with a TerminalError", (_, change) => {
    expect(() => decodeEvent(compressed(change))).toThrow(TerminalError);
  });
});
