import type { ResourceType } from "../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { KubeTransport } from "../kube/kube.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { Tracer } from "../lib/telemetry.ts";
import type { AgentTuning } from "./config.ts";
import type { FailureReports } from "./failure-log.ts";
import type { AgentCounters } from "./metrics.ts";
import type { RestoreEvidence } from "./watch/restore-evidence.ts";
import type { VersionTracker } from "./watch/version-tracker.ts";

/** Ports and state that the readers of one resource type share. */
export interface ResourceContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly failures: FailureReports;
  readonly tracer: Tracer;
  readonly kube: KubeTransport;
  readonly tuning: AgentTuning;
  readonly counters: AgentCounters;
  readonly resourceType: ResourceType;
  /** Content format of the resource type. */
  readonly contentFormat: string;
  readonly versions: VersionTracker;
  /** Resource types of this agent whose versions went back. */
  readonly evidence: RestoreEvidence;
  /** Uid of the cluster's `kube-system` namespace. */
  readonly clusterUid: string;
  /** Returns the epoch of the latest session. */
  epoch(): bigint;
  /** Ends the session of this epoch, so that the next one has a new epoch. A session that has ended stays ended. */
  renewSession(epoch: bigint, reason: string): void;
}
