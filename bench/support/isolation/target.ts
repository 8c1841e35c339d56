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

/** A server with an attacker and other accounts, which probe it all the time. */
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
  /** Tokens of the other accounts. */
  readonly neighbourTokens: ReadonlyMap<string, string>;
  /** Returns the calls of the other accounts so far. */
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
  /** Accounts that only list their clusters; default: one account, which changes an object too. */
  readonly listers?: readonly string[];
}

/** Starts a server on an empty database, and the probers of the other accounts. */
export async function startTarget(world: World, options: TargetOptions = {}): Promise<Target> {
  const { heapMb, flags = [], listers } = options;
  const neighbours = listers ?? [NEIGHBOUR];
  await using stack = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), "evenkeel-isolation-"));
  // Removes it, also after a signal.
  stack.use(createReaper()).add({ type: "dir", path: directory });
  const attacker = await createAccount(directory, ATTACKER);
  const others = await Promise.all(neighbours.map((name) => createAccount(directory, name)));
  const servers = stack.use(
    createPrograms(undefined, heapMb === undefined ? [] : [`--max-old-space-size=${heapMb}`]),
  );
  const programs = stack.use(createPrograms());
  const probers = stack.use(createPrograms(fileURLToPath(new URL("prober-process.ts", import.meta.url))));
  const [port, probePort, databaseUrl] = [await freePort(), await freePort(), await world.createDatabase()];
  const url = `http://127.0.0.1:${port}`;
  const to = ["--port", String(port), "--probe-port", String(probePort), "--database-url", databaseUrl];
  const keyFiles = [attacker, ...others].map(({ keyFile }) => keyFile);
  const auth = ["--auth-public-keys", keyFiles.join(",")];
  const program = servers.start("server", ...to, ...auth, "--log-level", "warn", ...flags);
  await until("the server", async () => program.isRunning() && (await fetch(url)).status > 0, program);
  const calls = listers === undefined ? "query,change" : "query";
  const started = others.map(({ token }) => ({ prober: probers.start(url, token, calls), token }));
  const samples = (): Sample[] => started.flatMap(({ prober }) => parseSamples(prober.stdout()));
  for (const { prober } of started) {
    await until("the prober", async () => isProbing(parseSamples(prober.stdout()), calls), prober);
  }
  const moved = stack.move();
  return {
    ...{ url, port, databaseUrl, program, programs, token: attacker.token, directory, samples },
    probeUrl: `http://127.0.0.1:${probePort}`,
    neighbourTokens: new Map(others.map(({ name, token }) => [name, token])),
    stopProbing: () => Promise.all(started.map(({ prober }) => prober.end("SIGKILL"))),
    revokeAttacker: () => writeFileSync(attacker.keyFile, createTokenIssuer().publicPem),
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}

/** Creates the key of an account, and a token for all its clusters. */
async function createAccount(directory: string, name: string) {
  const issuer = createTokenIssuer();
  const keyFile = join(directory, `${name}.pub`);
  writeFileSync(keyFile, issuer.publicPem);
  return { name, keyFile, token: await issuer.issue({ account: name }) };
}

/** True if a prober has begun to work, with a change that was acknowledged if it changes an object. */
function isProbing(samples: readonly Sample[], calls: string): boolean {
  const isDone = ({ type, error }: Sample): boolean => calls.endsWith(type) && error === undefined;
  return samples.length > 20 && samples.some(isDone);
}
