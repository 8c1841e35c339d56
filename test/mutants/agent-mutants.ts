import type { Mutant } from "./mutant.ts";

const RACES = ["test/unit/agent/races.test.ts"];
const AGENT = ["test/unit/agent/agent.test.ts"];
const RUNS = ["test/unit/agent/runs.test.ts"];
const UPLINK = ["test/unit/agent/uplink/uplink-state.test.ts"];
const DIFF = ["test/unit/agent/compare/diff.test.ts"];
const COMPARISON = "src/agent/compare/comparison.ts";
const WATCHER = "src/agent/watch/watch-loop.ts";
const LIST = "src/kube/list.ts";
const SESSION = "src/agent/uplink/session.ts";
const SELECTION = "src/agent/scope/select-resources.ts";
const SELECTION_TESTS = ["test/unit/agent/scope/select-resources.test.ts"];

/** Protections in the agent. */
export const agentMutants: readonly Mutant[] = [
  {
    race: "R1",
    file: COMPARISON,
    find: "    await this.#waitForWatch(signal, snapshot, wanted);\n",
    replace: "",
    tests: RACES,
    only: "R1:",
  },
  {
    race: "R2",
    file: COMPARISON,
    find: "const at = snapshot.versionFor(objectKey.namespace);",
    replace: 'const at = "999999999";',
    tests: RUNS,
    only: "R2\\)",
  },
  {
    race: "R3",
    file: "src/agent/compare/diff.ts",
    find: "    listed.uid === stored.uid &&\n",
    replace: "",
    tests: DIFF,
    only: "R3",
  },
  {
    race: "R6",
    file: "src/agent/watch/list-snapshot.ts",
    find: "if (!isBelow(snapshot, mark)) {",
    replace: "if (mark >= 0n) {",
    tests: RACES,
    only: "R6",
  },
  {
    race: "R7",
    file: LIST,
    find: "const page = await getPage(signal, transport, request, metadataOnly);",
    replace:
      'const page = await getPage(signal, transport, request, metadataOnly).catch((error: unknown) => {\n      if (version === undefined) {\n        throw error;\n      }\n      return { version, items: [], next: "" };\n    });',
    tests: ["test/unit/kube/list.test.ts"],
    only: "R7",
  },
  {
    race: "R7",
    file: LIST,
    find: "const page = await getPage(signal, transport, request, metadataOnly);",
    replace:
      'const page = await getPage(signal, transport, request, metadataOnly).catch((error: unknown) => {\n      if (version === undefined) {\n        throw error;\n      }\n      return { version, items: [], next: "" };\n    });',
    tests: RACES,
    only: "R7",
  },
  {
    race: "R8",
    file: WATCHER,
    find: "resourceVersion: String(from),",
    replace: "resourceVersion: String(from + 1n),",
    tests: RACES,
    only: "R8",
  },
  {
    race: "R8",
    file: WATCHER,
    find: "if (error instanceof ExpiredError || this.#incarnationSignal.aborted) {",
    replace: "if (this.#incarnationSignal.aborted) {",
    tests: RACES,
    only: "R8",
  },
  {
    race: "R9",
    file: WATCHER,
    find: "    versions.observe(version);\n",
    replace:
      '    versions.observe(version);\n    if (event.type === "bookmark") {\n      for (const text of this.#target.writer.index.keys()) {\n        const key = parseKey(text);\n        if (key !== undefined) {\n          await this.#target.writer.delete(signal, key, "", version, DeleteReason.OBSERVED);\n        }\n      }\n    }\n',
    tests: RACES,
    only: "R9",
  },
  {
    race: "R9",
    file: WATCHER,
    find: "    this.#resume = maxVersion(this.#resume ?? 0n, version);\n",
    replace:
      '    if (event.type !== "bookmark") {\n      this.#resume = maxVersion(this.#resume ?? 0n, version);\n    }\n',
    tests: RACES,
    only: "R9",
  },
  {
    race: "R10",
    file: COMPARISON,
    find: "          this.#objectMissing.push({ key: entry.stored.key, uid: entry.stored.uid });\n",
    replace: "",
    tests: AGENT,
    only: "R10",
  },
  {
    race: "R11",
    file: LIST,
    find: "if (error instanceof KubeUnavailableError && error.status === 410) {",
    replace:
      'if ((error as { status?: number }).status === 403) {\n      return { version: "999999", items: [], next: "" };\n    }\n    if (error instanceof KubeUnavailableError && error.status === 410) {',
    tests: RACES,
    only: "R11.*403",
  },
  {
    race: "R11",
    file: LIST,
    find: 'const items = answer["items"] === null ? [] : answer["items"];',
    replace: 'const items = answer["items"] ?? [];',
    tests: ["test/unit/kube/list.test.ts"],
    only: "R11",
  },
  {
    race: "R11",
    file: "src/agent/scope/scope-tracker.ts",
    find: "this.#lacking = discovery.unanswered.length === 0 ? lacking : new Set();",
    replace: "this.#lacking = lacking;",
    tests: ["test/unit/agent/scope.test.ts"],
    only: "R11",
  },
  {
    race: "R12",
    file: "src/agent/compare/comparison-worker.ts",
    find: "this.#replacedRuns.has(runId) || ",
    replace: "",
    tests: RUNS,
    only: "R12",
  },
  {
    race: "R17",
    file: "src/agent/watch/reflector.ts",
    find: "if (!first.isVersioned || ",
    replace: "if (",
    tests: RACES,
    only: "R17",
  },
  {
    race: "R20",
    file: "src/agent/uplink/live-segment.ts",
    find: "if (present !== undefined && isOlder(change, present)) {",
    replace: "if (present !== undefined && change === present) {",
    tests: UPLINK,
    only: "older observation",
  },
  {
    race: "R20",
    file: "src/agent/uplink/uplink-state.ts",
    find: "const last = this.#segments.at(-1);",
    replace: 'const last = this.#segments.findLast((segment) => segment.type === "live");',
    tests: UPLINK,
    only: "R20",
  },
  {
    race: "R20",
    file: "src/agent/uplink/live-segment.ts",
    find: "const present = changes.get(key);",
    replace: "const present = changes.get(key);\n    if (present !== undefined) {\n      return;\n    }",
    tests: UPLINK,
    only: "R20",
  },
  {
    race: "R25",
    file: LIST,
    find: "metadataOnly ? JSON.parse : parseExact",
    replace: "JSON.parse",
    tests: ["test/unit/kube/list.test.ts"],
    only: "keeps each number",
  },
  {
    race: "R25",
    file: "src/domain/canonical-json.ts",
    find: "return keys.sort();",
    replace: "return keys;",
    tests: ["test/unit/domain/canonical-json.test.ts"],
  },
  {
    race: "R25",
    file: "src/domain/canonical-json.ts",
    find: "return canonicalNumber(value.rawJSON);",
    replace: "return String(Number(value.rawJSON));",
    tests: ["test/unit/domain/canonical-json.test.ts"],
  },
  {
    race: "R27",
    file: "src/agent/compare/diff.ts",
    find: "    stored.checksum.length !== 0 &&\n",
    replace: "",
    tests: DIFF,
  },
  {
    race: "R31",
    file: "src/domain/resource-type.ts",
    find: '  return name === undefined ? "" : joinParts(name.resource, name.group);\n',
    replace: '  return name === undefined ? "" : formatResourceType({ version: "", ...name });\n',
    tests: UPLINK,
    only: "R31",
  },
  {
    race: "SCOPE",
    file: SELECTION,
    find: " && (name.version ?? found.version) === found.version",
    replace: "",
    tests: SELECTION_TESTS,
    only: "R31:",
  },
  {
    race: "SCOPE",
    file: SELECTION,
    find: " && key !== NEVER_IMPLIED",
    replace: "",
    tests: SELECTION_TESTS,
    only: "Secrets only by name",
  },
  {
    race: "SCOPE",
    file: SELECTION,
    find: " && !excluded.has(key)",
    replace: "",
    tests: SELECTION_TESTS,
    only: "leaves out what is excluded",
  },
  {
    race: "SCOPE",
    file: SELECTION,
    find: " && !excluded.has(wholeGroup(group))",
    replace: "",
    tests: SELECTION_TESTS,
    only: "leaves out what is excluded",
  },
  {
    race: "R32",
    file: SESSION,
    find: "        if (!inbound.offer(message.value)) {",
    replace:
      "        while (!outbox.state.isDrained) {\n          await new Promise(setImmediate);\n        }\n        if (!inbound.offer(message.value)) {",
    tests: RUNS,
    only: "R32",
  },
  {
    race: "R33",
    file: COMPARISON,
    find: "if (this.#ranges.isTiled) {",
    replace: "if (chunk.range.last) {",
    tests: RACES,
    only: "R33",
  },
  {
    race: "R33",
    file: "src/agent/compare/comparison-worker.ts",
    find: "attempt < current.attempt",
    replace: "attempt < 0",
    tests: RACES,
    only: "R33",
  },
  {
    race: "R33",
    file: "src/domain/reconciliation/key-ranges.ts",
    find: "return count === this.#ranges.size;",
    replace: "return true;",
    tests: DIFF,
    only: "R33",
  },
  {
    race: "I10",
    file: "src/main/tune-gc.ts",
    find: "return getHeapStatistics().external_memory;",
    replace: "return process.memoryUsage().external;",
    tests: ["test/unit/main/tune-gc.test.ts"],
  },
];
