/** Optional parts of a machine, also in CI, with the text of their absence; any other skip fails in CI. */
export const OPTIONAL_PARTS = {
  pulsarClient: "the native part of pulsar-client is not installed",
} as const;

/** True if the name of a test, or of a suite around it, names a missing optional part. */
export function isOptional(fullName: string): boolean {
  return Object.values(OPTIONAL_PARTS).some((missing) => fullName.includes(`(not run: ${missing})`));
}
