import type { Mutant } from "./mutant.ts";

const HELD = "src/agent/uplink/held-ends.ts";
const STATE = "src/agent/uplink/uplink-state.ts";
const OUTBOX = "src/agent/uplink/outbox.ts";
const VERIFY = "src/store/sql/verify-resources.ts";
const RESULTS = "src/store/sql/end-results.ts";
const STATE_TESTS = ["test/unit/agent/uplink/uplink-state.test.ts"];
const OUTBOX_TESTS = ["test/unit/agent/uplink/outbox.test.ts"];
const CONTRACT = ["test/integration/store/ingest-store.pg.test.ts"];

/** Protections of the messages that end several comparisons of a run. */
export const endsMutants: readonly Mutant[] = [
  {
    race: "L34",
    file: HELD,
    find: "this.#ends.size < MAX_ENDS",
    replace: "this.#ends.size < 1",
    tests: ["test/integration/run-transactions.pg.test.ts"],
  },
  {
    race: "L34",
    file: HELD,
    find: "this.#ends.size < MAX_ENDS",
    replace: "this.#ends.size < 1_000",
    tests: STATE_TESTS,
    only: "U6",
  },
  {
    race: "L34",
    file: HELD,
    find: "      attempt === this.#run.attempt &&\n",
    replace: "",
    tests: STATE_TESTS,
    only: "U6",
  },
  {
    race: "L34",
    file: HELD,
    find: "      !this.has(end.resourceType) &&\n",
    replace: "",
    tests: STATE_TESTS,
    only: "U6",
  },
  {
    race: "L34",
    file: HELD,
    find: "this.#bytes + sizeOfEnd(end) <= maxBytes",
    replace: "maxBytes > 0",
    tests: STATE_TESTS,
    only: "U6",
  },
  {
    race: "L34",
    file: STATE,
    find: "if (this.#heldEnds?.has(resourceType)) {",
    replace: "if (this.#heldEnds?.has(undefined)) {",
    tests: OUTBOX_TESTS,
    only: "L34",
  },
  {
    race: "L34",
    file: STATE,
    find: "    this.#releaseEndOf(batch.resourceType);\n",
    replace: "",
    tests: STATE_TESTS,
    only: "R20",
  },
  {
    race: "L34",
    file: STATE,
    find: "    this.releaseEnds();\n    this.#generation++;\n",
    replace: "    this.#generation++;\n",
    tests: STATE_TESTS,
    only: "scope behind",
  },
  {
    race: "L34",
    file: STATE,
    find: "    this.#segments = [];\n    this.#heldEnds = undefined;\n",
    replace: "    this.#segments = [];\n",
    tests: OUTBOX_TESTS,
    only: "L34",
  },
  {
    race: "L34",
    file: STATE,
    find: " && !this.hasHeldEnds;",
    replace: ";",
    tests: OUTBOX_TESTS,
    only: "L34",
  },
  {
    race: "L34",
    file: OUTBOX,
    find: "const HOLD_ENDS_MS = 1_000;",
    replace: "const HOLD_ENDS_MS = 10_000;",
    tests: OUTBOX_TESTS,
    only: "L34",
  },
  {
    race: "L34",
    file: OUTBOX,
    find: "() => !this.#state.hasHeldEnds);",
    replace: "() => false);",
    tests: OUTBOX_TESTS,
    only: "L34",
  },
  {
    race: "L34",
    file: OUTBOX,
    find: "        if (stop.aborted) {\n",
    replace: "        if (stop === signal) {\n",
    tests: OUTBOX_TESTS,
    only: "L34",
  },
  {
    race: "L34",
    file: "src/agent/compare/comparison-worker.ts",
    find: 'jobs.get(key) === "done")) {',
    replace: 'jobs.get(key) === "done" && jobs.size < 0)) {',
    tests: ["test/unit/agent/compare/parallel-comparisons.test.ts"],
    only: "L34",
  },
  {
    race: "L34",
    file: "src/agent/compare/comparison-worker.ts",
    find: 'jobs.get(key) === "done")) {',
    replace: 'jobs.get(key) === "done" || jobs.size > 0)) {',
    tests: ["test/unit/agent/compare/parallel-comparisons.test.ts"],
    only: "L34",
  },
  {
    race: "L34",
    file: VERIFY,
    find: "const fault = toFailure(end)",
    replace: "const fault = judged.at(-1)?.failure ?? toFailure(end)",
    tests: CONTRACT,
    only: "L34",
  },
  {
    race: "L34",
    file: VERIFY,
    find: 'message: escapeControls(failure.message, "\\n")',
    replace: "message: failure.message",
    tests: CONTRACT,
    only: "L34",
  },
  {
    race: "L34",
    file: VERIFY,
    find: "AND o.api_group = e.api_group AND o.resource = e.resource\n",
    replace: "\n",
    tests: CONTRACT,
    only: "L34",
  },
  {
    race: "L34",
    file: RESULTS,
    find: "String(count < MAX_BIGINT ? count : MAX_BIGINT)",
    replace: "String(count)",
    tests: CONTRACT,
    only: "L34",
  },
  {
    race: "L34",
    file: "src/event/codec.ts",
    find: "return splitEnds(body.value, limits.maxMessageBytes);",
    replace: "return [body];",
    tests: ["test/unit/event/split-ends.test.ts"],
  },
];
