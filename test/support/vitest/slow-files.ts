/** Test files that may take longer than the limit, and why. */
export interface SlowFiles {
  /** Matches paths relative to the root, with slashes. */
  readonly files: RegExp;
  readonly reason: string;
}

/** The slow files that are known. Add a file only if what makes it slow is what it tests. */
export const SLOW_FILES: readonly SlowFiles[] = [
  { files: /\.pulsar\.test\.ts$/, reason: "a real broker starts, stops and restarts" },
  { files: /\.kube\.test\.ts$/, reason: "a real control plane is built on the first run, and restarts" },
  { files: /^test\/e2e\//, reason: "whole programs start, and some runs happen by interval" },
  { files: /^test\/contract\/generated-code\.test\.ts$/, reason: "compilers of other languages run" },
  { files: /^test\/unit\/dev\/embedded-postgres\//, reason: "PGlite starts and restarts from its folder" },
  {
    files: /^test\/integration\/store\/ingest-store\./,
    reason: "the whole contract of the store runs on each Postgres",
  },
  { files: /^test\/unit\/linear-time\.test\.ts$/, reason: "each measure is repeated over growing inputs" },
];
