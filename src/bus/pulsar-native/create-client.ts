import { toMessage } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { BusSettings } from "../bus-settings.ts";
import { createTokenReader, type TokenReader } from "../token-reader.ts";
import type { PulsarClient, PulsarClientPackage } from "./pulsar-client.ts";

/** How long a lookup, or opening a producer or consumer, is tried for. */
const OPERATION_TIMEOUT_S = 30;

/** Levels of the lines that Pulsar's client logs. */
const WARN = 2;
const ERROR = 3;

/** A client of the broker, which connects when something is opened. What it has to say goes into `log`. */
export function createClient(settings: BusSettings, log: Log, pulsar: PulsarClientPackage): PulsarClient {
  const { url, trustCertsFile } = settings;
  pulsar.Client.setLogHandler((level, _file, _line, message) =>
    level >= ERROR ? log.error(message) : log.warn(message),
  );
  const readToken = createTokenReader(settings);
  return new pulsar.Client({
    serviceUrl: url,
    operationTimeoutSeconds: OPERATION_TIMEOUT_S,
    logLevel: WARN,
    // Its default takes any certificate that one of the authorities has signed, whomever for.
    tlsValidateHostname: true,
    ...(trustCertsFile !== undefined && { tlsTrustCertsFilePath: trustCertsFile }),
    ...(readToken !== undefined && {
      authentication: new pulsar.AuthenticationToken({ token: withoutThrowing(readToken, log) }),
    }),
  });
}

/** Pulsar's client waits for ever for a token from a function that throws: the last one has to do then. */
function withoutThrowing(readToken: TokenReader, log: Log): TokenReader {
  let token = "";
  return () => {
    try {
      token = readToken();
    } catch (error) {
      log.warn("the last token is used again", { error: toMessage(error) });
    }
    return token;
  };
}
