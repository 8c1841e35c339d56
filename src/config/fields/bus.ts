import * as z from "zod/mini";
import { ConfigError } from "../../lib/errors.ts";
import { optional, required, type ValuesOf, withDefault } from "../field.ts";
import { byteSize } from "../quantity.ts";
import { httpUrl, text, type ValueType } from "../value-types.ts";

/** Where the bus is, and how to be let in. */
export interface BusConfig {
  readonly url: string;
  readonly tenant: string;
  readonly token: string | undefined;
  /** Read again at every connect, so that it can be renewed. */
  readonly tokenFile: string | undefined;
  readonly trustCertsFile: string | undefined;
  /** Unset: what a broker of default settings takes. */
  readonly maxMessageBytes: number | undefined;
  /** Pulsar's admin API; unset: nothing asks it. */
  readonly adminUrl: string | undefined;
}

const SCHEMES = ["ws:", "wss:", "pulsar:", "pulsar+ssl:"];

const busUrl: ValueType<string> = {
  schema: z.string().check(z.refine((value) => SCHEMES.includes(URL.parse(value)?.protocol ?? ""))),
  expected: "a URL such as ws://127.0.0.1:8080 (Pulsar's WebSocket API) or pulsar://127.0.0.1:6650",
  fromText: (value) => value,
  placeholder: "url",
};

/** Keys of {@link BusConfig}. */
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
export function toBusConfig(values: ValuesOf<typeof busFields>): BusConfig {
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
