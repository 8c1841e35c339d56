import { expect } from "vitest";
import type { KubeTransport } from "../../../src/kube/kube.ts";
import { eventually } from "./eventually.ts";
import { openKube } from "./open-kube.ts";
import type { Program, Programs } from "./programs.ts";

/** A process of `evenkeel dev` with the addresses that it printed. */
export interface Dev {
  readonly program: Program;
  /** URL of the API, such as `http://127.0.0.1:40123`. */
  readonly apiUrl: string;
  readonly databaseUrl: string;
  /** Lines of its narration so far: the drift that it caused, and the results of runs. */
  readonly story: () => readonly string[];
}

/** Name of the cluster of `evenkeel dev`. */
export const devCluster = "dev";

/** Starts `evenkeel dev` on a free port and waits until it has printed its addresses. */
export async function startDev(programs: Programs, ...args: readonly string[]): Promise<Dev> {
  const program = programs.start("dev", "--port", "0", ...args);
  const look = (pattern: RegExp): string => {
    const output = program.stdout() + program.stderr();
    expect(output).toMatch(pattern);
    return pattern.exec(output)?.[1] ?? "";
  };
  const [apiUrl, databaseUrl] = await eventually(
    "the addresses of evenkeel dev",
    () => [look(/^ {2}API +(\S+)/m), look(/^ {2}Postgres +psql '([^']+)'/m)] as const,
  );
  const story = (): string[] =>
    program
      .stdout()
      .split("\n")
      .filter((line) => /^(\d\d:| {10})/.test(line));
  return { program, apiUrl, databaseUrl, story };
}

/** Opens the simulated cluster of `evenkeel dev`, at the address that it prints for kubectl. */
export function openDevKube({ program }: Dev): KubeTransport & Disposable {
  const url = /kubectl --server=(\S+)/.exec(program.stdout())?.[1] ?? "";
  return openKube({ type: "server", url });
}
