import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** Direction of bytes. */
export type Direction = "toServer" | "toClient";

/** One end of the connections through a proxy. */
export type Side = "client" | "server";

/**
 * A TCP proxy on the loopback interface that injects faults. Only {@link TcpProxy.freeze} and {@link TcpProxy.halfOpen}
 * outlive `heal`.
 */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Resets all connections, and refuses new ones. */
  cut(): void;
  /** Stops both directions of the present connections for ever, as a lost route does. New connections work. */
  freeze(): void;
  /**
   * Resets one side of the present connections. The other side is not notified, as after a crash or behind a firewall
   * that forgot the connection: it stays open and silent for ever. New connections work.
   */
  halfOpen(reset: Side): void;
  /** Delays each chunk of bytes. */
  delay(ms: number): void;
  /** Passes bytes in this direction only. The others wait. */
  passOnly(direction: Direction): void;
  /** Ends the fault, and passes the bytes that waited. */
  heal(): void;
}

type Fault =
  | { readonly type: "none" }
  | { readonly type: "cut" }
  | { readonly type: "delay"; readonly ms: number }
  | { readonly type: "oneWay"; readonly passes: Direction };

interface Link {
  readonly near: Socket;
  readonly far: Socket;
  isFrozen: boolean;
}

/** Listens on a free port, and connects to a port of the loopback interface for each accepted connection. */
export async function createTcpProxy(targetPort: number): Promise<TcpProxy> {
  const links = new Set<Link>();
  let fault: Fault = { type: "none" };
  let changed = Promise.withResolvers<void>();
  const setFault = (next: Fault): void => {
    fault = next;
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const isBlocked = ({ isFrozen }: Link, direction: Direction): boolean =>
    isFrozen || (fault.type === "oneWay" && fault.passes !== direction);

  /** Waits while the fault stops this direction. */
  async function pass(link: Link, direction: Direction): Promise<void> {
    while (isBlocked(link, direction)) {
      await changed.promise;
    }
    if (fault.type === "delay") {
      await sleep(fault.ms);
    }
  }

  async function forward(link: Link, direction: Direction): Promise<void> {
    const [from, to] = direction === "toServer" ? [link.near, link.far] : [link.far, link.near];
    try {
      // The other direction goes on after the end of this one.
      for await (const chunk of from.iterator({ destroyOnReturn: false })) {
        await pass(link, direction);
        if (!to.write(chunk)) {
          await once(to, "drain");
        }
      }
      await pass(link, direction);
      to.end();
    } catch {
      // A frozen connection does not pass an error on either.
      if (!link.isFrozen) {
        close(link);
      }
    }
  }

  /** Resets both sides: a peer must not mistake a fault for the end of a stream. */
  const close = (link: Link): void => {
    links.delete(link);
    link.near.resetAndDestroy();
    link.far.resetAndDestroy();
  };

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    if (fault.type === "cut") {
      near.resetAndDestroy();
      return;
    }
    const far = connect({ port: targetPort, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    const link: Link = { near, far, isFrozen: false };
    links.add(link);
    for (const socket of [near, far]) {
      // The loops below end at the same error.
      socket.on("error", () => {});
    }
    const ended = Promise.all([forward(link, "toServer"), forward(link, "toClient")]);
    void ended.then(() => links.delete(link));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cutAll = (): void => {
    for (const link of links) {
      close(link);
    }
  };
  const freezeAll = (): void => {
    for (const link of links) {
      link.isFrozen = true;
    }
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      setFault({ type: "cut" });
      cutAll();
    },
    freeze: freezeAll,
    halfOpen(reset) {
      freezeAll();
      for (const { near, far } of links) {
        (reset === "client" ? near : far).resetAndDestroy();
      }
    },
    delay: (ms) => setFault({ type: "delay", ms }),
    passOnly: (direction) => setFault({ type: "oneWay", passes: direction }),
    heal: () => setFault({ type: "none" }),
    async [Symbol.asyncDispose]() {
      server.close();
      cutAll();
      await once(server, "close");
    },
  };
}
