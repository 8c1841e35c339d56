import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { ConfigError } from "./errors.ts";

/** The parts of a file's status that decide about access. */
export interface FileAccess {
  /** Owner; 0 is root. */
  readonly uid: number;
  readonly mode: number;
}

/** Permission bits: all of others; all of the group; write and execute of the group. */
const OTHERS = 0o007;
const GROUP = 0o070;
const GROUP_CHANGES = 0o030;

/**
 * True if more users than necessary can read or write a private file. The rule is that of libpq for `sslkey`: 0600 or
 * less, or 0640 or less if root owns it. The second part is for Kubernetes and for system groups: the files of a volume
 * belong to root, and a process that is not root reads them through its group.
 */
export function isExposedFile({ uid, mode }: FileAccess): boolean {
  return (mode & (OTHERS | (uid === 0 ? GROUP_CHANGES : GROUP))) !== 0;
}

/**
 * Reads a file that only its user may read.
 *
 * @throws ConfigError that names mode and remedy, if {@link isExposedFile}
 */
export function readPrivateFile(path: string): string {
  // Checked and read through one descriptor, so that both concern the same file.
  const descriptor = openSync(path, "r");
  try {
    const { uid, mode } = fstatSync(descriptor);
    if (isExposedFile({ uid, mode })) {
      const found = (mode & 0o777).toString(8).padStart(4, "0");
      throw new ConfigError(
        `expected mode 0600, or 0640 if root owns it, found ${found}; run "chmod 600 ${path}"`,
      );
    }
    return readFileSync(descriptor, "utf8");
  } finally {
    closeSync(descriptor);
  }
}
