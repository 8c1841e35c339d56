import * as z from "zod/mini";
import { NotFoundError, RetryableError } from "../../../lib/errors.ts";
import type { AdminRequest, AdminTransport } from "./transport.ts";

/** Gets what `schema` describes; an answer that is something else is no answer. One without content is undefined. */
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
    throw new RetryableError(`${what}: the answer is not as expected: ${problems}`);
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

/** What `read` gives; undefined when there is no such thing. */
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
