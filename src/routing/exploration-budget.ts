/** What exploration took in a use case on one day. */
export interface ExplorationSpending {
  /** Decisions that chance had a part in, or might have had. */
  readonly decisionCount: number;
  /** Those where it chose another model. */
  readonly exploredCount: number;
  /** What these cost beyond what the model not taken would have, US dollars. */
  readonly spentUsd: number;
}

const DAY_MS = 86_400_000;
/** Use cases that are counted apart; the others are in the sum. */
const USE_CASES_MAX = 1_000;
const NOTHING: ExplorationSpending = { decisionCount: 0, exploredCount: 0, spentUsd: 0 };

interface Sums {
  decisionCount: number;
  exploredCount: number;
  spentUsd: number;
}

/** What exploration has cost today (UTC): in memory, read and written on every decision. */
export class ExplorationBudget {
  #dayStartMs = Number.NEGATIVE_INFINITY;
  #total: Sums = { ...NOTHING };
  #byUseCase = new Map<string, Sums>();
  /** By the log: other gateways', and what was before the start. */
  #logged = { exploredCount: 0, spentUsd: 0 };

  /** Dollars spent on the day of `nowMs`. */
  spentUsd(nowMs: number): number {
    this.#turn(nowMs);
    return Math.max(this.#total.spentUsd, this.#logged.spentUsd);
  }

  spending(nowMs: number): ExplorationSpending {
    this.#turn(nowMs);
    const exploredCount = Math.max(this.#total.exploredCount, this.#logged.exploredCount);
    return { decisionCount: this.#total.decisionCount, exploredCount, spentUsd: this.spentUsd(nowMs) };
  }

  /** What this process took in one use case. */
  spendingIn(useCase: string, nowMs: number): ExplorationSpending {
    this.#turn(nowMs);
    return { ...(this.#byUseCase.get(useCase) ?? NOTHING) };
  }

  /** @param extraUsd  null where the choice without exploration was taken */
  note(useCase: string, extraUsd: number | null, nowMs: number): void {
    this.#turn(nowMs);
    for (const sums of this.#sumsOf(useCase)) {
      sums.decisionCount++;
      if (extraUsd === null) continue;
      sums.exploredCount++;
      sums.spentUsd += extraUsd;
    }
  }

  /** Puts what a request did cost in the place of what it was expected to; nothing when its day is over. */
  correct(useCase: string, byUsd: number, { notedAtMs }: { readonly notedAtMs: number }): void {
    if (notedAtMs < this.#dayStartMs) return;
    for (const sums of this.#sumsOf(useCase)) sums.spentUsd = Math.max(0, sums.spentUsd + byUsd);
  }

  /** What the log says of the day of `nowMs`, whoever explored. The greater of it and our own count is what counts. */
  learn(logged: { readonly exploredCount: number; readonly spentUsd: number }, nowMs: number): void {
    this.#turn(nowMs);
    this.#logged = { exploredCount: logged.exploredCount, spentUsd: logged.spentUsd };
  }

  #sumsOf(useCase: string): readonly Sums[] {
    let own = this.#byUseCase.get(useCase);
    if (own === undefined) {
      if (this.#byUseCase.size >= USE_CASES_MAX) return [this.#total];
      own = { ...NOTHING };
      this.#byUseCase.set(useCase, own);
    }
    return [this.#total, own];
  }

  #turn(nowMs: number): void {
    if (nowMs < this.#dayStartMs + DAY_MS) return;
    this.#dayStartMs = dayStartMsOf(nowMs);
    this.#total = { ...NOTHING };
    this.#byUseCase = new Map();
    this.#logged = { exploredCount: 0, spentUsd: 0 };
  }
}

/** Midnight UTC before or at `nowMs`. */
export function dayStartMsOf(nowMs: number): number {
  return Math.floor(nowMs / DAY_MS) * DAY_MS;
}
