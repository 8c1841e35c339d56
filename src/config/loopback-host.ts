import { isIPv4 } from "node:net";
import * as z from "zod/mini";
import type { ValueType } from "./value-types.ts";

/** An address that only this machine reaches, for programs that take every caller. */
export const loopbackHost: ValueType<string> = {
  schema: z.string().check(z.refine(isLoopback)),
  expected: "a loopback address (127.0.0.1, ::1, localhost), because callers are not authenticated",
  fromText: (value) => value,
  placeholder: "address",
};

/** Whether only this machine reaches the address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
}
