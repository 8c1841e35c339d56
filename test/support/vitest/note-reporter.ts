import type { Reporter } from "vitest/node";

declare module "vitest" {
  interface TaskMeta {
    /** What whoever reads the end of the run should know. */
    note?: string;
  }
}

/** Ends the run with what its tests have noted, such as what could not be tried on this machine. */
export function createNoteReporter(): Reporter {
  return {
    onTestRunEnd(modules) {
      const tests = modules.flatMap((module) => [...module.children.allTests()]);
      const notes = tests.flatMap((test) => test.meta().note ?? []);
      if (notes.length > 0) {
        process.stderr.write(`\n${notes.map((note) => `note: ${note}\n`).join("")}`);
      }
    },
  };
}
