import type { Clock } from "../lib/clock.ts";
import { Places } from "../lib/places.ts";
import type { KubeRequest, KubeResponse, KubeTransport } from "./kube.ts";

/** Limit of the pages of lists that are requested at a time. */
export interface ListLimit {
  readonly maxLists: number;
  /** Time after which a request without a complete response counts no longer, in milliseconds. */
  readonly slowMs: number;
}

/**
 * Returns a transport that requests at most `maxLists` pages of lists at a time; further requests wait in their order.
 * An agent that starts in a cluster with a thousand resource types would otherwise exceed the concurrency that the API
 * server gives to its priority level, and delay other clients of that level (KEP-1040).
 *
 * A response that takes longer than `slowMs` gives up its place, so that API services that hang do not delay the lists
 * of the others. A page does not wait for its reader, so the limit cannot cause a deadlock.
 */
export function withListLimit(
  transport: KubeTransport,
  clock: Clock,
  { maxLists, slowMs }: ListLimit,
): KubeTransport {
  const places = new Places(maxLists);
  return {
    async get(signal, request) {
      if (!isList(request)) {
        return await transport.get(signal, request);
      }
      const place = await places.take(signal);
      const slow = clock.deadline(signal, slowMs);
      slow.signal.addEventListener("abort", () => place[Symbol.dispose](), { once: true });
      const end = (): void => {
        slow[Symbol.dispose]();
        place[Symbol.dispose]();
      };
      try {
        const response = await transport.get(signal, request);
        return { ...response, body: endingWith(response, end) };
      } catch (error) {
        end();
        throw error;
      }
    },
  };
}

/** Only lists have a limit; watches and single objects have none. */
function isList({ query }: KubeRequest): boolean {
  return query?.["limit"] !== undefined;
}

async function* endingWith(
  { body }: KubeResponse,
  end: () => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* body;
  } finally {
    end();
  }
}
