import { expect, it } from "vitest";
import { toSendError } from "../../../../../src/bus/pulsar/websocket/send-error.ts";

const exception = (name: string): string =>
  `org.apache.pulsar.client.api.PulsarClientException$${name}: because`;

it.each([
  [3, "Unrecognized token", "refused"],
  [7, "Illegal base64 character 21", "refused"],
  [8, exception("InvalidMessageException"), "refused"],
  [8, exception("TopicTerminatedException"), "refused"],
  [8, exception("ProducerQueueIsFullError"), "refused"],
  [8, exception("TimeoutException"), "unknown"],
  [8, `${exception("TimeoutException")} retryCount 0`, "refused"],
  [8, `${exception("TimeoutException")} retryCount 10`, "unknown"],
  [8, exception("NotConnectedException"), "unknown"],
  [8, exception("SomethingNewException"), "unknown"],
  [8, "no exception at all", "unknown"],
  [8, exception("ProducerBlockedQuotaExceededException"), "unknown"],
  [99, "a code from the future", "unknown"],
])("send-error:%i, %s, is %s", (code, reason, outcome) => {
  const { error } = toSendError({ type: "failed", code, reason }, "main/events");
  expect(error.name).toBe(outcome === "refused" ? "PublishRefusedError" : "PublishUnknownError");
  expect(error.message).toContain(reason);
});

it.each([
  ["ProducerBlockedQuotaExceededException", true],
  ["TopicTerminatedException", true],
  ["AlreadyClosedException", true],
  ["InvalidMessageException", false],
  ["SomethingNewException", false],
])("%s ends the producer of the connection: %s", (name, isEnd) => {
  expect(toSendError({ type: "failed", code: 8, reason: exception(name) }, "t")).toMatchObject({ isEnd });
});
