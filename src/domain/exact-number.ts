declare const exact: unique symbol;

/** A number that `JSON.stringify` writes digit for digit; opaque to code. */
export interface ExactNumber {
  readonly [exact]: true;
}

/**
 * A JSON number of any size and precision, such as an integer above 2^53, which a JavaScript number would round.
 *
 * `JSON.rawJSON` (ECMAScript proposal "JSON.parse source text access") is in V8 but not yet in TypeScript's library.
 * Do not copy objects that hold one with `structuredClone`: it becomes an empty object.
 */
export function exactNumber(digits: string): ExactNumber {
  return (JSON as unknown as { rawJSON(text: string): ExactNumber }).rawJSON(digits);
}
