import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

/** A server for WebSockets whose every answer is the test's. */
export interface ScriptedWebSocketServer extends AsyncDisposable {
  /** Such as `ws://127.0.0.1:40123`. */
  readonly url: string;
  /** Path and headers of each handshake so far. */
  readonly handshakes: readonly { readonly path: string; readonly headers: IncomingHttpHeaders }[];
  /** The next connection that is made. */
  accept(): Promise<WebSocket>;
  /** From now on answers handshakes with this instead. */
  refuse(status: number, body: string): void;
}

/** Listens on the loopback interface; over TLS where there is a key. */
export async function createScriptedWebSocketServer(tls?: {
  readonly key: string;
  readonly cert: string;
}): Promise<ScriptedWebSocketServer> {
  const http: Server = tls === undefined ? createServer() : createTlsServer(tls);
  const server = new WebSocketServer({ noServer: true });
  const handshakes: { path: string; headers: IncomingHttpHeaders }[] = [];
  let refusal: string | undefined;
  http.on("upgrade", (request, socket, head) => {
    handshakes.push({ path: request.url ?? "", headers: request.headers });
    if (refusal === undefined) {
      server.handleUpgrade(request, socket, head, (webSocket) => server.emit("connection", webSocket));
    } else {
      socket.end(refusal);
    }
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  return {
    url: `${tls === undefined ? "ws" : "wss"}://127.0.0.1:${(http.address() as AddressInfo).port}`,
    handshakes,
    async accept() {
      const [webSocket] = await once(server, "connection");
      return webSocket;
    },
    refuse(status, body) {
      const headers = `content-type: text/html\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close`;
      refusal = `HTTP/1.1 ${status} No\r\n${headers}\r\n\r\n${body}`;
    },
    async [Symbol.asyncDispose]() {
      for (const client of server.clients) {
        client.terminate();
      }
      http.close();
      http.closeAllConnections();
      await once(http, "close");
    },
  };
}
