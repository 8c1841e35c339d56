import { ConfigError, toMessage } from "../../../lib/errors.ts";
import type { PulsarClientPackage } from "./pulsar-client.ts";

/** As a text, because the compiler would look for the package, which need not be there. */
const PACKAGE: string = "pulsar-client";

/** Loads Pulsar's own client. Throws `ConfigError` where its native part is not there, and says what else there is. */
export async function loadPulsarClient(): Promise<PulsarClientPackage> {
  try {
    const loaded: { readonly default: PulsarClientPackage } = await import(PACKAGE);
    return loaded.default;
  } catch (cause) {
    const [reason] = toMessage(cause).split("\n");
    throw new ConfigError(
      `pulsar:// needs the native part of the package ${PACKAGE}, which cannot be loaded (${reason}): ` +
        `fetch it with "npm run install --prefix node_modules/${PACKAGE}", or use Pulsar's WebSocket API, ws:// or wss:// and its port`,
      { cause },
    );
  }
}
