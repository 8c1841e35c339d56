import type { TestProject } from "vitest/node";
import { createProvisioner, type Provisioner } from "./provisioner.ts";
import "./provided.ts";

let provisioner: Provisioner | undefined;

/** Before the first test file of a run. */
export async function setup(project: TestProject): Promise<void> {
  provisioner = await createProvisioner();
  project.provide("provisions", provisioner.provisions);
}

/** After the last one, also when the run is interrupted. */
export async function teardown(): Promise<void> {
  await provisioner?.[Symbol.asyncDispose]();
}
