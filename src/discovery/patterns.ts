import { setImmediate as nextTurn } from 'node:timers/promises';
import { classifiedText } from '../core/prompt-text.ts';
import { starterSnapshot } from '../core/starter-snapshot.ts';
import type { Timeframe } from '../core/timeframe.ts';
import { OTHER_USE_CASE, STARTER_RUN_ID, type UseCase } from '../core/use-case.ts';
import type { Database } from '../store/database.ts';
import { readPromptUsers } from '../store/queries/assignments.ts';
import { readActiveRun, readUseCaseShares, type UseCaseShare } from '../store/queries/discovery-runs.ts';
import { countPrompts, type DistinctPrompt, readDistinctPrompts } from '../store/queries/distinct-prompts.ts';
import { type EvidenceRow, readRankingEvidence } from '../store/queries/ranking-evidence.ts';
import { readUseCasesOfRun } from '../store/queries/snapshots.ts';
import type { DiscoveryReport } from './discovery-run.ts';
import { type DriftAnswer, readDrift } from './drift/read-drift.ts';
import type { Inefficiency } from './inefficiencies/inefficiency.ts';
import type { InefficiencyMemory } from './inefficiencies/inefficiency-memory.ts';
import { clipExample, mayShowTexts } from './naming/describe-use-cases.ts';
import { redact } from './redact.ts';

/** A use case in the answer's words; the names are the original's and part of the public surface. */
export interface UseCaseCategory {
  readonly categoryName: string;
  readonly categorySlug: string;
  /** What is asked, in a sentence or two; null where its words may not be shown. */
  readonly description: string | null;
  /** Requests of the window. */
  readonly sampleCount: number;
  readonly distinctPromptCount: number;
  /** Share of the window's requests, 0..1. */
  readonly share: number;
  readonly examplePrompts: readonly string[];
  readonly keywords: readonly string[];
  /** Most used first. */
  readonly modelsUsed: readonly string[];
  /** Characters; null when nothing was seen. */
  readonly typicalLength: number | null;
  /** Mean of successful requests; null without any. */
  readonly typicalResponseTimeMs: number | null;
  /** Group of related use cases; null where there are none. */
  readonly theme: string | null;
  readonly isPinned: boolean;
}

export interface ModelUsage {
  readonly requestCount: number;
  readonly share: number;
  readonly costUsd: number | null;
  readonly avgCost: number | null;
  readonly successRate: number | null;
  /** Requests per use case. */
  readonly useCases: Readonly<Record<string, number>>;
}

export interface AnalysisReport extends Partial<DiscoveryReport> {
  readonly timeframe: string;
  readonly from: string;
  readonly to: string;
  readonly requestCount: number;
  readonly distinctPromptCount: number;
  readonly note: string | null;
}

export interface Analysis {
  /** The run whose use cases these are; "starter" before the first run. */
  readonly runId: string;
  readonly categories: readonly UseCaseCategory[];
  readonly routingPatterns: {
    readonly byModel: Readonly<Record<string, ModelUsage>>;
    readonly inefficiencies: readonly Inefficiency[];
  };
  /** Whether the mix changed against the window before. */
  readonly drift: DriftAnswer;
  readonly report: AnalysisReport;
}

/** Prompts that keywords are counted on when there is no run; a sample of more says the same. */
const KEYWORD_SAMPLE_MAX = 5_000;
const STARTER_EXAMPLES_MAX = 5;
/** Prompts that are classified without a pause: a gateway's requests wait for the answer of a page that long, some 1 ms. */
const CLASSIFIED_AT_ONCE = 50;

/** What the current use cases saw in a window: who was asked what, what is inefficient, and whether it changed. */
export async function readAnalysis(
  db: Database,
  window: Timeframe,
  {
    note,
    signal,
    inefficiencies,
  }: {
    readonly note: string | null;
    readonly signal: AbortSignal | undefined;
    readonly inefficiencies: InefficiencyMemory;
  },
): Promise<Analysis> {
  const run = await readActiveRun(db);
  const runId = run?.runId ?? STARTER_RUN_ID;
  const scope = { runId, from: window.from, to: window.to, isAskedForOnly: true };
  const [rows, shares, drift] = await Promise.all([
    readRankingEvidence(db, scope),
    readUseCaseShares(db, scope),
    readDrift(db, window),
  ]);
  const found = await inefficiencies.read(db, { ...scope, signal }, rows);
  const useCases = run === null ? await starterUseCases(db, window) : await readUseCasesOfRun(db, runId);
  return {
    runId,
    categories: toCategories(useCases, rows, shares),
    routingPatterns: { byModel: usageByModel(rows), inefficiencies: found },
    drift,
    report: {
      ...(run === null ? {} : (run.report as DiscoveryReport)),
      timeframe: window.label,
      from: window.from.toISOString(),
      to: window.to.toISOString(),
      requestCount: rows.reduce((sum, row) => sum + row.requestCount, 0),
      distinctPromptCount: shares.reduce((sum, share) => sum + share.promptCount, 0),
      note:
        note ?? (run === null ? 'No discovery run yet: these are the starter use cases, by keywords.' : null),
    },
  };
}

/** Without a run, the examples come from the window's prompts by keywords; the same ones may be shown. */
async function starterUseCases(db: Database, window: Timeframe): Promise<UseCase[]> {
  const sample = { ...window, limit: KEYWORD_SAMPLE_MAX };
  const [useCases, prompts, users, { userCount }] = await Promise.all([
    readUseCasesOfRun(db, STARTER_RUN_ID),
    readDistinctPrompts(db, sample),
    readPromptUsers(db, sample),
    countPrompts(db, window),
  ]);
  const { classifier } = starterSnapshot();
  const members = new Map<string, DistinctPrompt[]>();
  for (const [at, prompt] of prompts.entries()) {
    if (at % CLASSIFIED_AT_ONCE === 0) await nextTurn();
    const { useCase } = classifier.classify(classifiedText(prompt));
    const known = members.get(useCase);
    if (known) known.push(prompt);
    else members.set(useCase, [prompt]);
  }
  return [...useCases, OTHER].map((useCase) => {
    const own = members.get(useCase.slug) ?? [];
    const shown = mayShowTexts(own, { users, isShared: userCount > 1 }) ? own : [];
    return {
      ...useCase,
      examplePrompts: shown.slice(0, STARTER_EXAMPLES_MAX).map(({ prompt }) => clipExample(redact(prompt))),
    };
  });
}

const OTHER: UseCase = {
  slug: OTHER_USE_CASE,
  name: 'Other',
  keywords: [],
  examplePrompts: [],
  sampleCount: 0,
  distinctPromptCount: 0,
  typicalLength: null,
};

/** Use cases that the window saw, most requests first. */
function toCategories(
  useCases: readonly UseCase[],
  rows: readonly EvidenceRow[],
  shares: readonly UseCaseShare[],
): UseCaseCategory[] {
  const total = rows.reduce((sum, row) => sum + row.requestCount, 0);
  const known = useCases.some(({ slug }) => slug === OTHER_USE_CASE) ? useCases : [...useCases, OTHER];
  return known
    .map((useCase) => {
      const own = rows.filter((row) => row.useCase === useCase.slug);
      const share = shares.find((entry) => entry.useCase === useCase.slug);
      const sampleCount = own.reduce((sum, row) => sum + row.requestCount, 0);
      const latencyCount = own.reduce((sum, row) => sum + row.latencyCount, 0);
      const latencySumMs = own.reduce((sum, row) => sum + row.latencySumMs, 0);
      return {
        categoryName: useCase.name,
        categorySlug: useCase.slug,
        description: useCase.description ?? null,
        sampleCount,
        distinctPromptCount: share?.promptCount ?? 0,
        share: total === 0 ? 0 : sampleCount / total,
        examplePrompts: useCase.examplePrompts,
        keywords: useCase.keywords,
        modelsUsed: own.toSorted((a, b) => b.requestCount - a.requestCount).map(({ modelId }) => modelId),
        typicalLength: share?.typicalLength ?? useCase.typicalLength,
        typicalResponseTimeMs: latencyCount === 0 ? null : latencySumMs / latencyCount,
        theme: useCase.theme ?? null,
        isPinned: useCase.isPinned ?? false,
      };
    })
    .filter(({ sampleCount, isPinned }) => sampleCount > 0 || isPinned)
    .sort((a, b) => b.sampleCount - a.sampleCount || (a.categorySlug < b.categorySlug ? -1 : 1));
}

function usageByModel(rows: readonly EvidenceRow[]): Record<string, ModelUsage> {
  const total = rows.reduce((sum, row) => sum + row.requestCount, 0);
  const usage: Record<string, ModelUsage> = {};
  for (const modelId of new Set(rows.map((row) => row.modelId))) {
    const own = rows.filter((row) => row.modelId === modelId);
    const sum = (pick: (row: EvidenceRow) => number): number => own.reduce((all, row) => all + pick(row), 0);
    const requestCount = sum((row) => row.requestCount);
    const pricedCount = sum((row) => row.pricedCount);
    const costUsd = pricedCount === 0 ? null : sum((row) => row.costSumUsd);
    const countedCount = sum((row) => row.successCount + row.failureCount);
    usage[modelId] = {
      requestCount,
      share: requestCount / total,
      costUsd,
      avgCost: costUsd === null ? null : costUsd / pricedCount,
      successRate: countedCount === 0 ? null : sum((row) => row.successCount) / countedCount,
      useCases: Object.fromEntries(own.map((row) => [row.useCase, row.requestCount])),
    };
  }
  return usage;
}
