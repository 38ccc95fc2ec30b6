import type { Logger, Progress } from '../core/log.ts';
import type { PriceBook } from '../core/price-book.ts';
import type { Database } from '../store/database.ts';
import type { Judgement, JudgeSpending } from '../store/queries/judge-log.ts';
import { writeJudgement } from '../store/queries/judge-log.ts';
import type { CandidatePair, JudgeText } from '../store/queries/judge-sample.ts';
import { readJudgeTexts } from '../store/queries/judge-sample.ts';
import type { CallTally, JudgeModel } from './judge-caller.ts';
import { JudgeCaller } from './judge-caller.ts';
import type { JudgePlan } from './judge-plan.ts';
import type { Preference } from './judge-rubric.ts';
import {
  comparingPrompt,
  isSteering,
  scoresInWords,
  scoringPrompt,
  tryParsePreference,
  tryParseScores,
} from './judge-rubric.ts';

/** What one run did. */
export interface JudgeCounts {
  readonly scoredCount: number;
  readonly comparedCount: number;
  /** Comparisons whose verdict changed with the order: ties. */
  readonly flippedCount: number;
  /** Judgements without a verdict that can be read. */
  readonly malformedCount: number;
  /** Answers that talk to the judge: not sent. */
  readonly suspectCount: number;
  /** Judgements that the judge did not answer. */
  readonly failedCount: number;
  readonly callCount: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** null: no price is known. */
  readonly costUsd: number | null;
}

export interface JudgeRunOptions {
  readonly db: Database;
  readonly judge: JudgeModel;
  readonly prices: PriceBook;
  readonly logger: Logger;
  readonly clock: () => number;
  readonly checkWord: () => string;
  readonly timeoutMs: number | undefined;
  readonly limits: {
    readonly samplesPerDay: number;
    readonly budgetUsdPerDay: number;
    /** Asked before each judgement: other programs judge on the same budget. */
    today(): Promise<JudgeSpending>;
  };
}

interface Task {
  readonly requestId: string;
  /** null: the answer is scored by itself. */
  readonly pair: CandidatePair | null;
}

/** Texts are read for so many judgements at once: fewer asks the store more often, more holds their texts for long. */
const TEXTS_AT_ONCE = 10;

/** Works off a plan, one judgement after the other, and keeps to the day's limits. */
export class JudgeRun {
  readonly #options: JudgeRunOptions;
  readonly #caller: JudgeCaller;
  #texts: ReadonlyMap<string, JudgeText> = new Map();
  #counts: { -readonly [Field in keyof JudgeCounts]: JudgeCounts[Field] } = {
    scoredCount: 0,
    comparedCount: 0,
    flippedCount: 0,
    malformedCount: 0,
    suspectCount: 0,
    failedCount: 0,
    callCount: 0,
    promptTokens: 0,
    completionTokens: 0,
    costUsd: 0,
  };

  constructor(options: JudgeRunOptions) {
    this.#options = options;
    this.#caller = new JudgeCaller(options);
  }

  get counts(): JudgeCounts {
    return { ...this.#counts };
  }

  /** @throws what `signal` was aborted with */
  async work(
    plan: JudgePlan,
    { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress: Progress },
  ): Promise<'done' | 'samples' | 'budget' | 'judge_away'> {
    const tasks = tasksOf(plan);
    for (let at = 0; at < tasks.length; at++) {
      const upcoming = at % TEXTS_AT_ONCE === 0 ? tasks.slice(at, at + TEXTS_AT_ONCE) : null;
      if (upcoming !== null) await this.#readTexts(upcoming);
      signal.throwIfAborted();
      onProgress('judging', at, tasks.length);
      const end = await this.#judge(tasks[at] as Task, signal);
      if (end !== null) return end;
      if (this.#caller.isAway) return 'judge_away';
    }
    onProgress('judging', tasks.length, tasks.length);
    return 'done';
  }

  async #readTexts(tasks: readonly Task[]): Promise<void> {
    const ids = tasks.flatMap(({ requestId, pair }) => [requestId, ...(pair ? [pair.otherRequestId] : [])]);
    this.#texts = await readJudgeTexts(this.#options.db, ids);
  }

  /** @returns the limit that stands against it; null when it was done, in whatever way */
  async #judge({ requestId, pair }: Task, signal: AbortSignal): Promise<'samples' | 'budget' | null> {
    const text = this.#texts.get(requestId);
    const other = pair === null ? null : this.#texts.get(pair.otherRequestId);
    // Its day was dropped in the meantime.
    if (text === undefined || other === undefined) return null;
    const tally: CallTally = { callCount: 0, promptTokens: 0, completionTokens: 0, tokensEstimated: false };
    if ([text, ...(other ? [other] : [])].some(({ response }) => isSteering(response))) {
      this.#counts.suspectCount++;
      await this.#write(text, other, tally, { outcome: 'suspect' });
      return null;
    }
    const limit = await this.#limitReached(text, other);
    if (limit !== null) return limit;
    try {
      if (other === null) await this.#score(text, tally, signal);
      else await this.#compare(text, other, tally, signal);
    } catch (error) {
      // Stopped between two calls: what the first one took is on the bill.
      if (signal.aborted && tally.callCount > 0) {
        await this.#write(text, other, tally, { outcome: 'malformed' });
      }
      throw error;
    }
    return null;
  }

  async #limitReached(text: JudgeText, other: JudgeText | null): Promise<'samples' | 'budget' | null> {
    const { limits, clock } = this.#options;
    const today = await limits.today();
    if (today.judgementCount >= limits.samplesPerDay) return 'samples';
    const prompt = other === null ? this.#scoringPrompt(text, '') : this.#comparingPrompt(text, other, '');
    const expectedUsd = this.#caller.expectedCostUsd(prompt.length, other === null ? 1 : 2, clock());
    const isOver =
      expectedUsd !== null && expectedUsd > 0 && today.costUsd + expectedUsd > limits.budgetUsdPerDay;
    return isOver ? 'budget' : null;
  }

  async #score(text: JudgeText, tally: CallTally, signal: AbortSignal): Promise<void> {
    const check = this.#options.checkWord();
    const prompt = this.#scoringPrompt(text, check);
    const scores = await this.#caller.ask(prompt, (verdict) => tryParseScores(verdict, check), tally, signal);
    if (typeof scores === 'string') return await this.#unread(scores, text, null, tally);
    this.#counts.scoredCount++;
    await this.#write(text, null, tally, {
      outcome: 'judged',
      value: (scores.score - 1) / 4,
      comment: `${this.#options.judge.modelId}: ${scoresInWords(scores)}`,
    });
  }

  /** Both orders: a verdict that changes with the order is one about the order (Zheng et al. 2023, section 3.4). */
  async #compare(one: JudgeText, other: JudgeText, tally: CallTally, signal: AbortSignal): Promise<void> {
    const verdicts: Preference[] = [];
    for (const texts of [[one, other] as const, [other, one] as const]) {
      const check = this.#options.checkWord();
      const prompt = this.#comparingPrompt(...texts, check);
      const parse = (verdict: string): Preference | null => tryParsePreference(verdict, check);
      const verdict = await this.#caller.ask(prompt, parse, tally, signal);
      if (verdict === 'malformed' || verdict === 'failed')
        return await this.#unread(verdict, one, other, tally);
      verdicts.push(verdict);
    }
    const [forward, backward] = verdicts;
    const isFlipped = winOf(forward) !== 1 - winOf(backward);
    this.#counts.comparedCount++;
    if (isFlipped) this.#counts.flippedCount++;
    await this.#write(one, other, tally, {
      outcome: 'judged',
      value: isFlipped ? 0.5 : winOf(forward),
      isFlipped,
    });
  }

  async #unread(
    why: 'malformed' | 'failed',
    text: JudgeText,
    other: JudgeText | null,
    tally: CallTally,
  ): Promise<void> {
    if (why === 'failed') this.#counts.failedCount++;
    else this.#counts.malformedCount++;
    // A judge that is away says nothing of the answer: it is asked again another time, unless it was paid for.
    if (tally.callCount > 0) await this.#write(text, other, tally, { outcome: 'malformed' });
  }

  async #write(
    text: JudgeText,
    other: JudgeText | null,
    tally: CallTally,
    verdict: Pick<Judgement, 'outcome'> & Partial<Pick<Judgement, 'value' | 'isFlipped' | 'comment'>>,
  ): Promise<void> {
    const { db, judge, clock } = this.#options;
    const judgedAtMs = clock();
    const costUsd = tally.callCount === 0 ? 0 : this.#caller.costUsd(tally, judgedAtMs);
    const counts = this.#counts;
    counts.callCount += tally.callCount;
    counts.promptTokens += tally.promptTokens;
    counts.completionTokens += tally.completionTokens;
    counts.costUsd = counts.costUsd === null || costUsd === null ? null : counts.costUsd + costUsd;
    await writeJudgement(db, {
      judgedAtMs,
      kind: other === null ? 'score' : 'pair',
      judge: judge.modelId,
      request: text,
      other,
      value: null,
      isFlipped: null,
      comment: null,
      ...verdict,
      ...tally,
      costUsd,
    });
  }

  #scoringPrompt(text: JudgeText, check: string): string {
    return scoringPrompt(text, check, !this.#options.judge.isLocal);
  }

  #comparingPrompt(one: JudgeText, other: JudgeText, check: string): string {
    return comparingPrompt([one, other], check, !this.#options.judge.isLocal);
  }
}

/** 1 when the answer shown first is better. */
function winOf(preference: Preference | undefined): number {
  return preference === 'first' ? 1 : preference === 'second' ? 0 : 0.5;
}

/** Scores and pairs in turn: a budget that ends early leaves neither out. */
function tasksOf({ scores, pairs }: JudgePlan): Task[] {
  const tasks: Task[] = [];
  for (let at = 0; at < Math.max(scores.length, pairs.length); at++) {
    const [score, pair] = [scores[at], pairs[at]];
    if (score) tasks.push({ requestId: score.requestId, pair: null });
    if (pair) tasks.push({ requestId: pair.requestId, pair });
  }
  return tasks;
}
