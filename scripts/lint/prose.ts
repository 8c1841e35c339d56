/** A piece of prose: a sentence or a part of one, and the line on which its text begins. */
export interface Prose {
  readonly line: number;
  readonly text: string;
}

/** Prose of one file. Only source code has strings; a Markdown file is all comment. */
export interface FileProse {
  readonly comments: readonly Prose[];
  readonly strings: readonly Prose[];
}

/** Sentence openings that make a relative clause the subject: readers parse such a sentence twice. */
const RELATIVE_OPENING = /^(What|Who|Whoever|Whatever|Whether|One that|That which)\b/;

/** Words that the project replaces by standard terms. docs/style.md lists them with their replacements. */
const BANNED =
  /\b(mend(s|ed|ing)?|letters?|tell(s|ing)?|told|say(s|ing)?|said|look(s|ed|ing)?|let(s|ting)? (\w+ )?in|let(s|ting)? (\w+ )?go|(come|comes|coming|came) (to|about)|(take|takes|taking|taken|took) (\w+ )?for|(make|makes|making) an?|wakes? (\w+ )for|in vain|had better|likewise|whoever|whatever|is made of|what (\w+ ){1,3}needs|what is ([\w-]+ ){1,4}is|of now|a moment|by hand|anew|may well|nobody|somebody)\b/gi;

/** Exact phrases that contain a banned word and are right. */
const ALLOWED = [
  ...["dead letter", "dead letters", "dead-letter", "dead-letters"],
  ...["capital letter", "capital letters", "with a letter", "small letters"],
];

const SQL = /^(SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|BEGIN|SET|RETURNING)\b/;
/** A slash behind one of these begins a regular expression; behind anything else it divides. */
const BEFORE_REGEXP = /(^|[(,=:[!&|?{};>+]|\breturn)\s*$/;
/** A blank line, a list item, a heading, a quotation and a JSDoc tag each begin a text of their own. */
const NEW_TEXT = /^\s*($|[-*] |\d+\. |#+ |> |@\w+)/;

/** True if a sentence opens with a relative clause. */
export function hasRelativeOpening(sentence: string): boolean {
  return RELATIVE_OPENING.test(sentence);
}

/** Returns the banned words of a text, in lower case. */
export function findBannedWords(text: string): string[] {
  const masked = ALLOWED.reduce(
    (rest, phrase) => rest.replace(new RegExp(`\\b${phrase}\\b`, "gi"), "X"),
    text,
  );
  return [...masked.matchAll(BANNED)].map(([word]) => word.toLowerCase());
}

/** Returns the sentences of a file's prose. `path` decides how the file is read. */
export function readProse(path: string, text: string): FileProse {
  if (path.endsWith(".md")) {
    return { comments: readMarkdown(text).flatMap(toSentences), strings: [] };
  }
  const { comments, strings } = scan(text);
  return {
    comments: comments.flatMap(splitTexts).flatMap(toSentences),
    strings: strings.filter(isVisible).flatMap(toHelpLines).flatMap(toSentences),
  };
}

/** Walks TypeScript, Protobuf or a Prisma schema once, and returns comments and string literals. */
function scan(code: string): { readonly comments: Prose[]; readonly strings: Prose[] } {
  const comments: Prose[] = [];
  const strings: Prose[] = [];
  const templates: { start: number; text: string; depth: number }[] = [];
  let position = 0;

  const lineOf = (at: number): number => code.slice(0, at).split("\n").length;
  const take = (pattern: RegExp): string | undefined => {
    const sticky = new RegExp(pattern, "y");
    sticky.lastIndex = position;
    return sticky.exec(code)?.[0];
  };
  const readTemplate = (): void => {
    const template = templates.at(-1);
    const chunk = take(/(?:[^`\\$]|\\[\s\S]|\$(?!\{))*(?:`|\$\{)?/) ?? "";
    position += chunk.length;
    if (template === undefined) {
      return;
    }
    template.text += chunk.endsWith("${") ? `${chunk.slice(0, -2)}X` : chunk.replace(/`$/, "");
    if (!chunk.endsWith("${")) {
      templates.pop();
      strings.push({ line: lineOf(template.start), text: template.text });
    }
  };

  while (position < code.length) {
    const start = position;
    const open = templates.at(-1);
    const comment = take(/\/\*[\s\S]*?\*\/|\/\/.*(?:\n[ \t]*\/\/.*)*/);
    const string = take(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/);
    if (comment !== undefined) {
      position += comment.length;
      comments.push({ line: lineOf(start), text: comment.replace(/\*\/$/, "") });
    } else if (string !== undefined) {
      position += string.length;
      strings.push({ line: lineOf(start), text: string.slice(1, -1).replaceAll("\\n", "\n") });
    } else if (code[position] === "`") {
      position += 1;
      templates.push({ start, text: "", depth: 0 });
      readTemplate();
    } else if (open !== undefined && code[position] === "}" && open.depth === 0) {
      position += 1;
      readTemplate();
    } else {
      const character = code[position];
      if (open !== undefined) {
        open.depth += character === "{" ? 1 : character === "}" ? -1 : 0;
      }
      const isRegExp =
        character === "/" && BEFORE_REGEXP.test(code.slice(Math.max(0, position - 80), position));
      position += (isRegExp && take(/\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/\w*/)?.length) || 1;
    }
  }
  return { comments, strings };
}

/** Splits a comment, without its stars and slashes, where a new text begins. */
function splitTexts({ line, text }: Prose): Prose[] {
  const lines = text.split("\n").map((each) => each.replace(/^\s*(\/\*\*?|\/{2,}|\*(?!\*))/, ""));
  return joinTexts(lines.map((each, index) => ({ line: line + index, text: each })));
}

/** Returns the texts of a Markdown file: paragraphs, list items and cells of tables, without code. */
function readMarkdown(text: string): Prose[] {
  let isCode = false;
  const lines = text.split("\n").flatMap((each, index): Prose[] => {
    const isFence = /^\s*(```|~~~)/.test(each);
    isCode = isCode !== isFence;
    if (isFence || isCode) {
      return [{ line: index + 1, text: "" }];
    }
    const cells = each.startsWith("|") ? each.split(/(?<!\\)\|/).flatMap((cell) => [cell, ""]) : [each];
    return cells.map((cell) => ({ line: index + 1, text: cell }));
  });
  return joinTexts(lines);
}

function joinTexts(lines: readonly Prose[]): Prose[] {
  const texts: { line: number; text: string }[] = [];
  for (const { line, text } of lines) {
    const last = texts.at(-1);
    if (last === undefined || NEW_TEXT.test(text) || last.text.trim() === "") {
      texts.push({ line, text: text.replace(/^\s*([-*] |\d+\. |#+ |> |@\w+)/, "") });
    } else {
      last.text += `\n${text}`;
    }
  }
  return texts;
}

/** Splits a text behind `.`, `:`, `!`, `?` or `;` where a capital letter follows, and drops pieces of one word. */
function toSentences({ line, text }: Prose): Prose[] {
  const plain = text
    .replace(/`[^`]*`/g, "X")
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/\*\*|__/g, "")
    .replace(/\s+/g, " ")
    .trim();
  return plain
    .split(/(?<=[.:!?;]) (?=[A-Z])/)
    .filter((sentence) => sentence.includes(" "))
    .map((sentence) => ({ line, text: sentence }));
}

/** True for a string that a person may read: three words or more, and no SQL. */
function isVisible({ text }: Prose): boolean {
  return text.trim().split(/\s+/).length >= 3 && !SQL.test(text.trim()) && !/^\w+:\/\//.test(text);
}

/** Splits a string at line ends, and leaves out example commands. */
function toHelpLines({ line, text }: Prose): Prose[] {
  return text
    .split("\n")
    .map((each, index) => ({ line: line + index, text: each.trim() }))
    .filter((each) => !each.text.startsWith("$"));
}
