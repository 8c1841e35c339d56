import { createSeededRandom } from "../../../src/lib/random.ts";
import { createHostileRequests, type HostileScope } from "./hostile-messages.ts";
import { openConnection, type RawAnswer, sendConnect, sendGrpc } from "./raw-requests.ts";
import type { Target } from "./target.ts";

/** Answer to one hostile message. */
export interface HostileAnswer {
  readonly answer: RawAnswer;
  readonly label: string;
  readonly ms: number;
}

/** Requests at a time. */
const SENDERS = 8;
/** Time after which no further request is sent. They are shuffled, so that each kind gets its share. */
const MAX_MS = 10_000;

/** Prepares the messages. Their encoding takes seconds, which do not belong to the attack. */
export function prepareHostile(target: Target, scope: HostileScope) {
  const requests = shuffle([...createHostileRequests(scope, target.token)]);
  return {
    total: requests.length,
    /** Sends the messages in the given time, and returns the answers. */
    async send(): Promise<HostileAnswer[]> {
      const found: HostileAnswer[] = [];
      const deadline = performance.now() + MAX_MS;
      const send = async (): Promise<void> => {
        let session = await openConnection(target.url);
        const canSend = (): boolean => target.program.isRunning() && performance.now() < deadline;
        for (let next = requests.pop(); next && canSend(); next = requests.pop()) {
          if (session.closed || session.destroyed) {
            // It fails if the server has ended, which the load shows.
            session = await openConnection(target.url).catch(() => session);
          }
          const start = performance.now();
          const answer = await (next.protocol === "grpc"
            ? sendGrpc(session, next)
            : sendConnect(target.url, next));
          found.push({ answer, label: next.label, ms: performance.now() - start });
        }
        session.destroy();
      };
      await Promise.all(Array.from({ length: SENDERS }, send));
      return found;
    },
  };
}

function shuffle<T>(values: T[]): T[] {
  const random = createSeededRandom(1);
  return values
    .map((value) => ({ value, place: random.float() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ value }) => value);
}
