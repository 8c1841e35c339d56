/** Parts of a machine that tests may do without, also in CI, and what is missing there; any other skip fails in CI. */
export const OPTIONAL_PARTS = {
  pulsarClient: "the native part of pulsar-client is not installed",
} as const;

/** True if the name of a test or of a suite around it says that it needs an optional part. */
export function isOptional(fullName: string): boolean {
  return Object.values(OPTIONAL_PARTS).some((missing) => fullName.includes(`(not run: ${missing})`));
}
