import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { freePort } from "../../deploy/local/components/free-port.ts";
import { createSeededRandom } from "../../src/lib/random.ts";
import { eventually } from "../support/e2e/eventually.ts";
import { type CommandResult, createPrograms, type Program, type Programs } from "../support/e2e/programs.ts";
import { createSimulatedKube, type SimulatedKube } from "../support/e2e/simulated-kube.ts";
import { describeWithPostgres } from "../support/postgres/postgres.ts";

describeWithPostgres("a server that requires tokens", (database) => {
  let programs: Programs;
  let kube: SimulatedKube;
  let folder: string;
  let serverUrl: string;
  /** Paths of token files. */
  let agentToken: string;
  let ownerToken: string;
  let strangerToken: string;

  const run = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await programs.run(...args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return stdout;
  };
  const createToken = async (name: string, ...args: readonly string[]): Promise<string> => {
    const path = join(folder, name);
    writeFileSync(path, await run("token", "create", "--key", join(folder, "tokens.key"), ...args));
    return path;
  };
  const ask = (...args: readonly string[]): Promise<CommandResult> =>
    programs.run(...args, "--server", serverUrl);

  beforeAll(async () => {
    programs = createPrograms();
    kube = await createSimulatedKube(createSeededRandom(5));
    folder = mkdtempSync(join(tmpdir(), "evenkeel-tokens-"));
    const key = join(folder, "tokens.key");
    await run("token", "keygen", key);
    [agentToken, ownerToken, strangerToken] = await Promise.all([
      createToken("agent.token", "--account", "shop", "--cluster", "prod"),
      createToken("owner.token", "--account", "shop"),
      createToken("stranger.token", "--account", "bank"),
    ]);
    const port = await freePort();
    serverUrl = `http://127.0.0.1:${port}`;
    const where = ["--port", String(port), "--database-url", database.url];
    programs.start("server", ...where, "--auth-public-keys", `${key}.pub`);
  });
  afterAll(async () => {
    await programs[Symbol.asyncDispose]();
    await kube[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const startAgent = (cluster: string, ...args: readonly string[]): Program =>
    programs.start(
      "agent",
      "--server",
      serverUrl,
      "--cluster",
      cluster,
      "--kubeconfig",
      kube.kubeconfigPath,
      ...args,
    );

  it("copies the cluster of an agent with a token, and shows it only to its account", async () => {
    startAgent("prod", "--token-file", agentToken);
    await eventually("the first verified copy", async () => {
      const { stdout, stderr } = await ask("clusters", "--token-file", ownerToken, "--output", "json");
      expect(stdout, stderr).toContain('"verifiedTime"');
      expect(JSON.parse(stdout)).toMatchObject({ clusters: [{ name: "prod", connected: true }] });
    });
    const [own, others] = await Promise.all([
      ask("objects", "prod", "--token-file", ownerToken, "--limit", "1", "--output", "json"),
      ask("objects", "prod", "--token-file", strangerToken),
    ]);
    expect(JSON.parse(own.stdout).objects).toHaveLength(1);
    expect(others).toMatchObject({ code: 1, stdout: "", stderr: 'evenkeel: no cluster "prod"\n' });
    expect((await ask("clusters", "--token-file", strangerToken)).stdout).toContain(
      "No cluster has connected yet",
    );
  });

  it("names the remedy to callers and agents without a token", async () => {
    const people = await ask("clusters");
    expect(people).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("--token-file") });
    const agent = startAgent("other");
    expect((await agent.ended).code).toBe(1);
    expect(agent.stderr()).toContain("authorization: no token");
  });

  it("refuses an agent of another cluster than its token's", async () => {
    const agent = startAgent("other", "--token-file", agentToken);
    expect((await agent.ended).code).toBe(1);
    expect(agent.stderr()).toContain('token: expected cluster "prod", found "other"');
  });

  it("does not start without a setting for authentication", async () => {
    const { code, stderr } = await programs.run("server", "--database-url", database.url);
    expect(code).toBe(2);
    expect(stderr).toContain("--auth-public-keys");
    expect(stderr).toContain("--insecure-no-auth");
  });
});
