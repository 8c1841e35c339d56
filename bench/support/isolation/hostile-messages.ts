import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { DescMethod } from "@bufbuild/protobuf";
import { FleetService } from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { SyncService } from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { Health } from "../../../gen/proto/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../../gen/proto/grpc/reflection/v1/reflection_pb.ts";
import { MAX_SYNC_REQUEST_BYTES } from "../../../src/domain/limits.ts";
import { type RawRequest, toEnvelope } from "./raw-requests.ts";

/** A message with its protocol. */
export interface HostileRequest extends RawRequest {
  readonly protocol: "grpc" | "connect";
  /** Method, content, size and encoding, for people. */
  readonly label: string;
}

/** Services whose methods are attacked: those of queries, probes and reflection, or that of agents. */
export type HostileScope = "questions" | "agents";

/** Larger than the limit of each service. */
const TOO_LARGE = 8 * 1024 * 1024;
const QUESTION = 64 * 1024;
const PROBE = 1024;
/** Bytes of a field's tag and length around a message. */
const FRAME_BYTES = 16;

const BYTES_OF_UNIT: Readonly<Record<string, readonly number[]>> = {
  "unknown varints": [0xc0, 0x3e, 1],
  "unknown fixed64": [0xc1, 0x3e, 0, 0, 0, 0, 0, 0, 0, 0],
  "unknown texts": [0xc2, 0x3e, 0],
  "unknown groups": [0xc3, 0x3e, 0xc4, 0x3e],
  "unknown fixed32": [0xc5, 0x3e, 0, 0, 0, 0],
  "empty items": [0x0a, 0],
  "empty items of the second field": [0x12, 0],
};
/** Items of a batch, each with nothing, and each with an object without the required fields. */
const BATCH_UNITS: Readonly<Record<string, readonly number[]>> = {
  "empty items of a batch": [0x32, 0],
  "invalid items of a batch": [0x32, 2, 0x0a, 0],
};

/**
 * Yields requests to each method: the most of each kind of field within its limit, and beyond it; without compression,
 * and with each encoding; over gRPC, and over Connect if the method is unary; with the token and without one.
 */
export function* createHostileRequests(scope: HostileScope, token: string): Generator<HostileRequest> {
  const create = createMessages();
  for (const { method, maxBytes } of methods(scope)) {
    const units = { ...BYTES_OF_UNIT, ...(method.parent === SyncService && BATCH_UNITS) };
    for (const [name, unit] of Object.entries(units)) {
      for (const size of [maxBytes, TOO_LARGE]) {
        // A stream of the server that is accepted does not end.
        if (size === maxBytes && method.methodKind === "server_streaming") {
          continue;
        }
        for (const encoding of ["identity", "gzip", "br"] as const) {
          const message = create(name in BATCH_UNITS, unit, size, encoding);
          for (const headers of [{}, { authorization: `Bearer ${token}` }]) {
            const label = `${method.name} with ${name}, ${size.toLocaleString("en")} bytes, ${encoding}`;
            for (const request of toRequests(method, message, encoding, headers)) {
              yield { ...request, label };
            }
          }
        }
      }
    }
  }
}

function* methods(
  scope: HostileScope,
): Generator<{ readonly method: DescMethod; readonly maxBytes: number }> {
  const questions = [
    [Health, PROBE],
    [FleetService, QUESTION],
    [ServerReflection, QUESTION],
  ] as const;
  const agents = [[SyncService, MAX_SYNC_REQUEST_BYTES]] as const;
  for (const [service, maxBytes] of scope === "questions" ? questions : agents) {
    for (const method of service.methods) {
      yield { method, maxBytes };
    }
  }
}

function* toRequests(
  method: DescMethod,
  message: Uint8Array,
  encoding: "identity" | "gzip" | "br",
  headers: RawRequest["headers"],
): Generator<Omit<HostileRequest, "label">> {
  const path = `/${method.parent.typeName}/${method.name}`;
  yield {
    protocol: "grpc",
    path,
    headers: { ...headers, "grpc-encoding": encoding },
    body: toEnvelope(message, encoding !== "identity"),
  };
  if (method.methodKind === "unary") {
    yield { protocol: "connect", path, headers: { ...headers, "content-encoding": encoding }, body: message };
  }
}

/** Returns a function that creates messages, and keeps them: many methods get the same one. */
function createMessages() {
  const kept = new Map<string, Uint8Array>();
  return (isBatch: boolean, unit: readonly number[], size: number, encoding: string): Uint8Array => {
    const key = JSON.stringify([isBatch, unit, size, encoding]);
    const message = kept.get(key) ?? encode(createMessage(isBatch, unit, size), encoding);
    kept.set(key, message);
    return message;
  };
}

function createMessage(isBatch: boolean, unit: readonly number[], size: number): Buffer {
  const count = Math.floor((size - FRAME_BYTES) / unit.length);
  const repeated = Buffer.alloc(count * unit.length, Buffer.from(unit));
  // SyncRequest.batch is field 5.
  return isBatch ? Buffer.concat([Buffer.from([0x2a]), toVarint(repeated.length), repeated]) : repeated;
}

function toVarint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) {
      return Buffer.from([...bytes, rest]);
    }
    bytes.push((rest & 0x7f) | 0x80);
  }
}

function encode(message: Buffer, encoding: string): Uint8Array {
  switch (encoding) {
    case "gzip":
      return gzipSync(message, { level: 1 });
    case "br":
      return brotliCompressSync(message, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });
    default:
      return message;
  }
}
