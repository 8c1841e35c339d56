import { toMessage } from "../../../lib/errors.ts";

/** The name of the result that an error of Pulsar's client ends with: "Failed to send message: TimeOut". */
export function toResult(error: unknown): string {
  const message = toMessage(error);
  return message.slice(message.lastIndexOf(":") + 1).trim();
}
