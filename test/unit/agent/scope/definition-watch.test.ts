import { describe, expect, it } from "vitest";
import { watchDefinitions } from "../../../../src/agent/scope/definition-watch.ts";
import type { KubeRequest, KubeResponse } from "../../../../src/kube/kube.ts";
import { createSeededRandom } from "../../../../src/lib/random.ts";
import { respond } from "../../../support/agent/agent-world.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { createTestLog } from "../../../support/vitest/test-log.ts";

const MINUTE = 60_000;
const tuning = { backoff: { initialMs: 500, maxMs: 30_000 }, watchMs: 5 * MINUTE, discoveryMs: 20 * MINUTE };

/** A line of a watch. */
function event(type: string): Buffer {
  const object = { kind: "APIService", metadata: { name: "x", uid: "u", resourceVersion: "8" } };
  return Buffer.from(`${JSON.stringify({ type, object })}\n`);
}

/** An API server whose APIServices are watched; that of CustomResourceDefinitions answers 403. */
class Definitions implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly log = createTestLog("definitions");
  /** Numbers of discoveries that were requested. */
  readonly requested: number[] = [];
  readonly lists: number[] = [];
  readonly watches: KubeRequest[] = [];
  /** Answers a list, in place of an empty one. */
  answer: () => KubeResponse | undefined;
  /** Events of the next watch, which ends behind them unless it is kept open. */
  events: Buffer[] = [];
  isKeptOpen = true;
  open = 0;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(answer: () => KubeResponse | undefined = () => undefined) {
    this.answer = answer;
    const options = { clock: this.clock, random: createSeededRandom(1), log: this.log, tuning };
    const get = async (signal: AbortSignal, request: KubeRequest): Promise<KubeResponse> =>
      this.#get(signal, request);
    this.#running = watchDefinitions(this.#stop.signal, { ...options, kube: { get } }, (discoveries) => {
      this.requested.push(discoveries);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("the test has ended"));
    await this.clock.advance(0);
    await this.#running;
    expect([this.open, this.clock.pending]).toEqual([0, 0]);
  }

  #get(signal: AbortSignal, request: KubeRequest): KubeResponse {
    if (!request.path.endsWith("/apiservices")) {
      return respond(403);
    }
    if (request.query?.["watch"] === undefined) {
      this.lists.push(this.clock.monotonic());
      const list = {
        kind: "APIServiceList",
        apiVersion: "v1",
        metadata: { resourceVersion: "7" },
        items: [],
      };
      return this.answer() ?? respond(200, list);
    }
    this.watches.push(request);
    return { status: 200, retryAfterMs: undefined, body: this.#body(signal) };
  }

  async *#body(signal: AbortSignal): AsyncGenerator<Buffer> {
    this.open++;
    try {
      yield* this.events.splice(0);
      if (this.isKeptOpen) {
        await new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason)),
        );
      }
    } finally {
      this.open--;
    }
  }
}

describe("the watch of definitions", () => {
  it("requests one discovery at its start, some after an event, and none after a bookmark", async () => {
    await using definitions = new Definitions();
    definitions.events = [event("BOOKMARK"), event("ADDED"), event("DELETED")];
    await definitions.clock.advance(1_000);
    expect(definitions.requested).toEqual([1, 5, 5]);
  });

  it("continues from the version of the list, for 5 to 10 minutes", async () => {
    await using definitions = new Definitions();
    await definitions.clock.advance(1_000);
    const [watch] = definitions.watches;
    expect(watch?.query).toMatchObject({ resourceVersion: "7" });
    const seconds = Number(watch?.query?.["timeoutSeconds"]);
    expect(seconds).toBeGreaterThanOrEqual(5 * 60);
    expect(seconds).toBeLessThanOrEqual(10 * 60);
  });

  it("tries again later and later while watches end at once, and soon after one with events", async () => {
    await using definitions = new Definitions();
    definitions.isKeptOpen = false;
    await definitions.clock.advance(10 * MINUTE);
    const before = definitions.lists.length;
    expect(before).toBeLessThan(80);
    await definitions.clock.advance(10 * MINUTE);
    const slow = definitions.lists.length;
    definitions.events = [event("ADDED")];
    await definitions.clock.advance(30_000);
    const since = definitions.clock.monotonic();
    expect(definitions.requested).toContain(5);
    const next = definitions.lists.slice(slow + 1).filter((at) => at <= since);
    expect(next.length).toBeGreaterThan(0);
  });

  it("waits as long as the API server asks", async () => {
    await using definitions = new Definitions(() => ({ ...respond(429), retryAfterMs: 100_000 }));
    await definitions.clock.advance(99_000);
    expect(definitions.lists).toHaveLength(1);
    definitions.answer = () => undefined;
    await definitions.clock.advance(2_000);
    expect(definitions.lists).toHaveLength(2);
  });

  it("logs a refusal once, tries again at the discovery interval, and logs when it works", async () => {
    await using definitions = new Definitions(() => respond(403));
    await definitions.clock.advance(50 * MINUTE);
    expect(definitions.lists).toHaveLength(3);
    definitions.answer = () => undefined;
    await definitions.clock.advance(12 * MINUTE);
    expect(definitions.requested).toEqual([1]);
    const entries = definitions.log.entries.filter(({ fields }) =>
      String(fields["resourceType"]).startsWith("apiservices"),
    );
    expect(entries.map(({ level, message }) => `${level} ${message}`)).toEqual([
      "info definitions not watched; new resource types are found at the discovery interval",
      "info definitions watched again",
    ]);
  });

  it("logs no outage of the API server", async () => {
    await using definitions = new Definitions(() => respond(503));
    await definitions.clock.advance(10 * MINUTE);
    expect(definitions.lists.length).toBeGreaterThan(10);
    expect(definitions.log.entries.filter(({ fields }) => fields["resourceType"] !== undefined)).toHaveLength(
      1,
    );
  });
});
