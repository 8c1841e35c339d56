import type { DevConfig } from "../config/dev-config.ts";
import { TerminalError } from "../lib/errors.ts";

/** Runs `evenkeel dev` until `signal` aborts. */
export async function runDev(_signal: AbortSignal, _config: DevConfig): Promise<void> {
  throw new TerminalError("dev is not wired yet");
}
