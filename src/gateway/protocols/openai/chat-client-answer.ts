import type { TallyrankError } from '../../../core/errors.ts';
import type { FinishReason, TokenUsage } from '../../../core/usage-record.ts';
import type { AnswerPart, ChatAnswer } from '../../chat.ts';
import { hasContent } from '../../chat.ts';
import { UpstreamRejection } from '../../upstream-errors.ts';
import type { Fields } from '../fields.ts';
import type { AnswerHead } from '../inbound.ts';

/** An answer as the body of a plain chat completion. */
export function encodeCompletion(head: AnswerHead, answer: ChatAnswer, costUsd: number | null): string {
  return JSON.stringify({
    id: head.id,
    object: 'chat.completion',
    created: head.createdAtSeconds,
    model: head.model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: answer.text === '' && answer.toolCalls.length > 0 ? null : answer.text,
          refusal: answer.refusal === '' ? null : answer.refusal,
          ...(answer.reasoning === '' ? {} : { reasoning_content: answer.reasoning }),
          ...(answer.thinkingBlocks.length === 0 ? {} : { thinking_blocks: answer.thinkingBlocks }),
          ...(answer.toolCalls.length === 0
            ? {}
            : {
                tool_calls: answer.toolCalls.map((call) => ({
                  id: call.id,
                  type: 'function',
                  function: { name: call.name, arguments: call.arguments },
                })),
              }),
        },
        logprobs: null,
        finish_reason: encodeFinishReason(answer.finishReason ?? 'stop'),
      },
    ],
    usage: encodeUsage(answer.usage, null, costUsd),
  });
}

/** The JSON of a chunk for a part; null when the part has nothing for the client. */
export function encodeChunk(head: AnswerHead, part: AnswerPart, isFirst: boolean): string | null {
  const hasThoughts = part.thinkingBlocks.length > 0;
  if (!hasContent(part) && !hasThoughts && part.finishReason === null) return null;
  return JSON.stringify({
    id: head.id,
    object: 'chat.completion.chunk',
    created: head.createdAtSeconds,
    model: head.model,
    choices: [
      {
        index: 0,
        delta: {
          ...(isFirst ? { role: 'assistant' } : {}),
          ...(part.text === '' && !isFirst ? {} : { content: part.text }),
          ...(part.reasoning === '' ? {} : { reasoning_content: part.reasoning }),
          ...(hasThoughts ? { thinking_blocks: part.thinkingBlocks } : {}),
          ...(part.refusal === '' ? {} : { refusal: part.refusal }),
          ...(part.toolCalls.length === 0 ? {} : { tool_calls: part.toolCalls.map(encodeToolCallDelta) }),
        },
        logprobs: null,
        finish_reason: part.finishReason === null ? null : encodeFinishReason(part.finishReason),
      },
    ],
    usage: null,
  });
}

/** The JSON of the last chunk of a stream whose client asked for usage. */
export function encodeUsageChunk(
  head: AnswerHead,
  usage: TokenUsage,
  usageWire: Fields | null,
  costUsd: number | null,
): string {
  return JSON.stringify({
    id: head.id,
    object: 'chat.completion.chunk',
    created: head.createdAtSeconds,
    model: head.model,
    choices: [],
    usage: encodeUsage(usage, usageWire, costUsd),
  });
}

/** OpenAI's error body. A refusal of the provider's keeps its own words, which clients know. */
export function encodeError(error: TallyrankError): string {
  const { cause } = error;
  const rejection = cause instanceof UpstreamRejection ? cause : null;
  return JSON.stringify({
    error: {
      message: rejection?.message ?? error.message,
      type: rejection?.type ?? error.type,
      param: error.param,
      code: rejection?.code ?? error.code,
    },
  });
}

/** The model list. */
export function encodeModel(id: string, ownedBy: string, createdAtSeconds: number): Fields {
  return { id, object: 'model', created: createdAtSeconds, owned_by: ownedBy };
}

export function encodeUsage(usage: TokenUsage, usageWire: Fields | null, costUsd: number | null): Fields {
  const { promptTokens, completionTokens } = usage;
  const own = {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens === null || completionTokens === null ? null : promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedTokens ?? 0 },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens ?? 0 },
  };
  // A reseller's own cost stays where we know none.
  return { ...own, ...usageWire, cost: costUsd ?? usageWire?.['cost'] ?? null };
}

function encodeToolCallDelta(delta: AnswerPart['toolCalls'][number]): Fields {
  return {
    index: delta.index,
    ...(delta.id === null ? {} : { id: delta.id, type: 'function' }),
    function: { ...(delta.name === null ? {} : { name: delta.name }), arguments: delta.arguments },
  };
}

/** OpenAI has no finish reason for a refusal: its clients know a content filter. */
export function encodeFinishReason(reason: FinishReason): string {
  return reason === 'refusal' ? 'content_filter' : reason;
}
