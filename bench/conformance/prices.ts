import { calcPrice } from '@pydantic/genai-prices';
import { PriceBook } from '../../src/core/price-book.ts';
import { factsOfResponse } from '../../src/tracker/response-facts.ts';
import { decodeWhole } from './neutral.ts';
import type { Fields, SpokenProtocol } from './recordings.ts';

/** How one recorded usage was priced, for one provider that may have sent it. */
export interface PriceCase {
  readonly provider: string;
  /** "same price", "no price on either side", or why it was not compared. */
  readonly outcome: string;
  /** What differs; null: nothing. */
  readonly fault: string | null;
}

export const SAME_PRICE = 'same price';
export const NO_PRICE = 'no price on either side';

/** Prices are dated: the day of the data. */
const AT = new Date('2026-08-21T12:00:00Z');

/** Relative difference that rounding of the expected prices may make. */
const TOLERANCE = 1e-6;

interface Extractor {
  readonly provider_id: string;
  readonly api_flavor: string;
  readonly input_price?: string;
  readonly output_price?: string;
}

/** Every recorded usage, for every provider that could have sent it. */
export function checkPrices(rows: readonly Fields[]): PriceCase[] {
  const book = new PriceBook({ freeProviders: [] });
  return rows.flatMap((row) => {
    const extracted = row['extracted'] as readonly { usage: Fields; extractors: readonly Extractor[] }[];
    return extracted.flatMap(({ usage, extractors }) =>
      extractors.map((extractor) => checkCase(book, row['body'] as Fields, usage, extractor)),
    );
  });
}

function checkCase(book: PriceBook, body: Fields, expected: Fields, extractor: Extractor): PriceCase {
  const { provider_id: provider, input_price, output_price } = extractor;
  const of = (outcome: string, fault: string | null = null): PriceCase => ({ provider, outcome, fault });
  const model = typeof body['model'] === 'string' ? body['model'] : '';
  const protocol = protocolOf(extractor);
  if (protocol === null) return of(notSpoken(extractor));
  if (model === '') return of('the body names no model');
  const answer = wrapped(protocol, body);
  const { usage } = decodeWhole(protocol, provider, Buffer.from(JSON.stringify(answer)), false);
  const logged = JSON.stringify(factsOfResponse(answer).usage);
  if (logged !== JSON.stringify(usage)) return of('failed', `${model}: the library reads ${logged}`);
  const costUsd = book.price(`${provider}:${model}`, usage, AT)?.costUsd ?? null;
  const isPriced = input_price !== undefined || output_price !== undefined;
  const expectedUsd = isPriced ? Number(input_price ?? 0) + Number(output_price ?? 0) : null;
  if (isSame(costUsd, expectedUsd)) return of(costUsd === null ? NO_PRICE : SAME_PRICE);
  if (isSame(costUsd, bundledUsd(expected, model, provider))) {
    return of('the bundled list has another price by now, and we have that');
  }
  const { completionTokens, cacheWriteTokens } = usage;
  if (
    isSame(costUsd, bundledUsd({ ...expected, cache_write_tokens: cacheWriteTokens ?? 0 }, model, provider))
  ) {
    return of("tokens written to a cache: we price them, the list's reading of Azure does not know them");
  }
  if (completionTokens !== null && completionTokens > Number(expected['output_tokens'] ?? 0)) {
    const { prompt_tokens: prompt, total_tokens: total } = body['usage'] as Fields;
    const isInTotal = Number(total) - Number(prompt) === completionTokens;
    if (isInTotal) return of("thoughts that the total alone holds: we price them, the list's tests do not");
  }
  return of('failed', `${model}: ${String(costUsd)} USD, not ${String(expectedUsd)}`);
}

/** What the bundled list itself asks for the usage that its tests expect. */
function bundledUsd(expected: Fields, model: string, providerId: string): number | null {
  const usage = expected as Readonly<Record<string, number>>;
  return calcPrice({ ...usage }, model, { providerId, timestamp: AT })?.total_price ?? null;
}

function isSame(one: number | null, other: number | null): boolean {
  if (one === null || other === null) return one === other;
  return Math.abs(one - other) <= TOLERANCE * Math.max(other, 1e-6);
}

/** The protocol in which the provider sends such usage; null: one that the gateway does not speak to it. */
function protocolOf({ provider_id: provider, api_flavor: flavor }: Extractor): SpokenProtocol | null {
  if (/^(aws|cohere)$/.test(provider) || (provider === 'google' && flavor !== 'chat')) return null;
  if (flavor === 'chat') return 'openai-chat';
  if (flavor === 'responses') return 'openai-responses';
  if (flavor === 'anthropic' || provider === 'anthropic') return 'anthropic';
  if (provider === 'minimax') return 'anthropic';
  return flavor === 'default' ? 'openai-chat' : null;
}

function notSpoken({ provider_id: provider, api_flavor: flavor }: Extractor): string {
  if (flavor === 'embeddings') return 'read as embeddings: the same bodies again, priced by another path';
  return `${provider} by its own protocol, which we do not speak`;
}

/** The usage in the smallest answer that a provider could have sent. */
function wrapped(protocol: SpokenProtocol, { usage, model }: Fields): Fields {
  if (protocol === 'anthropic')
    return { type: 'message', content: [], stop_reason: 'end_turn', model, usage };
  if (protocol === 'openai-responses') return { output: [], model, usage };
  return {
    choices: [{ index: 0, message: { role: 'assistant', content: '' }, finish_reason: 'stop' }],
    model,
    usage,
  };
}
