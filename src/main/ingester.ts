import type { IngesterConfig } from "../config/programs/ingester.ts";
import { openBrokered } from "./program-context.ts";
import { Restart } from "./restart.ts";
import { superviseIngester } from "./supervise-ingester.ts";

/** Runs `evenkeel ingester` until `signal` aborts. A broker or a database that is away is waited for. */
export async function runIngester(signal: AbortSignal, config: IngesterConfig): Promise<void> {
  const restart = new Restart();
  await using opened = await openBrokered(signal, "evenkeel-ingester", config, {
    onHeldBack: (reason) => restart.ask(reason),
  });
  const { log } = opened.runtime;
  log.info("ingesting");
  await superviseIngester(signal, { ...opened, restart });
  log.info("stopped");
}
