import type { Mutant } from "./mutant.ts";

const GET_TESTS = ["test/unit/kube/get.test.ts"];
const LIST_TESTS = ["test/unit/kube/list.test.ts"];
const READER = "src/agent/compare/difference-reader.ts";
const READER_TESTS = ["test/unit/agent/compare/difference-reader.test.ts"];
const UNREPRESENTABLE_TESTS = ["test/unit/agent/unrepresentable.test.ts"];
const UNVERSIONED_TESTS = ["test/unit/agent/unversioned.test.ts"];
const ABRIDGED_TESTS = ["test/unit/agent/abridged.test.ts"];
const RETRY_TESTS = ["test/unit/agent/compare/retry-budget.test.ts"];
const REFUSAL_TESTS = ["test/unit/agent/uplink/refusal.test.ts"];
const SELECTION_TESTS = ["test/unit/agent/scope/select-resources.test.ts"];
const WATCH_TESTS = ["test/unit/agent/watch/watch-loop.test.ts"];
const MODE = "src/agent/watch/reading-mode.ts";
const LOOP = "src/agent/watch/watch-loop.ts";
const SNAPSHOT = "src/agent/watch/snapshot.ts";
const COMPARISON = "src/agent/compare/comparison.ts";
const UPLINK_STATE = "src/agent/uplink/uplink-state.ts";

/** Protections of what the agent reads. */
export const readingMutants: readonly Mutant[] = [
  {
    race: "R51",
    file: "src/kube/get.ts",
    find: "  if (!isProof) {",
    replace: "  if (isProof && reason === undefined) {",
    tests: GET_TESTS,
  },
  {
    race: "R51",
    file: "src/kube/get.ts",
    find: '    details["name"] === name;',
    replace: "    details !== undefined;",
    tests: GET_TESTS,
  },
  {
    race: "R51",
    file: READER,
    find: "    this.#unread.push(...left.map((at) => ({ at, error: undefined })));\n",
    replace: "",
    tests: READER_TESTS,
  },
  {
    race: "R51",
    file: READER,
    find: "        this.#unread.push({ at, error: result.error });\n",
    replace: "",
    tests: READER_TESTS,
  },
  {
    race: "R51",
    file: READER,
    find: "return listed !== undefined && this.#deletions.endOf(key, uid, listed) !== undefined;",
    replace: "return listed === undefined && this.#deletions.endOf(key, uid, 0n) !== undefined;",
    tests: READER_TESTS,
    only: "watch reports its deletion",
  },
  {
    race: "R51",
    file: READER,
    find: "await this.#target.gone(signal, at, later.versionFor(namespace));",
    replace: 'await this.#target.gone(signal, at, namespace === "" ? "" : undefined);',
    tests: READER_TESTS,
    only: "only listed",
  },
  {
    race: "R51",
    file: "src/agent/watch/read-contents.ts",
    find: '      yield { type: "notListed", at, listVersion };\n',
    replace: "",
    tests: READER_TESTS,
    only: "missing in the pages",
  },
  {
    race: "R52",
    file: "src/agent/watch/list-snapshot.ts",
    find: "if (findKeyProblem(key) === undefined) {",
    replace: 'if (key.name !== "" || findKeyProblem(key) === undefined) {',
    tests: UNREPRESENTABLE_TESTS,
  },
  {
    race: "R52",
    file: "src/agent/watch/index-writer.ts",
    find: "    if (problem === undefined) {\n",
    replace: '    if (problem === undefined || problem !== "") {\n',
    tests: UNREPRESENTABLE_TESTS,
  },
  {
    race: "R52",
    file: "src/agent/representation.ts",
    find: "resourceVersion: versionProblem === undefined ? resourceVersion : digestOf(resourceVersion),",
    replace: "resourceVersion,",
    tests: UNREPRESENTABLE_TESTS,
  },
  {
    race: "R52",
    file: "src/agent/representation.ts",
    find: '  return text.includes("\\0") ? ',
    replace: '  return text.includes("\\0\\0") ? ',
    tests: ["test/unit/agent/representation.test.ts"],
  },
  {
    race: "R52",
    file: LOOP,
    find: "if (this.#malformed >= MAX_MALFORMED) {",
    replace: "if (this.#malformed < 0) {",
    tests: UNREPRESENTABLE_TESTS,
    only: "nested too deep",
  },
  {
    race: "R52",
    file: "src/agent/scope/select-resources.ts",
    find: "      if (problem === undefined) {\n        selected",
    replace: '      if (problem === undefined || problem !== "") {\n        selected',
    tests: SELECTION_TESTS,
  },
  {
    race: "R52",
    file: "src/agent/uplink/uplink.ts",
    find: "        if (error instanceof InvalidArgumentError) {",
    replace: "        if (error instanceof InvalidArgumentError && stop.aborted) {",
    tests: REFUSAL_TESTS,
  },
  {
    race: "R52",
    file: UPLINK_STATE,
    find: "      const message = this.#withhold(cut.message);",
    replace: "      const message = cut.bytes < 0 ? this.#withhold(cut.message) : cut.message;",
    tests: REFUSAL_TESTS,
  },
  {
    race: "R52",
    file: UPLINK_STATE,
    find: "failure === undefined && this.#skippedIn.has(",
    replace: "failure !== undefined && this.#skippedIn.has(",
    tests: REFUSAL_TESTS,
  },
  {
    race: "R52",
    file: UPLINK_STATE,
    find: "return this.#careful > 0 ? -1 : ",
    replace: "return ",
    tests: REFUSAL_TESTS,
  },
  {
    race: "R53",
    file: SNAPSHOT,
    find: "(this.#addresses.length === 0 || (this.#hasVersion && this.#hasUid))",
    replace: "this.#addresses.length >= 0",
    tests: UNVERSIONED_TESTS,
  },
  {
    race: "R53",
    file: "src/agent/compare/diff.ts",
    find: '    listed.resourceVersion !== "" &&\n',
    replace: "",
    tests: ["test/unit/agent/compare/diff.test.ts"],
  },
  {
    race: "R53",
    file: COMPARISON,
    find: "      sameChecksum(stored.checksum, content.checksum);",
    replace: "      stored.checksum.length > 0;",
    tests: UNVERSIONED_TESTS,
  },
  {
    race: "R53",
    file: LOOP,
    find: ' || listed.resourceVersion === ""',
    replace: "",
    tests: UNVERSIONED_TESTS,
  },
  {
    race: "R53",
    file: "src/kube/list.ts",
    find: "if (page.version !== version) {",
    replace: 'if (page.version !== "" && page.version !== version) {',
    tests: LIST_TESTS,
  },
  {
    race: "R54",
    file: LOOP,
    find: "const observed = maxVersion(version, this.#delivered);",
    replace: "const observed = version;",
    tests: WATCH_TESTS,
    only: "R54",
  },
  {
    race: "R54",
    file: LOOP,
    find: "const observed = maxVersion(version, this.#delivered);",
    replace: "const observed = maxVersion(version, versions.highWatermark + 1_000n);",
    tests: WATCH_TESTS,
    only: "R54",
  },
  {
    race: "R54",
    file: "src/agent/compare/repair-batcher.ts",
    find: "items: items.map(this.#revise),",
    replace: "items,",
    tests: WATCH_TESTS,
    only: "R54",
  },
  {
    race: "R54",
    file: "src/agent/watch/deletion-log.ts",
    find: "return isOfUid || (",
    replace: "return (",
    tests: WATCH_TESTS,
    only: "R54",
  },
  {
    race: "R54",
    file: "src/agent/watch/deletion-log.ts",
    find: "deletion?.uid === uid && ",
    replace: "",
    tests: WATCH_TESTS,
    only: "R54",
  },
  {
    race: "R55",
    file: MODE,
    find: "      this.#isAbridged = true;\n",
    replace: "",
    tests: ABRIDGED_TESTS,
  },
  {
    race: "R55",
    file: MODE,
    find: 'return this.#isAbridged ? contentFormatOf(resourceType, "single") : contentFormat;',
    replace: "return contentFormat;",
    tests: ABRIDGED_TESTS,
  },
  {
    race: "R55",
    file: MODE,
    find: "const isShownWhole = this.#isChecked && !this.#isAbridged;",
    replace: "const isShownWhole = !this.#isAbridged;",
    tests: ABRIDGED_TESTS,
    only: "first read fails",
  },
  {
    race: "R55",
    file: LOOP,
    find: "const object = await mode.resolve(signal, shown);",
    replace: "const object = mode.isAbridged ? await mode.resolve(signal, shown) : shown;",
    tests: ABRIDGED_TESTS,
  },
  {
    race: "R55",
    file: "src/agent/watch/read-contents.ts",
    find: "        if (await sampler.isAbridged(signal, object)) {",
    replace: "        if (version === -1n && (await sampler.isAbridged(signal, object))) {",
    tests: ABRIDGED_TESTS,
  },
  {
    race: "R55",
    file: COMPARISON,
    find: "    if (mode.contentFormat !== contentFormat) {",
    replace: '    if (mode.contentFormat === "") {',
    tests: ABRIDGED_TESTS,
    only: "sample was abridged",
  },
  {
    race: "R56",
    file: "src/agent/retry-budget.ts",
    find: "!isTransient(error) || this.#left === 0",
    replace: "this.#left >= 0",
    tests: RETRY_TESTS,
  },
  {
    race: "R56",
    file: "src/agent/retry-budget.ts",
    find: "!isTransient(error) || this.#left === 0",
    replace: "!isTransient(error) || this.#left < 0",
    tests: RETRY_TESTS,
    only: "one budget",
  },
  {
    race: "R56",
    file: "src/agent/retry-budget.ts",
    find: "!isTransient(error) || ",
    replace: "",
    tests: RETRY_TESTS,
    only: "403",
  },
  {
    race: "R56",
    file: "src/agent/retry-budget.ts",
    find: "Math.max(requestedMs, this.#backoff.nextMs())",
    replace: "this.#backoff.nextMs()",
    tests: RETRY_TESTS,
    only: "only after the delay",
  },
  {
    race: "R56",
    file: "src/agent/retry-budget.ts",
    find: " || requestedMs > this.#maxDelayMs",
    replace: "",
    tests: RETRY_TESTS,
    only: "longer delay",
  },
];
