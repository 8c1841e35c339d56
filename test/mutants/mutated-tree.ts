import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Mutant } from "./mutant.ts";

const NOT_COPIED: ReadonlySet<string> = new Set(["node_modules", ".git", "dist"]);

/** Root of the project. */
export const ROOT: string = resolve(import.meta.dirname, "../..");

/** A copy of the tree in which one mutant at a time is planted. Its disposal removes it. */
export class MutatedTree implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), "evenkeel-mutants-"));

  constructor() {
    cpSync(ROOT, this.directory, {
      recursive: true,
      filter: (source) => !NOT_COPIED.has(source.slice(ROOT.length + 1)),
    });
    symlinkSync(join(ROOT, "node_modules"), join(this.directory, "node_modules"));
  }

  /** Runs `work` while the mutant is planted. */
  async withMutant<T>({ file, find, replace }: Mutant, work: () => Promise<T>): Promise<T> {
    const path = join(this.directory, file);
    const original = readFileSync(path, "utf8");
    writeFileSync(
      path,
      original.replace(find, () => replace),
    );
    try {
      return await work();
    } finally {
      writeFileSync(path, original);
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
