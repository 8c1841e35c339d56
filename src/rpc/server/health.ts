import { Code, ConnectError, type ConnectRouter, type ServiceImpl } from "@connectrpc/connect";
import {
  Health as HealthService,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../../../gen/proto/grpc/health/v1/health_pb.ts";
import { Condition } from "../../lib/condition.ts";
import { truncate } from "../../lib/text.ts";
import { HEALTH_LIMITS } from "./service-limits.ts";

/** Watch streams at a time: anybody may open them, and each holds memory for as long as it likes. */
const MAX_WATCHES = 1_000;
/** Longest name that a status repeats, in bytes. */
const MAX_NAME_BYTES = 128;

/** Which services of a server can be used now, as `grpc.health.v1` answers it. */
export interface Health {
  /** Sets the status of a service by its full name; the empty name is the server as a whole, serving from the start. */
  set(service: string, serving: boolean): void;
  /** Registers `grpc.health.v1.Health`. */
  register(router: ConnectRouter): void;
}

/** The health of one server. */
export function createHealth(): Health {
  const statuses = new Map<string, ServingStatus>([["", ServingStatus.SERVING]]);
  const changed = new Condition();
  const watches = new Set<AbortSignal>();

  async function* watch(signal: AbortSignal, service: string) {
    if (watches.size === MAX_WATCHES) {
      throw new ConnectError(
        `Watch: ${MAX_WATCHES} streams are open; call Check, or try again later`,
        Code.ResourceExhausted,
      );
    }
    signal.throwIfAborted();
    watches.add(signal);
    // Not `finally`, which a stream may never reach when its client leaves while a message is on its way.
    signal.addEventListener("abort", () => watches.delete(signal));
    let last: ServingStatus | undefined;
    for (;;) {
      const status = statuses.get(service) ?? ServingStatus.SERVICE_UNKNOWN;
      if (status !== last) {
        last = status;
        yield { status };
        // The status may have changed again while the message was on its way.
        continue;
      }
      await changed.wait(signal);
    }
  }

  return {
    set(service, serving) {
      statuses.set(service, serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING);
      changed.notifyAll();
    },
    register(router) {
      const implementation: ServiceImpl<typeof HealthService> = {
        check({ service }) {
          const status = statuses.get(service);
          if (status === undefined) {
            throw new ConnectError(`no service ${truncate(service, MAX_NAME_BYTES)} here`, Code.NotFound);
          }
          return { status };
        },
        list: () => ({
          statuses: Object.fromEntries([...statuses].map(([name, status]) => [name, { status }])),
        }),
        watch: ({ service }, { signal }) => watch(signal, service),
      };
      router.service(HealthService, implementation, HEALTH_LIMITS);
    },
  };
}
