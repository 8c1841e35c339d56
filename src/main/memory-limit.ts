import { totalmem } from "node:os";
import { getHeapStatistics } from "node:v8";
import type { AgentMemory } from "../backend/sync/sync-service.ts";
import { MIN_MEMORY_LIMIT } from "../config/programs/server.ts";
import { MemoryBudget } from "../lib/memory-budget.ts";

/**
 * Memory of a process without agents, in bytes: code, connections to Postgres and to the bus, four queries that read
 * contents, and the messages that a bus and an ingester in the process hold.
 */
const BASE_BYTES = 256 * 1024 * 1024;

/** Part of the rest that is given out. The other half is for garbage, and for what the amounts do not count. */
const SHARE = 0.5;

/** Part of that for messages. The largest takes 18 MiB, which an empty budget always gives. */
const SHARE_OF_MESSAGES = 0.125;

/** Limits of the memory of this process, in bytes. */
export interface MemoryFacts {
  /** Limit of the container; more than the machine has if there is none. */
  readonly container: number;
  readonly machine: number;
  /** Limit of V8's heap. */
  readonly heap: number;
}

/** Reads the limits of the memory of this process. */
export function readMemoryFacts(): MemoryFacts {
  const { heap_size_limit: heap } = getHeapStatistics();
  return { container: process.constrainedMemory(), machine: totalmem(), heap };
}

/**
 * Returns the memory that the process may take by default, in bytes: the container's limit, or half of the machine's
 * memory, and at most V8's heap.
 */
export function toMemoryLimit({ container, machine, heap }: MemoryFacts): number {
  // 0 and a number above the machine's memory both mean that the container has no limit.
  const isLimited = container > 0 && container < machine;
  return Math.max(MIN_MEMORY_LIMIT, Math.min(isLimited ? container : machine / 2, heap));
}

/** Creates the memory for agents of a process with this limit. */
export function createAgentMemory(memoryLimit: number): AgentMemory {
  const bytes = Math.floor(SHARE * (Math.max(memoryLimit, MIN_MEMORY_LIMIT) - BASE_BYTES));
  const messages = Math.floor(bytes * SHARE_OF_MESSAGES);
  return { agents: new MemoryBudget(bytes - messages), messages: new MemoryBudget(messages) };
}
