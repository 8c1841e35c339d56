import { Code, ConnectError, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { FleetService } from "../../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { SyncService } from "../../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { ErrorInfoSchema, RetryInfoSchema } from "../../../../gen/proto/google/rpc/error_details_pb.ts";
import { waitFor } from "../../../../src/lib/abort.ts";
import type { Identity } from "../../../../src/rpc/auth/authenticator.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { serveForTest, transportsTo } from "../../../support/rpc/serve-for-test.ts";

const forever = new Promise<never>(() => {});

/** A server whose callers state their identity, and whose streams end with their clients. */
async function serveCallers() {
  const clock = new ManualClock();
  const stops = new Set<AbortController>();
  const server = await serveForTest(
    {
      fleet: {
        async getCluster({ name }, { signal }) {
          return name === "slow" ? await waitFor(signal, forever) : { cluster: { name } };
        },
        async *watchReconciliationRuns({ clusters }, { signal }) {
          yield { run: { id: "1" } };
          if (clusters.includes("fails")) {
            throw new ConnectError("gone", Code.NotFound);
          }
          while (clusters.includes("floods")) {
            yield { run: { id: "2", cluster: "c".repeat(1_000_000) } };
          }
          if (!clusters.includes("ends")) {
            await waitFor(signal, forever);
          }
        },
      },
      sync: {
        async *sync(_, { signal }) {
          yield {};
          await waitFor(signal, forever);
        },
      },
    },
    {
      clock,
      authenticator: {
        authenticate: async (_, headers) => JSON.parse(headers.get("x-identity") ?? "{}") as Identity,
      },
    },
  );
  const as = (identity: Identity, protocol = "gRPC, HTTP/2") => {
    const stop = new AbortController();
    stops.add(stop);
    const interceptor: Interceptor = (next) => (request) => {
      request.header.set("x-identity", JSON.stringify(identity));
      return next(request);
    };
    const transport = transportsTo(server.url, [interceptor])[protocol] as Transport;
    const fleet = createClient(FleetService, transport);
    const sync = createClient(SyncService, transport);
    /** Opens a stream, and resolves with its first message. */
    const first = async <T>(open: (signal: AbortSignal) => AsyncIterable<T>) =>
      await open(stop.signal)[Symbol.asyncIterator]().next();
    return {
      get: (name = "c") => fleet.getCluster({ name }, { signal: stop.signal }),
      watch: (cluster = "waits") =>
        first((signal) => fleet.watchReconciliationRuns({ clusters: [cluster] }, { signal })),
      watchAll: (cluster: string) => Array.fromAsync(fleet.watchReconciliationRuns({ clusters: [cluster] })),
      sync: () => first((signal) => sync.sync(hello(signal), { signal })),
      stop,
    };
  };
  return {
    ...server,
    clock,
    as,
    /** Ends the calls first: a client that does not read its stream keeps the server open. */
    async [Symbol.asyncDispose]() {
      for (const stop of stops) {
        stop.abort();
      }
      await server.close();
    },
  };
}

async function* hello(signal: AbortSignal) {
  yield { message: { case: "hello" as const, value: { cluster: "c", clusterUid: "u", instanceId: "i" } } };
  await waitFor(signal, forever);
}

/** Makes `count` calls, and returns how many of them were refused for their number, and the last such error. */
async function countRefused(count: number, call: () => Promise<unknown>) {
  const results = await Promise.allSettled(Array.from({ length: count }, call));
  const errors = results.flatMap((result) =>
    result.status === "rejected" ? [ConnectError.from(result.reason)] : [],
  );
  const refused = errors.filter(({ code }) => code === Code.ResourceExhausted);
  expect(errors).toEqual(refused);
  return { refused: refused.length, last: refused.at(-1) };
}

/** True if the call is answered, false if it is refused. */
async function isAnswered(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch {
    return false;
  }
}

function retryDelayOf(error: ConnectError | undefined) {
  return error?.findDetails(RetryInfoSchema)[0]?.retryDelay;
}

describe("open watches", () => {
  test("of a caller are at most 20; its 21st names the limit and when to try again, and others notice nothing", async () => {
    await using server = await serveCallers();
    const caller = server.as({ account: "a", subject: "one" });
    const { refused, last } = await countRefused(21, () => caller.watch());
    expect(refused).toBe(1);
    expect(last?.rawMessage).toBe(
      "WatchReconciliationRuns: this caller has 20 open calls, the most it may have; end one, or try again later",
    );
    expect(last?.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "LIMIT_EXCEEDED" }]);
    expect(retryDelayOf(last)).toMatchObject({ seconds: 1n, nanos: 0 });
    const others: readonly Identity[] = [
      { account: "a", subject: "two" },
      { account: "a", subject: "one", cluster: "c" },
      { account: "b", subject: "one" },
    ];
    for (const other of others) {
      await expect(server.as(other).watch()).resolves.toMatchObject({ done: false });
    }
  });

  describe.each(Object.keys(transportsTo("http://localhost")))("over %s", (transport) => {
    test.each([
      ["ends", undefined],
      ["fails", Code.NotFound],
    ])("that %s no longer count", async (cluster, code) => {
      await using server = await serveCallers();
      const caller = server.as({ account: "a" }, transport);
      for (let n = 0; n < 25; n++) {
        const found = await caller.watchAll(cluster).catch((error: unknown) => ConnectError.from(error).code);
        expect(found).toEqual(code ?? [expect.objectContaining({ run: expect.anything() })]);
      }
    });

    test.each(["waits", "floods"])(
      "of a client that leaves a stream that %s no longer count",
      async (cluster) => {
        await using server = await serveCallers();
        const caller = server.as({ account: "a" }, transport);
        const watch = () => caller.watch(cluster);
        expect(await countRefused(20, watch)).toMatchObject({ refused: 0 });
        expect(await countRefused(1, watch)).toMatchObject({ refused: 1 });
        caller.stop.abort();
        const next = server.as({ account: "a" }, transport);
        await expect.poll(() => isAnswered(next.watch())).toBe(true);
      },
    );
  });

  test("of an account are at most 200, of a server at most 2,000", async () => {
    await using server = await serveCallers();
    const open = async (account: string, callers: number) => {
      let refused = 0;
      for (let n = 0; n < callers; n++) {
        // The rate is another limit.
        await server.clock.advance(2_000);
        const caller = server.as({ account, subject: `s${n}` });
        const result = await countRefused(20, () => caller.watch());
        refused += result.refused;
        if (result.refused > 0) {
          expect(result.last?.rawMessage).toContain(
            account === "z" ? "this server has 2000" : "its account has 200",
          );
        }
      }
      return refused;
    };
    expect(await open("a", 11)).toBe(20);
    for (const account of "bcdefghij") {
      expect(await open(account, 10)).toBe(0);
    }
    expect(await open("z", 1)).toBe(20);
  });
});

describe("other calls", () => {
  test("a caller has at most 50 open queries", async () => {
    await using server = await serveCallers();
    const caller = server.as({ account: "a" });
    const slow = Promise.allSettled(Array.from({ length: 50 }, () => caller.get("slow")));
    await expect
      .poll(() =>
        caller.get().then(
          () => "answered",
          (error: unknown) => ConnectError.from(error).rawMessage,
        ),
      )
      .toContain("GetCluster: this caller has 50 open calls");
    await expect(server.as({ account: "b" }).get()).resolves.toBeDefined();
    caller.stop.abort();
    await slow;
    await expect.poll(() => isAnswered(server.as({ account: "a" }).get())).toBe(true);
  });

  test("a token of one cluster has at most 10 sessions, and a token of an account has more", async () => {
    await using server = await serveCallers();
    const agent = server.as({ account: "a", cluster: "c" });
    expect(await countRefused(11, () => agent.sync())).toMatchObject({ refused: 1 });
    const fleet = server.as({ account: "a" });
    expect(await countRefused(30, () => fleet.sync())).toMatchObject({ refused: 0 });
  });

  test("an account begins 100 calls per second, and 500 at once", async () => {
    await using server = await serveCallers();
    const callers = Array.from({ length: 10 }, (_, n) => server.as({ account: "a", subject: `s${n}` }));
    let at = 0;
    const call = () => (callers[at++ % callers.length] as (typeof callers)[number]).get();
    for (let n = 0; n < 5; n++) {
      expect(await countRefused(100, call)).toMatchObject({ refused: 0 });
    }
    const { refused, last } = await countRefused(1, call);
    expect(refused).toBe(1);
    expect(last?.rawMessage).toBe(
      "GetCluster: the account may begin 100 calls per second, and 500 at once; try again in 10 ms",
    );
    expect(retryDelayOf(last)).toMatchObject({ seconds: 0n, nanos: 10_000_000 });
    await expect(server.as({ account: "b" }).get()).resolves.toBeDefined();
    await server.clock.advance(500);
    expect(await countRefused(60, call)).toMatchObject({ refused: 10 });
    await server.clock.advance(3_600_000);
    for (let n = 0; n < 5; n++) {
      expect(await countRefused(101, call)).toMatchObject({ refused: n === 4 ? 5 : 0 });
    }
  });
});
