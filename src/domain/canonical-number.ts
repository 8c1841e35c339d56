import { trimEnd } from "../lib/trim-end.ts";
import { UncanonicalError } from "./uncanonical-error.ts";

const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** Most digits before and behind the decimal point that Postgres's `numeric`, and so `jsonb`, can hold. */
const MAX_INTEGER_DIGITS = 131_072;
const MAX_FRACTION_DIGITS = 16_383;

/**
 * The canonical text of a JSON number: plain decimal digits, no exponent, no trailing zeros of a fraction,
 * and no negative zero. It is what `jsonb` can give back: RFC 8785 would print 1e21 as `1e+21`, `jsonb`
 * prints 22 digits.
 *
 * Throws {@link UncanonicalError} for a number that `numeric` cannot hold, so that `1e999999999` costs
 * nothing.
 */
export function canonicalNumber(source: string): string {
  const match = NUMBER.exec(source);
  if (match === null) {
    throw new UncanonicalError(`not a JSON number: ${source.slice(0, 40)}`);
  }
  const [, sign = "", integer = "", fraction = "", exponent = "0"] = match;
  const digits = (integer + fraction).replace(/^0+/, "");
  if (digits === "") {
    return "0";
  }
  const significant = trimEnd(digits, "0");
  // The value is 0.DIGITS * 10^point.
  const point = digits.length - fraction.length + Number(exponent);
  if (point > MAX_INTEGER_DIGITS || significant.length - point > MAX_FRACTION_DIGITS) {
    throw new UncanonicalError(`number out of range: ${source.slice(0, 40)}`);
  }
  return sign + placePoint(significant, point);
}

function placePoint(significant: string, point: number): string {
  if (point <= 0) {
    return `0.${"0".repeat(-point)}${significant}`;
  }
  if (point >= significant.length) {
    return significant + "0".repeat(point - significant.length);
  }
  return `${significant.slice(0, point)}.${significant.slice(point)}`;
}
