import { parseTimeframe, shownTimeframe, type TimeframeQuery } from '../core/timeframe.ts';
import { readDrift } from '../discovery/drift/read-drift.ts';
import type { Analysis } from '../discovery/patterns.ts';
import type { UseCaseAnalyzer } from '../discovery/use-case-analyzer.ts';
import type { ModelRanker } from '../ranking/model-ranker.ts';
import type { SignalsQuestion } from '../ranking/signals-report.ts';
import { signalsReport } from '../ranking/signals-report.ts';
import type { Database } from '../store/database.ts';
import { commonPrompts } from '../store/queries/common-prompts.ts';
import { listRequests } from '../store/queries/requests.ts';
import { usageStats } from '../store/queries/usage-stats.ts';
import type { RequestsQuery } from './contract.ts';
import type { RollbackBody } from './contract-rankings.ts';

/** What answers are made of, in whichever thread. */
export interface QuestionRooms {
  readonly db: Database;
  readonly analyzer: Pick<UseCaseAnalyzer, 'patterns'>;
  readonly ranker: ModelRanker;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
}

/** Where, and when. */
interface Place<UseCase, ModelId> {
  readonly useCase: UseCase;
  readonly modelId: ModelId;
  readonly asked: TimeframeQuery;
}

interface Compared {
  readonly useCase: string;
  readonly modelA: string;
  readonly modelB: string;
}

const DASHBOARD_PROMPT_COUNT = 20;
const DASHBOARD_REQUEST_COUNT = 20;

/** Whatever is asked of the store or of the rankings by page and API, as plain data: tasks and answers may cross threads. */
const QUESTIONS = {
  usageStats: async ({ db, clock }: QuestionRooms, asked: TimeframeQuery) => {
    const window = parseTimeframe(asked, clock(), '1 hour');
    return { window: shownTimeframe(window), ...(await usageStats(db, window)) };
  },
  commonPrompts: async (
    { db, clock }: QuestionRooms,
    { limit, ...asked }: TimeframeQuery & { readonly limit: number },
  ) => {
    const window = parseTimeframe(asked, clock());
    return { window: shownTimeframe(window), prompts: await commonPrompts(db, window, limit) };
  },
  requests: async ({ db, clock }: QuestionRooms, { model, user, session, text, ...asked }: RequestsQuery) => {
    const { timeframe, from, to, limit, cursor, useCase, status } = asked;
    const window = parseTimeframe({ timeframe, from, to }, clock(), '30 days');
    const filter = { modelId: model, useCase, userId: user, sessionId: session, status, search: text };
    return await listRequests(db, { from: window.from, to: window.to, ...filter }, { limit, cursor });
  },
  patterns: (rooms: QuestionRooms, asked: TimeframeQuery) => patterns(rooms, asked),
  categories: async (rooms: QuestionRooms, asked: TimeframeQuery) => {
    const { runId, categories } = await patterns(rooms, asked);
    return { runId, categories };
  },
  drift: ({ db, clock }: QuestionRooms, asked: TimeframeQuery) =>
    readDrift(db, parseTimeframe(asked, clock())),
  dashboard,
  signals: (rooms: QuestionRooms, asked: SignalsQuestion) => signalsReport(rooms, asked),
  allRankings: ({ ranker }: QuestionRooms, _task: null) => ranker.getAllRankings(),
  rankings: ({ ranker }: QuestionRooms, useCase: string) => ranker.getRankings(useCase),
  compare: ({ ranker }: QuestionRooms, { useCase, modelA, modelB }: Compared) =>
    ranker.compare(useCase, modelA, modelB),
  performance: ({ ranker }: QuestionRooms, { modelId, useCase, asked }: Place<string, string>) =>
    ranker.getPerformance(modelId, useCase, windowAsked(asked)),
  trends: ({ ranker }: QuestionRooms, { useCase, modelId, asked }: Place<string, string | undefined>) =>
    ranker.getTrends(useCase, { modelId, timeframe: windowAsked(asked) }),
  history: async (
    { ranker, clock }: QuestionRooms,
    { useCase, modelId, asked }: Place<string | undefined, string | undefined>,
  ) => {
    const window = parseTimeframe(asked, clock(), '1 month');
    const points = await ranker.getHistory(useCase ?? null, { modelId, timeframe: asked });
    return { window: shownTimeframe(window), points };
  },
  savings: ({ ranker }: QuestionRooms, asked: TimeframeQuery) => ranker.analyzeSavings(windowAsked(asked)),
  versions: ({ ranker }: QuestionRooms, limit: number) => ranker.versions.list(limit),
  diff: ({ ranker }: QuestionRooms, { a, b }: { readonly a: string; readonly b: string }) =>
    ranker.versions.diff(a, b),
  /** The one that does something: what it reads, compares and writes is as large as the answers are. */
  rollback: ({ ranker }: QuestionRooms, { version, dryRun: isDryRun }: RollbackBody) =>
    ranker.versions.rollback(version, { isDryRun, by: 'api' }),
};

export type QuestionName = keyof typeof QUESTIONS;
export type TaskOf<Name extends QuestionName> = Parameters<(typeof QUESTIONS)[Name]>[1];

/** @throws {TallyrankError} what the caller did wrong by its task, `store_unavailable` */
export async function answerQuestion<Name extends QuestionName>(
  rooms: QuestionRooms,
  question: Name,
  task: TaskOf<Name>,
): Promise<object> {
  const answer = QUESTIONS[question] as (rooms: QuestionRooms, task: TaskOf<Name>) => Promise<object>;
  return await answer(rooms, task);
}

/** Everything of a window in one answer, for pages that show it all. */
async function dashboard(rooms: QuestionRooms, asked: TimeframeQuery): Promise<object> {
  const { db, analyzer, ranker } = rooms;
  const window = parseTimeframe(asked, rooms.clock());
  const [stats, analysis, prompts, rankings, savings, recent] = await Promise.all([
    usageStats(db, window),
    analyzer.patterns(window),
    commonPrompts(db, window, DASHBOARD_PROMPT_COUNT),
    ranker.getAllRankings(),
    ranker.analyzeSavings(asked),
    listRequests(db, window, { limit: DASHBOARD_REQUEST_COUNT }),
  ]);
  return {
    stats: { window: shownTimeframe(window), ...stats },
    patterns: analysis,
    commonPrompts: prompts,
    rankings,
    savings,
    recentRequests: recent.requests,
  };
}

function patterns({ analyzer, clock }: QuestionRooms, asked: TimeframeQuery): Promise<Analysis> {
  return analyzer.patterns(parseTimeframe(asked, clock()));
}

/** undefined where no window is asked for: each answer has one of its own. */
function windowAsked(asked: TimeframeQuery): TimeframeQuery | undefined {
  const isAsked = [asked.timeframe, asked.from, asked.to].some((value) => value !== undefined);
  return isAsked ? asked : undefined;
}
