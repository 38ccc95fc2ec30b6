import type { TokenUsage } from '../../../core/usage-record.ts';
import type { ChatAnswer, ToolCall } from '../../chat.ts';
import type { Fields } from '../fields.ts';
import { toFields } from '../fields.ts';
import type { AnswerHead, ClientRequest } from '../inbound.ts';
import { REASONING_ID, sealThoughts } from './responses-thoughts.ts';
import { splitName } from './tool-namespaces.ts';

/** Where an answer stands: `failed` and the like come as errors. */
type ResponseStatus = 'in_progress' | 'completed' | 'incomplete';

/** An answer as the body of `/v1/responses`. */
export function encodeResponse(client: ClientRequest, head: AnswerHead, answer: ChatAnswer): string {
  return JSON.stringify(finishedResponse(client, head, answer, encodeOutput(client, head, answer)));
}

/** The response object of an answer that has come to its end. */
export function finishedResponse(
  client: ClientRequest,
  head: AnswerHead,
  answer: ChatAnswer,
  output: readonly Fields[],
): Fields {
  const reason = incompleteReason(answer);
  return {
    ...responseOf(client, head, reason === null ? 'completed' : 'incomplete'),
    incomplete_details: reason === null ? null : { reason },
    output,
    usage: encodeUsage(answer.usage),
  };
}

/** The response object without its answer: it repeats what was asked. */
export function responseOf({ body }: ClientRequest, head: AnswerHead, status: ResponseStatus): Fields {
  return {
    id: head.id,
    object: 'response',
    created_at: head.createdAtSeconds,
    status,
    background: false,
    error: null,
    incomplete_details: null,
    instructions: body['instructions'] ?? null,
    max_output_tokens: body['max_output_tokens'] ?? null,
    model: head.model,
    output: [],
    parallel_tool_calls: body['parallel_tool_calls'] ?? true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null, ...toFields(body['reasoning']) },
    // Nothing is kept that a later request could name.
    store: false,
    temperature: body['temperature'] ?? null,
    text: { format: { type: 'text' }, ...toFields(body['text']) },
    tool_choice: body['tool_choice'] ?? 'auto',
    tools: body['tools'] ?? [],
    top_p: body['top_p'] ?? null,
    truncation: body['truncation'] ?? 'disabled',
    usage: null,
    user: body['user'] ?? null,
    metadata: body['metadata'] ?? {},
  };
}

function incompleteReason({ finishReason }: ChatAnswer): string | null {
  if (finishReason === 'length') return 'max_output_tokens';
  return finishReason === 'content_filter' ? 'content_filter' : null;
}

function encodeOutput(client: ClientRequest, head: AnswerHead, answer: ChatAnswer): Fields[] {
  const output: Fields[] = [];
  const idOf = itemIds(head);
  if (answer.reasoning !== '' || answer.thinkingBlocks.length > 0) {
    output.push(reasoningItem(idOf(REASONING_ID, 0), answer.reasoning, sealThoughts(answer.thinkingBlocks)));
  }
  const content = [
    ...(answer.text === '' ? [] : [textPart(answer.text)]),
    ...(answer.refusal === '' ? [] : [refusalPart(answer.refusal)]),
  ];
  if (content.length > 0) output.push(messageItem(idOf('msg_', output.length), content, 'completed'));
  for (const call of answer.toolCalls) {
    output.push(callItem(client, idOf('fc_', output.length), call, 'completed'));
  }
  return output;
}

/** Ids of the items of one answer, each with the prefix of its kind. */
export function itemIds(head: AnswerHead): (prefix: string, at: number) => string {
  const base = head.id.replace(/^[a-z]+[_-]/, '');
  return (prefix, at) => `${prefix}${base}_${at}`;
}

export function reasoningItem(id: string, text: string, sealed: string | null): Fields {
  return {
    id,
    type: 'reasoning',
    summary: text === '' ? [] : [{ type: 'summary_text', text }],
    ...(sealed === null ? {} : { encrypted_content: sealed }),
  };
}

export function messageItem(id: string, content: readonly Fields[], status: ResponseStatus): Fields {
  return { id, type: 'message', status, role: 'assistant', content };
}

export function callItem(
  { body }: ClientRequest,
  id: string,
  call: ToolCall,
  status: ResponseStatus,
): Fields {
  return {
    id,
    type: 'function_call',
    status,
    arguments: call.arguments,
    call_id: call.id,
    ...splitName(body, call.name),
  };
}

export function textPart(text: string): Fields {
  return { type: 'output_text', annotations: [], logprobs: [], text };
}

export function refusalPart(refusal: string): Fields {
  return { type: 'refusal', refusal };
}

/** The protocol has no word for unknown counts: null when neither sum is known, else 0 for what is not. */
function encodeUsage(usage: TokenUsage): Fields | null {
  const { promptTokens, completionTokens } = usage;
  if (promptTokens === null && completionTokens === null) return null;
  return {
    input_tokens: promptTokens ?? 0,
    input_tokens_details: { cached_tokens: usage.cachedTokens ?? 0 },
    output_tokens: completionTokens ?? 0,
    output_tokens_details: { reasoning_tokens: usage.reasoningTokens ?? 0 },
    total_tokens: (promptTokens ?? 0) + (completionTokens ?? 0),
  };
}
