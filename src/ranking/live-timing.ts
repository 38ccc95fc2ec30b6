import type { UsageRecord } from '../core/usage-record.ts';
import type { TimingSums } from '../store/queries/ranking-evidence.ts';

/** The times of one successful request, as the hourly roll-up counts them; a test compares the two. */
export function timingOfRecord(record: UsageRecord): TimingSums {
  const { firstTokenMs, loadMs, queueMs, generationMs, latencyMs, usage } = record;
  const isByProvider = generationMs !== null && generationMs > 0;
  const streamMs = latencyMs === null || firstTokenMs === null ? 0 : latencyMs - firstTokenMs;
  const writingMs = isByProvider ? generationMs : streamMs;
  // Tokens after the first, without the reasoning that nobody sees; a provider's own clock counts them all.
  const completionTokens = usage.completionTokens ?? 0;
  const writtenTokens = isByProvider ? completionTokens : completionTokens - (usage.reasoningTokens ?? 0) - 1;
  const isTimed = writtenTokens > 0 && writingMs > 0;
  return {
    firstTokenCount: firstTokenMs === null ? 0 : 1,
    firstTokenSumMs: withoutHold(firstTokenMs, record) ?? 0,
    generationCount: isTimed ? 1 : 0,
    generationSumMs: isTimed ? writingMs : 0,
    generationTokenSum: isTimed ? writtenTokens : 0,
    loadCount: loadMs === null ? 0 : 1,
    loadSumMs: loadMs ?? 0,
    queueCount: queueMs === null ? 0 : 1,
    queueSumMs: queueMs ?? 0,
  };
}

/** A time without loading the model and waiting for its turn, which is what speed is judged by. */
export function withoutHold(
  ms: number | null,
  { loadMs, queueMs }: Pick<UsageRecord, 'loadMs' | 'queueMs'>,
): number | null {
  return ms === null ? null : Math.max(0, ms - (loadMs ?? 0) - (queueMs ?? 0));
}
