import type { OpenSync } from "../../../src/agent/uplink/session.ts";
import type { Bus, Consumer, Delivery, Producer } from "../../../src/bus/bus.ts";
import type { KubeResponse, KubeTransport } from "../../../src/kube/kube.ts";
import type { Database } from "../../../src/store/postgres/database.ts";

/**
 * Named points between a program and its ports. `after-read` follows a complete response of the API server, and
 * `after-watch` each part of a watch's response.
 */
const POINTS = [
  "after-receive",
  "before-publish",
  "after-publish",
  "before-commit",
  "after-commit",
  "before-acknowledge",
  "after-acknowledge",
  "after-read",
  "after-watch",
  "before-send",
  "after-send",
] as const;

/** A point of {@link POINTS}. */
export type FailpointName = (typeof POINTS)[number];

/** A signal that a program sends to itself when it passes a point for the nth time. */
export interface Failpoint {
  readonly point: FailpointName;
  readonly passing: number;
  readonly signal: "SIGKILL" | "SIGSTOP";
}

/** Returns the failpoint as an argument of a process, such as `after-commit:3:SIGKILL`. */
export function formatFailpoint({ point, passing, signal }: Failpoint): string {
  return [point, passing, signal].join(":");
}

/** @throws Error for a text that {@link formatFailpoint} does not return. */
export function parseFailpoint(text: string): Failpoint {
  const [name, passing, signal] = text.split(":");
  const point = POINTS.find((known) => known === name);
  if (point === undefined || !(Number(passing) > 0) || (signal !== "SIGKILL" && signal !== "SIGSTOP")) {
    throw new Error(`failpoint: expected POINT:PASSING:SIGNAL, found ${JSON.stringify(text)}`);
  }
  return { point, passing: Number(passing), signal };
}

/** Called by a program at each point. */
type Pass = (point: FailpointName) => void;

/** Creates the function that sends the signal to this process. No statement runs after it. */
function createPass({ point, passing, signal }: Failpoint): Pass {
  let passed = 0;
  return (reached) => {
    passed += reached === point ? 1 : 0;
    if (reached === point && passed === passing) {
      process.kill(process.pid, signal);
    }
  };
}

/** Returns the ports of a backend or an ingester, with the failpoint in them. */
export function withFailpoint(
  ports: { readonly bus: Bus; readonly database: Database },
  failpoint: Failpoint,
): { readonly bus: Bus; readonly database: Database } {
  const pass = createPass(failpoint);
  return { bus: wrapBus(ports.bus, pass), database: wrapDatabase(ports.database, pass) };
}

/** Returns the ports of an agent, with the failpoint in them. */
export function withAgentFailpoint(
  ports: { readonly kube: KubeTransport; readonly openSync: OpenSync },
  failpoint: Failpoint,
): { readonly kube: KubeTransport; readonly openSync: OpenSync } {
  const pass = createPass(failpoint);
  return { kube: wrapKube(ports.kube, pass), openSync: wrapSync(ports.openSync, pass) };
}

function wrapKube(kube: KubeTransport, pass: Pass): KubeTransport {
  async function* read({ body }: KubeResponse, isWatch: boolean): AsyncGenerator<Uint8Array> {
    for await (const part of body) {
      yield part;
      if (isWatch) {
        pass("after-watch");
      }
    }
    if (!isWatch) {
      pass("after-read");
    }
  }
  return {
    async get(signal, request) {
      const response = await kube.get(signal, request);
      return { ...response, body: read(response, request.query?.["watch"] !== undefined) };
    },
  };
}

function wrapSync(openSync: OpenSync, pass: Pass): OpenSync {
  async function* send<T>(requests: AsyncIterable<T>): AsyncGenerator<T> {
    for await (const request of requests) {
      pass("before-send");
      yield request;
      pass("after-send");
    }
  }
  return async function* open(signal, requests) {
    for await (const response of openSync(signal, send(requests))) {
      pass("after-receive");
      yield response;
    }
  };
}

function wrapDatabase(database: Database, pass: Pass): Database {
  return {
    ...database,
    async transaction(cluster, work) {
      const result = await database.transaction(cluster, async (client) => {
        const done = await work(client);
        pass("before-commit");
        return done;
      });
      pass("after-commit");
      return result;
    },
  };
}

function wrapBus(bus: Bus, pass: Pass): Bus {
  return {
    isRemote: bus.isRemote,
    maxMessageBytes: bus.maxMessageBytes,
    createProducer: async (signal, topic) => wrapProducer(await bus.createProducer(signal, topic), pass),
    subscribe: async (signal, options) => wrapConsumer(await bus.subscribe(signal, options), pass),
    check: (signal) => bus.check(signal),
    close: () => bus.close(),
  };
}

function wrapProducer(producer: Producer, pass: Pass): Producer {
  return {
    async publish(signal, message) {
      pass("before-publish");
      await producer.publish(signal, message);
      pass("after-publish");
    },
    close: () => producer.close(),
  };
}

function wrapConsumer(consumer: Consumer, pass: Pass): Consumer {
  return {
    async *deliveries(signal) {
      for await (const delivery of consumer.deliveries(signal)) {
        pass("after-receive");
        yield wrapDelivery(delivery, pass);
      }
    },
    close: () => consumer.close(),
  };
}

function wrapDelivery(delivery: Delivery, pass: Pass): Delivery {
  return {
    ...delivery,
    async acknowledge() {
      pass("before-acknowledge");
      await delivery.acknowledge();
      pass("after-acknowledge");
    },
  };
}
