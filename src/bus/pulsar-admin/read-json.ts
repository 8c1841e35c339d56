import * as z from "zod/mini";
import { NotFoundError, RetryableError } from "../../lib/errors.ts";
import type { AdminRequest, AdminTransport } from "./admin-request.ts";

/** Gets what `schema` describes; an answer that is something else is no answer. */
export async function readJson<T extends z.ZodMiniType>(
  signal: AbortSignal,
  transport: AdminTransport,
  schema: T,
  { path, query = {} }: Pick<AdminRequest, "path" | "query">,
): Promise<z.infer<T>> {
  const result = schema.safeParse(await transport.send(signal, { method: "GET", path, query }));
  if (!result.success) {
    const problems = z.prettifyError(result.error);
    throw new RetryableError(`GET ${path}: Pulsar's answer is not as expected: ${problems}`);
  }
  return result.data;
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
