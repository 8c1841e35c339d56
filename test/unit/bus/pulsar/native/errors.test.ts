import { describe, expect, it } from "vitest";
import { PublishRefusedError, PublishUnknownError } from "../../../../../src/bus/bus.ts";
import { isBlocked, toOpenError, toPublishError } from "../../../../../src/bus/pulsar/native/errors.ts";
import { RetryableError, TerminalError } from "../../../../../src/lib/errors.ts";

const failed = (what: string, result: string) => new Error(`Failed to ${what}: ${result}`);

describe("a failed send", () => {
  it.each([
    ["MessageTooBig", PublishRefusedError],
    ["ProducerQueueIsFull", PublishRefusedError],
    ["ResultMemoryBufferIsFull", PublishRefusedError],
    ["ChecksumError", PublishRefusedError],
    ["InvalidMessage", PublishRefusedError],
    ["TimeOut", PublishUnknownError],
    ["AlreadyClosed", PublishUnknownError],
    ["ConnectError", PublishUnknownError],
    ["TopicTerminated", PublishUnknownError],
    ["ProducerBlockedQuotaExceededException", PublishUnknownError],
    ["an unknown result", PublishUnknownError],
  ])("with %s is classified by the possible storage of the message", (result, type) => {
    const error = toPublishError(failed("send message", result), "main/events", false);
    expect(error).toBeInstanceOf(type);
    expect(error.message).toContain("main/events");
    expect(error.message).toContain(result);
  });

  it("while the broker blocks the topic is refused", () => {
    const cause = failed("send message", "ProducerBlockedQuotaExceededException");
    expect(isBlocked(cause)).toBe(true);
    expect(toPublishError(cause, "main/events", true)).toBeInstanceOf(PublishRefusedError);
    const timeout = failed("send message", "TimeOut");
    expect(isBlocked(timeout)).toBe(false);
    expect(toPublishError(timeout, "main/events", true)).toBeInstanceOf(PublishUnknownError);
  });
});

describe("a failed open", () => {
  it.each([
    ["TopicNotFound", RetryableError, "evenkeel admin topics"],
    ["AuthenticationError", RetryableError, "token"],
    ["TimeOut", RetryableError, "check that the broker is running"],
    ["ServiceUnitNotReady", RetryableError, "the broker's log"],
    ["InvalidTopicName", TerminalError, "name"],
  ])("with %s names the result and the action", (result, type, advice) => {
    const error = toOpenError("producer of main/events", failed("create producer", result));
    expect(error).toBeInstanceOf(type);
    expect(error.message).toMatch(
      new RegExp(`^producer of main/events: refused with ${result}; .*${advice}`),
    );
  });
});
