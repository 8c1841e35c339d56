/** A dependency of a test that this machine lacks. */
export interface Missing {
  /** Name of the dependency and remedy, for people. */
  readonly missing: string;
}

/**
 * Returns the source.
 *
 * @throws Error with the reason if it is missing
 */
export function found<T extends object>(source: T | Missing): T {
  if ("missing" in source) {
    throw new Error(source.missing);
  }
  return source;
}
