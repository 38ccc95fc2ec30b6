import { bareModelName } from '../../../core/model-name-facts.ts';
import type { ChatRequest } from '../../chat.ts';
import type { Fields } from '../fields.ts';
import { isFields, toFields, toFieldsList } from '../fields.ts';
import { UNSIGNED } from './wire-words.ts';

/**
 * Tokens that a model may think for, by the effort that OpenAI's clients ask for. The words have no numbers of their own.
 * LiteLLM has 1,024, 2,048, 4,096, 8,192 and 16,384 (its `constants.py`, 2026), OpenRouter shares of the limit (0.2, 0.5,
 * 0.8, 0.95; its "Reasoning Tokens", 2026). Ours are the bounds by which a budget becomes an effort on the way to
 * OpenAI, so that both ways agree. More than the last, with an answer beside it, is more than Opus 4 may write.
 */
const BUDGETS: ReadonlyMap<unknown, number> = new Map([
  ['low', 2_048],
  ['medium', 8_192],
  ['high', 16_384],
  ['xhigh', 24_576],
  ['max', 24_576],
]);

/** Less is refused (Anthropic, "Extended thinking"). */
const BUDGET_MIN_TOKENS = 1_024;

/** Of the caller's limit, which thoughts and answer share: the rest is left for the answer. */
const BUDGET_SHARE_MAX = 0.8;

/** Which ways to think a model takes; whatever else it is sent it answers with 400. */
export interface ThinkingWays {
  /** `enabled`, with a budget. */
  readonly hasBudget: boolean;
  /** `adaptive`, with an effort. */
  readonly isAdaptive: boolean;
  /** `disabled`. */
  readonly mayBeOff: boolean;
  /** Thinks where nobody says anything of it. */
  readonly thinksUnasked: boolean;
  /** Words that `output_config.effort` may have; empty: it is refused. */
  readonly efforts: readonly string[];
  /** Takes `temperature`, `top_p` and `top_k` while it does not think. */
  readonly takesSampling: boolean;
}

const NO_WAYS: ThinkingWays = {
  hasBudget: false,
  isAdaptive: false,
  mayBeOff: false,
  thinksUnasked: false,
  efforts: [],
  takesSampling: true,
};

const EFFORTS = ['low', 'medium', 'high'] as const;

/**
 * What is publicly known by the name (Anthropic, "Adaptive thinking" and "Effort", 2026): a budget from 3.7 to 4.5,
 * both ways in 4.6, no budget and no temperature since. Whether a later one may be told not to think its name does not say.
 *
 * @returns null for a model that is not Anthropic's, or of which the name does not tell
 */
export function thinkingWaysOfName(modelName: string): ThinkingWays | null {
  const bare = bareModelName(modelName).toLowerCase();
  if (!bare.startsWith('claude')) return null;
  const [, major, minor = 0] = /^claude-(?:[a-z]+-)?(\d+)(?:[.-](\d{1,2})(?!\d))?/.exec(bare) ?? [];
  if (/^claude-(instant|v?2)/.test(bare)) return NO_WAYS;
  // The preview of Mythos has no number.
  if (major === undefined && !bare.includes('mythos')) return null;
  const version = major === undefined ? Number.POSITIVE_INFINITY : 100 * Number(major) + Number(minor);
  if (version < 307) return NO_WAYS;
  if (version < 406) return { ...NO_WAYS, hasBudget: true };
  const isNewer = version >= 407;
  return {
    hasBudget: !isNewer,
    isAdaptive: true,
    mayBeOff: false,
    thinksUnasked: version >= 500,
    efforts: isNewer ? [...EFFORTS, 'xhigh', 'max'] : [...EFFORTS, 'max'],
    takesSampling: !isNewer,
  };
}

/** What Anthropic's list of models says; null where it says nothing. */
export function thinkingWaysOfList(model: Fields, modelName: string): ThinkingWays | null {
  const { thinking, effort } = toFields(model['capabilities']);
  if (!isFields(thinking)) return null;
  const has = (support: unknown): boolean => toFields(support)['supported'] === true;
  const types = toFields(thinking['types']);
  const { thinksUnasked, takesSampling } = thinkingWaysOfName(modelName) ?? NO_WAYS;
  const words = [...EFFORTS, 'xhigh', 'max'].filter((word) => has(toFields(effort)[word]));
  return {
    hasBudget: has(types['enabled']),
    isAdaptive: has(types['adaptive']),
    mayBeOff: has(types['disabled']),
    efforts: has(effort) ? words : [],
    thinksUnasked,
    takesSampling,
  };
}

/** What a client wants of thoughts; null: it does not say. */
type Wish = 'off' | { readonly effort: string; readonly budgetTokens: number } | null;

/** The fields of a body for Anthropic that depend on whether the model thinks. */
export interface ThinkingFields {
  /** `thinking` and `output_config`, or neither. */
  readonly fields: Fields;
  /** `max_tokens`. */
  readonly limitTokens: number;
  /** `temperature`, `top_p` and `top_k` may be sent. */
  readonly takesSampling: boolean;
}

/**
 * OpenAI's effort, Ollama's `think` or a `thinking` of Anthropic's own in the way that the model takes. Anthropic
 * refuses thoughts beside a demanded tool call or a begun answer, and a budget where the last calls came without signed
 * thoughts: there the call and the conversation win, and the model does not think.
 *
 * @param ways          null: nobody knows, and only what is Anthropic's own word goes on
 * @param answerTokens  limit where the caller set none: thoughts then come on top of it
 */
export function encodeThinking(
  request: ChatRequest,
  ways: ThinkingWays | null,
  answerTokens: number,
): ThinkingFields {
  const wish = wishOf(request);
  const given = request.max_completion_tokens ?? request.max_tokens ?? null;
  const limitTokens = given ?? answerTokens;
  const none: ThinkingFields = { fields: {}, limitTokens, takesSampling: ways?.takesSampling ?? true };
  const { thinking } = request;
  // Whoever uses Anthropic's own word is taken at it, where the model knows it.
  if (isFields(thinking) && takes(ways, thinking['type'])) {
    return { ...none, fields: { thinking, ...effortOf(request['reasoning_effort'], ways) } };
  }
  if (ways === null || wish === null) return none;
  if (wish === 'off') return { ...none, fields: encodeOff(ways) };
  const effort = effortOf(wish.effort, ways);
  if (isCallDemanded(request) || request.messages.at(-1)?.role === 'assistant')
    return { ...none, fields: effort };
  const roomyTokens = given ?? answerTokens + wish.budgetTokens;
  if (ways.isAdaptive) {
    const fields = { thinking: { type: 'adaptive' }, ...effort };
    return { fields, limitTokens: roomyTokens, takesSampling: false };
  }
  const mostTokens = given === null ? wish.budgetTokens : Math.floor(given * BUDGET_SHARE_MAX);
  const budgetTokens = Math.min(wish.budgetTokens, mostTokens);
  if (!ways.hasBudget || budgetTokens < BUDGET_MIN_TOKENS || isUnsignedCall(request)) return none;
  const fields = { thinking: { type: 'enabled', budget_tokens: budgetTokens } };
  return { fields, limitTokens: roomyTokens, takesSampling: false };
}

const SAMPLING = ['temperature', 'top_p', 'top_k'] as const;

/**
 * The body of a client of Anthropic's own that left the choice of the model to us and so cannot know how it thinks: with the
 * thoughts, the effort and the temperature that it takes. Effort without thoughts stays without.
 *
 * @returns the same object where nothing has to change
 */
export function fitThinking(body: Fields, request: ChatRequest, ways: ThinkingWays | null): Fields {
  if (ways === null) return body;
  const { thinking, output_config: config, ...rest } = body;
  const { effort, ...others } = toFields(config);
  const isFit =
    (!isFields(thinking) || takes(ways, thinking['type'])) &&
    (typeof effort !== 'string' || ways.efforts.includes(effort)) &&
    (ways.takesSampling || SAMPLING.every((field) => body[field] === undefined));
  if (isFit) return body;
  const { fields, takesSampling } = isFields(thinking)
    ? encodeThinking(request, ways, 0)
    : { fields: effortOf(effort, ways), takesSampling: ways.takesSampling };
  const fitConfig = { ...others, ...toFields(fields['output_config']) };
  const left = takesSampling ? [] : SAMPLING;
  return {
    ...Object.fromEntries(Object.entries(rest).filter(([field]) => !left.some((name) => name === field))),
    ...fields,
    ...(Object.keys(fitConfig).length === 0 ? {} : { output_config: fitConfig }),
  };
}

/** null knows nothing, and nothing against it. */
function takes(ways: ThinkingWays | null, type: unknown): boolean {
  if (ways === null) return true;
  if (type === 'enabled') return ways.hasBudget;
  return type === 'adaptive' ? ways.isAdaptive : type === 'disabled' && ways.mayBeOff;
}

function wishOf(request: ChatRequest): Wish {
  const effort = request['reasoning_effort'];
  const thinking = toFields(request['thinking']);
  if (thinking['type'] === 'disabled') return 'off';
  if (thinking['type'] === 'enabled') {
    const budgetTokens = Math.max(BUDGET_MIN_TOKENS, Number(thinking['budget_tokens']) || 0);
    const word = typeof effort === 'string' ? effort : effortOfBudget(budgetTokens);
    return { effort: word, budgetTokens };
  }
  if (effort === 'none' || effort === 'minimal') return 'off';
  const isAdaptive = thinking['type'] === 'adaptive';
  const word = typeof effort === 'string' ? effort : isAdaptive ? 'high' : '';
  const budgetTokens = BUDGETS.get(word);
  return budgetTokens === undefined ? null : { effort: word, budgetTokens };
}

/** The effort next to a budget of thoughts in tokens. */
export function effortOfBudget(budgetTokens: number): 'low' | 'medium' | 'high' {
  if (budgetTokens <= 2_048) return 'low';
  return budgetTokens <= 8_192 ? 'medium' : 'high';
}

/** Some models that think unasked always do: those are asked to do so little. */
function encodeOff({ thinksUnasked, mayBeOff, efforts }: ThinkingWays): Fields {
  if (!thinksUnasked) return {};
  if (mayBeOff) return { thinking: { type: 'disabled' } };
  return efforts.includes('low') ? { output_config: { effort: 'low' } } : {};
}

function effortOf(effort: unknown, ways: ThinkingWays | null): Fields {
  if (ways === null || typeof effort !== 'string') return {};
  const { efforts } = ways;
  if (efforts.includes(effort)) return { output_config: { effort } };
  // The words above it cost more than was asked for.
  return efforts.includes('high') && (effort === 'xhigh' || effort === 'max')
    ? { output_config: { effort: 'high' } }
    : {};
}

function isCallDemanded({ tools, tool_choice: choice }: ChatRequest): boolean {
  if (!tools || tools.length === 0) return false;
  if (!isFields(choice)) return choice === 'required';
  return isFields(choice['function']) || toFields(choice['allowed_tools'])['mode'] === 'required';
}

/** True when the last turn of the assistant called tools and has no signed thoughts to go on from. */
function isUnsignedCall({ messages }: ChatRequest): boolean {
  const last = messages.findLast(({ role }) => role === 'assistant');
  if (last === undefined || toFieldsList(last.tool_calls).length === 0) return false;
  return toFieldsList(last.thinking_blocks).every((block) => isUnsigned(block));
}

/** Thoughts that Anthropic did not sign, and refuses. */
export function isUnsigned(block: Fields): boolean {
  if (block['type'] !== 'thinking') return false;
  return block['signature'] === UNSIGNED || !block['signature'];
}
