import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";

/** Returns a TCP port that was free on 127.0.0.1 at the time of the call. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
