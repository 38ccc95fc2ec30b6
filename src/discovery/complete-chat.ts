import { TallyrankError } from '../core/errors.ts';

/** A chat model by its server, as plain data: it goes to the worker. */
export interface CompletionChoice {
  readonly kind: 'openai' | 'ollama' | 'anthropic';
  /** As providers are configured: with /v1 for OpenAI-compatible servers, without for the others. */
  readonly baseUrl: string;
  /** The provider's own name of the model. */
  readonly model: string;
  readonly apiKey?: string | undefined;
}

/** Room for a title, two sentences, and the thoughts of a small reasoning model. */
const TOKENS_MAX = 1_000;

interface ProviderOfConfig {
  readonly id: string;
  readonly kind: CompletionChoice['kind'];
  readonly baseUrl: string;
}

/**
 * The server of a model id such as "ollama:mistral:7b".
 *
 * @throws {TallyrankError} `bad_config` when no provider of that id is configured
 */
export function completionChoiceOf(
  modelId: string,
  providers: readonly ProviderOfConfig[],
  keys: ReadonlyMap<string, string>,
): CompletionChoice {
  const colon = modelId.indexOf(':');
  const id = modelId.slice(0, Math.max(0, colon));
  const provider = providers.find((one) => one.id === id);
  if (provider === undefined) {
    throw new TallyrankError(
      'bad_config',
      `discovery.namingModel: "${modelId}" must be <provider>:<model>; there is ${providers.map((one) => one.id).join(', ') || 'no provider'}.`,
    );
  }
  return {
    kind: provider.kind,
    baseUrl: provider.baseUrl,
    model: modelId.slice(colon + 1),
    apiKey: keys.get(id),
  };
}

/**
 * Asks a chat model for one short answer, without randomness where the server allows it.
 *
 * @throws {TallyrankError} `upstream_failed`, `upstream_malformed`; what `signal` or the network throws
 */
export async function completeChat(
  choice: CompletionChoice,
  prompt: string,
  signal: AbortSignal,
): Promise<string> {
  const { path, headers, body } = requestOf(choice, prompt);
  const response = await fetch(`${choice.baseUrl.replace(/\/+$/, '')}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    signal,
  });
  if (!response.ok) {
    // The body is read, so that the connection can be used again; what it says may quote the prompt.
    await response.arrayBuffer();
    throw new TallyrankError(
      'upstream_failed',
      `The naming model ${choice.model} answered ${response.status}.`,
    );
  }
  const text = textOf(await response.json(), choice.kind);
  if (text === null) {
    throw new TallyrankError('upstream_malformed', `The naming model ${choice.model} sent no text.`);
  }
  return text;
}

function requestOf(
  { kind, model, apiKey }: CompletionChoice,
  content: string,
): { path: string; headers: Record<string, string>; body: object } {
  const messages = [{ role: 'user', content }];
  if (kind === 'anthropic') {
    return {
      path: '/v1/messages',
      headers: {
        'anthropic-version': '2023-06-01',
        ...(apiKey === undefined ? {} : { 'x-api-key': apiKey }),
      },
      body: { model, messages, max_tokens: TOKENS_MAX },
    };
  }
  const headers: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  if (kind === 'ollama') {
    const options = { temperature: 0, num_predict: TOKENS_MAX };
    return { path: '/api/chat', headers, body: { model, messages, stream: false, format: 'json', options } };
  }
  // No limit and no temperature: reasoning models of this protocol refuse both.
  return { path: '/chat/completions', headers, body: { model, messages } };
}

function textOf(answer: unknown, kind: CompletionChoice['kind']): string | null {
  const { message, choices, content } = (answer ?? {}) as Record<string, unknown>;
  const holder =
    kind === 'ollama'
      ? message
      : kind === 'openai'
        ? (choices as { message?: unknown }[] | undefined)?.[0]?.message
        : Array.isArray(content)
          ? { content: content.map((part: { text?: unknown } | null) => part?.text ?? '').join('') }
          : null;
  const text = (holder as { content?: unknown } | null | undefined)?.content;
  return typeof text === 'string' && text !== '' ? text : null;
}
