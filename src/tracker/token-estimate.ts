import type { TokenUsage } from '../core/usage-record.ts';

type CountTokens = (text: string) => number;

/** Text beyond this is counted by its first part and scaled: 40,000 characters take about 4 ms. */
const COUNTED_LENGTH_MAX = 40_000;

let counter: Promise<CountTokens> | null = null;

/** Loaded at the first need: the tables cost 60 MB, and most providers count by themselves. */
function loadCounter(): Promise<CountTokens> {
  counter ??= import('gpt-tokenizer/encoding/o200k_base').then((module) => module.countTokens);
  return counter;
}

/**
 * Fills in the token counts that a provider did not give, by the o200k vocabulary, and marks them as
 * estimated. Other vocabularies differ by some 10 to 20 %.
 */
export async function withEstimatedTokens(
  usage: TokenUsage,
  promptText: string,
  response: string | null,
): Promise<TokenUsage> {
  const count = await loadCounter();
  return {
    ...usage,
    promptTokens: usage.promptTokens ?? countScaled(count, promptText),
    completionTokens: usage.completionTokens ?? (response === null ? null : countScaled(count, response)),
    isEstimated: true,
  };
}

function countScaled(count: CountTokens, text: string): number {
  if (text.length <= COUNTED_LENGTH_MAX) return count(text);
  return Math.round((count(text.slice(0, COUNTED_LENGTH_MAX)) * text.length) / COUNTED_LENGTH_MAX);
}
