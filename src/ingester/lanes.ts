/** Work by key: in order within a key, side by side between keys. */
export interface Lanes {
  /** Adds work behind what the key has. The work must not reject. */
  add(key: string, work: () => Promise<void>): void;
  /** Resolves once no work is left. */
  idle(): Promise<void>;
}

/** Makes lanes; a lane that has run empty takes no memory. */
export function createLanes(): Lanes {
  const lanes = new Map<string, Promise<void>>();
  return {
    add(key, work) {
      const mine = (lanes.get(key) ?? Promise.resolve()).then(work).finally(() => {
        if (lanes.get(key) === mine) {
          lanes.delete(key);
        }
      });
      lanes.set(key, mine);
    },
    async idle() {
      while (lanes.size > 0) {
        await Promise.all(lanes.values());
      }
    },
  };
}
