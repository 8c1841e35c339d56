import { writeFileSync } from "node:fs";
import { TerminalError, toMessage } from "../../lib/errors.ts";

/** Writes a file that is not there yet. Throws `TerminalError` when it is, or cannot be written. */
export function writeNewFile(path: string, text: string, mode: number): void {
  try {
    writeFileSync(path, text, { flag: "wx", mode });
  } catch (cause) {
    const exists = cause instanceof Error && "code" in cause && cause.code === "EEXIST";
    throw new TerminalError(
      exists
        ? `${path} is there already and is not overwritten: name another file, or move it away`
        : `${path} cannot be written: ${toMessage(cause)}`,
      { cause },
    );
  }
}
