import { ConfigError } from "../../lib/errors.ts";
import type { BusConfig } from "./bus.ts";

/** Where Pulsar's admin API is. A broker serves it beside its WebSocket API, so that URL will do. */
export function toAdminUrl({ url, adminUrl }: BusConfig): string {
  if (adminUrl !== undefined) {
    return adminUrl;
  }
  const { protocol, host } = new URL(url);
  if (protocol !== "ws:" && protocol !== "wss:") {
    throw new ConfigError(
      `the configuration is not valid:\n  busAdminUrl: is not set, and ${protocol}// does not tell it: give --bus-admin-url, such as http://127.0.0.1:8080`,
    );
  }
  return `${protocol === "wss:" ? "https:" : "http:"}//${host}`;
}
