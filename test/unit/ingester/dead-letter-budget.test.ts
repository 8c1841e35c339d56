import { describe, expect, it } from "vitest";
import { DeadLetterBudget, type Kept } from "../../../src/ingester/dead-letter-budget.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const LIMITS = { maxBytes: 100, bytesPerDay: 24, maxLetters: 4, lettersPerDay: 2 };
const HOUR_MS = 60 * 60 * 1000;

describe("L14: the budget of dead letters", () => {
  const clock = new ManualClock();
  const create = () => new DeadLetterBudget(clock, LIMITS);
  const spend = (budget: DeadLetterBudget, account: string, sizes: readonly number[]): Kept[] =>
    sizes.map((bytes) => budget.spend(account, bytes));

  it("of an account ends: first its payloads are not kept, then nothing is", () => {
    expect(spend(create(), "a", [60, 60, 30, 30, 1])).toEqual([
      ...["message", "description", "message"],
      ...["description", "nothing"],
    ]);
  });

  it("of one account is not that of another", () => {
    const budget = create();
    spend(budget, "a", [100, 1, 1, 1, 1]);
    expect(spend(budget, "b", [100])).toEqual(["message"]);
  });

  it("grows with time up to its limit", async () => {
    const budget = create();
    spend(budget, "a", [100, 1, 1, 1]);
    await clock.advance(11 * HOUR_MS);
    expect(spend(budget, "a", [1])).toEqual(["nothing"]);
    await clock.advance(HOUR_MS);
    expect(spend(budget, "a", [12, 0])).toEqual(["message", "nothing"]);
    await clock.advance(1000 * HOUR_MS);
    expect(spend(budget, "a", [101, 100, 1, 1, 1])).toEqual([
      ...["description", "message", "description", "description", "nothing"],
    ]);
  });

  it("counts a bounded number of accounts separately", () => {
    const budget = create();
    for (let account = 0; account < 10_000; account++) {
      budget.spend(`a${account}`, 100);
    }
    expect(spend(budget, "b", [100])).toEqual(["message"]);
    expect(spend(budget, "c", [100])).toEqual(["description"]);
    expect(spend(budget, "a0", [1])).toEqual(["description"]);
  });
});
