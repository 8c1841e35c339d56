import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** One address for several servers, like a Service: connects to the first port that answers. */
export interface Balancer extends AsyncDisposable {
  readonly url: string;
}

/** Listens on a free port of the loopback interface, and tries the ports in this order for each connection. */
export async function createBalancer(ports: readonly number[]): Promise<Balancer> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on("error", () => socket.destroy()).on("close", () => sockets.delete(socket));
  };
  const server = createServer(async (near) => {
    keep(near);
    for (const port of ports) {
      const far = keep(connect(port, "127.0.0.1"));
      try {
        await once(far, "connect");
      } catch {
        continue;
      }
      near.pipe(far).pipe(near);
      near.on("close", () => far.destroy());
      far.on("close", () => near.destroy());
      return;
    }
    near.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) {
        socket.destroy();
      }
      await once(server, "close");
    },
  };
}
