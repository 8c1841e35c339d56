import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A TCP load balancer on the loopback interface. */
export interface Balancer extends AsyncDisposable {
  readonly url: string;
}

/** Connects each client to the next of these ports that accepts connections. */
export async function startBalancer(ports: readonly number[]): Promise<Balancer> {
  const sockets = new Set<Socket>();
  let turn = 0;
  const server = createServer((client) => {
    track(sockets, client);
    const first = turn++;
    const tryNext = (attempt: number): void => {
      if (attempt === ports.length) {
        client.destroy();
        return;
      }
      const backend = connect({ host: "127.0.0.1", port: ports[(first + attempt) % ports.length] ?? 0 });
      track(sockets, backend);
      const onError = (): void => tryNext(attempt + 1);
      backend.once("error", onError);
      backend.once("connect", () => {
        backend.off("error", onError);
        client.pipe(backend).pipe(client);
        client.once("close", () => backend.destroy());
        backend.once("close", () => client.destroy());
      });
    };
    tryNext(0);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) {
        socket.destroy();
      }
      server.close();
      await once(server, "close");
    },
  };
}

function track(sockets: Set<Socket>, socket: Socket): void {
  sockets.add(socket);
  socket.once("close", () => sockets.delete(socket));
  socket.on("error", () => socket.destroy());
}
