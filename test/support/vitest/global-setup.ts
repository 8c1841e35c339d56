import type { TestProject } from "vitest/node";
import { createProvisioner, type Provisioner } from "./provisioner.ts";
import "./provided.ts";

let provisioner: Provisioner | undefined;

/** Runs before the first test file. */
export async function setup(project: TestProject): Promise<void> {
  provisioner = await createProvisioner();
  project.provide("provisions", provisioner.provisions);
}

/** Runs after the last test file, also after an interrupt. */
export async function teardown(): Promise<void> {
  await provisioner?.[Symbol.asyncDispose]();
}
