import { expect } from "vitest";
import type { KubeTransport } from "../../../src/kube/kube.ts";
import { eventually } from "./eventually.ts";
import { openKube } from "./open-kube.ts";
import type { Program, Programs } from "./programs.ts";

/** `evenkeel dev`, and what it said at its start. */
export interface Dev {
  readonly program: Program;
  /** Such as `http://127.0.0.1:40123`. */
  readonly apiUrl: string;
  readonly databaseUrl: string;
  /** Lines of its story so far: what was broken, and what runs found. */
  readonly story: () => readonly string[];
}

/** Name that `evenkeel dev` gives to its cluster. */
export const devCluster = "dev";

/** Starts `evenkeel dev` on a free port and waits until it has said where it is. */
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
    { timeoutMs: 30_000 },
  );
  const story = (): string[] =>
    program
      .stdout()
      .split("\n")
      .filter((line) => /^(\d\d:| {10})/.test(line));
  return { program, apiUrl, databaseUrl, story };
}

/** The simulated cluster of `evenkeel dev`, reached as the story says that kubectl does. */
export function openDevKube({ program }: Dev): KubeTransport & Disposable {
  const url = /kubectl --server=(\S+)/.exec(program.stdout())?.[1] ?? "";
  return openKube({ type: "server", url });
}
