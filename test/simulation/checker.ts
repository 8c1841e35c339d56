import type { Narrowing } from "./fleet.ts";
import type { HistoryEvent, RowEvent, VerifiedEvent } from "./history.ts";
import type { Truth } from "./truth.ts";

/** A broken invariant. */
export interface Violation {
  readonly invariant: Invariant;
  readonly at: number;
  /** Account and name of the cluster. */
  readonly cluster: string;
  /** Resource type, and key of the object if it is about one. */
  readonly resource: string;
  readonly key?: string;
  readonly message: string;
}

/** The invariants, see docs/verification.md. */
export type Invariant =
  | "convergence"
  | "monotonic rows"
  | "no false delete"
  | "no resurrection"
  | "true verdicts"
  | "liveness"
  | "isolation"
  | "harmless dry runs"
  | "idempotence"
  | "few sessions"
  | "bounded queues"
  | "no failed comparison"
  | "prompt changes"
  | "true counts";

/** What the checker knows of a cluster. */
export interface CheckedCluster {
  /** Account and name. */
  readonly id: string;
  readonly account: string;
  readonly name: string;
  readonly truth: Truth;
  /** Times during which the agents read only a part. */
  readonly narrowings: readonly Narrowing[];
  /** True if the etcd was restored. */
  wasRestored(): boolean;
}

/** Checks the recorded history of one cluster against the truth. */
export function checkHistory(history: readonly HistoryEvent[], cluster: CheckedCluster): Violation[] {
  const own = history.filter(
    (event) =>
      event.type === "restored" || (event.account === cluster.account && event.cluster === cluster.name),
  );
  return [
    ...checkMonotonic(own, cluster),
    ...checkDeletes(own, cluster),
    // An old message of a version that exists again cannot be recognized (docs/correctness.md, limits of the proof).
    ...(cluster.wasRestored() ? [] : checkResurrections(own, cluster)),
    ...checkDryRuns(own, cluster),
    ...own.flatMap((event) =>
      event.type === "verified" ? checkVerified(event, cluster, findEdited(own, event)) : [],
    ),
  ];
}

/** Incarnation and observed version of a row never decrease, except by the edits of people. */
function checkMonotonic(history: readonly HistoryEvent[], { id }: CheckedCluster): Violation[] {
  const last = new Map<string, RowEvent>();
  const found: Violation[] = [];
  for (const event of history) {
    if (event.type === "restored") {
      last.clear();
    }
    if (event.type === "row") {
      const key = `${event.resource} ${event.key}`;
      const before = last.get(key);
      const isLower =
        before !== undefined &&
        (event.incarnation < before.incarnation ||
          (event.incarnation === before.incarnation && event.observed < before.observed));
      if (isLower && event.row !== undefined && event.isIngester && before.isIngester) {
        const message = `${key}: from ${before.incarnation}/${before.observed} to ${event.incarnation}/${event.observed}`;
        const { at, resource } = event;
        found.push({ invariant: "monotonic rows", at, cluster: id, resource, key: event.key, message });
      }
      if (event.row === undefined) {
        last.delete(key);
      } else {
        last.set(key, event);
      }
    }
  }
  return found;
}

/** The product never deletes the row of an object that existed all the time since the row got it. */
function checkDeletes(history: readonly HistoryEvent[], cluster: CheckedCluster): Violation[] {
  const { id, truth } = cluster;
  const firstSeen = new Map<string, number>();
  const found: Violation[] = [];
  for (const event of history) {
    if (event.type === "row" && event.isIngester) {
      const isPresent = event.row === "present" || event.row === "quarantined";
      const key = `${event.resource} ${event.key} ${isPresent ? uidOf(event.state) : event.uid}`;
      if (isPresent) {
        firstSeen.set(key, firstSeen.get(key) ?? event.at);
      } else {
        const since = firstSeen.get(key);
        firstSeen.delete(key);
        const isDelete = event.before === "present" || event.before === "quarantined";
        const isExcluded = event.row === undefined && wasNarrowed(cluster, event, event.at - LONGEST_WAY_MS);
        if (isDelete && !isExcluded && since !== undefined && existedThroughout(truth, event, since)) {
          const message = `${key} was deleted, and existed since ${seconds(since)}`;
          const { at, resource } = event;
          found.push({ invariant: "no false delete", at, cluster: id, resource, key: event.key, message });
        }
      }
    }
  }
  return found;
}

/** True if the agents were configured not to read this object at some time since then. */
function wasNarrowed(
  { narrowings }: CheckedCluster,
  { resource, key, at }: { readonly resource: string; readonly key: string; readonly at: number },
  since: number,
): boolean {
  const [namespace = ""] = key.split("/", 1);
  return narrowings.some(({ from, until, scope: { resources, namespaces } }) => {
    const isRead =
      resources.some(
        (name) => name === resource || (name.startsWith("*.") && resource.endsWith(name.slice(1))),
      ) &&
      (namespace === "" || namespaces.length === 0 || namespaces.includes(namespace));
    return from <= at && until >= since && !isRead;
  });
}

/** An object whose deletion the product recorded does not come back, unless it exists again. */
function checkResurrections(history: readonly HistoryEvent[], { id, truth }: CheckedCluster): Violation[] {
  const deleted = new Map<string, number>();
  const found: Violation[] = [];
  for (const event of history) {
    if (event.type === "restored") {
      deleted.clear();
    }
    if (event.type !== "row") {
      continue;
    }
    if (!event.isIngester) {
      // A person who deletes a row deletes the knowledge of its deletions too.
      for (const known of deleted.keys()) {
        if (known.startsWith(`${event.resource} ${event.key} `)) {
          deleted.delete(known);
        }
      }
      continue;
    }
    const uid = event.row === "absent" ? event.uid : uidOf(event.state);
    if (uid === "") {
      // Nothing distinguishes two objects without a uid.
      continue;
    }
    const identity = `${event.resource} ${event.key} ${uid}`;
    if (event.row === "absent") {
      deleted.set(identity, deleted.get(identity) ?? event.at);
    } else if (event.row !== undefined) {
      const since = deleted.get(identity);
      deleted.delete(identity);
      if (since !== undefined && isGoneSince(truth, event, since)) {
        const message = `${identity} has a row again; its deletion was recorded at ${seconds(since)}`;
        const { at, resource, key } = event;
        found.push({ invariant: "no resurrection", at, cluster: id, resource, key, message });
      }
    }
  }
  return found;
}

/** True if the object with the uid of the row did not exist from `since` until the event. */
function isGoneSince({ events }: Truth, { resource, key, state, at }: RowEvent, since: number): boolean {
  const own = events.filter((event) => event.resource === resource && event.key === key && event.at <= at);
  const atStart = own.findLastIndex((event) => event.at <= since);
  return own.slice(Math.max(0, atStart)).every((event) => uidOf(event.state) !== uidOf(state));
}

/** The transaction in which a dry run finds differences changes no row and verifies nothing. */
function checkDryRuns(history: readonly HistoryEvent[], { id }: CheckedCluster): Violation[] {
  const judging = new Set(history.flatMap((event) => (event.type === "judged" ? [event.tx] : [])));
  return history.flatMap((event) => {
    if ((event.type !== "row" && event.type !== "verified") || !judging.has(event.tx)) {
      return [];
    }
    const { at, resource } = event;
    const message = `${resource}: a dry run changed a row or verified its resource type`;
    return [{ invariant: "harmless dry runs", at, cluster: id, resource, message }];
  });
}

/**
 * Longest time for which a true deletion can be on its way, in milliseconds. Only a restored etcd brings an object back
 * under its uid, so only then it matters.
 */
const LONGEST_WAY_MS = 60_000;

function existedThroughout({ events }: Truth, { resource, key, uid, at }: RowEvent, since: number): boolean {
  const begin = since - LONGEST_WAY_MS;
  const own = events.filter((event) => event.resource === resource && event.key === key && event.at <= at);
  const first = own.findIndex((event) => uidOf(event.state) === uid);
  const atBegin = own.findLastIndex((event) => event.at <= begin);
  return first >= 0 && own.slice(Math.max(first, atBegin)).every((event) => uidOf(event.state) === uid);
}

function uidOf(state: string | undefined): string | undefined {
  return state?.split(" ", 1)[0];
}

/** Returns the keys whose rows people changed while the resource type was compared. No verdict covers these changes. */
function findEdited(history: readonly HistoryEvent[], { resource, asOf, at }: VerifiedEvent): Set<string> {
  const edits = history.filter(
    (event) =>
      event.type === "row" &&
      !event.isIngester &&
      event.resource === resource &&
      event.at >= asOf &&
      event.at <= at,
  );
  return new Set(edits.map((event) => (event as RowEvent).key));
}

/** Each row that is verified as of T was right at some time from T on; so was the lack of a row. */
function checkVerified(
  event: VerifiedEvent,
  cluster: CheckedCluster,
  edited: ReadonlySet<string>,
): Violation[] {
  const { id, truth } = cluster;
  const { at, resource, asOf, rows } = event;
  if (asOf > at) {
    const message = `${resource} verified as of ${seconds(asOf)}, which is ${seconds(asOf - at)} in the future`;
    return [{ invariant: "true verdicts", at, cluster: id, resource, message }];
  }
  const changes = Map.groupBy(
    truth.events.filter((change) => change.resource === resource && change.at <= at),
    ({ key }) => key,
  );
  for (const key of new Set([...changes.keys(), ...Object.keys(rows)])) {
    const own = changes.get(key) ?? [];
    const atStart = own.findLast((change) => change.at <= asOf)?.state;
    const states = [atStart, ...own.filter((change) => change.at > asOf).map(({ state }) => state)];
    const isExempt = edited.has(key) || wasNarrowed(cluster, { resource, key, at }, asOf);
    if (!isExempt && !states.includes(rows[key])) {
      const expected = states.map((state) => state ?? "none").join(" or ");
      const message = `${resource} verified as of ${seconds(asOf)}: ${key} was ${expected}, its row ${rows[key] ?? "none"}`;
      return [{ invariant: "true verdicts", at, cluster: id, resource, key, message }];
    }
  }
  return [];
}

/** A difference between an object and its row. */
export interface Difference {
  readonly key: string;
  readonly message: string;
}

/** Returns the first difference between the objects and the rows; undefined if there is none. */
export function findDifference(
  objects: ReadonlyMap<string, string>,
  rows: Readonly<Record<string, string>>,
): Difference | undefined {
  for (const [key, state] of objects) {
    const row = rows[key];
    if (row !== state) {
      const message = row === undefined ? `${key} lacks a row` : `${key} is "${state}", its row "${row}"`;
      return { key, message };
    }
  }
  const ghost = Object.keys(rows).find((key) => !objects.has(key));
  return ghost === undefined ? undefined : { key: ghost, message: `${ghost} has a row and does not exist` };
}

/** Formats what happened to the object of a violation, and to its row. */
export function formatObjectHistory(
  history: readonly HistoryEvent[],
  { account, name, truth }: CheckedCluster,
  { resource, key }: Violation,
): string[] {
  const objects = truth.events
    .filter((event) => event.resource === resource && event.key === key)
    .map(({ at, state }) => ({ at, text: `object ${state ?? "is gone"}` }));
  const rows = history
    .filter((event) => event.type === "row" || event.type === "verified")
    .filter((event) => event.account === account && event.cluster === name && event.resource === resource)
    .flatMap((event) =>
      event.type === "verified"
        ? [
            {
              at: event.at,
              text: `verified as of ${seconds(event.asOf)}, row ${event.rows[key ?? ""] ?? "absent"}`,
            },
          ]
        : event.key === key
          ? [{ at: event.at, text: formatRow(event) }]
          : [],
    );
  return [...objects, ...rows]
    .toSorted((a, b) => a.at - b.at)
    .map(({ at, text }) => `${seconds(at)} ${text}`);
}

function formatRow({ row, state, incarnation, observed, isIngester }: RowEvent): string {
  const writer = isIngester ? "" : ", by a person";
  return `row ${row ?? "deleted"} ${state}, observed at ${observed} of incarnation ${incarnation}${writer}`;
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(3)} s`;
}
