import { ClusterChangedError } from "../kube/cluster-uid.ts";
import { ConfigError } from "../lib/errors.ts";
import type { RetryDecision } from "../lib/retry.ts";

/**
 * Decides whether the agent goes on after a failed request to the API server. Only an unusable configuration and another
 * cluster end it: a 403 or a 404 passes when somebody grants a role or installs an API.
 */
export function classifyError(error: unknown): RetryDecision {
  return error instanceof ConfigError || error instanceof ClusterChangedError ? "fail" : "retry";
}
