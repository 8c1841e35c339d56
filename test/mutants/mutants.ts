import { agentMutants } from "./agent-mutants.ts";
import { clusterMutants } from "./cluster-mutants.ts";
import { endsMutants } from "./ends-mutants.ts";
import { findingMutants } from "./finding-mutants.ts";
import { guardMutants } from "./guard-mutants.ts";
import { identityMutants } from "./identity-mutants.ts";
import { isolationMutants } from "./isolation-mutants.ts";
import { libMutants } from "./lib-mutants.ts";
import { limitMutants } from "./limit-mutants.ts";
import { monitoringMutants } from "./monitoring-mutants.ts";
import type { Mutant } from "./mutant.ts";
import { readingMutants } from "./reading-mutants.ts";
import { secretMutants } from "./secret-mutants.ts";
import { serverMutants } from "./server-mutants.ts";
import { storeMutants } from "./store-mutants.ts";
import { helpMutants, supportMutants } from "./support-mutants.ts";
import { websocketMutants } from "./websocket-mutants.ts";

/** Every protection that is taken away once, to see that the tests notice. */
export const mutants: readonly Mutant[] = [
  ...storeMutants,
  ...findingMutants,
  ...guardMutants,
  ...serverMutants,
  ...agentMutants,
  ...readingMutants,
  ...identityMutants,
  ...clusterMutants,
  ...websocketMutants,
  ...limitMutants,
  ...endsMutants,
  ...isolationMutants,
  ...monitoringMutants,
  ...secretMutants,
  ...libMutants,
  ...supportMutants,
  ...helpMutants,
];
