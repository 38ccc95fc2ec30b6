import { createHash } from 'node:crypto';
import { isAutoName } from '../../../core/policy.ts';
import type { ChatMessage, ChatRequest } from '../../chat.ts';
import { isFields, toFieldsList, toText } from '../fields.ts';
import type { OpenAiDialect } from './chat-provider-request.ts';
import { encodeEffort } from './effort.ts';

/** Models that think before they answer, and refuse a temperature for it. */
export const THINKS = /^(openai\/)?(o[134](-|$)|gpt-5(?!.*-chat)|gpt-oss)/;

/** Fields of OpenAI's that Mistral answers with 422 `extra_forbidden`. */
const UNKNOWN_TO_MISTRAL = [
  'stream_options',
  'user',
  'store',
  'logit_bias',
  'service_tier',
  'metadata',
] as const;

const MISTRAL_TOOL_ID = /^[a-zA-Z0-9]{9}$/;

/**
 * A client's request of OpenAI's protocol for a server of the same protocol that refuses some of it. A client that named
 * the model is taken at its word; one that left the choice to us cannot know what the model refuses.
 *
 * @returns the same object where nothing has to change
 */
export function adaptRequest(request: ChatRequest, modelName: string, dialect: OpenAiDialect): ChatRequest {
  const isOurChoice = isAutoName(request.model);
  if (dialect.isMistral !== true && (!isOurChoice || suits(request, modelName, dialect))) return request;
  const adapted: Record<string, unknown> = { ...request };
  adaptLimit(adapted, modelName, dialect);
  if (isOurChoice && dialect.isOpenAi && THINKS.test(modelName)) {
    delete adapted['temperature'];
    delete adapted['top_p'];
  }
  if (isOurChoice && request['reasoning_effort'] !== undefined) {
    adapted['reasoning_effort'] = encodeEffort(request, modelName, dialect) ?? undefined;
  }
  if (dialect.isMistral === true) {
    for (const field of UNKNOWN_TO_MISTRAL) delete adapted[field];
    if (typeof request.seed === 'number') adapted['random_seed'] = request.seed;
    delete adapted['seed'];
    adapted['messages'] = request.messages.map(withShortToolIds);
  }
  return adapted as ChatRequest;
}

/** True for what a server takes as it is. */
function suits(request: ChatRequest, modelName: string, dialect: OpenAiDialect): boolean {
  const { isOpenAi } = dialect;
  const { max_tokens: older, max_completion_tokens: newer, temperature, top_p: topP } = request;
  const effort = request['reasoning_effort'];
  if (effort !== undefined && effort !== encodeEffort(request, modelName, dialect)) return false;
  if (!isOpenAi) return newer === undefined && older !== null;
  if (!THINKS.test(modelName)) return true;
  return older === undefined && newer !== null && temperature === undefined && topP === undefined;
}

/** OpenAI's thinkers know only the newer name of the limit, everybody knows the older one. */
function adaptLimit(adapted: Record<string, unknown>, modelName: string, { isOpenAi }: OpenAiDialect): void {
  const [from, to] =
    isOpenAi && THINKS.test(modelName)
      ? (['max_tokens', 'max_completion_tokens'] as const)
      : (['max_completion_tokens', 'max_tokens'] as const);
  if (isOpenAi && from === 'max_completion_tokens') return;
  adapted[to] ??= adapted[from];
  delete adapted[from];
  if (adapted[to] == null) delete adapted[to];
}

/** Ids that another provider made, in the only form that Mistral takes: the same id always becomes the same. */
function withShortToolIds(message: ChatMessage): ChatMessage {
  const { tool_calls: calls, tool_call_id: id } = message;
  if (calls === undefined && id === undefined) return message;
  return {
    ...message,
    ...(id === undefined ? {} : { tool_call_id: shortToolId(toText(id)) }),
    ...(Array.isArray(calls)
      ? {
          tool_calls: toFieldsList(calls).map((call) =>
            isFields(call) ? { ...call, id: shortToolId(toText(call['id'])) } : call,
          ),
        }
      : {}),
  };
}

function shortToolId(id: string): string {
  return MISTRAL_TOOL_ID.test(id) ? id : createHash('sha256').update(id).digest('hex').slice(0, 9);
}
