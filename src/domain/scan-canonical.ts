import { isUtf8 } from "node:buffer";
import {
  compareCodePoints,
  MAX_DEPTH,
  MAX_FRACTION_DIGITS,
  MAX_INTEGER_DIGITS,
  UncanonicalError,
} from "./canonical-json.ts";

/**
 * Receives a member of the object `metadata` of the outermost object: the range of its name, without quotes, and the
 * first byte of its value.
 */
export type MetadataVisitor = (nameStart: number, nameEnd: number, valueStart: number) => void;

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const LITERALS = ["true", "false", "null"].map((text) => Buffer.from(text));

/** 1 for each byte that a string contains as it is. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte === QUOTE || byte === BACKSLASH ? 0 : 1,
);

/** The escapes of two characters, by the second one. The longer forms of the same characters are not canonical. */
const SHORT_ESCAPES: ReadonlySet<number | undefined> = new Set(Buffer.from('"\\btnfr'));

/** The rest of an escape of six characters: a control character without a short escape, or a surrogate. */
const LONG_ESCAPE = /^u(?:00(?:0[0-7bef]|1[0-9a-f])|d[89a-f][0-9a-f]{2})$/;
const HIGH_SURROGATE = /^ud[89ab]/;
const LOW_SURROGATE = /^\\ud[c-f]/;

const METADATA = Buffer.from("metadata");

/** Longest text of the content in an error, in bytes. */
const MAX_SHOWN_BYTES = 60;

// The open containers, by depth from 1. A scan never waits, so one set serves all, and depth costs no memory.
const isObject = new Uint8Array(MAX_DEPTH + 1);
const nameStarts = new Int32Array(MAX_DEPTH + 1);
const nameEnds = new Int32Array(MAX_DEPTH + 1);

/**
 * Accepts exactly the texts that `canonicalize` returns, in UTF-8. It takes linear time, and it decodes only names with
 * escapes.
 *
 * @throws UncanonicalError that names the first byte at which the text differs from canonical JSON. Invalid UTF-8
 * comes first.
 */
export function scanCanonical(content: Uint8Array, onMetadata: MetadataVisitor = () => {}): void {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  assertUtf8(bytes);
  let at = 0;
  let depth = 0;
  for (;;) {
    const byte = bytes[at];
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (depth === MAX_DEPTH) {
        fail(at, `nested deeper than ${MAX_DEPTH} levels`);
      }
      depth += 1;
      at += 1;
      isObject[depth] = byte === OPEN_BRACE ? 1 : 0;
      if (bytes[at] !== closeOf(depth)) {
        if (byte === OPEN_BRACE) {
          at = readName(bytes, at, depth, true, onMetadata);
        }
        continue;
      }
    } else {
      at = endOfScalar(bytes, at);
    }
    while (depth > 0 && bytes[at] === closeOf(depth)) {
      depth -= 1;
      at += 1;
    }
    if (depth === 0) {
      break;
    }
    if (bytes[at] !== COMMA) {
      fail(at, `expected "," or "${isObject[depth] === 1 ? "}" : "]"}", found ${describeByte(bytes, at)}`);
    }
    at += 1;
    if (isObject[depth] === 1) {
      at = readName(bytes, at, depth, false, onMetadata);
    }
  }
  if (at < bytes.length) {
    fail(at, "bytes after the value");
  }
}

/** Returns a part of the content for an error, as it is written there but without control characters. */
export function showBytes(bytes: Uint8Array, start: number, end: number): string {
  const shown = Buffer.from(bytes.subarray(start, Math.min(end, start + MAX_SHOWN_BYTES))).toString();
  return shown.replaceAll(/\p{Cc}/gu, "\ufffd") + (end - start > MAX_SHOWN_BYTES ? "..." : "");
}

function fail(at: number, problem: string): never {
  throw new UncanonicalError(`not canonical at byte ${at}: ${problem}`);
}

function assertUtf8(bytes: Buffer): void {
  if (!isUtf8(bytes)) {
    // Decoding replaces what is not UTF-8.
    const replaced = Buffer.from(bytes.toString());
    const at = bytes.findIndex((byte, index) => byte !== replaced[index]);
    fail(at, "not UTF-8");
  }
}

function closeOf(depth: number): number {
  return isObject[depth] === 1 ? CLOSE_BRACE : CLOSE_BRACKET;
}

/** Returns the end of a value that is no container. */
function endOfScalar(bytes: Buffer, start: number): number {
  const byte = bytes[start];
  if (byte === QUOTE) {
    return endOfString(bytes, start);
  }
  if (byte === MINUS || isDigit(byte)) {
    return endOfNumber(bytes, start);
  }
  for (const literal of LITERALS) {
    if (byte === literal[0] && isAt(bytes, start, literal)) {
      return start + literal.length;
    }
  }
  return fail(start, `expected a value, found ${describeByte(bytes, start)}`);
}

function endOfString(bytes: Buffer, start: number): number {
  const { length } = bytes;
  const end = length - 3;
  let at = start + 1;
  for (;;) {
    while (
      at < end &&
      isPlain(bytes, at) + isPlain(bytes, at + 1) + isPlain(bytes, at + 2) + isPlain(bytes, at + 3) === 4
    ) {
      at += 4;
    }
    while (at < length && isPlain(bytes, at) === 1) {
      at += 1;
    }
    if (bytes[at] === QUOTE) {
      return at + 1;
    }
    if (bytes[at] !== BACKSLASH) {
      fail(at, `expected an escape or the end of a string, found ${describeByte(bytes, at)}`);
    }
    at = endOfEscape(bytes, at);
  }
}

function isPlain(bytes: Buffer, at: number): number {
  return PLAIN[bytes[at] as number] as number;
}

function endOfEscape(bytes: Buffer, start: number): number {
  if (SHORT_ESCAPES.has(bytes[start + 1])) {
    return start + 2;
  }
  const end = start + 6;
  const text = bytes.toString("latin1", start + 1, end);
  if (!LONG_ESCAPE.test(text)) {
    const shown = showBytes(bytes, start, text.startsWith("u") ? end : start + 2);
    fail(start, `the escape "${shown}" is not canonical`);
  }
  if (HIGH_SURROGATE.test(text) && LOW_SURROGATE.test(bytes.toString("latin1", end, end + 4))) {
    fail(start, "expected one character, found escapes of a surrogate pair");
  }
  return end;
}

function endOfNumber(bytes: Buffer, start: number): number {
  const isNegative = bytes[start] === MINUS;
  const integer = isNegative ? start + 1 : start;
  let at = endOfDigits(bytes, integer, MAX_INTEGER_DIGITS);
  if (bytes[integer] === ZERO && at > integer + 1) {
    fail(integer, "number with a leading zero");
  }
  if (bytes[at] === DOT) {
    at = endOfDigits(bytes, at + 1, MAX_FRACTION_DIGITS);
    if (bytes[at - 1] === ZERO) {
      fail(at - 1, "fraction with a trailing zero");
    }
  } else if (isNegative && bytes[integer] === ZERO) {
    fail(start, "negative zero");
  }
  if (bytes[at] === 0x45 || bytes[at] === 0x65) {
    fail(at, "number with an exponent");
  }
  return at;
}

function endOfDigits(bytes: Buffer, start: number, maxDigits: number): number {
  let at = start;
  while (isDigit(bytes[at])) {
    at += 1;
  }
  if (at === start) {
    fail(at, `expected a digit, found ${describeByte(bytes, at)}`);
  }
  if (at - start > maxDigits) {
    fail(start, `expected at most ${maxDigits} digits, found ${at - start}`);
  }
  return at;
}

/** True if the content has the text at the position. */
export function isAt(bytes: Buffer, start: number, text: Buffer): boolean {
  for (let i = 0; i < text.length; i++) {
    if (bytes[start + i] !== text[i]) {
      return false;
    }
  }
  return true;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}

/** Reads the name of a member. Returns the position of its value. `isFirst`: no name of the same object precedes it. */
function readName(
  bytes: Buffer,
  at: number,
  depth: number,
  isFirst: boolean,
  onMetadata: MetadataVisitor,
): number {
  if (bytes[at] !== QUOTE) {
    fail(at, `expected a key, found ${describeByte(bytes, at)}`);
  }
  const start = at + 1;
  const colon = endOfString(bytes, at);
  const end = colon - 1;
  if (bytes[colon] !== COLON) {
    fail(colon, `expected ":", found ${describeByte(bytes, colon)}`);
  }
  if (!isFirst) {
    assertOrder(bytes, nameStarts[depth] as number, nameEnds[depth] as number, start, end);
  }
  nameStarts[depth] = start;
  nameEnds[depth] = end;
  if (depth === 2 && isMetadata(bytes, nameStarts[1] as number, nameEnds[1] as number)) {
    onMetadata(start, end, colon + 1);
  }
  return colon + 1;
}

function isMetadata(bytes: Buffer, start: number, end: number): boolean {
  return isObject[1] === 1 && end - start === METADATA.length && isAt(bytes, start, METADATA);
}

function assertOrder(bytes: Buffer, start: number, end: number, nextStart: number, nextEnd: number): void {
  const order = compareNames(bytes, start, end, nextStart, nextEnd);
  if (order >= 0) {
    const names = [showBytes(bytes, start, end), showBytes(bytes, nextStart, nextEnd)];
    fail(
      nextStart - 1,
      order === 0 ? `duplicate key "${names[0]}"` : `keys out of order ("${names.join('" before "')}")`,
    );
  }
}

/** Compares two names. Bytes have the order of code points, except those of an escape. */
function compareNames(bytes: Buffer, start: number, end: number, nextStart: number, nextEnd: number): number {
  const length = Math.min(end - start, nextEnd - nextStart);
  for (let i = 0; i < length; i++) {
    const a = bytes[start + i] as number;
    const b = bytes[nextStart + i] as number;
    if (a === BACKSLASH || b === BACKSLASH) {
      return compareCodePoints(decodeName(bytes, start, end), decodeName(bytes, nextStart, nextEnd));
    }
    if (a !== b) {
      return a - b;
    }
  }
  return end - start - (nextEnd - nextStart);
}

function decodeName(bytes: Buffer, start: number, end: number): string {
  return JSON.parse(bytes.toString("utf8", start - 1, end + 1)) as string;
}

function describeByte(bytes: Buffer, at: number): string {
  const byte = bytes[at];
  if (byte === undefined) {
    return "the end of the content";
  }
  return byte > 0x20 && byte < 0x7f
    ? `"${String.fromCharCode(byte)}"`
    : `byte 0x${byte.toString(16).padStart(2, "0")}`;
}
