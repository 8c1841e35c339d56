import { type BatchType, BatchTypeSchema } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import { TerminalError } from "../lib/errors.ts";

/** A program received a batch of a type that it does not process. */
export class UnsupportedBatchError extends TerminalError {
  override readonly name = "UnsupportedBatchError";
  readonly reason = "UnsupportedBatchType";
}

/** A handler for every type of the contract, or "refused" where the program does not process that type. */
export type ContractBatchHandlers<H> = Readonly<
  Record<(typeof BatchType)[keyof typeof BatchType], H | "refused">
>;

/** Handlers of an embedding program by the number of their type. They take precedence over the program's own. */
export type BatchHandlers<H> = Readonly<Record<number, H>>;

/**
 * Returns the function that finds the handler of a batch's type. It throws {@link UnsupportedBatchError} with the
 * name of a type that has none: no type is ever treated as another.
 */
export function createBatchRegistry<H>(
  contract: ContractBatchHandlers<H>,
  more: BatchHandlers<H> = {},
): (type: number) => H {
  const handlers: Readonly<Record<number, H | "refused">> = { ...contract, ...more };
  return (type) => {
    const handler = handlers[type];
    if (handler === undefined || handler === "refused") {
      throw new UnsupportedBatchError(
        `batch of type ${toName(type)}: this program does not process it; upgrade it, or register a handler`,
      );
    }
    return handler;
  };
}

/** The type's name in the contract, or its number when this program's contract is older. */
function toName(type: number): string {
  return BatchTypeSchema.value[type as BatchType]?.name ?? String(type);
}
