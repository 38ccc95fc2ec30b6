import { randomUUID } from 'node:crypto';
import { TallyrankError } from '../core/errors.ts';
import type { Logger, Progress } from '../core/log.ts';
import type { PriceBook } from '../core/price-book.ts';
import { parseTimeframe } from '../core/timeframe.ts';
import type { RankingsAnswer } from '../ranking/answers.ts';
import type { Database } from '../store/database.ts';
import { currentRunId } from '../store/queries/current-run.ts';
import { readJudgeEvidence } from '../store/queries/judge-evidence.ts';
import type { JudgeSpending } from '../store/queries/judge-log.ts';
import { judgeSpending } from '../store/queries/judge-log.ts';
import type { CandidatePair } from '../store/queries/judge-sample.ts';
import { drawJudgeCandidates, drawJudgePairs, readJudgeTexts } from '../store/queries/judge-sample.ts';
import type { JudgeModel } from './judge-caller.ts';
import { bareName } from './judge-caller.ts';
import type { JudgePlan } from './judge-plan.ts';
import { planJudging } from './judge-plan.ts';
import type { JudgeCounts } from './judge-run.ts';
import { JudgeRun } from './judge-run.ts';
import type { JudgeStatus } from './judge-status.ts';
import { judgeStatus } from './judge-status.ts';

export interface JudgeSettings {
  /** Window whose answers are judged, e.g. "7 days". */
  readonly timeframe: string;
  /** Window of the ranking's evidence: what the agreement is measured in. */
  readonly evidenceTimeframe: string;
  /** Answers scored and pairs compared on one day (UTC), by all programs on this store. */
  readonly samplesPerDay: number;
  /** Dollars on one day (UTC), likewise. */
  readonly budgetUsdPerDay: number;
  /** Share of the samples that compare two answers to the same prompt, 0..1. */
  readonly pairShare: number;
  /** Also scores answers of the judging model itself. */
  readonly judgesItself: boolean;
  readonly schedule: string | null;
}

export interface JudgeOptions {
  readonly db: Database;
  /** null: no judge is configured. */
  readonly judge: JudgeModel | null;
  readonly settings: JudgeSettings;
  readonly prices: PriceBook;
  /** The published rankings: they say where judging helps most. */
  readonly rankings: () => Promise<readonly RankingsAnswer[]>;
  readonly logger: Logger;
  readonly clock: () => number;
  /** A word that nobody can foresee, one per call. */
  readonly checkWord?: (() => string) | undefined;
  /** For one call of the judge; default two minutes. */
  readonly timeoutMs?: number | undefined;
}

export interface JudgeTask {
  /** Judgements at most; the day's samples and budget bound it as well. */
  readonly limit?: number | undefined;
  /** Says what would be judged, and asks nobody. */
  readonly isDryRun?: boolean | undefined;
  /** Compares these pairs of request ids, and scores nothing. */
  readonly pairs?: readonly (readonly [string, string])[] | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: Progress;
}

/** Why a run ended: it did what was planned, there was nothing to do, a limit of the day was met, the judge was away. */
export type JudgeEnd = 'done' | 'nothing_left' | 'samples' | 'budget' | 'judge_away';

export interface JudgeReport extends JudgeCounts {
  readonly judge: string;
  readonly isDryRun: boolean;
  readonly endedBy: JudgeEnd;
  /** One sentence for people. */
  readonly message: string;
  /** What the run set out to judge, by use case and model. */
  readonly planned: readonly { readonly useCase: string; readonly modelId: string; readonly count: number }[];
  readonly plannedPairCount: number;
  /** The whole day (UTC), this run included. */
  readonly today: JudgeSpending;
}

const DAY_MS = 86_400_000;
/** Drawn per use case and model: more than one run takes of any. */
const PER_CELL_MAX = 200;
const PAIRS_PER_CELL_MAX = 50;

/**
 * A configured model that scores a sample of logged answers and compares answers to the same prompt. What it says
 * becomes signals (`judge_score`) and rows of `judgements`; what that is worth, `calibrateJudge` says.
 */
export class Judge {
  readonly #options: JudgeOptions;

  constructor(options: JudgeOptions) {
    this.#options = options;
  }

  /**
   * Judges what the day's samples and budget have left. A judge that is away ends the run, it fails nothing.
   *
   * @throws {TallyrankError} `bad_config` when no judge is configured, `bad_request` for pairs that cannot be compared
   * @throws what `signal` was aborted with; what was judged before stays
   */
  async run(task: JudgeTask): Promise<JudgeReport> {
    const judge = this.#judge();
    const { db, settings, clock } = this.#options;
    const before = await this.#today();
    const open = Math.max(0, settings.samplesPerDay - before.judgementCount);
    const limit = Math.min(task.limit ?? open, open);
    const plan = task.pairs
      ? { scores: [], pairs: (await this.#namedPairs(task.pairs)).slice(0, limit) }
      : await this.#plan(judge, limit);
    const run = new JudgeRun({
      db,
      judge,
      prices: this.#options.prices,
      logger: this.#options.logger,
      clock,
      checkWord: this.#options.checkWord ?? (() => randomUUID().slice(0, 8)),
      timeoutMs: this.#options.timeoutMs,
      limits: {
        samplesPerDay: settings.samplesPerDay,
        budgetUsdPerDay: settings.budgetUsdPerDay,
        today: () => this.#today(),
      },
    });
    const isEmpty = plan.scores.length + plan.pairs.length === 0;
    const endedBy: JudgeEnd = isEmpty
      ? open === 0
        ? 'samples'
        : 'nothing_left'
      : task.isDryRun === true
        ? 'done'
        : await run.work(plan, task);
    const today = await this.#today();
    const report = {
      judge: judge.modelId,
      isDryRun: task.isDryRun ?? false,
      endedBy,
      planned: countPlanned(plan),
      plannedPairCount: plan.pairs.length,
      ...run.counts,
      today,
    };
    return { ...report, message: messageOf(report, settings) };
  }

  /** @throws {TallyrankError} `bad_config` when no judge is configured */
  assertConfigured(): void {
    this.#judge();
  }

  /** What was judged, what that cost, how well it agrees with people. @throws {TallyrankError} `store_unavailable` */
  async status(): Promise<JudgeStatus> {
    const { db, judge, settings, clock } = this.#options;
    const { from, to } = parseTimeframe(settings.evidenceTimeframe, clock());
    return await judgeStatus(db, {
      judge: judge?.modelId ?? null,
      isLocal: judge?.isLocal ?? null,
      settings,
      scope: { runId: await currentRunId(db), from, to },
      today: await this.#today(),
    });
  }

  async #plan(judge: JudgeModel, limit: number): Promise<JudgePlan> {
    const { db, settings, clock, rankings } = this.#options;
    if (limit === 0) return { scores: [], pairs: [] };
    const runId = await currentRunId(db);
    const nowMs = clock();
    const window = parseTimeframe(settings.timeframe, nowMs);
    const excludedName = settings.judgesItself ? '' : bareName(judge.modelId);
    const scope = { runId, from: window.from, to: window.to, seed: Math.floor(nowMs), excludedName };
    const evidence = parseTimeframe(settings.evidenceTimeframe, nowMs);
    const [candidates, pairs, rows] = await Promise.all([
      drawJudgeCandidates(db, scope, PER_CELL_MAX),
      settings.pairShare > 0 ? drawJudgePairs(db, scope, PAIRS_PER_CELL_MAX) : [],
      readJudgeEvidence(db, { runId, from: evidence.from, to: evidence.to }),
    ]);
    const pairedCount = rows
      .filter((row) => row.judge === judge.modelId)
      .reduce((sum, { feedbackCount }) => sum + feedbackCount, 0);
    const { pairShare } = settings;
    return planJudging(candidates, pairs, await rankings(), { limit, pairShare, pairedCount });
  }

  async #namedPairs(pairs: NonNullable<JudgeTask['pairs']>): Promise<CandidatePair[]> {
    const texts = await readJudgeTexts(this.#options.db, pairs.flat());
    return pairs.map(([requestId, otherRequestId]) => {
      const [one, other] = [texts.get(requestId), texts.get(otherRequestId)];
      if (!one || !other || one.promptHash !== other.promptHash || one.modelId === other.modelId) {
        throw new TallyrankError(
          'bad_request',
          `${requestId} and ${otherRequestId} are not two logged answers of different models to the same prompt.`,
          { param: 'pairs' },
        );
      }
      const { useCase, modelId } = one;
      return { useCase, requestId, modelId, otherRequestId, otherModelId: other.modelId };
    });
  }

  async #today(): Promise<JudgeSpending> {
    const { db, clock } = this.#options;
    return await judgeSpending(db, new Date(Math.floor(clock() / DAY_MS) * DAY_MS));
  }

  #judge(): JudgeModel {
    if (this.#options.judge !== null) return this.#options.judge;
    throw new TallyrankError(
      'bad_config',
      'No judge is configured: set judge.model to a model such as "ollama:qwen2.5:14b".',
      { param: 'judge.model', statusCode: 409 },
    );
  }
}

function countPlanned({ scores }: JudgePlan): JudgeReport['planned'] {
  const counts = new Map<string, { useCase: string; modelId: string; count: number }>();
  for (const { useCase, modelId } of scores) {
    const key = `${useCase}\n${modelId}`;
    const cell = counts.get(key) ?? { useCase, modelId, count: 0 };
    cell.count++;
    counts.set(key, cell);
  }
  return [...counts.values()].sort((one, other) => other.count - one.count);
}

function messageOf(report: Omit<JudgeReport, 'message'>, settings: JudgeSettings): string {
  const { judge, isDryRun, endedBy, scoredCount, comparedCount, today } = report;
  const planned = report.planned.reduce((sum, { count }) => sum + count, 0);
  const done = isDryRun
    ? `Would score ${planned} answers and compare ${report.plannedPairCount} pairs by ${judge}.`
    : `${judge} scored ${scoredCount} answers and compared ${comparedCount} pairs.`;
  const ends: Readonly<Record<JudgeEnd, string>> = {
    done: '',
    nothing_left: ' There is no answer left to judge: it takes successful requests whose texts are kept.',
    samples: ` The day's ${settings.samplesPerDay} samples are used up.`,
    budget: ` Stopped: the day's budget of $${settings.budgetUsdPerDay} would be exceeded ($${today.costUsd.toFixed(4)} are spent).`,
    judge_away: ' Stopped: the judge does not answer.',
  };
  const unpriced =
    today.unpricedCount > 0
      ? ' Its price is not known, so the dollar budget cannot hold it: declare it under prices.'
      : '';
  return `${done}${ends[endedBy]}${unpriced}`;
}
