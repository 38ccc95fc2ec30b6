import { deepStrictEqual } from 'node:assert';
import { TallyrankError } from '../../src/core/errors.ts';
import {
  ANTHROPIC_TOKENS_DEFAULT,
  encodeAnthropicRequest,
  forwardMessagesRequest,
} from '../../src/gateway/protocols/anthropic/provider-request.ts';
import type { ClientRequest } from '../../src/gateway/protocols/inbound.ts';
import { encodeOllamaRequest } from '../../src/gateway/protocols/ollama/provider.ts';
import { encodeOpenAiRequest } from '../../src/gateway/protocols/openai/chat-provider.ts';
import { encodeNeutralRequest } from '../../src/gateway/protocols/openai/chat-provider-request.ts';
import { forwardCompletionsRequest } from '../../src/gateway/protocols/openai/completions-provider.ts';
import { forwardResponsesRequest } from '../../src/gateway/protocols/openai/responses-provider.ts';
import type { Check } from './answers.ts';
import { attempt, PROTOCOLS } from './answers.ts';
import type { Fields, Recording } from './recordings.ts';
import type { RequestFacts } from './request-facts.ts';
import { factsOfRequest } from './request-facts.ts';

const MODEL = 'another-model';

/** Protocols in which providers are asked, and how a request of another protocol is written for them. */
const WRITERS: Readonly<Record<string, (client: ClientRequest) => string>> = {
  'openai-chat': (client) =>
    client.protocol === 'openai-chat'
      ? encodeOpenAiRequest(client.request, MODEL, client.request.stream === true)
      : encodeNeutralRequest(client.request, MODEL, 'openai', client.request.stream === true, {
          isOpenAi: false,
          takesCacheHints: false,
        }),
  anthropic: ({ request }) => encodeAnthropicRequest(request, MODEL, 'anthropic', request.stream === true),
  ollama: ({ request }) => encodeOllamaRequest(request, MODEL, 'ollama', request.stream === true),
};

export interface RequestChecks {
  readonly checks: readonly Check[];
  /** Why it was not written in a protocol: the gateway refuses it there in words. */
  readonly refusals: readonly string[];
}

/** Whether a recorded request is understood, goes on unchanged, and says the same in every other protocol. */
export async function checkRequest({ protocol, request: body }: Recording): Promise<RequestChecks> {
  const checks: Check[] = [];
  const refusals: string[] = [];
  if (body === null) return { checks, refusals };
  const bytes = Buffer.from(JSON.stringify(body));
  let client: ClientRequest;
  try {
    client = PROTOCOLS[protocol].parse(bytes, {});
  } catch (error) {
    const isRefusal = error instanceof TallyrankError && error.code === 'bad_request';
    if (isRefusal) return { checks, refusals: [error.message] };
    return { checks: [{ what: 'parsed', fault: String(error) }], refusals };
  }
  checks.push({ what: 'parsed', fault: null });
  const forwarded = forwardedBody(client);
  if (forwarded !== null) {
    checks.push(await attempt('passed on', () => goesOnUnchanged(client, body, forwarded)));
  }
  for (const [name, write] of Object.entries(WRITERS)) {
    if (name === protocol) continue;
    const refusal = refusalOf(client, write);
    if (refusal === null)
      checks.push(await attempt(name, () => saysTheSame(body, name, JSON.parse(write(client)))));
    else refusals.push(`for ${name}: ${refusal}`);
  }
  return { checks, refusals };
}

function refusalOf(client: ClientRequest, write: (client: ClientRequest) => string): string | null {
  const [feature] = client.ownFeatures;
  if (feature !== undefined) return `asks for what its own provider alone can do (${feature})`;
  try {
    write(client);
    return null;
  } catch (error) {
    if (error instanceof TallyrankError && error.code === 'bad_request') return error.message;
    return null;
  }
}

function goesOnUnchanged(client: ClientRequest, body: Fields, forwarded: string | Buffer): void {
  const { stream_options: _options, ...given }: Record<string, unknown> = { ...body, model: MODEL };
  const { stream_options: _ours, ...sent } = JSON.parse(String(forwarded)) as Fields;
  // Metadata is for tracking; OpenAI refuses it on requests that are not stored.
  const kept =
    client.protocol === 'openai-chat' && given['store'] !== true ? without(given, 'metadata') : given;
  deepStrictEqual(sent, kept);
}

function without(fields: Record<string, unknown>, name: string): Fields {
  const { [name]: _left, ...rest } = fields;
  return rest;
}

/** null: the provider itself sends the body on, which the tests of the gateway cover. */
function forwardedBody(client: ClientRequest): string | Buffer | null {
  switch (client.protocol) {
    case 'openai-chat':
      return WRITERS['openai-chat']?.(client) ?? null;
    case 'openai-completions':
      return forwardCompletionsRequest(client, MODEL, client.request.stream === true);
    case 'openai-responses':
      return forwardResponsesRequest(client, MODEL);
    case 'anthropic':
      return forwardMessagesRequest(client, MODEL);
    default:
      return null;
  }
}

function saysTheSame(body: Fields, protocol: string, written: Fields): void {
  const [given, is] = [factsOfRequest(body), factsOfRequest(written)];
  const all = squeezed(is.texts.join(''));
  const lost = given.texts.find((text) => !all.includes(squeezed(text)));
  if (lost !== undefined) throw new Error(`lost the text ${JSON.stringify(lost.slice(0, 120))}`);
  const same = (name: keyof RequestFacts, should: unknown = given[name]): void => {
    const [one, other] = [JSON.stringify(is[name]), JSON.stringify(should)];
    if (one !== other) throw new Error(`${name} is ${one?.slice(0, 150)}, not ${other?.slice(0, 150)}`);
  };
  same('imageCount');
  same('calls');
  // A server of Ollama's has no word for "no tool": it gets none.
  same('toolNames', body['tool_choice'] === 'none' && protocol === 'ollama' ? [] : given.toolNames);
  const { tokensMax, temperature } = given;
  // Anthropic demands a limit, and its scale ends at 1.
  const isAnthropic = protocol === 'anthropic';
  same('tokensMax', isAnthropic ? (tokensMax ?? ANTHROPIC_TOKENS_DEFAULT) : tokensMax);
  same('temperature', isAnthropic && temperature !== null ? Math.min(temperature, 1) : temperature);
}

function squeezed(text: string): string {
  return text.replace(/\s+/g, '');
}
