import { beforeAll, describe } from "vitest";
import { findControlPlaneBinaries } from "../../../deploy/local/components/control-plane-binaries.ts";
import {
  type ControlPlane,
  type ControlPlaneAddress,
  startControlPlane,
} from "../../../deploy/local/components/control-plane-server.ts";
import { found } from "../../../deploy/local/components/missing.ts";
import { createReaper } from "../../../deploy/local/components/reaper.ts";
import { provision, provisions } from "../vitest/provided.ts";

/** The control plane may be built first, once per machine. */
const startTimeoutMs = 20 * 60_000;

/**
 * `describe` for tests of a real kube-apiserver. All files of a run share one server, so they use their own
 * namespaces and resource types. Without a server they are skipped, and the name has the reason.
 */
export function describeWithKube(
  name: string,
  body: (controlPlane: () => ControlPlaneAddress) => void,
): void {
  const { controlPlaneMissing } = provisions();
  let address: ControlPlaneAddress | undefined;
  const get = (): ControlPlaneAddress => {
    if (address === undefined) {
      throw new Error(
        "control plane: not available while tests are collected; call it inside a test or a hook",
      );
    }
    return address;
  };
  if (controlPlaneMissing !== undefined) {
    describe.skip(`${name} (skipped: ${controlPlaneMissing})`, () => body(get));
    return;
  }
  describe(name, () => {
    beforeAll(async () => {
      address = await provision<ControlPlaneAddress>("/control-plane");
    }, startTimeoutMs);
    body(get);
  });
}

/**
 * Starts a separate control plane, for tests that restart it or need it empty. It costs about 3 s and 300 MB.
 */
export async function createControlPlane(): Promise<ControlPlane & AsyncDisposable> {
  found(findControlPlaneBinaries());
  const reaper = createReaper();
  const controlPlane = await startControlPlane(reaper);
  return {
    ...controlPlane,
    async [Symbol.asyncDispose]() {
      await controlPlane.stop();
      await reaper[Symbol.asyncDispose]();
    },
  };
}
