import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { NEVER, waitFor } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { toMessage } from "../lib/errors.ts";
import { listen, toAuthority } from "../rpc/server/listen.ts";

/** Check of one dependency of a program. */
export interface ReadinessCheck {
  /** Name of the dependency, such as "database". */
  readonly name: string;
  /** Resolves if the dependency is available; rejects with the reason if it is not. */
  check(signal: AbortSignal): Promise<void>;
}

export interface ProbeOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly checks: readonly ReadinessCheck[];
  /** Answers `/metrics`. */
  readonly metrics: (request: IncomingMessage, response: ServerResponse) => void;
  readonly clock: Clock;
}

/** Server for the probes of an orchestrator and the scrapes of Prometheus. */
export interface ProbeServer extends AsyncDisposable {
  readonly url: string;
}

/** Timeout of all checks. Kubernetes' default timeout of a probe is one second. */
const CHECK_TIMEOUT_MS = 900;

/**
 * Serves `/livez` (the process answers), `/readyz` (all dependencies are available; 503 names those that are not) and
 * `/metrics` (Prometheus), as text. No authentication: the answers contain no data of any account.
 *
 * @throws ConfigError if the server cannot listen on the port
 */
export async function serveProbes(signal: AbortSignal, options: ProbeOptions): Promise<ProbeServer> {
  const server = createServer((request, response) => {
    answer(options, request, response).catch((error: unknown) =>
      respond(response, 500, `${toMessage(error)}\n`),
    );
  });
  const port = await listen(signal, server, options.host, options.port);
  return {
    url: `http://${toAuthority(options.host, port)}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  options: ProbeOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [path] = (request.url ?? "").split("?");
  switch (path) {
    case "/livez":
      return respond(response, 200, "ok\n");
    case "/readyz": {
      const results = await Promise.all(options.checks.map((check) => run(options.clock, check)));
      const isReady = results.every(({ problem }) => problem === undefined);
      const lines = results.map(({ name, problem }) =>
        problem ? `[-] ${name}: ${problem}\n` : `[+] ${name}\n`,
      );
      return respond(response, isReady ? 200 : 503, lines.join(""));
    }
    case "/metrics":
      return options.metrics(request, response);
    default:
      return respond(response, 404, "not found: use /livez, /readyz or /metrics\n");
  }
}

async function run(
  clock: Clock,
  { name, check }: ReadinessCheck,
): Promise<{ readonly name: string; readonly problem?: string }> {
  using deadline = clock.deadline(NEVER, CHECK_TIMEOUT_MS);
  try {
    await waitFor(deadline.signal, check(deadline.signal));
    return { name };
  } catch (error) {
    return { name, problem: toMessage(error) };
  }
}

function respond(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(body);
}
