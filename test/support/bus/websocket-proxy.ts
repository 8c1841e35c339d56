import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { type RawData, WebSocket, WebSocketServer } from "ws";

/** Fault of the next publish that passes. */
export type PublishFault =
  /** The broker gets a payload that it refuses. */
  | "refuse"
  /** The broker's receipt is dropped, and the connection is closed. */
  | "cutBeforeReceipt"
  /** The broker's receipt is dropped, and the connection stays open. */
  | "loseReceipt";

/** A proxy between an adapter and a broker's WebSocket API, which injects network faults. */
export interface WebSocketProxy extends AsyncDisposable {
  /** URL, such as `ws://127.0.0.1:40123`. */
  readonly url: string;
  /** Number of open connections, without frozen ones. */
  readonly connections: number;
  /** Number of frames from the broker on open connections whose path contains the text. */
  countFromBroker(path: string): number;
  failNextPublish(fault: PublishFault): void;
  /** Ends the connections whose path contains the text, without a close frame. */
  cut(path: string): void;
  /** Drops all traffic of the connections whose path contains the text, which stay open. */
  freeze(path: string): void;
}

interface Pair {
  readonly path: string;
  readonly near: WebSocket;
  readonly far: WebSocket;
  receiptFault: Exclude<PublishFault, "refuse"> | undefined;
  fromBroker: number;
  isFrozen: boolean;
}

const socketOptions = { perMessageDeflate: false, maxPayload: 64 * 1024 * 1024 };

/** Listens on the loopback interface, and connects to the broker for each accepted connection. */
export async function createWebSocketProxy(brokerUrl: string): Promise<WebSocketProxy> {
  const pairs = new Set<Pair>();
  let nextFault: PublishFault | undefined;
  const upgrader = new WebSocketServer({ noServer: true, ...socketOptions });

  const toBroker = (pair: Pair, frame: string): string => {
    if (nextFault === undefined || !pair.path.includes("/producer/")) {
      return frame;
    }
    const fault = nextFault;
    nextFault = undefined;
    if (fault === "refuse") {
      return JSON.stringify({ ...JSON.parse(frame), payload: "!" });
    }
    pair.receiptFault = fault;
    return frame;
  };

  const fromBroker = (pair: Pair, frame: string): void => {
    const fault = pair.receiptFault;
    pair.receiptFault = undefined;
    pair.fromBroker += 1;
    if (fault === undefined) {
      pair.near.send(frame);
    } else if (fault === "cutBeforeReceipt") {
      terminate(pair);
    }
  };

  const connect = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const path = request.url ?? "";
    const { authorization } = request.headers;
    const far = new WebSocket(`${brokerUrl}${path}`, {
      ...socketOptions,
      ...(authorization === undefined ? {} : { headers: { authorization } }),
    });
    far.on("error", () => socket.destroy());
    far.once("unexpected-response", async (_, response) => {
      const body = await text(response);
      socket.end(
        `HTTP/1.1 ${response.statusCode} No\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
    });
    far.once("open", () => {
      upgrader.handleUpgrade(request, socket, head, (near) => {
        const pair: Pair = {
          path: decodeURIComponent(path),
          near,
          far,
          receiptFault: undefined,
          fromBroker: 0,
          isFrozen: false,
        };
        pairs.add(pair);
        near.on("message", (data) => far.send(toBroker(pair, toText(data))));
        far.on("message", (data) => fromBroker(pair, toText(data)));
        passOnEnd(near, far);
        passOnEnd(far, near);
        near.once("close", () => pairs.delete(pair));
        near.on("error", () => {});
      });
    });
  };

  const server = createServer((_, response) => response.writeHead(404).end()).on("upgrade", connect);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const matching = (path: string): Pair[] => [...pairs].filter((pair) => pair.path.includes(path));

  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get connections() {
      return [...pairs].filter(({ isFrozen }) => !isFrozen).length;
    },
    countFromBroker: (path) => matching(path).reduce((sum, { fromBroker: count }) => sum + count, 0),
    failNextPublish(fault) {
      nextFault = fault;
    },
    cut(path) {
      for (const pair of matching(path)) {
        terminate(pair);
      }
    },
    freeze(path) {
      for (const pair of matching(path)) {
        pair.isFrozen = true;
        pair.near.pause();
        pair.far.pause();
      }
    },
    async [Symbol.asyncDispose]() {
      for (const pair of pairs) {
        terminate(pair);
      }
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

function terminate({ near, far }: Pair): void {
  near.terminate();
  far.terminate();
}

/** Codes 1005 and 1006 mean that there was no close frame, and cannot be sent in one. */
function passOnEnd(from: WebSocket, to: WebSocket): void {
  from.once("close", (code, reason) => {
    if (code === 1005 || code === 1006) {
      to.terminate();
    } else {
      to.close(code, reason);
    }
  });
}

function toText(data: RawData): string {
  return data.toString();
}
