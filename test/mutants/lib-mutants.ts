import type { Mutant } from "./mutant.ts";

/** Protections of waiting: nothing is kept of a wait that has ended, and an abort is no timeout. */
export const libMutants: readonly Mutant[] = [
  {
    race: "LIB",
    file: "src/lib/condition.ts",
    find: "      this.#waiting.delete(notified.resolve);\n",
    replace: "",
    tests: ["test/unit/lib/condition.test.ts"],
    only: "leaves nothing in memory",
  },
  {
    race: "LIB",
    file: "src/lib/abort.ts",
    find: "    signal.throwIfAborted();\n    return onTimeout(",
    replace: "    return onTimeout(",
    tests: ["test/unit/lib/abort.test.ts"],
    only: "rejects with the reason",
  },
  {
    race: "LIB",
    file: "src/lib/abort.ts",
    find: "if (!deadline.signal.aborted || error !== deadline.signal.reason) {",
    replace: 'if (!(error instanceof Error && error.name === "DeadlineError")) {',
    tests: ["test/unit/lib/abort.test.ts"],
    only: "does not handle the deadlines",
  },
];
