import * as z from "zod/mini";
import { NotFoundError, RetryableError } from "../../../lib/errors.ts";
import type { AdminRequest, AdminTransport } from "./http-transport.ts";

/**
 * Reads JSON and validates it by `schema`. The schema receives undefined for an empty response.
 *
 * @throws RetryableError if the response is not JSON or does not match the schema.
 */
export async function readJson<T extends z.ZodMiniType>(
  signal: AbortSignal,
  transport: AdminTransport,
  schema: T,
  { path, query = {} }: Pick<AdminRequest, "path" | "query">,
): Promise<z.infer<T>> {
  const body = await transport.send(signal, { method: "GET", path, query });
  const what = `GET ${path} of Pulsar at ${transport.adminUrl}`;
  const result = schema.safeParse(parse(what, body));
  if (!result.success) {
    const problems = z.prettifyError(result.error);
    throw new RetryableError(`${what}: the response is not as expected: ${problems}`);
  }
  return result.data;
}

function parse(what: string, body: string): unknown {
  try {
    return body.trim() === "" ? undefined : JSON.parse(body);
  } catch (cause) {
    throw new RetryableError(`${what}: expected JSON, found ${JSON.stringify(body.slice(0, 100))}`, {
      cause,
    });
  }
}

/** Returns the result of `read`; undefined if it rejects with `NotFoundError`. */
export async function undefinedIfAbsent<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof NotFoundError) {
      return undefined;
    }
    throw error;
  }
}
