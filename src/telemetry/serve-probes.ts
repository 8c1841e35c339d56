import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { NEVER, waitFor } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { toMessage } from "../lib/errors.ts";
import { findForeignOrigin, isLoopback } from "../lib/loopback.ts";
import { listen, toAuthority } from "../rpc/server/listen.ts";
import type { PrometheusMetrics } from "./prometheus-metrics.ts";

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
  /** Answers `/metrics`, with the number of failed checks as a metric. */
  readonly prometheus: PrometheusMetrics;
  readonly clock: Clock;
}

/** Server for the probes of an orchestrator and the scrapes of Prometheus. */
export interface ProbeServer extends AsyncDisposable {
  readonly url: string;
}

/** Timeout of all checks. Kubernetes' default timeout of a probe is one second. */
const CHECK_TIMEOUT_MS = 900;

/** Time for which the result of a check is kept, in milliseconds. */
const KEEP_RESULT_MS = 1_000;

/**
 * Serves `/livez` (the process answers), `/readyz` (all dependencies are available; 503 names those that are not) and
 * `/metrics` (Prometheus), as text. No authentication: the answers contain no data of any account. A scrape runs the
 * checks too, so that an alert can detect a program that is not ready.
 *
 * @throws ConfigError if the server cannot listen on the port
 */
export async function serveProbes(signal: AbortSignal, options: ProbeOptions): Promise<ProbeServer> {
  const isLocalOnly = isLoopback(options.host);
  const runChecks = combine(options);
  const server = createServer((request, response) => {
    const { host, origin } = request.headers;
    const foreign = isLocalOnly ? findForeignOrigin({ host, origin }) : undefined;
    if (foreign !== undefined) {
      respond(response, 403, `forbidden: ${foreign}\n`);
      return;
    }
    answer(runChecks, options.prometheus, request, response).catch((error: unknown) =>
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

/** Result of a check; `problem` is unset if the dependency is available. */
interface CheckResult {
  readonly name: string;
  readonly problem?: string;
}

/** Returns a function that returns the results of all checks, and exports how many have failed at its last call. */
function combine({ checks, clock, prometheus }: ProbeOptions): () => Promise<readonly CheckResult[]> {
  const shared = checks.map((check) => shareResult(clock, check));
  let failed: number | undefined;
  prometheus.metrics.gauge(
    "evenkeel_failed_readiness_checks",
    "Checks of /readyz that fail; 0: the program is ready",
    () => failed,
  );
  return async () => {
    const results = await Promise.all(shared.map((check) => check()));
    failed = results.filter(({ problem }) => problem !== undefined).length;
    return results;
  };
}

/**
 * Returns a function that runs a check, or returns its last result. One runs at a time, and its result is kept for a
 * second: every caller may send requests, and each check of the database takes one of its connections.
 */
function shareResult(clock: Clock, check: ReadinessCheck): () => Promise<CheckResult> {
  let last: Promise<CheckResult> | undefined;
  let keptUntil = Number.POSITIVE_INFINITY;
  return () => {
    if (last === undefined || clock.monotonic() >= keptUntil) {
      keptUntil = Number.POSITIVE_INFINITY;
      last = run(clock, check).finally(() => {
        keptUntil = clock.monotonic() + KEEP_RESULT_MS;
      });
    }
    return last;
  };
}

async function answer(
  runChecks: () => Promise<readonly CheckResult[]>,
  prometheus: PrometheusMetrics,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [path] = (request.url ?? "").split("?");
  switch (path) {
    case "/livez":
      return respond(response, 200, "ok\n");
    case "/readyz": {
      const results = await runChecks();
      const isReady = results.every(({ problem }) => problem === undefined);
      const lines = results.map(({ name, problem }) =>
        problem ? `[-] ${name}: ${problem}\n` : `[+] ${name}\n`,
      );
      return respond(response, isReady ? 200 : 503, lines.join(""));
    }
    case "/metrics":
      await runChecks();
      return prometheus.handle(request, response);
    default:
      return respond(response, 404, "not found: use /livez, /readyz or /metrics\n");
  }
}

async function run(clock: Clock, { name, check }: ReadinessCheck): Promise<CheckResult> {
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
