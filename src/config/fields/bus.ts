import * as z from "zod/mini";
import type { BusSettings } from "../../bus/settings.ts";
import { ConfigError } from "../../lib/errors.ts";
import { optional, required, type ValuesOf, withDefault } from "../field.ts";
import { byteSize, httpUrl, text, type ValueType } from "../value-types.ts";

const SCHEMES = ["ws:", "wss:", "pulsar:", "pulsar+ssl:"];

const busUrl: ValueType<string> = {
  schema: z.string().check(z.refine((value) => SCHEMES.includes(URL.parse(value)?.protocol ?? ""))),
  expected: "a URL such as ws://127.0.0.1:8080 (Pulsar's WebSocket API) or pulsar://127.0.0.1:6650",
  fromText: (value) => value,
  placeholder: "url",
};

/** Keys of {@link BusSettings}. */
export const busFields = {
  busUrl: required<string>(
    busUrl,
    "Pulsar: ws:// or wss:// for its WebSocket API, pulsar:// or pulsar+ssl://",
  ),
  busTenant: withDefault<string>(text("name"), "evenkeel", "Pulsar's tenant"),
  busToken: optional<string>(text("token", "a token"), "Token that Pulsar asks for; better in a file", {
    secret: true,
  }),
  busTokenFile: optional<string>(text("path", "a path"), "File with Pulsar's token, read at every connect"),
  busTrustCerts: optional<string>(
    text("path", "a path"),
    "PEM of the authorities that Pulsar's certificate may come from; unset: those that Node trusts",
  ),
  busMaxMessage: optional<number>(
    byteSize,
    "Largest message that the broker takes; unset: what one of default settings does",
  ),
  busAdminUrl: optional<string>(httpUrl, "Pulsar's admin API, such as http://127.0.0.1:8080"),
};

/** The configuration that the keys say. Throws `ConfigError` when there are two tokens, because only one could be meant. */
export function toBusSettings(values: ValuesOf<typeof busFields>): BusSettings {
  if (values.busToken !== undefined && values.busTokenFile !== undefined) {
    throw new ConfigError(
      "the configuration is not valid:\n  busToken and busTokenFile are both set: take one away",
    );
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

/** Where Pulsar's admin API is. A broker serves it beside its WebSocket API, so that URL will do. */
export function toAdminUrl({ url, adminUrl }: BusSettings): string {
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
