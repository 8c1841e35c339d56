import { ClusterChangedError } from "../kube/cluster-uid.ts";
import { ConfigError } from "../lib/errors.ts";
import type { RetryDecision } from "../lib/retry.ts";

/**
 * Decides if the agent retries a failed request to the API server. Only an invalid configuration and another
 * cluster end the agent: a 403 or a 404 can pass when an administrator grants a role or installs an API.
 */
export function classifyError(error: unknown): RetryDecision {
  return error instanceof ConfigError || error instanceof ClusterChangedError ? "fail" : "retry";
}
