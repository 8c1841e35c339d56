import type { ServerConfig } from "../config/server-config.ts";
import { TerminalError } from "../lib/errors.ts";

/** Runs `evenkeel server` until `signal` aborts. */
export async function runServer(_signal: AbortSignal, _config: ServerConfig): Promise<void> {
  throw new TerminalError("server is not wired yet");
}
