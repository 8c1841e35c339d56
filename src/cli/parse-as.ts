import { InvalidArgumentError } from "commander";
import type { ValueType } from "../config/value-types.ts";

/** Makes commander read an option's text as configuration does. */
export function parseAs<T>({ schema, fromText, expected }: ValueType<T>): (text: string) => T {
  return (text) => {
    const result = schema.safeParse(fromText(text));
    if (!result.success) {
      throw new InvalidArgumentError(`Expected ${expected}.`);
    }
    return result.data;
  };
}
