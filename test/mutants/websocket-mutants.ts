import type { Mutant } from "./mutant.ts";

const folder = "src/bus/pulsar/websocket";
const testsOf = (name: string): readonly string[] => [`test/unit/bus/pulsar/websocket/${name}.test.ts`];

/** Protections in the adapter over Pulsar's WebSocket API. */
export const websocketMutants: readonly Mutant[] = [
  {
    race: "R18",
    file: `${folder}/consumer.ts`,
    find: "if (this.#unacknowledged.has(message.messageId)) {",
    replace: "if (false) {",
    tests: testsOf("consumer"),
    only: "is not yielded twice",
  },
  {
    race: "R19",
    file: `${folder}/frames.ts`,
    find: 'if (result === "ok" && typeof context === "string") {',
    replace: 'if (typeof context === "string") {',
    tests: testsOf("producer"),
  },
  {
    race: "R29",
    file: `${folder}/producer.ts`,
    find: "      this.#queue.failInFlight((publish) => toLossError(loss, topic, publish));\n",
    replace: "",
    tests: testsOf("producer"),
    only: "unknown after a loss",
  },
  {
    race: "R29",
    file: `${folder}/producer.ts`,
    find: "      if (nowMs - (this.#queue.oldestSentMs ?? nowMs) > RECEIPT_TIMEOUT_MS) {",
    replace: "      if (false) {",
    tests: testsOf("producer"),
    only: "a late receipt counts",
  },
  {
    race: "R29",
    file: `${folder}/send-error.ts`,
    find: '  ProducerBlockedQuotaExceededException: { outcome: "unknown", isEnd: true },',
    replace: '  ProducerBlockedQuotaExceededException: { outcome: "refused", isEnd: true },',
    tests: testsOf("producer"),
    only: "refused at once while a quota blocks",
  },
  {
    race: "R38",
    file: `${folder}/consumer.ts`,
    find: "      if (this.#cutOff !== undefined || this.#hasLeft) {",
    replace: "      if (false) {",
    tests: testsOf("consumer"),
  },
  {
    race: "R38",
    file: `${folder}/keep-alive.ts`,
    find: "link.bytesRead === bytesRead",
    replace: "false",
    tests: testsOf("keep-alive"),
  },
  {
    race: "I10",
    file: "src/bus/pulsar/websocket/keep-alive.ts",
    find: "    } catch (cause) {\n",
    replace: "    } catch (cause) {\n      throw cause;\n",
    tests: ["test/unit/bus/pulsar/websocket/keep-alive.test.ts"],
  },
  {
    race: "L6",
    file: `${folder}/permits.ts`,
    find: "  #window = 1;",
    replace: "  #window = Number.POSITIVE_INFINITY;",
    tests: testsOf("permits"),
  },
  {
    race: "L6",
    file: `${folder}/permits.ts`,
    find: "      this.#window = 1;",
    replace: "",
    tests: testsOf("permits"),
    only: "keeps one permit",
  },
  {
    race: "L6",
    file: `${folder}/permits.ts`,
    find: "Math.min(this.#window * 2, this.#limits.maxPrefetched)",
    replace: "1",
    tests: testsOf("permits"),
    only: "permits grow",
  },
];
