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

/** Building it may come first, once per machine. */
const startTimeoutMs = 20 * 60_000;

/**
 * `describe` for tests of a real kube-apiserver: one for the whole run, which all files share, so they keep to
 * namespaces and kinds of their own. Where there is none they are skipped, and the name says why.
 */
export function describeWithKube(
  name: string,
  body: (controlPlane: () => ControlPlaneAddress) => void,
): void {
  const { controlPlaneMissing } = provisions();
  let address: ControlPlaneAddress | undefined;
  const get = (): ControlPlaneAddress => {
    if (address === undefined) {
      throw new Error("the control plane is there once the tests run: ask for it inside them or their hooks");
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

/** A control plane of one's own, for tests that restart it or need it empty. Costs some 3 s and 300 MB. */
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
