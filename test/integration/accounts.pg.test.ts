import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toJsonString } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Batch, type BatchItem, BatchType } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import { FleetService, View } from "../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { ResourceReconciledSchema } from "../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { RunningBackend } from "../../src/main/backend.ts";
import { createRuntime } from "../../src/main/runtime.ts";
import { startServer } from "../../src/main/server.ts";
import { createTokenInterceptor } from "../../src/rpc/client/sync-client.ts";
import { createDatabase, type Database } from "../../src/store/postgres/database.ts";
import { ScriptedAgent } from "../support/backend/scripted-agent.ts";
import { eventually } from "../support/e2e/eventually.ts";
import { describeWithPostgres } from "../support/postgres/postgres.ts";
import { createTokenIssuer } from "../support/rpc/token-issuer.ts";
import { batch, contentOf, PODS, put, remove } from "../support/store/messages.ts";
import { createTestLog } from "../support/vitest/test-log.ts";

type Fleet = Client<typeof FleetService>;

/** Names in a request. */
interface Names {
  readonly cluster: string;
  /** Name of a Pod in the namespace "a". */
  readonly pod: string;
  readonly runId: string;
  readonly setId: string;
}

/** One request per method of the service. The type requires an entry for each new method. */
const questions: Readonly<
  Record<
    Exclude<keyof typeof FleetService.method, "watchReconciliationRuns">,
    (fleet: Fleet, names: Names) => Promise<object>
  >
> = {
  listClusters: (fleet) => fleet.listClusters({}),
  getCluster: (fleet, { cluster }) => fleet.getCluster({ name: cluster }),
  listObjects: (fleet, { cluster }) => fleet.listObjects({ clusters: [cluster], view: View.FULL }),
  getObject: (fleet, { cluster, pod }) =>
    fleet.getObject({ cluster, ref: { resourceType: PODS, namespace: "a", name: pod } }),
  listReconciliationRuns: (fleet, { cluster }) => fleet.listReconciliationRuns({ clusters: [cluster] }),
  getReconciliationRun: (fleet, { runId }) => fleet.getReconciliationRun({ id: runId }),
  listReconciliationFindings: (fleet, { runId }) => fleet.listReconciliationFindings({ runId }),
  startReconciliation: (fleet, { cluster }) => fleet.startReconciliation({ cluster }),
  listDeletionSets: (fleet, { cluster }) => fleet.listDeletionSets({ clusters: [cluster] }),
  getDeletionSet: (fleet, { setId }) => fleet.getDeletionSet({ id: setId }),
  rejectDeletionSet: (fleet, { setId }) => fleet.rejectDeletionSet({ id: setId }),
  approveDeletionSet: (fleet, { setId }) => fleet.approveDeletionSet({ id: setId }),
};

/** Methods that change something for their caller. */
const changes: readonly (keyof typeof questions)[] = [
  "startReconciliation",
  "rejectDeletionSet",
  "approveDeletionSet",
];

const issuer = createTokenIssuer();

describeWithPostgres("two accounts with clusters of the same names", (provided) => {
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-accounts-"));
  const stop = new AbortController();
  const agents = new Map<string, ScriptedAgent>();
  let database: Database;
  let server: RunningBackend;
  let shop: Fleet;
  let bank: Fleet;
  /** IDs of the bank's runs. */
  let ended: string;
  let active: string;
  /** ID of the bank's deletion set. */
  let withheld: string;

  const fleetOf = async (claims: Readonly<Record<string, unknown>>): Promise<Fleet> => {
    const token = await issuer.issue(claims);
    const interceptors = [createTokenInterceptor({ read: () => token, isRenewable: false })];
    return createClient(FleetService, createGrpcTransport({ baseUrl: server.url, interceptors }));
  };

  /** Connects an agent that declares its scope, Pods, and replaces the cluster's previous agent. */
  const connect = async (account: string, cluster: string): Promise<ScriptedAgent> => {
    await agents.get(`${account} ${cluster}`)?.[Symbol.asyncDispose]();
    const agent = new ScriptedAgent(server.url, await issuer.issue({ account }));
    agents.set(`${account} ${cluster}`, agent);
    await agent.open({
      cluster,
      clusterUid: `uid of ${account} ${cluster}`,
      instanceId: `agent of ${account}`,
    });
    agent.send({ case: "scopeDeclared", value: { generation: 1n, resources: [{ resourceType: PODS }] } });
    return agent;
  };

  /** Returns the inventory of the next run of the agent's cluster. */
  const inventory = async (agent: ScriptedAgent): Promise<Batch> => {
    for (;;) {
      const { message } = await agent.next();
      if (message.case === "batch") {
        return message.value;
      }
    }
  };

  /** Answers a dry run with these observations. */
  const answerDryRun = (agent: ScriptedAgent, runId: string, ...items: BatchItem[]): void => {
    agent.send({ case: "batch", value: { ...batch(items, PODS, runId), type: BatchType.DRY_RUN } });
  };

  /** Ends a comparison after `puts` repairs. */
  const sayEnd = (
    agent: ScriptedAgent,
    runId: string,
    listVersion: string,
    { compared = 0, puts = 0 }: { readonly compared?: number; readonly puts?: number } = {},
  ): void => {
    const end = create(ResourceReconciledSchema, {
      resourceType: PODS,
      listVersion,
      firstSequence: agent.sequence + 1n - BigInt(puts),
      scopeGeneration: 1n,
      compared: BigInt(compared),
      listed: BigInt(compared),
      equal: BigInt(compared - puts),
      put: BigInt(puts),
    });
    agent.send({ case: "resourcesReconciled", value: { run: { runId, attempt: 1 }, ends: [end] } });
  };

  /** Creates a deletion set with one deletion, and returns its ID. */
  const withhold = async (account: string, cluster: string): Promise<string> => {
    const id = randomUUID();
    const statements = [
      `INSERT INTO deletion_set (account, cluster, id, origin, state, run_id, claimed_at)
       VALUES ($1, $2, $3, 'RUN', 'WITHHELD', $3, now())`,
      `INSERT INTO deletion_set_resource
         (account, cluster, set_id, api_group, resource, api_version, rows, deletions, detail)
       VALUES ($1, $2, $3, '', 'pods', 'v1', 2, 1, 'test')`,
      `INSERT INTO staged_deletion
         (account, cluster, api_group, resource, namespace, name, uid, observed_version, run_id, claimed_at)
       VALUES ($1, $2, '', 'pods', 'a', 'lost', '', 1, $3, now())`,
    ];
    for (const statement of statements) {
      await database.pool.query(statement, [account, cluster, id]);
    }
    return id;
  };

  const runEnds = async (fleet: Fleet, id: string): Promise<void> => {
    await eventually("the end of the run", async () => {
      const { run } = await fleet.getReconciliationRun({ id });
      expect(run?.endTime).toBeDefined();
    });
  };

  /**
   * Connects a cluster with one Pod, verifies it in a run, and has another run repair a finding. Returns the
   * second run's ID.
   */
  const live = async (account: string, fleet: Fleet, cluster: string, pod: string): Promise<string> => {
    const agent = await connect(account, cluster);
    const data = JSON.stringify(account);
    agent.send({ case: "batch", value: batch([put(`a/${pod}`, { observed: 10, data })]) });
    const first = await inventory(agent);
    sayEnd(agent, first.chunk?.run?.runId ?? "", "20", { compared: first.items.length });
    await runEnds(fleet, first.chunk?.run?.runId ?? "");
    await fleet.startReconciliation({ cluster });
    const second = await inventory(agent);
    const runId = second.chunk?.run?.runId ?? "";
    agent.send({
      case: "batch",
      value: batch([put(`a/${pod}`, { observed: 30, data, version: "25" })], PODS, runId),
    });
    sayEnd(agent, runId, "30", { compared: second.items.length, puts: 1 });
    await runEnds(fleet, runId);
    return runId;
  };

  /**
   * Returns every row of the account in all tables, without the time at which its sessions were last seen
   * alive.
   */
  const rowsOf = async (account: string): Promise<Readonly<Record<string, unknown[]>>> => {
    const { rows: tables } = await database.pool.query<{ name: string }>(
      "SELECT table_name AS name FROM information_schema.columns WHERE column_name = 'account' ORDER BY 1",
    );
    const entries = tables.map(async ({ name }) => {
      const { rows } = await database.pool.query<{ row: unknown }>(
        `SELECT to_jsonb(t) - 'seen_at' AS row FROM "${name}" t WHERE account = $1 ORDER BY 1`,
        [account],
      );
      return [name, rows.map(({ row }) => row)] as const;
    });
    return Object.fromEntries(await Promise.all(entries));
  };

  beforeAll(async () => {
    const keyFile = join(folder, "tokens.pub");
    writeFileSync(keyFile, issuer.publicPem);
    database = createDatabase({ url: provided.url });
    server = await startServer(stop.signal, {
      host: "127.0.0.1",
      port: 0,
      auth: { type: "tokens", publicKeyFiles: [keyFile], audience: "evenkeel" },
      database,
      reconcileIntervalMs: 3_600_000,
      runDeadlineMs: 600_000,
      runtime: createRuntime(createTestLog()),
    });
    [shop, bank] = [await fleetOf({ account: "shop" }), await fleetOf({ account: "bank" })];
    await live("shop", shop, "prod", "web");
    ended = await live("bank", bank, "prod", "vault");
    await live("bank", bank, "treasury", "vault");
    active = (await bank.startReconciliation({ cluster: "prod", dryRun: true })).run?.id ?? "";
    const agent = agents.get("bank prod") ?? expect.fail("no agent");
    await inventory(agent);
    answerDryRun(agent, active, remove("a/vault", 40));
    await eventually("the finding of the dry run", async () => {
      expect((await bank.listReconciliationFindings({ runId: active })).findings).toHaveLength(1);
    });
    withheld = await withhold("bank", "treasury");
    const standby = new ScriptedAgent(server.url, await issuer.issue({ account: "bank" }));
    agents.set("standby", standby);
    await standby.park("standby of bank", { cluster: "prod", clusterUid: "uid of bank prod" });
    await eventually("the standby", async () => {
      expect((await bank.getCluster({ name: "prod" })).cluster?.standbys).toBe(1);
    });
  });
  afterAll(async () => {
    await Promise.all([...agents.values()].map((agent) => agent[Symbol.asyncDispose]()));
    stop.abort(new Error("the test has ended"));
    await server?.ended;
    await database?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  /** Returns the response or the error as text, with the requested names hidden. */
  const ask = async (method: keyof typeof questions, fleet: Fleet, names: Names): Promise<string> => {
    const answer = await questions[method](fleet, names).catch((reason: unknown) =>
      ConnectError.from(reason),
    );
    const text =
      answer instanceof ConnectError
        ? `${Code[answer.code]}: ${answer.rawMessage}`
        : toJsonString(FleetService.method[method].output, answer as never);
    return Object.values(names).reduce((hidden, name) => hidden.replaceAll(name, "..."), text);
  };

  describe.each(Object.keys(questions) as (keyof typeof questions)[])("%s", (method) => {
    const unknown = "11111111-1111-4111-8111-111111111111";
    const nobodys = { cluster: "nowhere", pod: "nothing", runId: unknown, setId: unknown };

    it("answers alike for another account's data and for unknown names", async () => {
      const expected = await ask(method, shop, nobodys);
      expect(expected).toMatch(method === "listClusters" ? /^\{/ : /^NotFound: no /);
      for (const runId of [ended, active]) {
        expect(await ask(method, shop, { cluster: "treasury", pod: "vault", runId, setId: withheld })).toBe(
          expected,
        );
      }
    });

    it("answers the owner", async () => {
      const answer = await ask(method, bank, {
        cluster: "treasury",
        pod: "vault",
        runId: ended,
        setId: withheld,
      });
      expect(answer).toMatch(/^\{/);
    });
  });

  it("lists contain no data of the other account in any field", async () => {
    const names = {
      cluster: "prod",
      pod: "web",
      runId: (await shop.listReconciliationRuns({})).runs[0]?.id ?? "",
      setId: withheld,
    };
    const methods = Object.keys(questions) as (keyof typeof questions)[];
    for (const method of methods.filter((each) => !changes.includes(each) && each !== "getDeletionSet")) {
      const answer = await questions[method](shop, names);
      const text = toJsonString(FleetService.method[method].output, answer as never);
      expect(text, method).not.toMatch(/bank|treasury|vault/);
      expect(text, method).not.toContain(ended);
      expect(text, method).not.toContain(active);
    }
    const { objects } = await shop.listObjects({ clusters: ["prod"], view: View.FULL });
    expect(objects.map(({ ref, content }) => [ref?.name, content])).toEqual([
      ["web", contentOf("a/web", { data: '"shop"' })],
    ]);
  });

  it("page tokens of the other account are refused", async () => {
    const { nextPageToken: pageToken } = await bank.listClusters({ pageSize: 1 });
    expect(pageToken).not.toBe("");
    await expect(shop.listClusters({ pageToken })).rejects.toMatchObject({ code: Code.InvalidArgument });
    expect((await bank.listClusters({ pageToken })).clusters.map(({ name }) => name)).toEqual(["treasury"]);
  });

  it("a watch of runs begins with the own runs, although the other account has an active one", async () => {
    await connect("shop", "watched");
    const end = new AbortController();
    for await (const { run } of shop.watchReconciliationRuns({}, end)) {
      expect(run?.cluster).toBe("watched");
      break;
    }
    end.abort();
  });

  it("a token of one cluster shows only that cluster, and opens no session of another", async () => {
    const treasurer = await fleetOf({ account: "bank", cluster: "treasury" });
    expect((await treasurer.listClusters({})).clusters.map(({ name }) => name)).toEqual(["treasury"]);
    const { runs } = await treasurer.listReconciliationRuns({});
    expect(new Set(runs.map(({ cluster }) => cluster))).toEqual(new Set(["treasury"]));
    await expect(treasurer.getReconciliationRun({ id: ended })).rejects.toMatchObject({
      code: Code.NotFound,
    });
    const other = await withhold("bank", "prod");
    expect((await treasurer.listDeletionSets({})).deletionSets.map(({ cluster }) => cluster)).not.toContain(
      "prod",
    );
    for (const decide of [treasurer.approveDeletionSet, treasurer.rejectDeletionSet]) {
      await expect(decide({ id: withheld })).rejects.toMatchObject({ code: Code.PermissionDenied });
    }
    await expect(treasurer.getDeletionSet({ id: other })).rejects.toMatchObject({ code: Code.NotFound });
    await expect(treasurer.startReconciliation({ cluster: "prod" })).rejects.toMatchObject({
      code: Code.NotFound,
    });
    await using intruder = new ScriptedAgent(
      server.url,
      await issuer.issue({ account: "bank", cluster: "treasury" }),
    );
    const hello = { cluster: "prod", clusterUid: "uid of bank", instanceId: "intruder" };
    await expect(intruder.open(hello)).rejects.toMatchObject({ code: Code.PermissionDenied });
  });

  it("no message of an agent changes data of the other account", async () => {
    const before = await rowsOf("bank");
    expect(Object.entries(before).filter(([, rows]) => rows.length === 0)).toEqual([]);

    // The other account's clusters by name, one of which this account lacks; its object: older, newer and
    // absent; its runs.
    for (const cluster of ["prod", "treasury"]) {
      const forger = await connect("shop", cluster);
      for (const runId of [ended, active]) {
        const items = [put("a/vault", { observed: 1000, data: '"forger"' }), remove("a/web", 1000)];
        forger.send({ case: "batch", value: batch(items, PODS, runId) });
        answerDryRun(forger, runId, ...items, put("a/new", { observed: 1000 }));
        sayEnd(forger, runId, "2000");
      }
      forger.send({ case: "batch", value: batch([remove("a/vault", 3000)]) });
      forger.send({ case: "scopeDeclared", value: { generation: 2n, resources: [] } });
      const last = forger.sequence;
      await forger.acknowledged();
      const applied = async () =>
        (await shop.getCluster({ name: cluster })).cluster?.session?.appliedSequence;
      await expect.poll(applied, { interval: 10 }).toBe(last);
    }
    expect(await rowsOf("bank")).toEqual(before);
    expect((await bank.getReconciliationRun({ id: active })).run?.endTime).toBeUndefined();
  });

  it("clusters of the same name in two accounts have their own uids, sessions and runs", async () => {
    const { cluster: ofBank } = await bank.getCluster({ name: "prod" });
    expect(ofBank).toMatchObject({
      uid: "uid of bank prod",
      connected: true,
      session: { instanceId: "agent of bank" },
    });
    const { cluster: ofShop } = await shop.getCluster({ name: "prod" });
    expect(ofShop).toMatchObject({ uid: "uid of shop prod", session: { instanceId: "agent of shop" } });
  });

  it("a caller without a token, or with an expired or forged one, gets no data", async () => {
    const anonymous = createClient(FleetService, createGrpcTransport({ baseUrl: server.url }));
    const tokens = [await issuer.issue({ exp: 1 }), await createTokenIssuer().issue()];
    await using stranger = new ScriptedAgent(server.url);
    const answers = await Promise.allSettled([
      anonymous.listClusters({}),
      ...tokens.map((token) => anonymous.listClusters({}, { headers: { authorization: `Bearer ${token}` } })),
      stranger.open({ cluster: "prod" }),
    ]);
    const refused = { status: "rejected", reason: expect.objectContaining({ code: Code.Unauthenticated }) };
    expect(answers).toEqual([refused, refused, refused, refused]);
  });
});
