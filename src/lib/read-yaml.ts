import { type Document, isMap, isScalar, LineCounter, parseDocument, visit } from "yaml";
import { ConfigError } from "./errors.ts";

/** The top of a YAML file. */
export interface YamlMapping {
  readonly values: Readonly<Record<string, unknown>>;
  /** Returns the place of a key, or that of its value, as `line:column`. */
  placeOf(key: string, part: "key" | "value"): string;
}

/** Expectations by the parser's code. Its own messages quote the text. */
const EXPECTATIONS: Readonly<Record<string, string>> = {
  BAD_DIRECTIVE: 'no directive; a value that begins with "%" needs quotes',
  BAD_DQ_ESCAPE: 'a valid escape; write a backslash in double quotes as "\\\\", or use single quotes',
  BAD_INDENT: "consistent indentation, and a bracket at the end of each flow collection",
  BAD_SCALAR_START: 'a value in quotes, because it begins with a reserved character such as "@", "%" or "`"',
  BLOCK_AS_IMPLICIT_KEY: 'a value in quotes, because it contains ": "',
  DUPLICATE_KEY: "each key once",
  MISSING_CHAR: "a closing quote, bracket or comma",
  MULTIPLE_DOCS: "one document",
  TAG_RESOLVE_FAILED: 'a value in quotes, because "!" begins a tag',
  UNEXPECTED_TOKEN: "valid YAML; values with special characters need quotes",
};

/**
 * Reads a YAML file with a mapping at its top, or an empty one.
 *
 * @throws ConfigError with line, column and expectation. It never quotes the file, which may contain secrets, and has
 * no cause that does.
 */
export function readYaml(text: string): YamlMapping {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  const toPlace = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${line}:${col}`;
  };
  const refuse = (offset: number, expectation: string): ConfigError =>
    new ConfigError(`${toPlace(offset)}: expected ${expectation}`);
  // A tag that is ignored would change the value.
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) {
    throw refuse(problem.pos[0], EXPECTATIONS[problem.code] ?? `valid YAML (${problem.code})`);
  }
  const alias = findBadAlias(document);
  if (alias !== undefined) {
    throw refuse(alias, 'a value in quotes, because "*" begins an alias');
  }
  const top = document.contents;
  if (top !== null && !isMap(top) && !(isScalar(top) && top.value === null)) {
    throw refuse(top.range?.[0] ?? 0, 'a mapping of keys to values, with a space after each ":"');
  }
  const { items } = isMap(top) ? top : { items: [] };
  return {
    values: { ...document.toJS() },
    placeOf(key, part) {
      const pair = items.find((item) => isScalar(item.key) && item.key.value === key);
      const node = (part === "value" && pair?.value) || pair?.key;
      return toPlace((node as Ranged | undefined)?.range?.[0] ?? 0);
    },
  };
}

interface Ranged {
  readonly range?: readonly [number, ...unknown[]] | null;
}

/** Returns the offset of an alias without an anchor before it, or of one that contains itself. */
function findBadAlias(document: Document): number | undefined {
  let found: number | undefined;
  visit(document, {
    Alias(_key, node, path) {
      const source = node.resolve(document);
      if (source === undefined || path.includes(source)) {
        found = node.range?.[0] ?? 0;
        return visit.BREAK;
      }
      return undefined;
    },
  });
  return found;
}
