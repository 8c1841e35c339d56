import type { IngesterConfig } from "../config/ingester-config.ts";
import { openBrokered } from "./open-brokered.ts";
import { superviseIngester } from "./supervise-ingester.ts";

/** Runs `evenkeel ingester` until `signal` aborts. A broker or a database that is away is waited for. */
export async function runIngester(signal: AbortSignal, config: IngesterConfig): Promise<void> {
  await using opened = await openBrokered(signal, "evenkeel-ingester", config);
  const { log } = opened.runtime;
  log.info("ingesting");
  await superviseIngester(signal, opened);
  log.info("stopped");
}
