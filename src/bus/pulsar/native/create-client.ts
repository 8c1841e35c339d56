import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { NEVER } from "../../../lib/abort.ts";
import type { Clock } from "../../../lib/clock.ts";
import { toMessage } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";
import { createTokenSource } from "../../../lib/token-source.ts";
import type { BusSettings } from "../../settings.ts";
import type { PulsarClient, PulsarClientPackage } from "./pulsar-client.ts";

/** A client of the broker, which connects when something is opened. */
export interface ClientHandle {
  /** The client. Whoever keeps it after {@link close} keeps the process alive. */
  get(): PulsarClient;
  /** Closes the client, and lets go of it. */
  close(): Promise<void>;
}

/** How long a lookup, or opening a producer or consumer, is tried for. */
const OPERATION_TIMEOUT_S = 30;

/** Levels of the lines that Pulsar's client logs. */
const WARN = 2;
const ERROR = 3;

/**
 * Makes a client; what it has to say goes into `log`. It calls a function for its token by way of something that keeps the
 * process alive, and lets go of that nowhere but where its objects are collected: a process that is done would wait for it.
 */
export function createClient(
  settings: BusSettings,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  pulsar: PulsarClientPackage,
): ClientHandle {
  const { url, trustCertsFile } = settings;
  pulsar.Client.setLogHandler((level, _file, _line, message) =>
    level >= ERROR ? log.error(message) : log.warn(message),
  );
  const readToken = createTokenSource(settings)?.read;
  const authentication =
    readToken && new pulsar.AuthenticationToken({ token: withoutThrowing(readToken, log) });
  let client: PulsarClient | undefined = new pulsar.Client({
    serviceUrl: url,
    operationTimeoutSeconds: OPERATION_TIMEOUT_S,
    logLevel: WARN,
    // Its default takes any certificate that one of the authorities has signed, whomever for.
    tlsValidateHostname: true,
    ...(trustCertsFile !== undefined && { tlsTrustCertsFilePath: trustCertsFile }),
    ...(authentication !== undefined && { authentication }),
  });
  // A function of its own, because one that waits keeps what it has touched.
  const letGo = (): Promise<unknown> | undefined => {
    const closing = client?.close();
    client = undefined;
    return closing;
  };
  return {
    get() {
      if (client === undefined) {
        throw new Error("the client is closed");
      }
      return client;
    },
    async close() {
      await letGo();
      if (readToken !== undefined) {
        await forceGarbageCollection(clock);
      }
    },
  };
}

/** Pulsar's client waits for ever for a token from a function that throws: the last one has to do then. */
function withoutThrowing(readToken: () => string, log: Log): () => string {
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

/** How often, and the time between, in milliseconds. */
const ROUNDS = 5;
const INTERVAL_MS = 5;

/** Collects garbage, some times: what an object of an addon holds becomes garbage a moment after that object has gone. */
async function forceGarbageCollection(clock: Clock): Promise<void> {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  for (let round = 0; round < ROUNDS; round++) {
    await clock.sleep(NEVER, INTERVAL_MS);
    collect();
  }
}
