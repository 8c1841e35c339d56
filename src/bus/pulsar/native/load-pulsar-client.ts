import { ConfigError, toMessage } from "../../../lib/errors.ts";
import type { PulsarClientPackage } from "./pulsar-client.ts";

/** Typed as a string, so that the compiler does not resolve the package, which is optional. */
const PACKAGE: string = "pulsar-client";

/**
 * Loads Pulsar's own client.
 *
 * @throws ConfigError if its native part is not installed. The error names the alternative.
 */
export async function loadPulsarClient(): Promise<PulsarClientPackage> {
  try {
    const loaded: { readonly default: PulsarClientPackage } = await import(PACKAGE);
    return loaded.default;
  } catch (cause) {
    const [reason] = toMessage(cause).split("\n");
    throw new ConfigError(
      `the native part of the package ${PACKAGE}, which pulsar:// needs, cannot be loaded (${reason}); ` +
        `install it with "npm run install --prefix node_modules/${PACKAGE}", ` +
        "or use Pulsar's WebSocket API: ws:// or wss:// and its port",
      { cause },
    );
  }
}
