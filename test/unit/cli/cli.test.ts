import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import {
  FindingCause,
  FindingType,
  type FleetService,
  ObjectState,
  ReconciliationState,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { waitFor } from "../../../src/lib/abort.ts";
import { escapeControls } from "../../../src/lib/text.ts";
import { runForTest } from "../../support/cli/run-for-test.ts";
import { serveForTest } from "../../support/rpc/serve-for-test.ts";

const id = "0d6b1c4e-6f0a-4c9e-9a54-0f6d2b3c1a77";
const resourceType = { group: "apps", version: "v1", resource: "deployments" };
const ref = { resourceType, namespace: "shop", name: "web" };
const ago = (ms: number) => timestampFromDate(new Date(Date.now() - ms));

/** Runs a command line of words without blanks. */
async function run(
  args: string,
  environment: Readonly<Record<string, string>> = {},
  signal = new AbortController().signal,
) {
  return await runForTest(args.split(" ").filter(Boolean), { environment, signal });
}

async function withServer(
  fleet: Partial<ServiceImpl<typeof FleetService>>,
  body: (environment: { EVENKEEL_SERVER: string }) => Promise<void>,
) {
  await using server = await serveForTest({ fleet });
  await body({ EVENKEEL_SERVER: server.url });
}

describe("questions to a server", () => {
  test("clusters: as a table with relative times, exactly as JSON and YAML", async () => {
    const listClusters: ServiceImpl<typeof FleetService>["listClusters"] = ({ pageToken }) => ({
      clusters: [
        {
          name: pageToken === "" ? "c1" : "c2",
          connected: true,
          objects: 3n,
          lastEventTime: ago(65_000),
          standbys: 2,
        },
      ],
      nextPageToken: pageToken === "" ? "more" : "",
    });
    await withServer({ listClusters }, async (environment) => {
      const table = await run("clusters", environment);
      expect(table.code).toBe(0);
      expect(
        table.out
          .split("\n")
          .slice(0, 3)
          .map((line) => line.split(/ {3,}/).join("|")),
      ).toEqual([
        "NAME|CONNECTED|OBJECTS|QUARANTINED|LAST EVENT|VERIFIED|WITHHELD|AGENT|STANDBYS",
        expect.stringMatching(/^c1\|yes\|3\|0\|1m[5-9]s ago\|never\|-\|-\|2$/),
        expect.stringMatching(/^c2\|yes/),
      ]);
      const json = JSON.parse((await run("clusters -o json", environment)).out);
      expect(json.clusters[1]).toMatchObject({
        name: "c2",
        objects: "3",
        lastEventTime: expect.stringMatching(/Z$/),
      });
      expect((await run("clusters -o yaml", environment)).out).toMatch(/^clusters:\n {2}- name: c1\n/);
      expect((await run("clusters --limit 1 -o json", environment)).out).not.toContain("c2");
    });
  });

  test("objects: asks for what the flags say, and tells that there is more", async () => {
    const asked: unknown[] = [];
    const listObjects: ServiceImpl<typeof FleetService>["listObjects"] = (request) => {
      const [selector] = request.resources;
      asked.push([selector?.group, selector?.resource, request.namespace, request.pageSize]);
      const checksum = new Uint8Array(32);
      return {
        objects: [
          { ref, state: ObjectState.PRESENT, checksum },
          { ref: { ...ref, name: "edited" }, state: ObjectState.PRESENT },
          { ref: { ...ref, name: "odd" }, state: ObjectState.QUARANTINED, quarantineReason: "NUL" },
        ],
        nextPageToken: "more",
      };
    };
    await withServer({ listObjects }, async (environment) => {
      const { out, err } = await run(
        "objects c1 --resource deployments.v1.apps -n shop --limit 3",
        environment,
      );
      expect(asked).toEqual([["apps", "deployments", "shop", 3]]);
      expect(out).toMatch(/deployments\.apps +shop +web .* present\n/);
      expect(out).toMatch(/edited .* edited manually\n.*odd .* quarantined: NUL\n/);
      expect(err).toContain("There are more objects");
    });
  });

  test("object: shows the content with every digit", async () => {
    const content = '{"big":9007199254740993}';
    await withServer({ getObject: () => ({ object: { ref, content } }) }, async (environment) => {
      const { out } = await run("object c1 deployments.apps web -n shop", environment);
      expect(out).toContain('{\n  "big": 9007199254740993\n}\n');
      expect(out).toContain("none: edited manually");
    });
  });

  test("run: shows results and findings", async () => {
    const fleet: Partial<ServiceImpl<typeof FleetService>> = {
      getReconciliationRun: () => ({
        run: {
          id,
          state: ReconciliationState.PARTIAL,
          startTime: ago(3000),
          endTime: ago(1800),
          results: [
            {
              resourceType,
              listed: 7n,
              findings: [{ type: FindingType.GHOST_ROW, count: 2n }],
              formatChanges: 3n,
              scopeChanges: 4n,
            },
            {
              resourceType: { ...resourceType, resource: "daemonsets" },
              failure: { reason: "Forbidden", message: "no list" },
            },
          ],
        },
      }),
      listReconciliationFindings: () => ({
        findings: [
          { ref, type: FindingType.GHOST_ROW, cause: FindingCause.GHOST, detail: "no such object" },
          {
            ref: { ...ref, name: "api" },
            type: FindingType.STALE_ROW,
            cause: FindingCause.MISSED_CHANGE,
            differences: [
              { path: "/spec/replicas", stored: "2", observed: "3" },
              { path: "/spec/paused", stored: "true", observed: "" },
            ],
          },
        ],
      }),
    };
    await withServer(fleet, async (environment) => {
      const { out } = await run(`run ${id}`, environment);
      expect(out).toMatch(/State: +PARTIAL\n/);
      expect(out).toMatch(/Took: +1\.2s\n/);
      expect(out).toMatch(/deployments\.apps +VERIFIED +7 .* 2 GHOST_ROW +3 FORMAT, 4 FIRST COPY\n/);
      expect(out).toContain("Forbidden: no list");
      expect(out).toMatch(/GHOST_ROW +GHOST +deployments\.apps +shop +web +- +no such object\n/);
      expect(out).toMatch(/STALE_ROW +MISSED_CHANGE +deployments\.apps +shop +api /);
      expect(out).toContain(
        "deployments.apps shop/api\n  /spec/replicas: 2 -> 3\n  /spec/paused: true -> (none)\n",
      );
      const json = JSON.parse((await run(`run ${id} -o json`, environment)).out);
      expect(json).toMatchObject({
        run: { id, state: "RECONCILIATION_STATE_PARTIAL" },
        findings: [
          { cause: "FINDING_CAUSE_GHOST" },
          { differences: [{ path: "/spec/replicas", stored: "2", observed: "3" }, { path: "/spec/paused" }] },
        ],
      });
    });
  });
});

describe("reconcile", () => {
  const fleetWith = (state: ReconciliationState, busy = 1): Partial<ServiceImpl<typeof FleetService>> => {
    let ended = false;
    let attempts = 0;
    const runOf = (now: ReconciliationState) => ({
      run: {
        id,
        cluster: "c1",
        state: now,
        ...(ended && { endTime: ago(0) }),
        results: [{ resourceType, pending: !ended }],
      },
    });
    return {
      startReconciliation: () => {
        attempts++;
        if (attempts <= busy) {
          throw new ConnectError("another run is active", Code.Aborted);
        }
        return runOf(ReconciliationState.REQUESTED);
      },
      getReconciliationRun: () => runOf(ended ? state : ReconciliationState.REQUESTED),
      async *watchReconciliationRuns(_, { signal }) {
        yield { run: { id: "another" } };
        yield runOf(ReconciliationState.COMPARING);
        ended = true;
        yield runOf(state);
        await waitFor(signal, new Promise<never>(() => {}));
      },
      listReconciliationFindings: () => ({}),
    };
  };

  test.each([
    [ReconciliationState.SUCCEEDED, 0],
    [ReconciliationState.PARTIAL, 1],
    [ReconciliationState.FAILED, 1],
    [ReconciliationState.EXPIRED, 1],
  ])("state %d exits with %d, after waiting for another run, with progress", async (state, code) => {
    await withServer(fleetWith(state), async (environment) => {
      const result = await run("reconcile c1", environment);
      expect(result.code).toBe(code);
      expect(result.err.split("\n")).toEqual([
        expect.stringContaining("Another run of this cluster is active"),
        expect.stringContaining("REQUESTED"),
        expect.stringContaining("COMPARING, 0 of 1 resource types compared"),
        expect.stringContaining("1 of 1 resource types compared"),
        "",
      ]);
      expect(result.out).toContain(id);
    });
  });

  test("--dry-run shows what a run would repair, and exits with 0 although rows differ (R82)", async () => {
    const asked: unknown[] = [];
    const dry = {
      id,
      cluster: "c1",
      dryRun: true,
      state: ReconciliationState.SUCCEEDED,
      endTime: ago(0),
      results: [{ resourceType, listed: 7n, findings: [{ type: FindingType.STALE_ROW, count: 1n }] }],
    };
    const fleet: Partial<ServiceImpl<typeof FleetService>> = {
      startReconciliation: ({ cluster, dryRun }) => {
        asked.push([cluster, dryRun]);
        return { run: dry };
      },
      getReconciliationRun: () => ({ run: dry }),
      listReconciliationRuns: () => ({ runs: [dry] }),
      listReconciliationFindings: () => ({
        findings: [{ ref, type: FindingType.STALE_ROW, cause: FindingCause.MANUAL_EDIT, detail: "edited" }],
      }),
    };
    await withServer(fleet, async (environment) => {
      const result = await run("reconcile c1 --dry-run", environment);
      expect(asked).toEqual([["c1", true]]);
      expect(result.code).toBe(0);
      expect(result.err).toContain("1 rows to repair");
      expect(result.out).toMatch(/Dry run: +nothing was changed\n/);
      expect(result.out).toMatch(/RESOURCE .* TO REPAIR\ndeployments\.apps +COMPARED +7 /);
      expect(result.out).toMatch(/FOUND +DETAIL\nSTALE_ROW +MANUAL_EDIT +deployments\.apps +shop +web /);
      const json = JSON.parse((await run("reconcile c1 --dry-run -o json", environment)).out);
      expect(json).toMatchObject({ run: { dryRun: true }, findings: [{ ref: { name: "web" } }] });
      expect((await run("runs", environment)).out).toMatch(/ 1 \(dry run\) /);
    });
  });

  test("a cluster that is not connected is told in one line", async () => {
    const startReconciliation = () => {
      throw new ConnectError("cluster c1 is not connected", Code.FailedPrecondition);
    };
    await withServer({ startReconciliation }, async (environment) => {
      expect(await run("reconcile c1", environment)).toMatchObject({
        code: 1,
        out: "",
        err: "evenkeel: cluster c1 is not connected\n",
      });
    });
  });

  test("an interruption while it waits exits with 130, without a word", async () => {
    const stop = new AbortController();
    const startReconciliation = () => {
      setImmediate(() => stop.abort());
      throw new ConnectError("another run is active", Code.Aborted);
    };
    await withServer({ startReconciliation }, async (environment) => {
      const { code, err } = await run("reconcile c1", environment, stop.signal);
      expect(code).toBe(130);
      expect(err).not.toContain("evenkeel:");
    });
  });
});

describe("programs", () => {
  test.each([
    [
      "server --port 1 --database-url postgres://h/d --insecure-no-auth",
      { port: 1, databaseUrl: "postgres://h/d", auth: { type: "none" } },
    ],
    [
      "server --host 0.0.0.0 --database-url postgres://h/d --auth-public-keys a.pub,b.json",
      {
        host: "0.0.0.0",
        auth: { type: "tokens", publicKeyFiles: ["a.pub", "b.json"], audience: "evenkeel" },
      },
    ],
    ["agent --cluster c1 --token-file /t", { token: undefined, tokenFile: "/t" }],
    [
      "agent --cluster c1 --resources pods,deployments.apps --kube-context c",
      { resources: ["pods", "deployments.apps"], kubeContext: "c" },
    ],
    ["dev --no-drift --reconcile-interval 30s", { drift: false, churn: true, reconcileIntervalMs: 30_000 }],
  ])("%s", async (args, config) => {
    const { calls, code } = await run(args);
    expect(code).toBe(0);
    expect(calls).toEqual([expect.objectContaining(config)]);
  });
});

describe("names that steer a terminal are escaped (L24)", () => {
  const name = "\u001b]0;title\u0007\u009b2J\r\nforged   row";
  const fleet = { listClusters: () => ({ clusters: [{ name }] }) };

  test.each([
    ["table", "\\u001b]0;title\\u0007\\u009b2J\\u000d\\u000aforged   row"],
    ["json", '"\\u001b]0;title\\u0007\\u009b2J\\r\\nforged   row"'],
    ["yaml", '"\\u001b]0;title\\u0007\\u009b2J\\r\\nforged   row"'],
  ])("as %s", async (format, expected) => {
    await using server = await serveForTest({ fleet });
    const { code, out } = await run(`clusters -o ${format} --server ${server.url}`);
    expect(code).toBe(0);
    expect(out).toContain(expected);
    expect(escapeControls(out, "\n")).toBe(out);
  });

  test("in errors", async () => {
    const getCluster = () => {
      throw new ConnectError(`no ${name}`, Code.NotFound);
    };
    await using server = await serveForTest({ fleet: { getCluster } });
    const { code, err } = await run(`cluster c --server ${server.url}`);
    expect(code).toBe(1);
    expect(err).toMatch(/^evenkeel: no \\u001b\]0;title/);
  });
});

describe("wrong use", () => {
  test.each([
    ["", 2, "Usage: evenkeel"],
    ["nope", 2, "unknown command 'nope'"],
    ["clusters --nope", 2, "unknown option '--nope'"],
    ["object c1", 2, "missing required argument 'resource'"],
    ["objects c1 --resource v1/pods", 2, "Expected a resource type such as pods or deployments.apps"],
    ["object c1 apps/v1/deployments web", 2, "Expected a resource type such as pods or deployments.apps"],
    ["clusters -o xml", 2, "Allowed choices are table, json, yaml"],
    ["runs --limit 0", 2, "Expected a whole number above 0"],
    ["server --database-url postgres://h/d", 2, "authPublicKeys: required; create a key pair"],
    ["dev --host 0.0.0.0", 2, "dev does not authenticate callers"],
    [
      "clusters --server http://127.0.0.1:1",
      1,
      'no server answers at http://127.0.0.1:1; start one with "evenkeel dev"',
    ],
  ])("%j exits with %d", async (args, code, message) => {
    const result = await run(args);
    expect(result.code).toBe(code);
    expect(result.err).toContain(message);
  });

  test("a connection that breaks is named with its server", async () => {
    const breaking = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.resetAndDestroy());
    });
    await once(breaking.listen(0, "127.0.0.1"), "listening");
    const { port } = breaking.address() as AddressInfo;
    const { code, err } = await run(`clusters --server http://127.0.0.1:${port}`);
    breaking.close();
    expect(code).toBe(1);
    expect(err).toMatch(`evenkeel: the connection to http://127.0.0.1:${port} broke: `);
    expect(err).toContain("ECONNRESET; try again, or check --server\n");
  });

  test.each(["--help", "--version", "help reconcile", "reconcile --help"])("%s is not", async (args) => {
    const { code, out } = await run(args);
    expect(code).toBe(0);
    expect(out).not.toBe("");
  });

  test("every command has an example in its help", async () => {
    const { out } = await run("--help");
    const names = [...out.matchAll(/^ {2}([a-z]+) .*\[options\]/gm)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(9);
    for (const name of names) {
      expect((await run(`${name} --help`)).out).toMatch(/Examples:\n {2}\$/);
    }
  });
});
