import type { AnswerDemands } from '../tracker/outcome/judge-answer.ts';
import type { ChatRequest } from './chat.ts';
import { isCompletionModel } from './model-facts.ts';
import { ANTHROPIC_TOKENS_DEFAULT } from './protocols/anthropic/provider-request.ts';
import type { Fields } from './protocols/fields.ts';
import { isFields, toCount, toFields, toWord } from './protocols/fields.ts';
import type { ProviderKind } from './providers/provider.ts';
import { needsOf } from './request-facts.ts';

/** What a request demands of its answer, by which the answer is judged when it has ended. */
export function demandsOf(request: ChatRequest, kind: ProviderKind | null): AnswerDemands {
  const { promptTokens } = needsOf(request);
  return {
    json: jsonOf(request),
    toolCall: toolCallOf(request),
    offeredTools: offeredToolsOf(request),
    limit: limitOf(request, kind),
    prompt:
      promptTokens === null
        ? null
        : { tokens: promptTokens, contextTokens: toCount(toFields(request['options'])['num_ctx']) },
  };
}

/** OpenAI's `response_format`, or Ollama's `format`. */
function jsonOf(request: ChatRequest): AnswerDemands['json'] {
  const format = request.response_format;
  if (format?.type === 'json_object') return { schema: null };
  if (format?.type === 'json_schema') {
    const schema = format.json_schema?.schema;
    return { schema: isFields(schema) ? schema : null };
  }
  const own = request['format'];
  if (own === 'json') return { schema: null };
  return isFields(own) ? { schema: own } : null;
}

/** `tool_choice`: "required" (Mistral says "any"), one tool by name, or a list of allowed ones. */
function toolCallOf({ tool_choice: choice }: ChatRequest): AnswerDemands['toolCall'] {
  if (choice === 'required' || choice === 'any') return { name: null };
  if (!isFields(choice)) return null;
  if (choice['type'] === 'allowed_tools') {
    return toFields(choice['allowed_tools'])['mode'] === 'required' ? { name: null } : null;
  }
  const name = nameOf(choice);
  return name === null ? null : { name };
}

/** null where a tool has no name that we know: then any call may be right. */
function offeredToolsOf({ tools }: ChatRequest): readonly string[] | null {
  if (!tools || tools.length === 0) return null;
  const names = tools.map((tool) => nameOf(tool as Fields)).filter((name) => name !== null);
  return names.length === tools.length ? names : null;
}

function nameOf(tool: Fields): string | null {
  return toWord(toFields(tool['function'] ?? tool['custom'])['name']);
}

/** What `/v1/completions` of OpenAI's gives to whoever names no limit: no fault of the model's. */
const COMPLETION_TOKENS_DEFAULT = 16;

function limitOf(request: ChatRequest, kind: ProviderKind | null): AnswerDemands['limit'] {
  const own = kind === 'ollama' ? toFields(request['options'])['num_predict'] : null;
  const tokens = [own, request.max_completion_tokens, request.max_tokens].map(toCount).find((each) => each);
  if (tokens) return { tokens, setBy: 'caller' };
  if (kind === 'anthropic') return { tokens: ANTHROPIC_TOKENS_DEFAULT, setBy: 'policy' };
  const name = request.model.slice(request.model.indexOf(':') + 1);
  return isCompletionModel(name) ? { tokens: COMPLETION_TOKENS_DEFAULT, setBy: 'caller' } : null;
}
