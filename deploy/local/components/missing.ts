/** What a test needs is not on this machine. */
export interface Missing {
  /** What, and what to do about it: for people. */
  readonly missing: string;
}

/** What was found; throws the reason when nothing was. */
export function found<T extends object>(source: T | Missing): T {
  if ("missing" in source) {
    throw new Error(source.missing);
  }
  return source;
}
