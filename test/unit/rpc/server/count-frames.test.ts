import { Buffer } from "node:buffer";
import { once } from "node:events";
import { connect, type IncomingHttpHeaders } from "node:http2";
import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { SyncRequestSchema } from "../../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { createSystemClock } from "../../../../src/lib/clock.ts";
import { countFrames, type FrameMemory } from "../../../../src/rpc/server/count-frames.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { serveForTest } from "../../../support/rpc/serve-for-test.ts";
import { withSeed } from "../../../support/vitest/seeded.ts";

const hello = create(SyncRequestSchema, {
  message: { case: "hello", value: { cluster: "c1", clusterUid: "uid", instanceId: "i" } },
});
const HELLO = toBinary(SyncRequestSchema, hello);

/** The field `batch` with items of two bytes each. */
function batchOf(items: number): Buffer {
  const body = Buffer.alloc(2 * items, Buffer.from([0x32, 0x00]));
  const length: number[] = [];
  for (let rest = body.byteLength; rest > 0 || length.length === 0; rest = Math.floor(rest / 128)) {
    length.push((rest % 128) + (rest >= 128 ? 128 : 0));
  }
  const { number } = SyncRequestSchema.field.batch;
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), body]);
}

function frame(message: Uint8Array, flags = 0): Buffer {
  const header = Buffer.alloc(5);
  header[0] = flags;
  header.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([header, message]);
}

const unlimited = {
  memory: { async take() {}, release() {} },
  async turn() {},
  clock: createSystemClock(),
};

async function count(
  chunks: readonly Uint8Array[],
  { contentType = "application/grpc", maxBytes = 8 * 1024 * 1024 } = {},
): Promise<Buffer> {
  async function* stream() {
    yield* chunks;
  }
  const messages = { ...unlimited, schema: SyncRequestSchema, contentType, maxBytes };
  return Buffer.concat(await Array.fromAsync(countFrames(stream(), messages)));
}

describe("the messages of a stream (L33)", () => {
  it("pass as they are, however they are cut", async () => {
    await withSeed("pass as they are", async (random) => {
      const frames = Array.from({ length: 40 }, (_, at) => frame(at % 5 === 0 ? Buffer.alloc(0) : HELLO));
      const all = Buffer.concat([...frames, Buffer.from([0, 0, 0])]);
      const chunks: Buffer[] = [];
      for (let at = 0; at < all.byteLength; ) {
        const end = at + Math.floor(random.float() * 60);
        chunks.push(all.subarray(at, end));
        at = end;
      }
      expect((await count(chunks)).equals(all)).toBe(true);
    });
  });

  it("are refused with too many elements, before they are decoded", async () => {
    await expect(count([frame(HELLO), frame(batchOf(3_000_000))])).rejects.toThrow(
      /^batch\.items: expected at most \d+ elements, found more$/,
    );
  });

  it("are refused with too many parts in JSON, and not for what a text contains", async () => {
    const contentType = "application/connect+json";
    const text = toJsonString(SyncRequestSchema, hello).replace("c1", `\\"${",{[".repeat(200_000)}\\\\`);
    const first = frame(Buffer.from("{}"));
    const fits = frame(Buffer.from(text));
    expect((await count([first, fits], { contentType })).equals(Buffer.concat([first, fits]))).toBe(true);
    const items = frame(Buffer.from(`{"batch":{"items":[${"{},".repeat(200_000)}{}]}}`));
    await expect(count([first, items], { contentType })).rejects.toThrow(
      "expected at most 100000 members and elements, found more",
    );
  });

  it("are not kept beyond the largest size: Connect refuses them by their header", async () => {
    const chunks = [frame(HELLO), frame(Buffer.alloc(2_000)).subarray(0, 100), Buffer.alloc(10)];
    let taken = 0;
    async function* stream() {
      for (const chunk of chunks) {
        taken++;
        yield chunk;
      }
    }
    const contentType = "application/grpc";
    const messages = { ...unlimited, schema: SyncRequestSchema, contentType, maxBytes: 1_000 };
    const takenAt: number[] = [];
    for await (const _ of countFrames(stream(), messages)) {
      takenAt.push(taken);
    }
    expect(takenAt).toEqual([1, 2, 3]);
  });

  it("begin with a small one (L35)", async () => {
    const [fits, tooLarge] = [frame(Buffer.alloc(65_536)), frame(Buffer.alloc(65_537))];
    expect((await count([fits, tooLarge])).byteLength).toBe(fits.byteLength + tooLarge.byteLength);
    await expect(count([tooLarge.subarray(0, 5)])).rejects.toThrow(
      "message: expected a first message of at most 65536 bytes, found more",
    );
  });

  it("wait for memory by their headers, and hold it until the next one is requested (L35)", async () => {
    const log: string[] = [];
    const room = Promise.withResolvers<void>();
    async function* stream() {
      for (const chunk of [frame(HELLO), frame(Buffer.alloc(100)).subarray(0, 50), Buffer.alloc(55)]) {
        log.push(`read ${chunk.byteLength}`);
        yield chunk;
      }
    }
    const memory: FrameMemory = {
      async take(bytes) {
        log.push(`take ${bytes}`);
        await (bytes === 105 ? room.promise : undefined);
      },
      release: () => log.push("release"),
    };
    const contentType = "application/grpc";
    const messages = { ...unlimited, memory, schema: SyncRequestSchema, contentType, maxBytes: 1_000 };
    const frames = countFrames(stream(), messages);
    const size = HELLO.byteLength + 5;
    expect((await frames.next()).value?.byteLength).toBe(size);
    expect(log.splice(0)).toEqual([`read ${size}`, `take ${size}`]);
    const second = frames.next();
    await new Promise(setImmediate);
    // The sender of the rest waits too: it is not read.
    expect(log.splice(0)).toEqual(["release", "read 50", "take 105"]);
    room.resolve();
    expect((await second).value?.byteLength).toBe(105);
    expect((await frames.next()).done).toBe(true);
    expect(log).toEqual(["read 55", "release"]);
  });

  it("end the call if one does not arrive in time (L35)", async () => {
    const clock = new ManualClock();
    async function* stream() {
      yield frame(HELLO);
      yield frame(Buffer.alloc(100)).subarray(0, 50);
      await new Promise(() => {});
    }
    const contentType = "application/grpc";
    const messages = { ...unlimited, clock, schema: SyncRequestSchema, contentType, maxBytes: 1_000 };
    const frames = countFrames(stream(), messages);
    await frames.next();
    const second = expect(frames.next()).rejects.toThrow("message: expected its 105 bytes within 60000 ms");
    await clock.advance(60_000);
    await second;
  });

  it("that are not Protobuf are left to the decoder", async () => {
    const odd = frame(Buffer.from([0xff, 0xff, 0xff]));
    expect((await count([odd])).equals(odd)).toBe(true);
  });

  it("that arrive together are read in several turns of the event loop (L36)", async () => {
    let turns = 0;
    const turnsOfMessages: number[] = [];
    let isCounting = true;
    const count = (): void => {
      turns += 1;
      if (isCounting) {
        setImmediate(count);
      }
    };
    await using server = await serveForTest({
      sync: {
        // biome-ignore lint/correctness/useYield: it answers nothing.
        async *sync(requests) {
          for await (const _ of requests) {
            turnsOfMessages.push(turns);
          }
        },
      },
    });
    const session = connect(server.url);
    const path = "/evenkeel.v1.SyncService/Sync";
    const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc" });
    count();
    stream.end(Buffer.concat(Array.from({ length: 50 }, () => frame(HELLO))));
    await once(stream.resume(), "close");
    isCounting = false;
    session.destroy();
    expect(turnsOfMessages).toHaveLength(50);
    expect(new Set(turnsOfMessages).size).toBeGreaterThanOrEqual(6);
  });

  it("end the call of their sender, with the reason", async () => {
    const received: string[] = [];
    await using server = await serveForTest({
      sync: {
        async *sync(requests) {
          for await (const { message } of requests) {
            received.push(message.case ?? "");
            yield {};
          }
        },
      },
    });
    const session = connect(server.url);
    const path = "/evenkeel.v1.SyncService/Sync";
    const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc" });
    const headers: IncomingHttpHeaders = {};
    stream.on("response", (found) => Object.assign(headers, found));
    stream.on("trailers", (found) => Object.assign(headers, found));
    stream.write(frame(HELLO));
    stream.write(frame(batchOf(3_000_000)));
    await once(stream.resume(), "close");
    session.destroy();
    expect(headers["grpc-status"]).toBe(String(Code.InvalidArgument));
    expect(decodeURIComponent(String(headers["grpc-message"]))).toMatch(/^batch\.items: .*found more$/);
    expect(received).toEqual(["hello"]);
  });
});
