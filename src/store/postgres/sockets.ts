import { Socket } from "node:net";

/** Time for the server to close a connection after its client has ended it, in milliseconds. */
const CLOSE_MS = 1_000;

/**
 * The sockets of some clients. The driver ends a connection in order: it then waits for the server, for ever if that
 * has vanished without a notice, and keeps the process alive meanwhile.
 */
export class Sockets {
  readonly #open = new Set<Socket>();

  /** Creates the socket of a new connection. */
  create(): Socket {
    const socket = new Socket();
    this.#open.add(socket);
    return socket.once("close", () => this.#open.delete(socket));
  }

  /** Destroys the sockets that are still open in a second, when their clients have ended. */
  closeSoon(): void {
    for (const socket of this.#open) {
      socket.setTimeout(CLOSE_MS, () => socket.destroy());
    }
  }

  /** Destroys all sockets, so that the queries of their clients reject. */
  destroy(): void {
    for (const socket of this.#open) {
      socket.destroy();
    }
  }
}
