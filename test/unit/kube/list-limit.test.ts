import { describe, expect, it } from "vitest";
import type { KubeRequest, KubeResponse, KubeTransport } from "../../../src/kube/kube.ts";
import { withListLimit } from "../../../src/kube/list-limit.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const LIST: KubeRequest = { path: "/api/v1/pods", query: { limit: "250" } };
const SLOW_MS = 10_000;

describe("a limit of two lists at a time", () => {
  it("delays the third until a body was read, in the order of the requests", async () => {
    const world = new World();
    const lists = [1, 2, 3, 4].map(() => world.list());
    expect(await world.begun()).toBe(2);
    for (const [at, list] of lists.entries()) {
      world.answer(at);
      await read(await list);
      expect(await world.begun()).toBe(Math.min(4, 3 + at));
    }
    expect(world.clock.pending).toBe(0);
  });

  it("counts a response until its body was read, not until its status arrived", async () => {
    const world = new World();
    const [first] = [1, 2, 3].map(() => world.list());
    await world.begun();
    world.answer(0);
    const response = await first;
    expect(await world.begun()).toBe(2);
    await read(response as KubeResponse);
    expect(await world.begun()).toBe(3);
  });

  it("frees the place of a request that fails, and of one whose reader gives up", async () => {
    const world = new World();
    const [first, second] = [1, 2, 3, 4].map(() => world.list());
    await world.begun();
    world.fail(0);
    await expect(first).rejects.toThrow("no connection");
    expect(await world.begun()).toBe(3);
    world.answer(1);
    for await (const _ of (await (second as Promise<KubeResponse>)).body) {
      break;
    }
    expect(await world.begun()).toBe(4);
  });

  it("frees the places of lists that hang, so that other lists go on", async () => {
    const world = new World();
    for (const _ of [1, 2, 3]) {
      void world.list();
    }
    expect(await world.begun()).toBe(2);
    await world.clock.advance(SLOW_MS - 1);
    expect(await world.begun()).toBe(2);
    await world.clock.advance(1);
    expect(await world.begun()).toBe(3);
  });

  it("frees a hanging list's place once, although it ends later", async () => {
    const world = new World();
    const [first] = [1, 2, 3, 4, 5].map(() => world.list());
    await world.begun();
    await world.clock.advance(SLOW_MS);
    expect(await world.begun()).toBe(4);
    world.answer(0);
    await read(await (first as Promise<KubeResponse>));
    expect(await world.begun()).toBe(4);
  });

  it("does not request a list whose caller has given up, and loses no place by it", async () => {
    const world = new World();
    const [first, third] = [new AbortController(), new AbortController()];
    void world.list(first.signal);
    void world.list();
    const given = world.list(third.signal);
    void world.list();
    expect(await world.begun()).toBe(2);
    third.abort(new Error("stopped"));
    // Its wait has not ended when the place becomes free.
    first.abort(new Error("stopped"));
    await expect(given).rejects.toThrow("stopped");
    expect(await world.begun()).toBe(3);
  });

  it("does not count watches and single objects", async () => {
    const world = new World();
    for (const _ of [1, 2]) {
      void world.list();
    }
    void world.get({ path: "/api/v1/pods", query: { watch: "true" } });
    void world.get({ path: "/api/v1/namespaces/a/pods/x" });
    expect(await world.begun()).toBe(4);
  });
});

/** A limited transport whose responses the test gives. */
class World {
  readonly clock = new ManualClock();
  readonly #requests: PromiseWithResolvers<KubeResponse>[] = [];
  readonly #limited: KubeTransport;

  constructor() {
    const transport: KubeTransport = {
      get: (signal) => {
        const request = Promise.withResolvers<KubeResponse>();
        request.promise.catch(() => {});
        signal.addEventListener("abort", () => request.reject(signal.reason), { once: true });
        this.#requests.push(request);
        return request.promise;
      },
    };
    this.#limited = withListLimit(transport, this.clock, { maxLists: 2, slowMs: SLOW_MS });
  }

  list(signal = new AbortController().signal): Promise<KubeResponse> {
    return this.get(LIST, signal);
  }

  get(request: KubeRequest, signal = new AbortController().signal): Promise<KubeResponse> {
    const response = this.#limited.get(signal, request);
    response.catch(() => {});
    return response;
  }

  /** Returns the number of requests that reached the API server. */
  async begun(): Promise<number> {
    await this.clock.advance(0);
    return this.#requests.length;
  }

  answer(at: number): void {
    const body = (async function* () {
      yield new TextEncoder().encode("{}");
    })();
    this.#requests[at]?.resolve({ status: 200, retryAfterMs: undefined, body });
  }

  fail(at: number): void {
    this.#requests[at]?.reject(new Error("no connection"));
  }
}

async function read({ body }: KubeResponse): Promise<void> {
  for await (const _ of body) {
    // Only the end matters.
  }
}
