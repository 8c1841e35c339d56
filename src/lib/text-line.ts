import { escapeControls } from "./text.ts";

/** Fields that every line has, or that are written in a place of their own. */
const OWN_FIELDS: ReadonlySet<string> = new Set(["level", "time", "message", "error"]);

/**
 * Returns a line of the log for people, from its JSON: `14:55:16 WARN  list failed: 403 Forbidden  resourceType=nodes`.
 * The time is local. Fields with blanks or quotes are quoted. A stack follows on lines of its own.
 */
export function toTextLine(json: string): string {
  const line = JSON.parse(json) as Readonly<Record<string, unknown>>;
  const { level, time, message, error } = line;
  const { text, stack } = describeError(error);
  const fields = Object.entries(line)
    .filter(([name]) => !OWN_FIELDS.has(name))
    .map(([name, value]) => ` ${name}=${quote(value)}`);
  const reason = text === "" ? "" : `: ${escapeControls(text)}`;
  const head = `${toTime(String(time))} ${String(level).toUpperCase().padEnd(5)} ${escapeControls(String(message))}`;
  const tail = fields.length === 0 ? "" : ` ${fields.join("")}`;
  return `${head}${reason}${tail}\n${stack === "" ? "" : `${escapeControls(stack, "\n")}\n`}`;
}

function describeError(error: unknown): { readonly text: string; readonly stack: string } {
  if (typeof error !== "object" || error === null) {
    return { text: error === undefined ? "" : String(error), stack: "" };
  }
  const { message, stack } = error as Readonly<Record<string, unknown>>;
  return { text: String(message ?? JSON.stringify(error)), stack: typeof stack === "string" ? stack : "" };
}

function quote(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /^[^\s"=]+$/.test(text) && escapeControls(text) === text
    ? text
    : escapeControls(JSON.stringify(text));
}

function toTime(iso: string): string {
  const time = new Date(iso);
  return [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((part) => String(part).padStart(2, "0"))
    .join(":");
}
