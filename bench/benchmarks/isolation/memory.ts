import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "../../../deploy/local/components/free-port.ts";
import { createPrograms, type Program } from "../../../test/support/e2e/programs.ts";
import type { Finding, IsolationCase } from "../../support/isolation/isolation-case.ts";
import { readProcessMemory } from "../../support/process-memory.ts";
import { until } from "../../support/until.ts";
import type { World } from "../../support/world.ts";

const AGENTS = Number(process.env["EVENKEEL_BENCH_AGENTS"] ?? 5_000);
const MIB = 1024 * 1024;
const LIMIT_MIB = 2_048;
/** Time that Kubernetes waits for a probe in the chart's Deployment. */
const PROBE_MS = 5_000;
const AWAY_MS = 60_000;
const OPEN_MS = 300_000;

/** Memory of a backend with many agents. */
export const memoryCases: readonly IsolationCase[] = [
  {
    row: 22,
    attack: `${AGENTS.toLocaleString("en")} agents with 8 MiB each; the broker is away for a minute`,
    bound: `peak <= --memory-limit ${LIMIT_MIB}MiB; lives`,
    run: loseBroker,
  },
];

interface AgentCounts {
  readonly opening: number;
  readonly open: number;
  readonly acknowledged: number;
  readonly ended: number;
  readonly reconnects: number;
}

async function loseBroker(world: World): Promise<Finding> {
  const databaseUrl = await world.createDatabase();
  const { busUrl, name } = await world.createTenant();
  await using programs = createPrograms();
  await using crowds = createPrograms(
    fileURLToPath(new URL("../../support/isolation/many-agents-process.ts", import.meta.url)),
  );
  const [port, probePort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const backend = programs.start(
    ...["backend", "--insecure-no-auth", "--port", String(port), "--probe-port", String(probePort)],
    ...["--database-url", databaseUrl, "--bus-url", busUrl, "--bus-tenant", name],
    ...["--memory-limit", `${LIMIT_MIB}MiB`, "--reconcile-interval", "1h", "--log-level", "error"],
  );
  await until("the backend", async () => backend.isRunning() && (await fetch(url)).status > 0, backend);
  const base = readProcessMemory(backend.pid).residentBytes;
  const crowd = crowds.start(url, String(AGENTS));
  const isOpen = async (): Promise<boolean> => {
    const { open, ended } = countAgents(crowd);
    return open + ended === AGENTS;
  };
  await until("the sessions", isOpen, crowd, OPEN_MS);
  const idle = readProcessMemory(backend.pid).residentBytes;
  const { open } = countAgents(crowd);
  const brokerId = await world.brokerProcessId();
  process.kill(brokerId, "SIGSTOP");
  process.kill(crowd.pid, "SIGUSR2");
  const probesMs: number[] = [];
  try {
    for (const end = performance.now() + AWAY_MS; performance.now() < end; await sleep(1_000)) {
      probesMs.push(await probe(probePort));
    }
  } finally {
    process.kill(brokerId, "SIGCONT");
  }
  const away = readProcessMemory(backend.pid).peakBytes;
  const during = countAgents(crowd);
  const detail =
    `${open.toLocaleString("en")} sessions; without agents ${toMib(base)}, idle ${toMib(idle)} ` +
    `(${Math.round((idle - base) / open / 1024)} KiB each), peak ${toMib(away)} MiB; ` +
    `${during.reconnects} sessions ended while the broker was away; slowest /livez ${Math.max(...probesMs).toFixed(0)} ms`;
  return {
    detail,
    holds: Math.max(...probesMs) < PROBE_MS && backend.isRunning() && away <= LIMIT_MIB * MIB,
  };
}

function countAgents(crowd: Program): AgentCounts {
  const none: AgentCounts = { opening: 0, open: 0, acknowledged: 0, ended: 0, reconnects: 0 };
  // The last line may be incomplete.
  const line = crowd.stdout().split("\n").at(-2);
  return line === undefined ? none : JSON.parse(line);
}

/** Returns the time of an answer of `/livez`, in milliseconds, or infinity. */
async function probe(probePort: number): Promise<number> {
  const start = performance.now();
  const url = `http://127.0.0.1:${probePort}/livez`;
  const answer = fetch(url, { signal: AbortSignal.timeout(6 * PROBE_MS) });
  const isLive = await answer.then(({ status }) => status === 200).catch(() => false);
  return isLive ? performance.now() - start : Number.POSITIVE_INFINITY;
}

function toMib(bytes: number): string {
  return (bytes / MIB).toFixed(0);
}
