import type { DescMethod } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import { FleetService } from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { SyncService } from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import type { Clock } from "../../lib/clock.ts";
import { LimitExceededError } from "../../lib/errors.ts";
import { type Identity, identityKey } from "../auth/authenticator.ts";
import { type Rate, TokenBucket } from "./token-bucket.ts";

/** Limits of the calls of some methods. A caller is an account with the cluster and the subject of its token. */
interface CallLimits {
  /** Most open calls of a caller. */
  readonly perCaller: number;
  /** Most open calls of a caller whose token is for one cluster; default `perCaller`. */
  readonly perClusterToken?: number;
  readonly perAccount: number;
  readonly perProcess: number;
  /** Calls that an account may begin. */
  readonly rate: Rate;
}

/** One stream per agent. A token of one cluster serves its agent and its standbys, and their reconnects. */
const SESSIONS: CallLimits = {
  perCaller: 10_000,
  perClusterToken: 10,
  perAccount: 10_000,
  perProcess: 10_000,
  rate: { burst: 200, perSecond: 50 },
};
/** Each watch holds a connection, and what it has not yet read. */
const WATCHES: CallLimits = {
  perCaller: 20,
  perAccount: 200,
  perProcess: 2_000,
  rate: { burst: 100, perSecond: 10 },
};
/** Short calls. */
const QUERIES: CallLimits = {
  perCaller: 50,
  perAccount: 100,
  perProcess: 1_000,
  rate: { burst: 500, perSecond: 100 },
};

const LIMITS: ReadonlyMap<DescMethod, CallLimits> = new Map<DescMethod, CallLimits>([
  [SyncService.method.sync, SESSIONS],
  [FleetService.method.watchReconciliationRuns, WATCHES],
]);

/** Time after which a caller with too many open calls may try again, in milliseconds. */
const RETRY_OPEN_MS = 1_000;

/**
 * Creates an interceptor that limits the open calls of each caller, of each account and of the process, and the rate at
 * which an account begins calls. A call above a limit fails with RESOURCE_EXHAUSTED and RetryInfo, and others do not
 * notice it. Calls without an identity are those of Health, which has limits of its own.
 */
export function createCallLimitInterceptor(clock: Clock): Interceptor {
  const limiters = new Map(
    [SESSIONS, WATCHES, QUERIES].map((limits) => [limits, new Limiter(clock, limits)]),
  );
  return (next) => async (request) => {
    const identity = request.contextValues.get(identityKey);
    const limiter = limiters.get(LIMITS.get(request.method) ?? QUERIES);
    if (identity === undefined || limiter === undefined) {
      return await next(request);
    }
    const release = limiter.admit(identity, request.method.name);
    // The signal aborts at the end of every call. A generator's `finally` is not reached when a client leaves while a
    // message is on its way.
    request.signal.addEventListener("abort", release, { once: true });
    return await next(request);
  };
}

/** Counts the calls of the methods that share limits. */
class Limiter {
  readonly #clock: Clock;
  readonly #limits: CallLimits;
  /** Open calls by caller, account, and process (the empty key). */
  readonly #open = new Map<string, number>();
  /** By account. Tokens prove accounts, so their number is bounded. */
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(clock: Clock, limits: CallLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /**
   * Counts a call as open and returns the function that ends it, to be called once.
   *
   * @throws LimitExceededError if the call exceeds a limit
   */
  admit({ account, cluster, subject }: Identity, method: string): () => void {
    const { perCaller, perClusterToken = perCaller, perAccount, perProcess } = this.#limits;
    const limits = [
      {
        key: JSON.stringify([account, cluster, subject]),
        of: "this caller",
        max: cluster === undefined ? perCaller : perClusterToken,
      },
      { key: JSON.stringify([account]), of: "its account", max: perAccount },
      { key: "", of: "this server", max: perProcess },
    ];
    for (const { key, of, max } of limits) {
      if ((this.#open.get(key) ?? 0) >= max) {
        const message = `${method}: ${of} has ${max} open calls, the most it may have; end one, or try again later`;
        throw new LimitExceededError(message, { retryAfterMs: RETRY_OPEN_MS });
      }
    }
    this.#takeToken(account, method);
    for (const { key } of limits) {
      this.#add(key, 1);
    }
    return () => {
      for (const { key } of limits) {
        this.#add(key, -1);
      }
    };
  }

  #takeToken(account: string, method: string): void {
    const { rate } = this.#limits;
    const bucket = this.#buckets.get(account) ?? new TokenBucket(this.#clock, rate);
    this.#buckets.set(account, bucket);
    const retryAfterMs = bucket.take();
    if (retryAfterMs > 0) {
      const message =
        `${method}: the account may begin ${rate.perSecond} calls per second, and ${rate.burst} at once; ` +
        `try again in ${retryAfterMs} ms`;
      throw new LimitExceededError(message, { retryAfterMs });
    }
  }

  #add(key: string, delta: number): void {
    const count = (this.#open.get(key) ?? 0) + delta;
    if (count === 0) {
      this.#open.delete(key);
    } else {
      this.#open.set(key, count);
    }
  }
}
