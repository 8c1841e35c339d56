import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Target } from "./target.ts";

/** Connections of one kind. */
const PER_KIND = 300;
/** All connections of {@link holdConnections}. */
export const HELD_CONNECTIONS = PER_KIND * 7;
/** After which those that are left are closed. */
const WAIT_MS = 30_000;
const DRIP_MS = 1_000;

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS = "\0\0\0\u0004\0\0\0\0\0";
const METHOD = "/evenkeel.v1.FleetService/ListClusters";

/** Opens idle and dripping connections, and waits until the server ends them. Returns the number of those left. */
export async function holdConnections(target: Target): Promise<number> {
  const post = `POST ${METHOD} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n`;
  const token = `Authorization: Bearer ${target.token}\r\n`;
  const kinds: readonly { readonly bytes: string; readonly drips?: boolean }[] = [
    { bytes: "" },
    { bytes: PREFACE },
    { bytes: PREFACE + SETTINGS },
    { bytes: `${PREFACE}${SETTINGS}\0\0\u0040\u0001\u0004\0\0\0\u0001\u0082` },
    { bytes: `GET ${METHOD} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow:`, drips: true },
    { bytes: `${post}\r\n{`, drips: true },
    { bytes: `${post}${token}\r\n{`, drips: true },
  ];
  const sockets = new Set<Socket>();
  for (const { bytes, drips = false } of kinds) {
    for (let index = 0; index < PER_KIND; index += 1) {
      sockets.add(holdConnection(target.port, bytes, drips));
    }
    await sleep(0);
  }
  const deadline = performance.now() + WAIT_MS;
  while ([...sockets].some(({ closed }) => !closed) && performance.now() < deadline) {
    await sleep(20);
  }
  const left = [...sockets].filter(({ closed }) => !closed);
  for (const socket of left) {
    socket.destroy();
  }
  return left.length;
}

/** Sends the beginning of a request, and a byte each second if it drips. */
function holdConnection(port: number, bytes: string, drips: boolean): Socket {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {}).resume();
  socket.write(Buffer.from(bytes, "latin1"));
  if (drips) {
    const timer = setInterval(() => socket.write(" "), DRIP_MS);
    socket.once("close", () => clearInterval(timer));
  }
  return socket;
}
