const DECIMAL = /^(?:0|[1-9]\d{0,38})$/;
const LIMIT = 1n << 128n;

/**
 * Parses a resource version: a decimal integer of up to 128 bits without leading zeros (KEP-5504). Versions of one
 * (group, resource) compare as such numbers. Returns undefined for any other text; such versions have no order.
 */
export function parseResourceVersion(text: string): bigint | undefined {
  if (!DECIMAL.test(text)) {
    return undefined;
  }
  const version = BigInt(text);
  return version < LIMIT ? version : undefined;
}

/** Returns the greater of two versions. */
export function maxVersion(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

/** Returns the smaller of two versions. */
export function minVersion(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
