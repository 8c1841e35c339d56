import type { Mutant } from "./mutant.ts";

const WINDOW = "src/backend/publish-window.ts";
const WINDOW_TESTS = ["test/unit/backend/publish-window.test.ts"];
const SETTLE = "src/ingester/settle.ts";
const INGESTER_TESTS = ["test/unit/ingester/ingester.test.ts"];

/** Protections in the backend, the ingester and the bus. */
export const serverMutants: readonly Mutant[] = [
  {
    race: "R13",
    file: "src/backend/session.ts",
    find: "this.#lastSequence = sequence;\n",
    replace:
      'this.#lastSequence = sequence;\n    if (this.#connectRun !== undefined) {\n      const value = this.#connectRun;\n      this.#connectRun = undefined;\n      await this.#publish(signal, 0n, { case: "reconciliationRequest", value });\n    }\n',
    tests: ["test/unit/backend/session.test.ts"],
    only: "R13",
  },
  {
    race: "R14",
    file: "src/backend/session-registry.ts",
    find: "    existing?.end(replaced(existing));\n",
    replace: "",
    tests: ["test/unit/backend/session-registry.test.ts"],
    only: "R14",
  },
  {
    race: "R18",
    file: "src/bus/memory-subscription.ts",
    find: "[...member.unacknowledged, ...this.#waiting].sort(",
    replace: "[...this.#waiting].sort(",
    tests: ["test/unit/bus/memory-bus.test.ts"],
    only: "cuts a consumer off",
  },
  {
    race: "R19",
    file: WINDOW,
    find: "    this.#entries.push(entry);\n",
    replace: "    this.#entries.push(entry);\n    this.#onStored(sequence);\n",
    tests: WINDOW_TESTS,
    only: "R19",
  },
  {
    race: "R19",
    file: WINDOW,
    find: "head?.stored === true;",
    replace: "head !== undefined;",
    tests: WINDOW_TESTS,
    only: "R19",
  },
  {
    race: "R19",
    file: SETTLE,
    find: "  const applied = await retryInPlace(",
    replace: "  await delivery.acknowledge();\n  const applied = await retryInPlace(",
    tests: INGESTER_TESTS,
    only: "R19",
  },
  {
    race: "R22",
    file: SETTLE,
    find: "applied.value.filter(({ announced }) => !announced)",
    replace: "applied.value.filter(() => false)",
    tests: INGESTER_TESTS,
    only: "quarantined",
  },
  {
    race: "R37",
    file: SETTLE,
    find: "applied.value.filter(({ announced }) => !announced)",
    replace: "applied.value",
    tests: INGESTER_TESTS,
    only: "without content",
  },
  {
    race: "I7",
    file: "src/ingester/hold.ts",
    find: "Math.min(entries.size, this.#limits.maxItemsPerKey)",
    replace: "entries.size",
    tests: INGESTER_TESTS,
    only: "fill its window",
  },
  {
    race: "I7",
    file: "src/ingester/ingester.ts",
    find: "while (hold.isFull) {",
    replace: "while (hold.isFull && hold.items < 0) {",
    tests: INGESTER_TESTS,
    only: "no more than it may hold",
  },
  {
    race: "R19",
    file: "src/backend/session.ts",
    find: "isLast ? sequence : 0n, message",
    replace: "sequence, message",
    tests: ["test/unit/backend/session.test.ts"],
    only: "in parts",
  },
  {
    race: "R22",
    file: "src/ingester/disposition.ts",
    find: 'return { kind: "deadLetter", reason: toMessage(error) };',
    replace: 'return { kind: "retry", afterMs: undefined };',
    tests: INGESTER_TESTS,
    only: "never be applied",
  },
  {
    race: "R29",
    file: WINDOW,
    find: "    this.#throwIfFailed();\n    const entry",
    replace: "    const entry",
    tests: WINDOW_TESTS,
    only: "R29",
  },
  {
    race: "R29",
    file: WINDOW,
    find: "if (last > 0n && this.#failure === undefined) {",
    replace: "if (last > 0n) {",
    tests: WINDOW_TESTS,
    only: "R29",
  },
  {
    race: "R33",
    file: "src/ingester/answer-request.ts",
    find: "    await producer.publish(signal, message);\n",
    replace: "    await producer.publish(signal, message).catch(() => {});\n",
    tests: ["test/unit/ingester/answer-request.test.ts"],
    only: "R33",
  },
  {
    race: "R36",
    file: "src/backend/answer-router.ts",
    find: "await runs.failRun(signal, event, request.runId, {",
    replace: 'await runs.failRun(signal, event, "", {',
    tests: ["test/unit/backend/answer-router.test.ts"],
    only: "R36",
  },
];
