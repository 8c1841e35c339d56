import { toHttpUrl } from "../../bus/pulsar/websocket/endpoint-url.ts";
import type { BusSettings } from "../../bus/settings.ts";
import { optional, required, type ValuesOf, withDefault } from "../field.ts";
import { invalidConfig } from "../load.ts";
import { baseUrl, byteSize, httpUrl, text } from "../value-types.ts";

const busUrl = baseUrl(
  ["ws:", "wss:", "pulsar:", "pulsar+ssl:"],
  "a URL such as ws://127.0.0.1:8080 (Pulsar's WebSocket API) or pulsar://127.0.0.1:6650",
);

/** Keys of {@link BusSettings}. */
export const busFields = {
  busUrl: required<string>(
    busUrl,
    "Pulsar URL: ws:// or wss:// for the WebSocket API, pulsar:// or pulsar+ssl:// for the native protocol",
  ),
  busTenant: withDefault<string>(text("name"), "evenkeel", "Pulsar tenant"),
  busToken: optional<string>(
    text("token", "a token"),
    "Pulsar token (prefer --bus-token-file: flags show in the process list)",
    { secret: true },
  ),
  busTokenFile: optional<string>(
    text("path", "a path"),
    "File with the Pulsar token, read at every connection",
  ),
  busTrustCerts: optional<string>(
    text("path", "a path"),
    "PEM file of the authorities to trust for Pulsar's certificate; unset: those of Node.js",
  ),
  busMaxMessage: optional<number>(
    byteSize,
    "Largest message that the broker accepts; unset: the default of Pulsar",
  ),
  busAdminUrl: optional<string>(
    httpUrl,
    "Pulsar admin API, such as http://127.0.0.1:8080; unset: derived from a ws:// or wss:// URL",
  ),
};

/**
 * Returns the settings for the keys.
 *
 * @throws ConfigError if both a token and a token file are set.
 */
export function toBusSettings(values: ValuesOf<typeof busFields>): BusSettings {
  if (values.busToken !== undefined && values.busTokenFile !== undefined) {
    throw invalidConfig("busToken: set together with busTokenFile; remove one of them");
  }
  return {
    url: values.busUrl,
    tenant: values.busTenant,
    token: values.busToken,
    tokenFile: values.busTokenFile,
    trustCertsFile: values.busTrustCerts,
    maxMessageBytes: values.busMaxMessage,
    adminUrl: values.busAdminUrl,
  };
}

/**
 * Returns the URL of Pulsar's admin API. A broker serves it on the port of its WebSocket API.
 *
 * @throws ConfigError if no admin URL is set and the bus URL is not one of the WebSocket API.
 */
export function toAdminUrl({ url, adminUrl }: BusSettings): string {
  if (adminUrl !== undefined) {
    return adminUrl;
  }
  const { protocol } = new URL(url);
  if (protocol !== "ws:" && protocol !== "wss:") {
    throw invalidConfig(
      `busAdminUrl: required with a ${protocol}// busUrl; set --bus-admin-url, such as http://127.0.0.1:8080`,
    );
  }
  return toHttpUrl(url).origin;
}
