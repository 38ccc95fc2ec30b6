import { TallyrankError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { PriceBook } from '../core/price-book.ts';
import type { TokenUsage } from '../core/usage-record.ts';
import { NO_TOKEN_USAGE, providerOf } from '../core/usage-record.ts';
import type { CompletionChoice } from '../discovery/naming/complete-chat.ts';
import { askChat } from '../discovery/naming/complete-chat.ts';

/** The model that judges. */
export interface JudgeModel {
  /** Canonical id. */
  readonly modelId: string;
  readonly choice: CompletionChoice;
  /** On hardware of the operator: texts go to it as they are. Others get them redacted. */
  readonly isLocal: boolean;
}

/** Without provider, vendor and the tag of Ollama's that says nothing: "openrouter:openai/gpt-4o" is "openai:gpt-4o". */
export function bareName(modelId: string): string {
  const name = modelId.slice(providerOf(modelId).length + 1);
  return name.replace(/^.*\//, '').replace(/:latest$/, '');
}

/** What calls of one judgement took. */
export interface CallTally {
  callCount: number;
  promptTokens: number;
  completionTokens: number;
  tokensEstimated: boolean;
}

export interface JudgeCallerOptions {
  readonly judge: JudgeModel;
  readonly prices: PriceBook;
  readonly logger: Logger;
  /** For one call; default two minutes: a local model is loaded in this time. */
  readonly timeoutMs?: number | undefined;
}

const TIMEOUT_MS = 120_000;
/** A second try mends most malformed verdicts of small models; a third none. */
const ATTEMPTS_MAX = 2;
/** A judge that fails so often in a row is away. */
const FAILURES_IN_ROW_MAX = 3;
/** Low on purpose: text of any language has at most about one token for three characters of JSON in English. */
const CHARACTERS_PER_TOKEN = 3;
/** A verdict, with room for the thoughts of a small reasoning model. */
const VERDICT_TOKENS = 400;

/** Asks the judge, counts what that takes, and knows when it is away. */
export class JudgeCaller {
  readonly #options: JudgeCallerOptions;
  /** Reasoning models refuse a temperature: then it is left out for the rest of the run. */
  #temperature: number | null = 0;
  #failuresInRow = 0;

  constructor(options: JudgeCallerOptions) {
    this.#options = options;
  }

  /** True when the last calls all failed: further ones would fail too. */
  get isAway(): boolean {
    return this.#failuresInRow >= FAILURES_IN_ROW_MAX;
  }

  /**
   * Asks until a verdict can be read, twice at most.
   *
   * @returns the verdict; 'malformed' when none could be read, 'failed' when the judge did not answer
   * @throws what `signal` was aborted with
   */
  async ask<Verdict>(
    prompt: string,
    parse: (verdict: string) => Verdict | null,
    tally: CallTally,
    signal: AbortSignal,
  ): Promise<Verdict | 'malformed' | 'failed'> {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const text = await this.#call(prompt, tally, signal);
      if (text === null) return 'failed';
      const verdict = parse(text);
      if (verdict !== null) return verdict;
    }
    return 'malformed';
  }

  /** Dollars of these tokens; null when no price is known. */
  costUsd(tally: CallTally, atMs: number): number | null {
    const usage: TokenUsage = {
      ...NO_TOKEN_USAGE,
      promptTokens: tally.promptTokens,
      completionTokens: tally.completionTokens,
    };
    const { judge, prices } = this.#options;
    return prices.price(judge.modelId, usage, new Date(atMs))?.costUsd ?? null;
  }

  /** Dollars that `callCount` calls with prompts of this length may take, rather more than less; null without a price. */
  expectedCostUsd(promptLength: number, callCount: number, atMs: number): number | null {
    const promptTokens = callCount * Math.ceil(promptLength / CHARACTERS_PER_TOKEN);
    const completionTokens = callCount * VERDICT_TOKENS;
    return this.costUsd({ callCount, promptTokens, completionTokens, tokensEstimated: true }, atMs);
  }

  /** null when the judge failed or took too long: counted, and said by the log. */
  async #call(prompt: string, tally: CallTally, signal: AbortSignal): Promise<string | null> {
    try {
      const answer = await this.#request(prompt, signal);
      this.#failuresInRow = 0;
      tally.callCount++;
      tally.promptTokens += answer.promptTokens ?? Math.ceil(prompt.length / CHARACTERS_PER_TOKEN);
      tally.completionTokens +=
        answer.completionTokens ?? Math.ceil(answer.text.length / CHARACTERS_PER_TOKEN);
      tally.tokensEstimated ||= answer.promptTokens === null || answer.completionTokens === null;
      return answer.text;
    } catch (error) {
      signal.throwIfAborted();
      this.#failuresInRow++;
      this.#options.logger.warn({ err: error }, 'the judge failed');
      return null;
    }
  }

  async #request(prompt: string, signal: AbortSignal): ReturnType<typeof askChat> {
    const { judge, timeoutMs = TIMEOUT_MS } = this.#options;
    const either = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    try {
      return await askChat(judge.choice, prompt, { signal: either, temperature: this.#temperature });
    } catch (error) {
      const isRefused =
        error instanceof TallyrankError && error.statusCode === 400 && this.#temperature !== null;
      if (!isRefused) throw error;
      const answer = await askChat(judge.choice, prompt, { signal: either, temperature: null });
      this.#temperature = null;
      return answer;
    }
  }
}
