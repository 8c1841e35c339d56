import { reasonOf } from "../kube/kube-error.ts";
import { withinDeadline } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { Condition } from "../lib/condition.ts";
import { toMessage } from "../lib/errors.ts";
import type { Log, LogFields } from "../lib/log.ts";

/** The work on a resource type that fails: its lists and comparisons, or its watch. */
export type Activity = "read" | "watch";

/** The work on one resource type. */
export interface Work {
  readonly activity: Activity;
  /** Name of the resource type, such as "deployments.apps". */
  readonly resourceType: string;
  /** Namespace of a watch; unset: all that are read. */
  readonly namespace?: string;
}

/** An event that many resource types have at the same time: a list was refused, or versions went back. */
export type Notice = "staleList" | "incarnation";

/** Receiver of the failures, successes and notices of all resource types. */
export interface FailureReports {
  failed(work: Work, error: unknown): void;
  worked(work: Work): void;
  noticed(notice: Notice, resourceType: string): void;
}

interface Failure {
  readonly reason: string;
  readonly message: string;
}

/** Resource types that share a line of the log; those that work again have no failure. */
interface Group {
  readonly activity: Activity;
  readonly failure: Failure | undefined;
  readonly resourceTypes: Set<string>;
}

const LINES = {
  read: { level: "warn", failed: "resource types cannot be read", worked: "resource types are read again" },
  // Watches end and fail often, and the next one resumes.
  watch: {
    level: "info",
    failed: "resource types cannot be watched",
    worked: "resource types are watched again",
  },
} as const;

const NOTICES = {
  staleList: "lists below the high watermark refused",
  incarnation: "new incarnations begun: versions went back",
} as const;

/** Time to collect failures with the same cause, and notices, in milliseconds. */
const FAILED_WINDOW_MS = 2_000;
/** An idle watch shows that it works by its next bookmark only. */
const WORKED_WINDOW_MS = 30_000;
/** Names in one line. */
const MAX_NAMES = 5;

/**
 * Logs failures of resource types: those with the same reason share one line, when they begin to fail and when they
 * work again. A failure that is repeated, as in each run, is not logged again, nor is one that ends within two seconds.
 * Otherwise an agent without rights would log each resource type, several times. Notices of two seconds share a line.
 */
export class FailureLog implements FailureReports {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #works = new Map<string, Work>();
  readonly #failing = new Map<string, Failure>();
  /** Reasons of the failures that were logged. */
  readonly #logged = new Map<string, string>();
  /** Work whose state may differ from the logged one. */
  readonly #changed = new Set<string>();
  readonly #noticed = new Map<Notice, Set<string>>();
  readonly #dueChanged = new Condition();
  #due: number | undefined;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  failed(work: Work, error: unknown): void {
    const key = keyOf(work);
    const reason = reasonOf(error);
    if (this.#failing.get(key)?.reason !== reason) {
      this.#works.set(key, work);
      this.#failing.set(key, { reason, message: toMessage(error) });
      this.#changed.add(key);
      this.#expect(FAILED_WINDOW_MS);
    }
  }

  worked(work: Work): void {
    const key = keyOf(work);
    if (this.#failing.delete(key)) {
      this.#changed.add(key);
      this.#expect(WORKED_WINDOW_MS);
    }
  }

  noticed(notice: Notice, resourceType: string): void {
    const resourceTypes = this.#noticed.get(notice) ?? new Set();
    this.#noticed.set(notice, resourceTypes.add(resourceType));
    this.#expect(FAILED_WINDOW_MS);
  }

  /** Logs until `signal` aborts; before its end also what was not due yet. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        await this.#dueChanged.waitUntil(signal, () => this.#due !== undefined);
        const left = (this.#due ?? 0) - this.#clock.monotonic();
        if (left <= 0) {
          this.#flush();
        } else {
          const wait = (until: AbortSignal): Promise<void> => this.#dueChanged.wait(until);
          await withinDeadline(signal, this.#clock, left, wait, () => {});
        }
      }
    } finally {
      this.#flush();
    }
  }

  #expect(windowMs: number): void {
    const due = this.#clock.monotonic() + windowMs;
    if (this.#due === undefined || due < this.#due) {
      this.#due = due;
      this.#dueChanged.notifyAll();
    }
  }

  #flush(): void {
    const groups = new Map<string, Group>();
    for (const key of this.#changed) {
      const work = this.#works.get(key);
      const failure = this.#failing.get(key);
      if (work !== undefined && failure?.reason !== this.#logged.get(key)) {
        const name = `${work.activity} ${failure?.reason ?? ""}`;
        const group = groups.get(name) ?? { activity: work.activity, failure, resourceTypes: new Set() };
        groups.set(name, group);
        group.resourceTypes.add(work.resourceType);
      }
      if (failure === undefined) {
        this.#logged.delete(key);
        this.#works.delete(key);
      } else {
        this.#logged.set(key, failure.reason);
      }
    }
    for (const [notice, resourceTypes] of this.#noticed) {
      this.#log.warn(NOTICES[notice], toFields(resourceTypes));
    }
    this.#noticed.clear();
    this.#changed.clear();
    this.#due = undefined;
    for (const group of groups.values()) {
      this.#write(group);
    }
  }

  #write({ activity, failure, resourceTypes }: Group): void {
    const line = LINES[activity];
    const fields = toFields(resourceTypes);
    if (failure === undefined) {
      this.#log.info(line.worked, fields);
    } else {
      this.#log[line.level](line.failed, { reason: failure.reason, ...fields, error: failure.message });
    }
  }
}

function toFields(resourceTypes: ReadonlySet<string>): LogFields {
  return { count: resourceTypes.size, resourceTypes: [...resourceTypes].slice(0, MAX_NAMES) };
}

function keyOf({ activity, resourceType, namespace = "" }: Work): string {
  return JSON.stringify([activity, resourceType, namespace]);
}
