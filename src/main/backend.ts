import type { BackendConfig } from "../config/programs/backend-config.ts";
import { RetryableError } from "../lib/errors.ts";
import type { ReadinessCheck } from "../telemetry/serve-probes.ts";
import { openBrokered } from "./program-context.ts";
import { startBackend } from "./start-backend.ts";

/** Runs `evenkeel backend` until `signal` aborts. A broker or a database that is away is waited for. */
export async function runBackend(signal: AbortSignal, config: BackendConfig): Promise<void> {
  let isServing = false;
  const port: ReadinessCheck = {
    name: "port",
    async check() {
      if (!isServing) {
        throw new RetryableError("not open yet: the bus cannot be joined; the log says why");
      }
    },
  };
  await using opened = await openBrokered(signal, "evenkeel-backend", config, { checks: [port] });
  const { log } = opened.runtime;
  const backend = await startBackend(signal, { ...config, ...opened }).catch((error: unknown) => {
    if (!signal.aborted) {
      throw error;
    }
  });
  if (backend === undefined) {
    log.info("stopped before the bus could be joined");
    return;
  }
  isServing = true;
  log.info(config.auth.kind === "none" ? "serving without authentication, on loopback only" : "serving", {
    url: backend.url,
  });
  await backend.ended;
  log.info("stopped");
}
