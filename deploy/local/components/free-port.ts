import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Ports below the range from which systems take the local ports of connections and of servers that listen on port 0:
 * Linux begins at 32768 (`net.ipv4.ip_local_port_range`), RFC 6335 at 49152.
 */
const first = 15_000;
const end = 32_768;
const attempts = 200;

/**
 * Returns a TCP port that is free on 127.0.0.1, and stays free until a server that was told its number listens on it:
 * no other call gets it, in any process, until this process ends.
 *
 * @throws Error if it finds none in 200 attempts
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const port = first + Math.floor(Math.random() * (end - first));
    if (await claim(port)) {
      return port;
    }
    await sleep(0);
  }
  throw new Error(`no free port on 127.0.0.1 between ${first} and ${end - 1}, in ${attempts} attempts`);
}

/**
 * Claims a port with a UDP socket of the same number, which stays open. The kernel gives it to one process at a time,
 * and takes it back however that process ends.
 */
async function claim(port: number): Promise<boolean> {
  const udp = createSocket("udp4").unref();
  const server = createServer();
  try {
    udp.bind({ port, address: "127.0.0.1", exclusive: true });
    await once(udp, "listening");
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    server.close();
    await once(server, "close");
    return true;
  } catch {
    udp.close();
    return false;
  }
}
