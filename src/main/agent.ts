import type { AgentConfig } from "../config/agent-config.ts";
import { TerminalError } from "../lib/errors.ts";

/** Runs `evenkeel agent` until `signal` aborts. */
export async function runAgent(_signal: AbortSignal, _config: AgentConfig): Promise<void> {
  throw new TerminalError("agent is not wired yet");
}
