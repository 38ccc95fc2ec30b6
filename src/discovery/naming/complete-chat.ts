import { TallyrankError } from '../../core/errors.ts';

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
  readonly kind: CompletionChoice['kind'] | 'azure';
  readonly baseUrl: string;
}

/** What a chat model answered, and the tokens that its server counted; null where it did not say. */
export interface ChatAnswer {
  readonly text: string;
  readonly promptTokens: number | null;
  readonly completionTokens: number | null;
}

export interface AskOptions {
  readonly signal: AbortSignal;
  /**
   * Sent as it is where the protocol has it; null leaves it to the server. Ollama is always asked for 0.
   * Reasoning models refuse any: they answer 400.
   */
  readonly temperature?: number | null | undefined;
}

/**
 * The server of a model id such as "ollama:mistral:7b".
 *
 * @param setting  the setting that names the model, for the message
 * @throws {TallyrankError} `bad_config` when no provider of that id is configured
 */
export function completionChoiceOf(
  modelId: string,
  providers: readonly ProviderOfConfig[],
  keys: ReadonlyMap<string, string>,
  setting = 'discovery.namingModel',
): CompletionChoice {
  const colon = modelId.indexOf(':');
  const id = modelId.slice(0, Math.max(0, colon));
  const provider = providers.find((one) => one.id === id);
  if (provider === undefined) {
    throw new TallyrankError(
      'bad_config',
      `${setting}: "${modelId}" must be <provider>:<model>; there is ${providers.map((one) => one.id).join(', ') || 'no provider'}.`,
    );
  }
  const { kind } = provider;
  if (kind === 'azure') {
    const text = `${setting}: "${modelId}" is a deployment of Azure, which only serves requests; name a model of another provider.`;
    throw new TallyrankError('bad_config', text);
  }
  return {
    kind,
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
  return (await askChat(choice, prompt, { signal })).text;
}

/**
 * The same with what the server says of tokens.
 *
 * @throws {TallyrankError} `upstream_failed` with the server's status, `upstream_malformed`; what `signal` or the
 *   network throws
 */
export async function askChat(
  choice: CompletionChoice,
  prompt: string,
  { signal, temperature = null }: AskOptions,
): Promise<ChatAnswer> {
  const { path, headers, body } = requestOf(choice, prompt, temperature);
  const response = await fetch(`${choice.baseUrl.replace(/\/+$/, '')}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    signal,
  });
  if (!response.ok) {
    // The body is read, so that the connection can be used again; what it says may quote the prompt.
    await response.arrayBuffer();
    throw new TallyrankError('upstream_failed', `The model ${choice.model} answered ${response.status}.`, {
      statusCode: response.status,
    });
  }
  const answer = tryJson(await response.text());
  const text = textOf(answer, choice.kind);
  if (text === null) {
    throw new TallyrankError('upstream_malformed', `The model ${choice.model} sent no text.`);
  }
  return { text, ...tokensOf(answer) };
}

function requestOf(
  { kind, model, apiKey }: CompletionChoice,
  content: string,
  temperature: number | null,
): { path: string; headers: Record<string, string>; body: object } {
  const messages = [{ role: 'user', content }];
  const warmth = temperature === null ? {} : { temperature };
  if (kind === 'anthropic') {
    return {
      path: '/v1/messages',
      headers: {
        'anthropic-version': '2023-06-01',
        ...(apiKey === undefined ? {} : { 'x-api-key': apiKey }),
      },
      body: { model, messages, max_tokens: TOKENS_MAX, ...warmth },
    };
  }
  const headers: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  if (kind === 'ollama') {
    const options = { temperature: 0, num_predict: TOKENS_MAX };
    return { path: '/api/chat', headers, body: { model, messages, stream: false, format: 'json', options } };
  }
  // No limit, and no temperature unless it is asked for: reasoning models of this protocol refuse both.
  return { path: '/chat/completions', headers, body: { model, messages, ...warmth } };
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

/** Under the names of the three protocols; a server has one of each pair. */
function tokensOf(answer: unknown): Pick<ChatAnswer, 'promptTokens' | 'completionTokens'> {
  const { usage, prompt_eval_count, eval_count } = (answer ?? {}) as Record<string, unknown>;
  const counts = (usage ?? {}) as Record<string, unknown>;
  const counted = (...values: unknown[]): number | null => {
    const found = values.find((value) => Number.isSafeInteger(value) && Number(value) >= 0);
    return found === undefined ? null : Number(found);
  };
  return {
    promptTokens: counted(counts['prompt_tokens'], counts['input_tokens'], prompt_eval_count),
    completionTokens: counted(counts['completion_tokens'], counts['output_tokens'], eval_count),
  };
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
