import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HelloSchema } from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { DEFAULT_AGENT_TUNING } from "../../../src/agent/config.ts";
import { createAgentCounters } from "../../../src/agent/metrics.ts";
import { Outbox } from "../../../src/agent/uplink/outbox.ts";
import { Uplink } from "../../../src/agent/uplink/uplink.ts";
import { OpeningTurns } from "../../../src/backend/sync/opening-turns.ts";
import { SessionRegistry } from "../../../src/backend/sync/session-registry.ts";
import { StandbyRegistry } from "../../../src/backend/sync/standby-registry.ts";
import { createSyncService } from "../../../src/backend/sync/sync-service.ts";
import { createMemoryBus } from "../../../src/bus/memory/memory-bus.ts";
import { createSystemClock } from "../../../src/lib/clock.ts";
import { TerminalError } from "../../../src/lib/errors.ts";
import { MemoryBudget } from "../../../src/lib/memory-budget.ts";
import { createSeededRandom } from "../../../src/lib/random.ts";
import { noTracer } from "../../../src/lib/telemetry.ts";
import { createTokenSource } from "../../../src/lib/token-source.ts";
import { createJwtAuthenticator } from "../../../src/rpc/auth/jwt-authenticator.ts";
import { createSyncClient } from "../../../src/rpc/client/sync-client.ts";
import { ControlledProducer } from "../../support/backend/controlled-producer.ts";
import { RecordingSessionStore } from "../../support/backend/recording-session-store.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { serveForTest } from "../../support/rpc/serve-for-test.ts";
import { createTokenIssuer } from "../../support/rpc/token-issuer.ts";
import { createTestLog } from "../../support/vitest/test-log.ts";

const MEBIBYTE = 1024 * 1024;
const HOUR_MS = 3_600_000;
const issuer = createTokenIssuer();

describe("an agent whose token expires", () => {
  let folder: string;
  let tokenFile: string;
  /** The server's. */
  let clock: ManualClock;
  let sessions: RecordingSessionStore;
  let server: Awaited<ReturnType<typeof serveForTest>>;
  /** Calls that were refused. */
  let refusals: number;
  let stop: AbortController;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "evenkeel-renewal-"));
    tokenFile = join(folder, "token");
    const keyFile = join(folder, "tokens.pub");
    writeFileSync(keyFile, issuer.publicPem);
    clock = new ManualClock();
    sessions = new RecordingSessionStore();
    refusals = 0;
    stop = new AbortController();
    const log = createTestLog();
    const bus = createMemoryBus();
    const jwt = createJwtAuthenticator({ publicKeyFiles: [keyFile], audience: "evenkeel", clock, log });
    const sync = createSyncService({
      sessions,
      registry: new SessionRegistry(),
      standbys: new StandbyRegistry(),
      turns: new OpeningTurns(),
      memory: { agents: new MemoryBudget(MEBIBYTE), messages: new MemoryBudget(64 * MEBIBYTE) },
      producer: new ControlledProducer(),
      bus,
      replyTopic: "replies/test",
      clock,
      log,
      tracer: noTracer,
      runDeadlineMs: HOUR_MS,
    });
    const authenticator: typeof jwt = {
      async authenticate(signal, headers) {
        try {
          return await jwt.authenticate(signal, headers);
        } catch (error) {
          refusals += 1;
          throw error;
        }
      },
    };
    server = await serveForTest({ sync }, { clock, authenticator });
  });
  afterEach(async () => {
    stop.abort(new Error("the test ends"));
    await server.close();
    rmSync(folder, { recursive: true });
  });

  /** A token that is good for an hour of the server's. */
  const issue = () => issuer.issue({ cluster: "c1", exp: (clock.now().getTime() + HOUR_MS) / 1000 });

  const deliver = async (source: { readonly token?: string; readonly tokenFile?: string }): Promise<void> => {
    const token = createTokenSource({ token: source.token, tokenFile: source.tokenFile });
    const uplink = new Uplink({
      clock: createSystemClock(),
      random: createSeededRandom(1),
      log: createTestLog(),
      openSync: createSyncClient(server.url, token),
      hello: create(HelloSchema, { cluster: "c1", clusterUid: "uid-1", instanceId: "agent-1" }),
      tuning: { ...DEFAULT_AGENT_TUNING, backoff: { initialMs: 1, maxMs: 10 }, flushMs: 1 },
      counters: createAgentCounters(),
      onBatch() {},
      outbox: new Outbox({ clock, ...DEFAULT_AGENT_TUNING }),
    });
    await uplink.run(stop.signal);
  };

  const opened = async (count: number): Promise<void> => {
    await expect.poll(() => sessions.opened.length, { interval: 5 }).toBe(count);
  };

  it("is refused with the old one until its file has a new one, and then goes on", async () => {
    writeFileSync(tokenFile, await issue());
    const running = deliver({ tokenFile });
    await opened(1);
    await clock.advance(2 * HOUR_MS);
    await expect.poll(() => refusals, { interval: 5 }).toBeGreaterThan(2);
    expect(sessions.closed).toHaveLength(1);
    expect(sessions.opened).toHaveLength(1);
    writeFileSync(tokenFile, `${await issue()}\n`);
    await opened(2);
    expect(sessions.opened.map(({ account, instanceId }) => [account, instanceId])).toEqual([
      ["shop", "agent-1"],
      ["shop", "agent-1"],
    ]);
    stop.abort(new Error("the agent stops"));
    await running;
  });

  it("does not notice when the file was renewed in time", async () => {
    writeFileSync(tokenFile, await issue());
    const running = deliver({ tokenFile });
    await opened(1);
    await clock.advance(HOUR_MS / 2);
    writeFileSync(tokenFile, await issue());
    await clock.advance(HOUR_MS / 2 + 60_000);
    await opened(2);
    expect(refusals).toBe(0);
    stop.abort(new Error("the agent stops"));
    await running;
  });

  it("ends when it has no other, and says why", async () => {
    const running = deliver({ token: await issue() });
    const ended = expect(running).rejects.toThrow(TerminalError);
    await opened(1);
    await clock.advance(2 * HOUR_MS);
    await ended;
    await expect(running).rejects.toThrow("token: expired; call again with a new one");
  });
});
