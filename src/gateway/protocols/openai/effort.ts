import { bareModelName } from '../../../core/model-name-facts.ts';
import type { ChatRequest } from '../../chat.ts';
import { effortOfBudget } from '../anthropic/thinking.ts';
import { toFields } from '../fields.ts';
import type { OpenAiDialect } from './chat-provider-request.ts';

/** All that OpenAI's `reasoning_effort` may say, from least to most. */
const EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'] as const;

type Effort = (typeof EFFORTS)[number];

const LOW_TO_HIGH: readonly Effort[] = ['low', 'medium', 'high'];

/**
 * Efforts by the beginning of the bare name; the first that fits. From the pages of the models (OpenAI, 2026), from what
 * the API says when it refuses one ("Supported values are: …"), and from Gemini's page on its compatible endpoint.
 */
const TAKEN: readonly (readonly [RegExp, readonly Effort[]])[] = [
  [/^o1-(mini|preview)|^gpt-5.*-chat/, []],
  [/^gpt-5-pro/, ['high']],
  [/^gpt-5\.\d+-pro/, ['medium', 'high', 'xhigh']],
  [/^o[134](-|$)|^gpt-5.*-codex|^gpt-oss/, LOW_TO_HIGH],
  [/^gpt-5\.1/, ['none', ...LOW_TO_HIGH]],
  [/^gpt-5\.\d/, ['none', ...LOW_TO_HIGH, 'xhigh']],
  [/^gpt-5/, ['minimal', ...LOW_TO_HIGH]],
  [/^gemini-2\.5-flash/, ['none', ...LOW_TO_HIGH]],
  [/^gemini-(2\.5|[3-9])/, LOW_TO_HIGH],
];

/**
 * `reasoning_effort` for a model on a server of OpenAI's protocol: what the request asks for, or the budget of Anthropic's
 * `thinking` in words; where the model does not know the word, the next below, else its least.
 *
 * @returns null where nothing is asked, or the model is not known to take any
 */
export function encodeEffort(request: ChatRequest, modelName: string, dialect: OpenAiDialect): string | null {
  const asked = askedEffort(request);
  if (asked === null) return null;
  // OpenRouter translates each word for the model.
  if (dialect.takesEfforts === true) return asked === 'max' ? 'xhigh' : asked;
  const bare = bareModelName(modelName);
  const taken = TAKEN.find(([pattern]) => pattern.test(bare))?.[1] ?? [];
  const most = EFFORTS.indexOf(asked);
  return taken.findLast((effort) => EFFORTS.indexOf(effort) <= most) ?? taken[0] ?? null;
}

function askedEffort(request: ChatRequest): Effort | null {
  const given = EFFORTS.find((effort) => effort === request['reasoning_effort']);
  if (given !== undefined) return given;
  const thinking = toFields(request['thinking']);
  if (thinking['type'] === 'disabled') return 'none';
  return thinking['type'] === 'enabled' ? effortOfBudget(Number(thinking['budget_tokens'])) : null;
}
