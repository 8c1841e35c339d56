import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { freePort } from "../../../deploy/local/components/free-port.ts";

const module = fileURLToPath(new URL("../../../deploy/local/components/free-port.ts", import.meta.url));
const run = promisify(execFile);

it("gives no port twice, neither in a process nor to another one", async () => {
  const own = await Promise.all(Array.from({ length: 300 }, freePort));
  const program = `import { freePort } from ${JSON.stringify(module)};
    console.log(JSON.stringify(await Promise.all(Array.from({ length: 300 }, freePort))));`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", program]);
  const others = JSON.parse(stdout) as number[];
  expect(new Set([...own, ...others])).toHaveLength(600);
});

it("gives ports that neither connections nor servers on port 0 get", async () => {
  const servers = Array.from({ length: 20 }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const lowest = Math.min(...servers.map((server) => (server.address() as { port: number }).port));
  expect(await freePort()).toBeLessThan(lowest);
  for (const server of servers) {
    server.close();
  }
});
