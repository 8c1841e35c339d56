import { Code, createClient, type Transport } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { FleetService } from "../../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { waitFor } from "../../../../src/lib/abort.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { serveForTest, transportsTo } from "../../../support/rpc/serve-for-test.ts";

const DAY_MS = 86_400_000;

/** Serves an endless stream to a caller whose identity expires after this time, or is revoked. */
async function serveExpiring(clock: ManualClock, afterMs: number, isRevoked = () => false) {
  const expiresAt = new Date(clock.now().getTime() + afterMs);
  /** Times at which the signals of streams aborted. */
  const endedAt: Date[] = [];
  const server = await serveForTest(
    {
      fleet: {
        getCluster: ({ name }) => ({ cluster: { name } }),
        async *watchReconciliationRuns({ clusters }, { signal }) {
          signal.addEventListener("abort", () => endedAt.push(clock.now()), { once: true });
          yield { run: { id: "1" } };
          if (!clusters.includes("ends")) {
            await waitFor(signal, new Promise<never>(() => {}));
          }
        },
      },
    },
    { clock, authenticator: { authenticate: async () => ({ account: "a", expiresAt, isRevoked }) } },
  );
  return { ...server, expiresAt, endedAt };
}

describe("a stream ends with UNAUTHENTICATED when its caller's identity expires", () => {
  test.each(Object.keys(transportsTo("http://localhost")))("over %s", async (name) => {
    const clock = new ManualClock();
    await using server = await serveExpiring(clock, DAY_MS);
    const client = createClient(FleetService, transportsTo(server.url)[name] as Transport);
    const runs = client.watchReconciliationRuns({})[Symbol.asyncIterator]();
    await runs.next();
    const next = expect(runs.next()).rejects.toMatchObject({
      code: Code.Unauthenticated,
      rawMessage: "token: expired; call again with a new one",
    });
    await clock.advance(2 * DAY_MS);
    await next;
    expect(server.endedAt).toEqual([server.expiresAt]);
  });
});

describe("a stream ends with UNAUTHENTICATED when its caller's identity is revoked", () => {
  test.each(Object.keys(transportsTo("http://localhost")))("over %s", async (name) => {
    const clock = new ManualClock();
    let isRevoked = false;
    await using server = await serveExpiring(clock, DAY_MS, () => isRevoked);
    const client = createClient(FleetService, transportsTo(server.url)[name] as Transport);
    const runs = client.watchReconciliationRuns({})[Symbol.asyncIterator]();
    await runs.next();
    const next = expect(runs.next()).rejects.toMatchObject({
      code: Code.Unauthenticated,
      rawMessage: "token: revoked: its key was removed; call again with a new one",
    });
    await clock.advance(60_000);
    expect(server.endedAt).toEqual([]);
    isRevoked = true;
    await clock.advance(5_000);
    await next;
    expect(server.endedAt).toHaveLength(1);
  });
});

test("a stream that ends before the expiry leaves no timer", async () => {
  const clock = new ManualClock();
  await using server = await serveExpiring(clock, DAY_MS);
  const client = createClient(FleetService, transportsTo(server.url)["gRPC, HTTP/2"] as Transport);
  expect(await Array.fromAsync(client.watchReconciliationRuns({ clusters: ["ends"] }))).toHaveLength(1);
  const abort = new AbortController();
  const runs = client.watchReconciliationRuns({}, { signal: abort.signal })[Symbol.asyncIterator]();
  await runs.next();
  abort.abort();
  await expect.poll(() => clock.pending).toBe(0);
});

test("a unary call does not end at the expiry", async () => {
  const clock = new ManualClock();
  await using server = await serveExpiring(clock, 0);
  const client = createClient(FleetService, transportsTo(server.url)["gRPC, HTTP/2"] as Transport);
  expect((await client.getCluster({ name: "c1" })).cluster?.name).toBe("c1");
});
