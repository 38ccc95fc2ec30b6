import type { Recording } from './recordings.ts';

/** What an answer says, in words that no protocol owns: the measure that conversions are held to. */
export interface AnswerFacts {
  readonly text: string;
  readonly reasoning: string;
  readonly refusal: string;
  readonly calls: readonly CallFacts[];
  readonly end: 'stop' | 'length' | 'tool_calls' | 'content_filter' | 'refusal';
  /** Cached ones among them; null: nobody said. */
  readonly promptTokens: number | null;
  /** Those of thoughts among them; null: nobody said. */
  readonly completionTokens: number | null;
  readonly cachedTokens: number | null;
}

export interface CallFacts {
  readonly id: string;
  readonly name: string;
  /** Parsed where they are JSON, else the text. */
  readonly input: unknown;
}

/** The recorded answer read by a second reader, which shares nothing with the gateway's. */
export function factsOfRecording({ protocol, isStream, bytes }: Recording): AnswerFacts {
  const text = bytes.toString();
  switch (protocol) {
    case 'openai-chat':
    case 'openai-completions':
      return isStream ? factsOfChunks(dataOf(text).map(parsed)) : factsOfCompletion(parsed(text));
    case 'openai-responses':
      return factsOfResponse(isStream ? lastResponse(dataOf(text).map(parsed)) : parsed(text));
    case 'anthropic':
      return factsOfMessage(isStream ? mergedMessage(dataOf(text).map(parsed)) : parsed(text));
    case 'ollama':
    case 'ollama-generate':
      return factsOfLines(text.split('\n').filter(Boolean).map(parsed));
  }
}

/** All fields of all protocols that the readers below look at. */
interface Wire {
  readonly type?: string;
  readonly id?: string;
  readonly index?: number;
  readonly name?: string;
  readonly call_id?: string;
  readonly choices?: readonly Wire[];
  readonly delta?: Wire;
  readonly message?: Wire;
  readonly content?: string | readonly Wire[] | null;
  readonly text?: string;
  readonly thinking?: string | readonly Wire[];
  readonly reasoning?: string | null;
  readonly reasoning_content?: string | null;
  readonly reasoning_details?: readonly Wire[];
  readonly refusal?: string | null;
  readonly tool_calls?: readonly Wire[] | null;
  readonly function?: Wire;
  readonly function_call?: Wire;
  readonly custom?: Wire;
  readonly arguments?: unknown;
  readonly input?: unknown;
  readonly partial_json?: string;
  readonly content_block?: Wire;
  readonly finish_reason?: string | null;
  readonly stop_reason?: string;
  readonly done_reason?: string;
  readonly incomplete_details?: { readonly reason?: string } | null;
  readonly response?: string | Wire;
  readonly output?: readonly Wire[];
  readonly summary?: readonly Wire[];
  readonly usage?: Usage | null;
  readonly x_groq?: { readonly usage?: Usage };
  readonly prompt_eval_count?: number;
  readonly eval_count?: number;
}

interface Usage {
  readonly prompt_tokens?: number;
  readonly completion_tokens?: number;
  readonly total_tokens?: number;
  readonly prompt_tokens_details?: { readonly cached_tokens?: number } | null;
  readonly prompt_cache_hit_tokens?: number;
  readonly input_tokens?: number;
  readonly output_tokens?: number;
  readonly input_tokens_details?: { readonly cached_tokens?: number } | null;
  readonly cache_read_input_tokens?: number | null;
  readonly cache_creation_input_tokens?: number | null;
}

function parsed(text: string): Wire {
  return JSON.parse(text) as Wire;
}

/** What stands behind `data:` of every event; recorded events have one line of data each. */
export function dataOf(text: string): string[] {
  return text
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(5).trim())
    .filter((data) => data !== '[DONE]' && data !== '');
}

/** Arguments as the program that calls the tool would read them. */
export function inputOf(given: unknown): unknown {
  if (typeof given !== 'string') return given ?? {};
  try {
    return given.trim() === '' ? {} : JSON.parse(given);
  } catch {
    return given;
  }
}

const ENDS: Readonly<Record<string, AnswerFacts['end']>> = {
  length: 'length',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  tool_calls: 'tool_calls',
  function_call: 'tool_calls',
  tool_use: 'tool_calls',
  content_filter: 'content_filter',
  refusal: 'refusal',
};

function endOf(word: unknown): AnswerFacts['end'] {
  return ENDS[String(word)] ?? 'stop';
}

function factsOfCompletion(body: Wire): AnswerFacts {
  const choice = body.choices?.[0];
  const { function_call: old, ...rest } = choice?.message ?? { content: choice?.text ?? null };
  // Before tools there was one function.
  const message = old?.name ? { ...rest, tool_calls: rest.tool_calls ?? [{ function: old }] } : rest;
  return factsOfChat([message], choice?.finish_reason || endWithoutWord(message.tool_calls), body.usage);
}

function factsOfChunks(chunks: readonly Wire[]): AnswerFacts {
  const choices = chunks
    .flatMap((chunk) => chunk.choices ?? [])
    .filter((choice) => (choice.index ?? 0) === 0);
  const usage = chunks.map((chunk) => chunk.usage ?? chunk.x_groq?.usage).findLast(Boolean);
  const end = choices.map((choice) => choice.finish_reason).findLast(Boolean);
  const deltas = choices.map((choice) => choice.delta ?? { content: choice.text ?? null });
  const calls: { id: string; index: number | undefined; name: string; arguments: string }[] = [];
  for (const piece of deltas.flatMap((delta) => delta.tool_calls ?? [])) {
    const { id = '', index } = piece;
    const { name = '', arguments: given } = piece.function ?? {};
    const known = calls.findLast((call) => call.index === index);
    if (known === undefined || (id !== '' && name !== '' && known.id !== id)) {
      calls.push({ id, index, name, arguments: textOf(given) });
    } else known.arguments += textOf(given);
  }
  const whole = deltas.map(({ tool_calls: _calls, ...rest }) => rest);
  return factsOfChat(
    [
      ...whole,
      {
        tool_calls: calls.map(({ id, name, arguments: given }) => ({
          id,
          function: { name, arguments: given },
        })),
      },
    ],
    end ?? endWithoutWord(calls),
    usage,
  );
}

/** What clients are told when the provider said nothing. */
function endWithoutWord(calls: readonly unknown[] | null | undefined): string {
  return calls && calls.length > 0 ? 'tool_calls' : 'stop';
}

function factsOfChat(pieces: readonly Wire[], end: unknown, usage: Usage | null | undefined): AnswerFacts {
  const contents = pieces.flatMap(({ content }): readonly Wire[] =>
    typeof content === 'string' ? [{ type: 'text', text: content }] : (content ?? []),
  );
  const thoughts = pieces.map((piece) => piece.reasoning_content || piece.reasoning || '').join('');
  const details = pieces.map((piece) => piece.reasoning_details);
  const {
    prompt_tokens: prompt = null,
    completion_tokens: completion = null,
    total_tokens: total = 0,
  } = usage ?? {};
  // xAI and Gemini count thoughts beside the completion: only the total has them.
  const isBeside = prompt !== null && completion !== null && total > prompt + completion;
  return {
    text: contents.map((part) => part.text ?? '').join(''),
    reasoning: thoughts || [...contents.map(({ thinking }) => thinking), ...details].map(textsIn).join(''),
    refusal: pieces.map((piece) => piece.refusal ?? '').join(''),
    calls: pieces
      .flatMap((piece) => piece.tool_calls ?? [])
      .map((call) => ({
        id: call.id ?? '',
        name: (call.type === 'custom' ? call.custom : call.function)?.name ?? '',
        input: call.type === 'custom' ? call.custom?.input : inputOf(call.function?.arguments),
      })),
    end: endOf(end),
    promptTokens: prompt,
    completionTokens: isBeside ? total - prompt : completion,
    cachedTokens: usage?.prompt_tokens_details?.cached_tokens ?? usage?.prompt_cache_hit_tokens ?? null,
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string'
    ? value
    : value === undefined || value === null
      ? ''
      : JSON.stringify(value);
}

function textsIn(thinking: Wire['thinking']): string {
  return typeof thinking === 'string' ? thinking : (thinking ?? []).map((part) => part.text ?? '').join('');
}

function factsOfMessage({ content, usage, stop_reason }: Wire): AnswerFacts {
  const of = (type: string): readonly Wire[] =>
    typeof content === 'string' ? [] : (content ?? []).filter((block) => block.type === type);
  const cached = usage?.cache_read_input_tokens ?? null;
  return {
    text: of('text')
      .map((block) => block.text)
      .join(''),
    reasoning: of('thinking')
      .map((block) => textsIn(block.thinking))
      .join(''),
    refusal: '',
    calls: of('tool_use').map(({ id = '', name = '', input }) => ({ id, name, input })),
    end: endOf(stop_reason),
    promptTokens: (usage?.input_tokens ?? 0) + (cached ?? 0) + (usage?.cache_creation_input_tokens ?? 0),
    completionTokens: usage?.output_tokens ?? null,
    cachedTokens: cached,
  };
}

interface OpenBlock {
  readonly block: Wire;
  text: string;
  thinking: string;
  json: string;
}

/** The events put together as Anthropic's documentation says. */
function mergedMessage(events: readonly Wire[]): Wire {
  const blocks: OpenBlock[] = [];
  const open = new Map<number, OpenBlock>();
  let usage: Usage = {};
  let end: Wire = {};
  for (const { type, index = 0, message, content_block, delta, usage: counted } of events) {
    if (type === 'message_start') {
      usage = { ...usage, ...message?.usage };
      if (message?.stop_reason) end = message;
      const { content } = message ?? {};
      for (const block of typeof content === 'object' && content !== null ? content : []) {
        blocks.push({ block, text: block.text ?? '', thinking: '', json: '' });
      }
    }
    if (type === 'content_block_start') {
      const { text = '', thinking } = content_block ?? {};
      const opened = { block: content_block ?? {}, text, thinking: textsIn(thinking), json: '' };
      blocks.push(opened);
      open.set(index, opened);
    }
    const block = open.get(index);
    if (type === 'content_block_delta' && block !== undefined) {
      if (delta?.type === 'text_delta') block.text += delta.text;
      if (delta?.type === 'thinking_delta') block.thinking += textsIn(delta.thinking);
      if (delta?.type === 'input_json_delta') block.json += delta.partial_json;
    }
    if (type === 'message_delta') {
      end = delta ?? {};
      const known = Object.entries(counted ?? {}).filter(([, count]) => count !== null);
      usage = { ...usage, ...Object.fromEntries(known) };
    }
  }
  const content = blocks.map(({ block, text, thinking, json }) => ({
    ...block,
    text,
    thinking,
    input: json === '' ? block.input : inputOf(json),
  }));
  return { ...end, usage, content };
}

function lastResponse(events: readonly Wire[]): Wire {
  const last = events.findLast((event) => /^response\.(completed|incomplete|failed)$/.test(event.type ?? ''));
  return typeof last?.response === 'object' ? last.response : {};
}

/** Built-in tools that OpenAI works off by itself. */
const SERVED_TOOLS =
  /^(web_search|file_search|code_interpreter|image_generation|mcp)_call$|^mcp_list_tools$|^compaction$|_output$/;

function factsOfResponse({ output: items = [], usage, incomplete_details }: Wire): AnswerFacts {
  const contents = items
    .filter((item) => item.type === 'message')
    .flatMap((item) => (typeof item.content === 'string' ? [] : (item.content ?? [])));
  const calls = items.filter(
    ({ type = '' }) => type !== 'message' && type !== 'reasoning' && !SERVED_TOOLS.test(type),
  );
  const reason = incomplete_details?.reason;
  const end = calls.length > 0 ? 'tool_calls' : 'stop';
  return {
    text: contents
      .filter((part) => part.type === 'output_text')
      .map((part) => part.text)
      .join(''),
    reasoning: items
      .filter((item) => item.type === 'reasoning')
      .flatMap(({ summary = [], content }): readonly Wire[] =>
        summary.length > 0 || typeof content === 'string' ? summary : (content ?? []),
      )
      .map((part) => part.text)
      .join('\n'),
    refusal: contents.map((part) => part.refusal ?? '').join(''),
    calls: calls.map((item) => ({
      id: item.call_id ?? item.id ?? '',
      name: item.name ?? item.type ?? '',
      input: item.input ?? inputOf(item.arguments),
    })),
    end: reason === 'max_output_tokens' ? 'length' : reason === 'content_filter' ? reason : end,
    promptTokens: usage?.input_tokens ?? null,
    completionTokens: usage?.output_tokens ?? null,
    cachedTokens: usage?.input_tokens_details?.cached_tokens ?? null,
  };
}

function factsOfLines(lines: readonly Wire[]): AnswerFacts {
  const last = lines.at(-1);
  const all = lines.map(
    ({ message, response, thinking }): Wire =>
      message
        ? message
        : { content: typeof response === 'string' ? response : '', ...(thinking ? { thinking } : {}) },
  );
  const calls = all.flatMap((message) => message.tool_calls ?? []);
  return {
    text: all.map(({ content }) => (typeof content === 'string' ? content : '')).join(''),
    reasoning: all.map(({ thinking }) => textsIn(thinking)).join(''),
    refusal: '',
    calls: calls.map(({ id = '', function: called }) => ({
      id,
      name: called?.name ?? '',
      input: called?.arguments,
    })),
    end: last?.done_reason === 'length' ? 'length' : calls.length > 0 ? 'tool_calls' : 'stop',
    promptTokens: last?.prompt_eval_count ?? null,
    completionTokens: last?.eval_count ?? null,
    cachedTokens: null,
  };
}
