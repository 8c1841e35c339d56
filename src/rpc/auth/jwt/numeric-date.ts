/** The time of a claim, in seconds since 1970 (RFC 7519, NumericDate); undefined when it is none. */
export function fromNumericDate(seconds: unknown): Date | undefined {
  const date = new Date(typeof seconds === "number" ? seconds * 1000 : Number.NaN);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

/** A time as a claim has it, in whole seconds. */
export function toNumericDate(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}
