import { describe, expect, it } from "vitest";
import { PublishRefusedError, PublishUnknownError } from "../../../src/bus/bus.ts";
import { type Disposition, toDisposition } from "../../../src/ingester/disposition.ts";
import { InvalidArgumentError, RetryableError, TerminalError } from "../../../src/lib/errors.ts";
import { PoisonError, StatementError } from "../../../src/store/sql-error.ts";

const running = new AbortController().signal;
const stopped = AbortSignal.abort(new Error("stop"));

describe("what a failed attempt means", () => {
  it.each<[string, unknown, Disposition]>([
    ["something that passes", new RetryableError("gone"), { kind: "retry", afterMs: undefined }],
    [
      "something that passes, with a delay",
      new RetryableError("gone", { retryAfterMs: 700 }),
      { kind: "retry", afterMs: 700 },
    ],
    ["a refused publish", new PublishRefusedError("full"), { kind: "retry", afterMs: undefined }],
    ["a publish without receipt", new PublishUnknownError("lost"), { kind: "retry", afterMs: undefined }],
    ["what never succeeds", new TerminalError("no body"), { kind: "deadLetter", reason: "no body" }],
    [
      "a message that is not as it has to be",
      new InvalidArgumentError([{ field: "kind", description: "is required" }]),
      { kind: "deadLetter", reason: "kind: is required" },
    ],
    ["what Postgres cannot hold", new PoisonError("22P05"), { kind: "deadLetter", reason: "22P05" }],
    [
      "a statement of ours that is wrong",
      new StatementError("42601"),
      { kind: "deadLetter", reason: "42601" },
    ],
    ["a fault of ours", new TypeError("undefined"), { kind: "deadLetter", reason: "undefined" }],
    ["what is no Error", "a text", { kind: "deadLetter", reason: "a text" }],
    ["nothing at all", undefined, { kind: "deadLetter", reason: "undefined" }],
  ])("%s", (_, error, expected) => {
    expect(toDisposition(running, error)).toEqual(expected);
    expect(toDisposition(stopped, error)).toEqual({ kind: "stop" });
  });
});
