import type { UniversalServerRequest } from "@connectrpc/connect/protocol";
import type { MemoryBudget } from "../../lib/memory-budget.ts";
import { identityKey } from "../auth/authenticator.ts";
import type { FrameMemory } from "./count-frames.ts";

/** Bytes of memory for each byte of a message: it is received, decoded, and encoded for the bus. */
const COPIES = 3;

/**
 * Returns the memory of a call for the messages of its stream, in its account's part of the budget. It is given back at
 * the end of the call at the latest.
 */
export function createFrameMemory(
  budget: MemoryBudget,
  { signal, contextValues }: Pick<UniversalServerRequest, "signal" | "contextValues">,
): FrameMemory {
  let release = (): void => {};
  // A reader that has stopped does not come back to release.
  signal.addEventListener("abort", () => release(), { once: true });
  return {
    async take(bytes) {
      // The gate has identified the caller before the first byte is read.
      const account = budget.of(contextValues?.get(identityKey)?.account ?? "");
      await account.take(signal, COPIES * bytes);
      release = () => {
        account.release(COPIES * bytes);
        release = () => {};
      };
      if (signal.aborted) {
        release();
      }
    },
    release: () => release(),
  };
}
