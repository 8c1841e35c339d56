import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../../../gen/proto/evenkeel/v1/failure_pb.ts";
import { FleetService } from "../../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../../../gen/proto/google/rpc/error_details_pb.ts";
import { DeadlineError } from "../../../../src/lib/clock.ts";
import {
  ConfigError,
  ConflictError,
  type ErrorInfo,
  InvalidArgumentError,
  NotFoundError,
  RetryableError,
  TerminalError,
  UnsupportedError,
} from "../../../../src/lib/errors.ts";
import type { Log } from "../../../../src/lib/log.ts";
import { toConnectError } from "../../../../src/rpc/server/error-mapping.ts";
import { grpcClient, serveForTest } from "../../../support/rpc/serve-for-test.ts";
import { createTestLog } from "../../../support/vitest/test-log.ts";

const going = new AbortController().signal;
const abortError = new DOMException("This operation was aborted", "AbortError");
/** Error of Node's streams when a request's connection is closed before its end. */
const prematureClose = Object.assign(new Error("Premature close"), { code: "ERR_STREAM_PREMATURE_CLOSE" });
const terminal = new TerminalError("the uid differs");
const expired = new ConnectError(
  "token: expired",
  Code.Unauthenticated,
  undefined,
  undefined,
  new TerminalError("token: expired", { info: { reason: "TOKEN_EXPIRED" } }),
);

test("an outage of the database is logged once, with the text that callers do not see (L22)", async () => {
  const lines: unknown[] = [];
  const record = (level: string) => (message: string, fields?: object) =>
    lines.push([level, message, fields]);
  const log: Log = {
    ...createTestLog("server"),
    with: () => log,
    warn: record("warn"),
    info: record("info"),
  };
  const outage = { isActive: true };
  await using server = await serveForTest(
    {
      fleet: {
        getCluster: () => {
          if (outage.isActive) {
            throw new RetryableError("connect ECONNREFUSED 10.0.0.1:5432", {
              publicMessage: "no database; try again",
            });
          }
          return {};
        },
      },
    },
    { log },
  );
  const client = grpcClient(FleetService, server.url);
  for (let n = 0; n < 3; n++) {
    await expect(client.getCluster({ name: "c" })).rejects.toMatchObject({
      code: Code.Unavailable,
      rawMessage: "no database; try again",
    });
  }
  outage.isActive = false;
  await client.getCluster({ name: "c" });
  expect(lines).toEqual([
    ["warn", "calls fail", { error: "connect ECONNREFUSED 10.0.0.1:5432" }],
    ["info", "calls succeed again", undefined],
  ]);
});

describe("the error that a caller receives", () => {
  test.each<[string, unknown, AbortSignal, Code, string, boolean]>([
    ["ConnectError", new ConnectError("gone", Code.DataLoss), going, Code.DataLoss, "gone", false],
    [
      "InvalidArgumentError",
      new InvalidArgumentError([{ field: "a.b", description: "is odd" }]),
      going,
      Code.InvalidArgument,
      "a.b: is odd",
      false,
    ],
    ["NotFoundError", new NotFoundError("no cluster c1"), going, Code.NotFound, "no cluster c1", false],
    ["ConflictError", new ConflictError("a run is active"), going, Code.Aborted, "a run is active", false],
    ["TerminalError", terminal, going, Code.FailedPrecondition, "the uid differs", false],
    ["ConfigError", new ConfigError("port: no"), going, Code.FailedPrecondition, "port: no", false],
    ["RetryableError", new RetryableError("no database"), going, Code.Unavailable, "no database", false],
    ["DeadlineError", new DeadlineError(10), going, Code.DeadlineExceeded, "deadline of 10 ms passed", false],
    ["another Error", new Error("SELECT secret"), going, Code.Internal, "internal error", true],
    ["a thrown string", "SELECT secret", going, Code.Internal, "internal error", true],
    ["undefined", undefined, going, Code.Internal, "internal error", true],
    ["an abort inside the handler", abortError, going, Code.Internal, "internal error", true],
    ["a lost connection", prematureClose, going, Code.Canceled, "call: the connection was closed", false],
    ...[
      "ERR_HTTP2_INVALID_STREAM",
      "ERR_HTTP2_INVALID_SESSION",
      "ERR_STREAM_DESTROYED",
      "ERR_STREAM_WRITE_AFTER_END",
    ].map((code): [string, unknown, AbortSignal, Code, string, boolean] => {
      const error = Object.assign(new Error("The stream has been destroyed"), { code });
      return [
        `an answer after the end: ${code}`,
        error,
        going,
        Code.Canceled,
        "call: the connection was closed",
        false,
      ];
    }),
    ["an abort of the call", abortError, AbortSignal.abort(), Code.Canceled, "call: cancelled", false],
    [
      "an abort with a reason",
      abortError,
      AbortSignal.abort(terminal),
      Code.FailedPrecondition,
      "the uid differs",
      false,
    ],
    ["the reason of the abort", "bye", AbortSignal.abort("bye"), Code.Canceled, "call: cancelled", false],
    ["a defect after an abort", new Error("bug"), AbortSignal.abort(), Code.Internal, "internal error", true],
  ])("%s", (_, error, signal, code, message, logged) => {
    const log = createTestLog();
    expect(toConnectError(error, signal, log)).toMatchObject({ code, rawMessage: message });
    expect(log.entries.filter(({ level }) => level === "error").map(({ fields }) => fields)).toEqual(
      logged ? [{ error }] : [],
    );
  });

  test("has the delay before a retry", () => {
    const error = toConnectError(new RetryableError("busy", { retryAfterMs: 1500 }), going, createTestLog());
    const [detail] = error.details;
    expect(detail).toMatchObject({
      desc: RetryInfoSchema,
      value: { retryDelay: { seconds: 1n, nanos: 500_000_000 } },
    });
  });

  test("has the violations", () => {
    const fieldViolations = [{ field: "name", description: "is odd" }];
    const error = toConnectError(new InvalidArgumentError(fieldViolations), going, createTestLog());
    expect(error.details).toMatchObject([
      { desc: BadRequestSchema, value: { fieldViolations } },
      { desc: ErrorInfoSchema, value: { reason: "INVALID_FIELD", domain: "evenkeel.dev" } },
    ]);
  });

  test.each<[string, unknown, ErrorInfo["reason"], ErrorInfo["metadata"]]>([
    [
      "of its own",
      new ConflictError("busy", { info: { reason: "RUN_ACTIVE", metadata: { run_id: "1" } } }),
      "RUN_ACTIVE",
      { run_id: "1" },
    ],
    ["of its code", new NotFoundError("no cluster"), "NOT_FOUND", {}],
    ["of a missing feature", new UnsupportedError("label_selector: not supported"), "UNSUPPORTED", {}],
    ["of the server's absence", new RetryableError("away"), "UNAVAILABLE", {}],
    ["of a defect", new Error("bug"), "INTERNAL", {}],
    ["of a call without a token", new ConnectError("no token", Code.Unauthenticated), "UNAUTHENTICATED", {}],
    ["of the error that was translated", expired, "TOKEN_EXPIRED", {}],
  ])("has a reason: that %s", (_, thrown, reason, metadata) => {
    const error = toConnectError(thrown, going, createTestLog());
    const infos = error.details.filter((detail) => "desc" in detail && detail.desc === ErrorInfoSchema);
    expect(infos).toEqual([{ desc: ErrorInfoSchema, value: { reason, domain: "evenkeel.dev", metadata } }]);
    expect(Object.keys(ErrorReason)).toContain(reason);
  });
});

describe("the error that a caller receives is bounded", () => {
  const long = "é".repeat(100_000);

  test.each<[string, unknown, AbortSignal]>([
    ["ConnectError", new ConnectError(long, Code.NotFound), going],
    ["InvalidArgumentError", new InvalidArgumentError([{ field: long, description: long }]), going],
    ["NotFoundError", new NotFoundError(long), going],
    ["TerminalError", new TerminalError(long), going],
    ["RetryableError", new RetryableError(long, { retryAfterMs: 1500 }), going],
    ["the reason of an abort", abortError, AbortSignal.abort(new TerminalError(long))],
  ])("of %s", (_, error, signal) => {
    const { rawMessage, code } = toConnectError(error, signal, createTestLog());
    expect(code).not.toBe(Code.Internal);
    expect(rawMessage).toMatch(/^(é|\.\.\.|: )+$/);
    expect(Buffer.byteLength(rawMessage)).toBeLessThanOrEqual(4096);
  });

  test("and keeps code, metadata, details and cause", () => {
    const cause = new RetryableError(long, { retryAfterMs: 1500 });
    const error = toConnectError(cause, going, createTestLog());
    expect(error).toMatchObject({ code: Code.Unavailable, cause });
    expect(error.details).toMatchObject([{ desc: RetryInfoSchema }, { desc: ErrorInfoSchema }]);
    const own = new ConnectError(long, Code.DataLoss, { "x-a": "b" });
    expect(toConnectError(own, going, createTestLog()).metadata.get("x-a")).toBe("b");
  });

  test.each([
    ["short ones", "", 20],
    ["long ones", long, 3],
  ])("to at most 20 violations of %s, and has the number of the others", (_, text, count) => {
    const violations = Array.from({ length: 1_000 }, (_value, index) => ({
      field: `items[${index}]${text}`,
      description: `is odd${text}`,
    }));
    const error = toConnectError(new InvalidArgumentError(violations), going, createTestLog());
    expect(error.rawMessage).toMatch(new RegExp(`; and ${1_000 - count} more$`));
    expect(Buffer.byteLength(error.rawMessage)).toBeLessThanOrEqual(4096);
    const [detail] = error.details as unknown as [{ value: { fieldViolations: typeof violations } }];
    const { fieldViolations } = detail.value;
    expect(fieldViolations.map(({ field }) => field.slice(0, 8))).toEqual(
      violations.slice(0, count).map(({ field }) => field.slice(0, 8)),
    );
    expect(Buffer.byteLength(JSON.stringify(fieldViolations))).toBeLessThanOrEqual(4096);
  });
});

describe("over the wire", () => {
  test("a unary call gets its error, and the log has the original with the method", async () => {
    const log = createTestLog();
    const original = new Error("SELECT secret");
    await using server = await serveForTest(
      { fleet: { getCluster: () => Promise.reject(original) } },
      { log },
    );
    const call = grpcClient(FleetService, server.url).getCluster({ name: "c1" });
    await expect(call).rejects.toMatchObject({ code: Code.Internal, rawMessage: "internal error" });
    expect(log.entries.map(({ fields }) => fields)).toEqual([
      { method: "evenkeel.v1.FleetService/GetCluster", error: original },
    ]);
  });

  test("a stream gets its error with details after its first message", async () => {
    await using server = await serveForTest({
      fleet: {
        async *watchReconciliationRuns() {
          yield { run: { id: "1" } };
          throw new RetryableError("no database", { retryAfterMs: 2000 });
        },
      },
    });
    const stream = grpcClient(FleetService, server.url).watchReconciliationRuns({})[Symbol.asyncIterator]();
    await stream.next();
    const error = await stream.next().catch((reason: unknown) => ConnectError.from(reason));
    expect(error).toMatchObject({ code: Code.Unavailable, rawMessage: "no database" });
    expect((error as ConnectError).findDetails(RetryInfoSchema)[0]?.retryDelay?.seconds).toBe(2n);
  });
});
