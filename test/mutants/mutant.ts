/** One way to take away a protection, and the tests that have to notice. */
export interface Mutant {
  /** The race that the protection closes, such as `R5`. */
  readonly race: string;
  /** File of the product, from the root. */
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  /** Test files of which at least one test has to fail. */
  readonly tests: readonly string[];
  /** Runs only the tests whose names match, as `vitest -t` does; unset runs all of the files. */
  readonly only?: string;
}
