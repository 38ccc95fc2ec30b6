import { onTestFinished } from 'vitest';
import { PriceBook } from '../../src/core/price-book.ts';
import { encodeSignal } from '../../src/core/signal.ts';
import type { UsageRecord } from '../../src/core/usage-record.ts';
import { Judge, type JudgeSettings, type JudgeTask } from '../../src/evaluation/judge.ts';
import { type FakeVerdict, type JudgeQuestion, openFakeJudge, readQuestion } from './fake-judge.ts';
import type { FakeCall, FakeKind, FakeProvider } from './fake-provider.ts';
import { openScratchStore, type ScratchStore, uuidAt } from './scratch-store.ts';
import { SILENT_LOGGER } from './start-gateway.ts';

export const DAY_MS = 86_400_000;
/** When the first request of {@link JudgeBench.log} came. */
export const START_MS = Date.UTC(2026, 9, 5, 10);
/** The judge's clock. */
export const NOW_MS = START_MS + DAY_MS / 2;

const SETTINGS: JudgeSettings = {
  timeframe: '7 days',
  evidenceTimeframe: '30 days',
  samplesPerDay: 50,
  budgetUsdPerDay: 1,
  pairShare: 0,
  judgesItself: false,
  schedule: null,
};

export interface BenchJudge {
  readonly judge: Judge;
  readonly provider: FakeProvider;
  readonly questions: () => JudgeQuestion[];
  run(task?: Partial<JudgeTask>): ReturnType<Judge['run']>;
}

export interface BenchJudgeOptions {
  /** Default: Ollama, which is local. */
  readonly kind?: FakeKind;
  /** "cloud:judge" alone has a price, $1 per million tokens; null: none is configured. Default: by the kind. */
  readonly modelId?: string | null;
  readonly settings?: Partial<JudgeSettings>;
  readonly clock?: () => number;
  readonly timeoutMs?: number;
}

/** A store with answers, and judges of them behind fake servers. */
export class JudgeBench {
  readonly store: ScratchStore;

  private constructor(store: ScratchStore) {
    this.store = store;
  }

  static async open(): Promise<JudgeBench> {
    return new JudgeBench(await openScratchStore());
  }

  dispose(): Promise<void> {
    return this.store.dispose();
  }

  async judgeWith(
    verdictOf: (question: JudgeQuestion, call: FakeCall) => FakeVerdict,
    { kind = 'ollama', settings = {}, clock = () => NOW_MS, timeoutMs, ...given }: BenchJudgeOptions = {},
  ): Promise<BenchJudge> {
    const provider = await openFakeJudge(kind, verdictOf);
    onTestFinished(() => provider[Symbol.asyncDispose]());
    const isLocal = kind === 'ollama';
    const { modelId = isLocal ? 'ollama:judge' : 'cloud:judge' } = given;
    const choice = { kind, baseUrl: provider.baseUrl, model: 'judge' };
    const judge = new Judge({
      db: this.store.db,
      judge: modelId === null ? null : { modelId, isLocal, choice },
      settings: { ...SETTINGS, ...settings },
      prices: new PriceBook({ overrides: { 'cloud:judge': { inputUsdPerMtok: 1, outputUsdPerMtok: 1 } } }),
      rankings: async () => [],
      logger: SILENT_LOGGER,
      clock,
      timeoutMs,
    });
    const { signal } = new AbortController();
    return {
      judge,
      provider,
      questions: () => provider.calls.map(readQuestion),
      run: (task = {}) => judge.run({ signal, onProgress: () => undefined, ...task }),
    };
  }

  /** Requests one second apart. */
  async log(rows: readonly Partial<UsageRecord>[]): Promise<UsageRecord[]> {
    return await this.store.insertRequests(
      rows.map((row, at) => ({
        startedAtMs: START_MS + at * 1_000,
        requestId: uuidAt(START_MS + at * 1_000),
        ...row,
      })),
    );
  }

  /** Ratings by people. */
  async feedback(rows: readonly (readonly [requestId: string, value: number])[]): Promise<void> {
    const lines = rows.map(([requestId, value]) =>
      encodeSignal({ requestId, kind: 'feedback', value, comment: null, source: 'api', atMs: NOW_MS }),
    );
    const token = `feedback-${rows[0]?.[0]}-${rows.length}`;
    await this.store.db.insertLines('signals', Buffer.from(lines.join('\n')), token);
  }
}

/** So many answers to prompts of their own, for {@link JudgeBench.log}. */
export function answersToJudge(count: number, row: Partial<UsageRecord> = {}): Partial<UsageRecord>[] {
  return Array.from({ length: count }, (_, at) => ({
    promptHash: `hash-${at}`,
    response: `Answer ${at}.`,
    ...row,
  }));
}
