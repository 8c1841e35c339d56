import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

/** A WebSocket server whose responses the test controls. */
export interface ScriptedWebSocketServer extends AsyncDisposable {
  /** URL, such as `ws://127.0.0.1:40123`. */
  readonly url: string;
  /** Path and headers of each handshake so far. */
  readonly handshakes: readonly { readonly path: string; readonly headers: IncomingHttpHeaders }[];
  /** Resolves with the next connection. */
  accept(): Promise<WebSocket>;
  /** Answers later handshakes with this response. */
  refuse(status: number, body: string): void;
}

/** Listens on the loopback interface; with TLS if there is a key. */
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
