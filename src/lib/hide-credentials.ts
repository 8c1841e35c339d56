/**
 * Returns a text for people in which everything that could be a credential of a URL is replaced: what stands before an
 * "@", and what follows a "?" or a "#". It works on texts that are no valid URLs too.
 */
export function hideCredentials(text: string): string {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text)?.[0] ?? "";
  const at = text.lastIndexOf("@");
  const rest = at === -1 ? text.slice(scheme.length) : `***${text.slice(at)}`;
  return scheme + rest.replace(/[?#].*$/s, "?***");
}
