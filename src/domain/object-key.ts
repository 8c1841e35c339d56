/** Key of an object inside its resource type. `namespace` is empty for cluster-scoped objects. */
export interface ObjectKey {
  readonly namespace: string;
  readonly name: string;
}

const SLASH = 0x2f;

/** Returns the key as text: "namespace/name", or "/name" for cluster scope. Neither part can contain a slash. */
export function formatKey({ namespace, name }: ObjectKey): string {
  return `${namespace}/${name}`;
}

/** Parses the text of {@link formatKey}. Returns undefined if the text is not a key. */
export function parseKey(text: string): ObjectKey | undefined {
  const slash = text.indexOf("/");
  if (slash < 0 || slash === text.length - 1 || text.includes("/", slash + 1)) {
    return undefined;
  }
  return { namespace: text.slice(0, slash), name: text.slice(slash + 1) };
}

/**
 * Compares two keys as text by the bytes of their namespaces, then of their names. This is the order of Postgres's
 * `ORDER BY namespace COLLATE "C", name COLLATE "C"`. A comparison of the joined texts would put "a-b/x" before
 * "a/x".
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) {
      return rank(x) - rank(y);
    }
  }
  return a.length - b.length;
}

/** Compares the UTF-8 bytes of two keys in the order of {@link compareKeys}. */
export function compareKeyBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a[i] as number;
    const y = b[i] as number;
    if (x !== y) {
      return (x === SLASH ? -1 : x) - (y === SLASH ? -1 : y);
    }
  }
  return a.length - b.length;
}

/**
 * Returns the rank of a UTF-16 code unit in the order of UTF-8 bytes. The slash ends the namespace, so it ranks
 * first. Surrogates encode the code points above the Basic Multilingual Plane, so they rank last.
 */
function rank(unit: number): number {
  if (unit === SLASH) {
    return -1;
  }
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
