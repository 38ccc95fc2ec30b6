import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PriceOverride } from './price-book.ts';
import { PRICE_LIST_VERSION, PriceBook } from './price-book.ts';
import type { TokenUsage } from './usage-record.ts';
import { NO_TOKEN_USAGE } from './usage-record.ts';

const AT = new Date('2026-10-01T00:00:00Z');

function usage(
  promptTokens: number | null,
  completionTokens: number | null,
  more: Partial<TokenUsage> = {},
): TokenUsage {
  return { ...NO_TOKEN_USAGE, promptTokens, completionTokens, ...more };
}

const DECLARED: PriceOverride = {
  inputUsdPerMtok: 2,
  outputUsdPerMtok: 8,
  cachedInputUsdPerMtok: 0.5,
  cacheWriteUsdPerMtok: 3,
};

describe('PriceBook', () => {
  it('prices by the bundled list and says its version', () => {
    // gpt-4o: $2.50 in, $10 out per million tokens.
    const price = new PriceBook().price('openai:gpt-4o', usage(1_000_000, 100_000), AT);
    expect(price?.costUsd).toBeCloseTo(3.5, 10);
    expect(price?.version).toBe(PRICE_LIST_VERSION);
  });

  it('prices a deployment by its model: the one that settings name, else its own name, else the one reported', () => {
    const book = new PriceBook({
      listProviders: { az: 'azure' },
      listNames: { 'az:small': 'gpt-4o-mini' },
    });
    const tokens = usage(1_000_000, 0);
    expect(book.price('az:small', tokens, AT, 'gpt-4o')?.costUsd).toBeCloseTo(0.15, 10);
    expect(book.price('az:gpt-4o', tokens, AT, 'gpt-4o-mini')?.costUsd).toBeCloseTo(2.5, 10);
    expect(book.price('az:router', tokens, AT, 'gpt-4o-mini')?.costUsd).toBeCloseTo(0.15, 10);
    expect(book.price('az:router', tokens, AT)).toBeNull();
    expect(book.price('az:router', tokens, AT, 'nobody-knows')).toBeNull();
    // Before it is asked nobody knows which model will answer.
    expect(book.isPriced('az:router')).toBe(false);
  });

  it('counts cached tokens once, at their own price', () => {
    const book = new PriceBook();
    // gpt-4o: cached input costs half. 1 M prompt tokens of which 600,000 were cached.
    const price = book.price('openai:gpt-4o', usage(1_000_000, 0, { cachedTokens: 600_000 }), AT);
    expect(price?.costUsd).toBeCloseTo(0.4 * 2.5 + 0.6 * 1.25, 10);
  });

  it('does not add reasoning tokens, which the completion tokens hold already', () => {
    const book = new PriceBook();
    const plain = book.price('openai:gpt-4o', usage(1_000, 500), AT);
    const reasoned = book.price('openai:gpt-4o', usage(1_000, 500, { reasoningTokens: 400 }), AT);
    expect(reasoned).toEqual(plain);
  });

  it.each([
    ['a model that no list knows', 'nobody:nothing', usage(10, 10)],
    ['a bare name', 'mistral', usage(10, 10)],
    ['unknown prompt tokens', 'openai:gpt-4o', usage(null, 10)],
    ['unknown completion tokens', 'openai:gpt-4o', usage(10, null)],
  ])('knows no price for %s: null, never 0', (_what, modelId, tokens) => {
    expect(new PriceBook().price(modelId, tokens, AT)).toBeNull();
  });

  it('makes local models free, also without token counts', () => {
    expect(new PriceBook().price('ollama:mistral:7b', NO_TOKEN_USAGE, AT)).toEqual({
      costUsd: 0,
      version: 'free',
    });
  });

  it('makes only declared providers free', () => {
    const book = new PriceBook({ freeProviders: ['vllm'] });
    expect(book.isPriced('vllm:anything')).toBe(true);
    expect(book.isPriced('ollama:mistral:7b')).toBe(false);
  });

  it('lets a declared price win over list and free providers', () => {
    const overrides = { 'openai:gpt-4o': DECLARED, 'ollama:mistral:7b': DECLARED };
    const book = new PriceBook({ overrides });
    for (const modelId of Object.keys(overrides)) {
      const price = book.price(modelId, usage(1_000_000, 1_000_000), AT);
      expect(price?.costUsd).toBeCloseTo(10, 10);
      expect(price?.version).toBe('override:2/8');
    }
  });

  it("prices a provider's other models by its star, the model's own price first", () => {
    const star: PriceOverride = { inputUsdPerMtok: 1, outputUsdPerMtok: 1, requestUsd: 0.01 };
    const book = new PriceBook({ overrides: { 'box:*': star, 'box:big': DECLARED } });
    expect(book.price('box:small', usage(0, 0), AT)?.costUsd).toBeCloseTo(0.01, 10);
    expect(book.price('box:big', usage(1_000_000, 0), AT)?.costUsd).toBeCloseTo(2, 10);
  });

  it('finds a reseller in the list under the name that the operator gave', () => {
    const book = new PriceBook({ listProviders: { proxy: 'openai' } });
    expect(book.price('proxy:gpt-4o', usage(1_000_000, 0), AT)?.costUsd).toBeCloseTo(2.5, 10);
    expect(new PriceBook().isPriced('proxy:gpt-4o')).toBe(false);
  });

  it('never charges a declared price less than all cached or more than all written', () => {
    const book = new PriceBook({ overrides: { m: DECLARED } });
    const count = fc.nat(2_000_000);
    fc.assert(
      fc.property(count, count, count, count, (prompt, completion, cachedTokens, cacheWriteTokens) => {
        const costUsd = book.price(
          'm',
          usage(prompt, completion, { cachedTokens, cacheWriteTokens }),
          AT,
        )?.costUsd;
        const output = completion * 8;
        expect((costUsd ?? Number.NaN) * 1e6).toBeGreaterThanOrEqual(prompt * 0.5 + output - 1e-3);
        expect((costUsd ?? Number.NaN) * 1e6).toBeLessThanOrEqual(prompt * 3 + output + 1e-3);
      }),
    );
  });

  it('gives a typical cost to order models by, null where no price is known', () => {
    const book = new PriceBook();
    expect(book.typicalCostUsd('openai:gpt-4o')).toBeCloseTo((500 * 2.5 + 300 * 10) / 1e6, 10);
    expect(book.typicalCostUsd('ollama:mistral:7b')).toBe(0);
    expect(book.typicalCostUsd('nobody:nothing')).toBeNull();
  });
});
