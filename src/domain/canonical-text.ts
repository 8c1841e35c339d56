import type { Slices } from "../lib/slices.ts";
import { canonicalNumber, compareCodePoints } from "./canonical-json.ts";

/** Characters that a slice reads, about. */
const SLICE = 64 * 1024;

/**
 * Returns the canonical text of a jsonb value from the text that Postgres returns for it: what `canonicalize` returns
 * for the parsed value, 15 times as fast for a text of numbers. A step reads about 64 Ki characters, and yields their
 * number. Only the end of an object or an array with 100,000 members is one step, however long it takes to join them.
 *
 * The text is not checked, because Postgres wrote it: strings have the escapes of `JSON.stringify`, and names are
 * unique. Only white space, the order of names and the form of numbers can differ. Its depth costs no stack.
 *
 * @throws UncanonicalError for a number out of range
 */
export function* canonicalizeJsonbText(text: string): Slices<string> {
  const open: Container[] = [];
  let start = 0;
  for (let at = skipSpace(text, 0); ; at = skipSpace(text, at)) {
    if (at - start >= SLICE) {
      yield at - start;
      start = at;
    }
    const parent = open.at(-1);
    const first = text.charAt(at);
    let value: string;
    switch (first) {
      case "{":
      case "[":
        open.push(new Container(first === "{"));
        at++;
        continue;
      case ",":
      case ":":
        at++;
        continue;
      case "}":
      case "]":
        value = (open.pop() as Container).toText();
        at++;
        break;
      case '"': {
        const end = endOfString(text, at);
        value = text.slice(at, end);
        at = end;
        break;
      }
      default: {
        const end = endOfWord(text, at);
        value = canonicalWord(text.slice(at, end));
        at = end;
      }
    }
    const owner = first === "}" || first === "]" ? open.at(-1) : parent;
    if (owner === undefined) {
      yield at - start;
      return value;
    }
    owner.add(value);
  }
}

/** An array, or an object, whose end has not been read. */
class Container {
  readonly #isObject: boolean;
  /** Canonical texts of the values. */
  readonly #values: string[] = [];
  /** Names of an object's values, with quotes. */
  readonly #names: string[] = [];

  constructor(isObject: boolean) {
    this.#isObject = isObject;
  }

  /** Adds the text of a value, or of a name before its value. */
  add(text: string): void {
    if (this.#isObject && this.#names.length === this.#values.length) {
      this.#names.push(text);
    } else {
      this.#values.push(text);
    }
  }

  toText(): string {
    if (!this.#isObject) {
      return `[${this.#values.join(",")}]`;
    }
    const members = this.#names.map((name, index) => ({
      key: toKey(name),
      text: `${name}:${this.#values[index]}`,
    }));
    const isPlain = members.every(({ key }) => !SURROGATE.test(key));
    members.sort(isPlain ? compareCodeUnits : (a, b) => compareCodePoints(a.key, b.key));
    return `{${members.map(({ text }) => text).join(",")}}`;
  }
}

const SURROGATE = /[\ud800-\udfff]/;

/** Without surrogates, this is the order of code points. */
function compareCodeUnits(
  { key: a }: { readonly key: string },
  { key: b }: { readonly key: string },
): number {
  return a < b ? -1 : 1;
}

function toKey(name: string): string {
  return name.includes("\\") ? JSON.parse(name) : name.slice(1, -1);
}

function skipSpace(text: string, at: number): number {
  let end = at;
  while (text.charCodeAt(end) === 0x20) {
    end++;
  }
  return end;
}

/** Returns the end of a string: after the first quote that no backslash escapes. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; at++) {
    at = text.indexOf('"', at);
    let backslashes = 0;
    while (text.charCodeAt(at - 1 - backslashes) === 0x5c) {
      backslashes++;
    }
    if (backslashes % 2 === 0) {
      return at + 1;
    }
  }
}

/** Returns the end of a number or a literal. */
function endOfWord(text: string, start: number): number {
  let end = start;
  while (end < text.length && !END_OF_WORD.has(text.charCodeAt(end))) {
    end++;
  }
  return end;
}

const END_OF_WORD: ReadonlySet<number> = new Set(Array.from(",]} ", (end) => end.charCodeAt(0)));

/** Returns the canonical text of a number or a literal. `numeric` prints only fractions with zeros at the end. */
function canonicalWord(word: string): string {
  return word.includes(".") ? canonicalNumber(word) : word;
}
