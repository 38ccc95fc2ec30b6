/** The three protocols as their servers write them: shapes and order follow the recordings in fixtures/wire. */

export type FakeKind = 'ollama' | 'openai' | 'anthropic';

export interface FakeModel {
  readonly name: string;
  /** Ollama's words: "completion", "tools", "vision", "embedding". */
  readonly capabilities?: readonly string[];
  readonly contextTokens?: number;
  /** E.g. "7.2B". */
  readonly parameterSize?: string;
  /** What OpenAI's or Anthropic's list says of it beyond its name. */
  readonly listed?: Json;
}

export interface FakeToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON, or not, to see what happens. */
  readonly arguments: string;
}

export interface FakeAnswer {
  readonly text?: string;
  readonly reasoning?: string;
  readonly toolCalls?: readonly FakeToolCall[];
  /** In OpenAI's words; each protocol gets its own. */
  readonly finishReason?: 'stop' | 'length' | 'tool_calls' | 'content_filter';
  /** null: the provider tells no usage. */
  readonly usage?: { readonly promptTokens: number; readonly completionTokens: number } | null;
  /** Milliseconds of loading that Ollama reports. */
  readonly loadMs?: number;
  /** How often the text is cut in a stream; default: at spaces. */
  readonly chunks?: readonly string[];
}

type Json = Record<string, unknown>;

const CREATED_SECONDS = 1_700_000_000;
const NS_PER_MS = 1e6;

/** The answer to the kind's model list; null for any other path. */
export function encodeModelList(kind: FakeKind, path: string, models: readonly FakeModel[]): Json | null {
  if (kind === 'ollama') {
    if (path === '/api/ps') {
      return { models: models.map(({ name }) => ({ name, model: name, size_vram: 5_000_000_000 })) };
    }
    if (path !== '/api/tags') return null;
    return {
      models: models.map(({ name, parameterSize }) => ({
        name,
        model: name,
        modified_at: '2026-01-01T00:00:00Z',
        size: 4_000_000_000,
        digest: `sha256:${name}`,
        details: { format: 'gguf', family: 'llama', parameter_size: parameterSize ?? '' },
      })),
    };
  }
  if (path !== '/v1/models') return null;
  return kind === 'anthropic'
    ? {
        data: models.map(({ name, listed }) => ({ type: 'model', id: name, display_name: name, ...listed })),
        has_more: false,
      }
    : {
        object: 'list',
        data: models.map(({ name, contextTokens, listed }) => ({
          ...listed,
          id: name,
          object: 'model',
          created: CREATED_SECONDS,
          owned_by: 'fake',
          ...(contextTokens === undefined ? {} : { context_length: contextTokens }),
        })),
      };
}

/** Ollama's `/api/show`. */
export function encodeShow({ name, capabilities, contextTokens }: FakeModel): Json {
  return {
    capabilities: capabilities ?? [name.includes('embed') ? 'embedding' : 'completion'],
    model_info: contextTokens === undefined ? {} : { 'llama.context_length': contextTokens },
  };
}

/** What `/api/generate` says, of what `/api/chat` would say. */
export function toGenerated({ message, ...rest }: Json): Json {
  const { content, thinking } = message as Json;
  return { ...rest, response: content, ...(thinking === undefined ? {} : { thinking }) };
}

/** What OpenAI's `/v1/completions` says, of what its chat would say. */
export function toCompletion(chat: Json): Json {
  const choices = (chat['choices'] as Json[]).map(({ message, delta, ...choice }) => ({
    ...choice,
    text: ((message ?? delta) as Json)['content'] ?? '',
  }));
  return { ...chat, id: 'cmpl-fake', object: 'text_completion', choices };
}

/** The vector of a text: exact in 32 bits, and told apart by the text's length. */
export function vectorOf(text: unknown): number[] {
  return [String(text).length, 0.5, -0.25];
}

/** The answer to a request for vectors; null for any other path. */
export function encodeEmbeddings(path: string, body: Json): Json | null {
  const { input, model, prompt } = body;
  const inputs: unknown[] = Array.isArray(input) ? input : [input];
  switch (path) {
    case '/api/embeddings':
      return { embedding: vectorOf(prompt) };
    case '/api/embed':
      return {
        model,
        embeddings: inputs.map(vectorOf),
        total_duration: 9 * NS_PER_MS,
        load_duration: 2 * NS_PER_MS,
        prompt_eval_count: 7,
      };
    case '/v1/embeddings': {
      const encode = (vector: number[]): unknown =>
        body['encoding_format'] === 'base64'
          ? Buffer.from(Float32Array.from(vector).buffer).toString('base64')
          : vector;
      const data = inputs.map((each, index) => ({
        object: 'embedding',
        index,
        embedding: encode(vectorOf(each)),
      }));
      return { object: 'list', data, model, usage: { prompt_tokens: 7, total_tokens: 7 } };
    }
    default:
      return null;
  }
}

/** An error in the kind's own shape. */
export function errorBodyOf(kind: FakeKind, statusCode: number): Json {
  const message = `fake error ${statusCode}`;
  if (kind === 'ollama') return { error: message };
  if (kind === 'anthropic') return { type: 'error', error: { type: 'fake_error', message } };
  return { error: { message, type: 'fake_error', param: null, code: `fake_${statusCode}` } };
}

/** A whole answer. */
export function encodePlain(kind: FakeKind, model: string, answer: FakeAnswer): Json {
  const text = answer.text ?? '';
  const calls = answer.toolCalls ?? [];
  const usage = usageOf(answer);
  if (kind === 'ollama') {
    return {
      model,
      created_at: '2026-01-01T00:00:00Z',
      message: {
        role: 'assistant',
        content: text,
        ...(answer.reasoning ? { thinking: answer.reasoning } : {}),
        ...(calls.length === 0 ? {} : { tool_calls: calls.map(ollamaCall) }),
      },
      ...ollamaEnd(answer),
    };
  }
  if (kind === 'anthropic') {
    return {
      id: 'msg_fake',
      type: 'message',
      role: 'assistant',
      model,
      content: [
        ...(answer.reasoning ? [{ type: 'thinking', thinking: answer.reasoning, signature: '' }] : []),
        ...(text === '' ? [] : [{ type: 'text', text }]),
        ...calls.map((call) => ({
          type: 'tool_use',
          id: call.id,
          name: call.name,
          input: JSON.parse(call.arguments) as unknown,
        })),
      ],
      stop_reason: anthropicStop(answer),
      stop_sequence: null,
      usage: usage ? { input_tokens: usage.promptTokens, output_tokens: usage.completionTokens } : {},
    };
  }
  return {
    id: 'chatcmpl-fake',
    object: 'chat.completion',
    created: CREATED_SECONDS,
    model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: text === '' && calls.length > 0 ? null : text,
          refusal: null,
          ...(answer.reasoning ? { reasoning_content: answer.reasoning } : {}),
          ...(calls.length === 0 ? {} : { tool_calls: calls.map(openAiCall) }),
        },
        logprobs: null,
        finish_reason: finishOf(answer),
      },
    ],
    ...(usage ? { usage: openAiUsage(usage) } : {}),
  };
}

/** The chunks of a streamed answer, framed. */
export function encodeStream(
  kind: FakeKind,
  model: string,
  answer: FakeAnswer,
  isUsageWanted: boolean,
): string[] {
  if (kind === 'ollama') return ollamaStream(model, answer).map((line) => `${JSON.stringify(line)}\n`);
  if (kind === 'anthropic') {
    return anthropicStream(model, answer).map(
      (event) => `event: ${String(event['type'])}\ndata: ${JSON.stringify(event)}\n\n`,
    );
  }
  const chunks = openAiStream(model, answer, isUsageWanted).map(
    (chunk) => `data: ${JSON.stringify(chunk)}\n\n`,
  );
  return [...chunks, 'data: [DONE]\n\n'];
}

function openAiStream(model: string, answer: FakeAnswer, isUsageWanted: boolean): Json[] {
  const head = { id: 'chatcmpl-fake', object: 'chat.completion.chunk', created: CREATED_SECONDS, model };
  const usageField = isUsageWanted ? { usage: null } : {};
  const chunk = (delta: Json, finishReason: string | null): Json => ({
    ...head,
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
    ...usageField,
  });
  const usage = usageOf(answer);
  return [
    chunk({ role: 'assistant', content: '', refusal: null }, null),
    ...(answer.reasoning ? [chunk({ reasoning_content: answer.reasoning }, null)] : []),
    ...piecesOf(answer).map((content) => chunk({ content }, null)),
    ...(answer.toolCalls ?? []).flatMap((call, index) => [
      chunk(
        {
          tool_calls: [
            { index, id: call.id, type: 'function', function: { name: call.name, arguments: '' } },
          ],
        },
        null,
      ),
      ...halves(call.arguments).map((half) =>
        chunk({ tool_calls: [{ index, function: { arguments: half } }] }, null),
      ),
    ]),
    chunk({}, finishOf(answer)),
    ...(isUsageWanted && usage ? [{ ...head, choices: [], usage: openAiUsage(usage) }] : []),
  ];
}

function anthropicStream(model: string, answer: FakeAnswer): Json[] {
  const usage = usageOf(answer);
  const events: Json[] = [
    {
      type: 'message_start',
      message: {
        id: 'msg_fake',
        type: 'message',
        role: 'assistant',
        model,
        content: [],
        stop_reason: null,
        usage: usage ? { input_tokens: usage.promptTokens, output_tokens: 1 } : {},
      },
    },
    { type: 'ping' },
  ];
  let index = 0;
  const block = (start: Json, deltas: readonly Json[]): void => {
    events.push({ type: 'content_block_start', index, content_block: start });
    for (const delta of deltas) events.push({ type: 'content_block_delta', index, delta });
    events.push({ type: 'content_block_stop', index });
    index++;
  };
  if (answer.reasoning) {
    block({ type: 'thinking', thinking: '' }, [{ type: 'thinking_delta', thinking: answer.reasoning }]);
  }
  const pieces = piecesOf(answer);
  if (pieces.length > 0) {
    block(
      { type: 'text', text: '' },
      pieces.map((text) => ({ type: 'text_delta', text })),
    );
  }
  for (const call of answer.toolCalls ?? []) {
    block(
      { type: 'tool_use', id: call.id, name: call.name, input: {} },
      halves(call.arguments).map((half) => ({ type: 'input_json_delta', partial_json: half })),
    );
  }
  events.push({
    type: 'message_delta',
    delta: { stop_reason: anthropicStop(answer), stop_sequence: null },
    usage: usage ? { output_tokens: usage.completionTokens } : {},
  });
  events.push({ type: 'message_stop' });
  return events;
}

function ollamaStream(model: string, answer: FakeAnswer): Json[] {
  const line = (message: Json): Json => ({
    model,
    created_at: '2026-01-01T00:00:00Z',
    message: { role: 'assistant', content: '', ...message },
    done: false,
  });
  return [
    ...(answer.reasoning ? [line({ thinking: answer.reasoning })] : []),
    ...piecesOf(answer).map((content) => line({ content })),
    ...(answer.toolCalls ?? []).map((call) => line({ tool_calls: [ollamaCall(call)] })),
    { ...line({}), ...ollamaEnd(answer) },
  ];
}

function ollamaEnd(answer: FakeAnswer): Json {
  const usage = usageOf(answer);
  return {
    done: true,
    done_reason: answer.finishReason === 'length' ? 'length' : 'stop',
    total_duration: 20 * NS_PER_MS,
    load_duration: (answer.loadMs ?? 1) * NS_PER_MS,
    ...(usage ? { prompt_eval_count: usage.promptTokens, eval_count: usage.completionTokens } : {}),
  };
}

function ollamaCall(call: FakeToolCall): Json {
  return { function: { name: call.name, arguments: JSON.parse(call.arguments) as unknown } };
}

function openAiCall(call: FakeToolCall): Json {
  return { id: call.id, type: 'function', function: { name: call.name, arguments: call.arguments } };
}

function openAiUsage(usage: { promptTokens: number; completionTokens: number }): Json {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0 },
  };
}

function anthropicStop(answer: FakeAnswer): string {
  const words = { stop: 'end_turn', length: 'max_tokens', tool_calls: 'tool_use', content_filter: 'refusal' };
  return words[finishOf(answer)];
}

function finishOf(answer: FakeAnswer): 'stop' | 'length' | 'tool_calls' | 'content_filter' {
  return answer.finishReason ?? ((answer.toolCalls ?? []).length > 0 ? 'tool_calls' : 'stop');
}

/** Usage as asked, or a plausible one from the lengths. */
function usageOf(answer: FakeAnswer): { promptTokens: number; completionTokens: number } | null {
  if (answer.usage === null) return null;
  return answer.usage ?? { promptTokens: 12, completionTokens: Math.ceil((answer.text ?? '').length / 4) };
}

function piecesOf(answer: FakeAnswer): readonly string[] {
  return answer.chunks ?? (answer.text ?? '').split(/(?= )/).filter((piece) => piece !== '');
}

function halves(text: string): string[] {
  const middle = Math.ceil(text.length / 2);
  return [text.slice(0, middle), text.slice(middle)];
}
