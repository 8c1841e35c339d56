import { isDeepStrictEqual } from "node:util";
import type { Policies } from "../admin/policies.ts";
import type { BrokerLimits } from "../admin/pulsar-admin.ts";
import { compareTopic } from "./compare-topic.ts";
import { formatBytes, formatPolicy, formatSeconds, POLICY_NAMES } from "./format-policy.ts";
import type { CurrentTopology } from "./read-topology.ts";
import type { Difference, Topology, WantedNamespace } from "./topology.ts";

/** Returns the differences, in the order in which they can be removed: a container before its content. */
export function compareTopology(tenant: string, wanted: Topology, found: CurrentTopology): Difference[] {
  const noTenant: Difference = {
    what: `tenant ${tenant}`,
    wanted: "present",
    found: undefined,
    remedy: (signal, admin) => admin.createTenant(signal),
  };
  return [
    ...(found.hasTenant ? [] : [noTenant]),
    ...wanted.namespaces.flatMap((each) => compareNamespace(each, found.namespaces.get(each.name))),
    ...wanted.topics.flatMap((each) => compareTopic(each, found.topics.get(each.name))),
    ...(found.version === undefined ? [] : compareVersion(found.version)),
    ...(found.limits === undefined ? [] : compareLimits(wanted.limits, found.limits)),
    ...(found.limits === undefined ? [] : compareIdleTime(wanted.limits, found.limits)),
  ];
}

function compareNamespace({ name, policies }: WantedNamespace, found: Policies | undefined): Difference[] {
  const what = `namespace ${name}`;
  const absent: Difference = {
    what,
    wanted: "present",
    found: undefined,
    remedy: (signal, admin) => admin.createNamespace(signal, name),
  };
  const keys = Object.keys(policies) as (keyof Policies)[];
  const others = keys.filter((key) => !isDeepStrictEqual(policies[key], found?.[key]));
  return [
    ...(found === undefined ? [absent] : []),
    ...others.map(
      (key): Difference => ({
        what: `${what}: ${POLICY_NAMES[key]}`,
        wanted: formatPolicy(key, policies[key]) ?? "",
        found: formatPolicy(key, found?.[key]),
        remedy: (signal, admin) => admin.setPolicies(signal, name, { [key]: policies[key] }),
      }),
    ),
  ];
}

/**
 * In older versions a key can stall permanently when consumers join and leave: apache/pulsar#23845, fixed by
 * #24736.
 */
const LEAST_VERSION = "4.0.8";

function compareVersion(version: string): Difference[] {
  const isOld = version.localeCompare(LEAST_VERSION, "en", { numeric: true }) < 0;
  const advice =
    "upgrade the brokers: in an older one the events of a cluster can stall when ingesters join and leave, " +
    "until the topic is unloaded";
  const difference = { what: "broker: version", wanted: `at least ${LEAST_VERSION}`, found: version };
  return isOld ? [{ ...difference, remedy: { advice } }] : [];
}

/** Files of a setting of the WebSocket API, which no API can change. */
const WEBSOCKET_FILES = "broker.conf, or websocket.conf if the WebSocket API runs separately";

/** Returns the limits that are too low. They are set in the broker's files, which no API can change. */
function compareLimits(wanted: Partial<BrokerLimits>, found: BrokerLimits): Difference[] {
  const { maxMessageBytes = 0, maxTextFrameBytes = 0 } = wanted;
  const settings = [
    {
      setting: "maxMessageSize",
      least: maxMessageBytes,
      bytes: found.maxMessageBytes,
      where: "broker.conf, and nettyMaxFrameSizeBytes of the bookies above it",
    },
    {
      setting: "webSocketMaxTextFrameSize",
      least: maxTextFrameBytes,
      bytes: found.maxTextFrameBytes,
      where: WEBSOCKET_FILES,
    },
  ];
  return settings
    .filter(({ least, bytes }) => bytes < least)
    .map(({ setting, least, bytes, where }) => ({
      what: `broker: ${setting}`,
      wanted: `at least ${formatBytes(least)}`,
      found: formatBytes(bytes),
      remedy: { advice: `set ${setting}=${least} in ${where}; until then larger objects are quarantined` },
    }));
}

function compareIdleTime({ sessionIdleMs: most }: Partial<BrokerLimits>, found: BrokerLimits): Difference[] {
  if (most === undefined || found.sessionIdleMs <= most) {
    return [];
  }
  const setting = "webSocketSessionIdleTimeoutMillis";
  const advice =
    `set ${setting}=${most} in ${WEBSOCKET_FILES}; until then the clusters of an ingester that vanishes wait for ` +
    formatSeconds(found.sessionIdleMs / 1000);
  return [
    {
      what: `broker: ${setting}`,
      wanted: `at most ${formatSeconds(most / 1000)}`,
      found: formatSeconds(found.sessionIdleMs / 1000),
      remedy: { advice },
    },
  ];
}
