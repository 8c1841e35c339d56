import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { NEVER } from "../../../lib/abort.ts";
import type { Clock } from "../../../lib/clock.ts";
import { toMessage } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";
import { createTokenSource } from "../../../lib/token-source.ts";
import type { BusSettings } from "../../settings.ts";
import type { PulsarClient, PulsarClientPackage } from "./pulsar-client.ts";

/** A client of the broker. It connects when a producer or consumer is opened. */
export interface ClientHandle {
  /** Returns the client. A caller that keeps it after {@link close} keeps the process alive. */
  get(): PulsarClient;
  /** Closes the client, and removes the reference to it. */
  close(): Promise<void>;
}

/** Time limit of a lookup and of opening a producer or consumer, in seconds. */
const OPERATION_TIMEOUT_S = 30;

/** Levels of the lines that Pulsar's client logs. */
const WARN = 2;
const ERROR = 3;

/**
 * Creates a client that logs to `log`. The client calls the function of its token through a handle that keeps
 * the process alive. It releases this handle only when its objects are garbage-collected; without that, a
 * finished process would not end. Therefore `close` collects garbage.
 */
export function createClient(
  settings: BusSettings,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  pulsar: PulsarClientPackage,
): ClientHandle {
  const { url, trustCertsFile } = settings;
  pulsar.Client.setLogHandler((level, _file, _line, message) =>
    log[level >= ERROR ? "error" : "warn"]("Pulsar client failure reported", { error: message }),
  );
  const readToken = createTokenSource(settings)?.read;
  const authentication =
    readToken && new pulsar.AuthenticationToken({ token: withoutThrowing(readToken, log) });
  let client: PulsarClient | undefined = new pulsar.Client({
    serviceUrl: url,
    operationTimeoutSeconds: OPERATION_TIMEOUT_S,
    logLevel: WARN,
    // By default the client accepts the certificate of any host.
    tlsValidateHostname: true,
    ...(trustCertsFile !== undefined && { tlsTrustCertsFilePath: trustCertsFile }),
    ...(authentication !== undefined && { authentication }),
  });
  // A separate function, because an async function keeps references to its variables while it waits.
  const releaseClient = (): Promise<unknown> | undefined => {
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
      await releaseClient();
      if (readToken !== undefined) {
        await forceGarbageCollection(clock);
      }
    },
  };
}

/** Returns the last token if `readToken` throws, because Pulsar's client then waits without end. */
function withoutThrowing(readToken: () => string, log: Log): () => string {
  let token = "";
  return () => {
    try {
      token = readToken();
    } catch (error) {
      log.warn("token not read; using the last one", { error: toMessage(error) });
    }
    return token;
  };
}

/** Number of garbage collections, and the time between them in milliseconds. */
const ROUNDS = 5;
const INTERVAL_MS = 5;

/**
 * Collects garbage several times, because the objects that an addon holds become garbage after the addon's
 * object.
 */
async function forceGarbageCollection(clock: Clock): Promise<void> {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  for (let round = 0; round < ROUNDS; round++) {
    await clock.sleep(NEVER, INTERVAL_MS);
    collect();
  }
}
