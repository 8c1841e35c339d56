import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../../../deploy/local/components/free-port.ts";
import { createReaper } from "../../../deploy/local/components/reaper.ts";
import { createPrograms, type Program, type Programs } from "../../../test/support/e2e/programs.ts";
import { createTokenIssuer } from "../../../test/support/rpc/token-issuer.ts";
import { until } from "../until.ts";
import type { World } from "../world.ts";
import { parseSamples, type Sample } from "./sample.ts";

/** Account that attacks. */
export const ATTACKER = "attacker";
const NEIGHBOUR = "neighbour";

/** A server with two accounts, one of which probes it all the time. */
export interface Target extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly probeUrl: string;
  readonly databaseUrl: string;
  readonly program: Program;
  /** Other programs of the case, such as an agent. They end with the target. */
  readonly programs: Programs;
  /** Token of the attacker for all clusters of its account. */
  readonly token: string;
  /** Directory of the target, for files of the case. */
  readonly directory: string;
  /** Returns the calls of the other account so far. */
  samples(): readonly Sample[];
  stopProbing(): Promise<unknown>;
  /** Removes the key that signed the attacker's tokens. */
  revokeAttacker(): void;
}

export interface TargetOptions {
  /** Limit of the server's heap in MB; default: Node's. */
  readonly heapMb?: number;
  /** Further flags of the server. */
  readonly flags?: readonly string[];
}

/** Starts a server on an empty database, and the other account's prober. */
export async function startTarget(world: World, { heapMb, flags = [] }: TargetOptions = {}): Promise<Target> {
  await using stack = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), "evenkeel-isolation-"));
  // Removes it, also after a signal.
  stack.use(createReaper()).add({ type: "dir", path: directory });
  const issuers = { [ATTACKER]: createTokenIssuer(), [NEIGHBOUR]: createTokenIssuer() };
  const keyFiles = Object.entries(issuers).map(([account, { publicPem }]) => {
    const path = join(directory, `${account}.pub`);
    writeFileSync(path, publicPem);
    return path;
  });
  const token = await issuers[ATTACKER].issue({ account: ATTACKER });
  const neighbourToken = await issuers[NEIGHBOUR].issue({ account: NEIGHBOUR });
  const servers = stack.use(
    createPrograms(undefined, heapMb === undefined ? [] : [`--max-old-space-size=${heapMb}`]),
  );
  const programs = stack.use(createPrograms());
  const probers = stack.use(createPrograms(fileURLToPath(new URL("prober-process.ts", import.meta.url))));
  const [port, probePort, databaseUrl] = [await freePort(), await freePort(), await world.createDatabase()];
  const url = `http://127.0.0.1:${port}`;
  const to = ["--port", String(port), "--probe-port", String(probePort), "--database-url", databaseUrl];
  const auth = ["--auth-public-keys", keyFiles.join(",")];
  const program = servers.start("server", ...to, ...auth, "--log-level", "warn", ...flags);
  await until("the server", async () => program.isRunning() && (await fetch(url)).status > 0, program);
  const prober = probers.start(url, neighbourToken);
  const samples = (): Sample[] => parseSamples(prober.stdout());
  const isProbing = async (): Promise<boolean> =>
    samples().some(({ type, error }) => type === "change" && error === undefined) && samples().length > 20;
  await until("the prober", isProbing, prober);
  const moved = stack.move();
  return {
    ...{ url, port, databaseUrl, program, programs, token, directory, samples },
    probeUrl: `http://127.0.0.1:${probePort}`,
    stopProbing: () => prober.end("SIGKILL"),
    revokeAttacker: () => writeFileSync(keyFiles[0] ?? "", createTokenIssuer().publicPem),
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}
