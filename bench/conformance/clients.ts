import Anthropic from '@anthropic-ai/sdk';
import { Ollama } from 'ollama';
import OpenAI from 'openai';
import type { ProtocolName } from '../../src/gateway/protocols/inbound.ts';
import type { AnswerFacts } from './facts.ts';
import { inputOf } from './facts.ts';

/** What the official SDK of a protocol makes of bytes that we would send; it has no network. */
export type Client = (answer: Response, isStream: boolean) => Promise<AnswerFacts>;

const MESSAGES = [{ role: 'user' as const, content: 'Hello' }];
const MODEL = 'auto';

/** Official SDKs by the protocol that they speak. */
export const CLIENTS: Readonly<Record<ProtocolName, Client>> = {
  'openai-chat': readChat,
  'openai-completions': readCompletion,
  'openai-responses': readResponse,
  anthropic: readMessage,
  ollama: readOllamaChat,
  'ollama-generate': readOllamaGenerate,
};

function openai(answer: Response): OpenAI {
  return new OpenAI({
    apiKey: 'none',
    baseURL: 'http://none.invalid/v1',
    maxRetries: 0,
    fetch: async () => answer,
  });
}

async function readChat(answer: Response, isStream: boolean): Promise<AnswerFacts> {
  const client = openai(answer);
  const body = { model: MODEL, messages: MESSAGES };
  let reasoning = '';
  const { choices, usage } = isStream
    ? await client.chat.completions
        .stream({ ...body, stream_options: { include_usage: true } })
        // The SDK does not know the field and keeps its last piece only; programs that show thoughts add them up.
        .on('chunk', (chunk) => {
          reasoning += thoughtsOf(chunk.choices[0]?.delta);
        })
        .finalChatCompletion()
    : await client.chat.completions.create(body);
  const [choice] = choices;
  if (choice === undefined) throw new Error('no choice');
  const { message } = choice;
  return {
    text: message.content ?? '',
    reasoning: isStream ? reasoning : thoughtsOf(message),
    refusal: message.refusal ?? '',
    calls: (message.tool_calls ?? []).map((call) => {
      if (call.type !== 'function') throw new Error(`a call of type ${call.type}`);
      return { id: call.id, name: call.function.name, input: inputOf(call.function.arguments) };
    }),
    end: choice.finish_reason === 'function_call' ? 'tool_calls' : choice.finish_reason,
    promptTokens: usage?.prompt_tokens ?? null,
    completionTokens: usage?.completion_tokens ?? null,
    cachedTokens: usage?.prompt_tokens_details?.cached_tokens ?? null,
  };
}

function thoughtsOf(message: object | undefined): string {
  const thoughts = (message as { reasoning_content?: unknown } | undefined)?.reasoning_content;
  return typeof thoughts === 'string' ? thoughts : '';
}

async function readCompletion(answer: Response, isStream: boolean): Promise<AnswerFacts> {
  const client = openai(answer);
  const body = { model: MODEL, prompt: 'Hello' };
  const all = isStream ? [] : [await client.completions.create(body)];
  if (isStream) {
    const stream = await client.completions.create({
      ...body,
      stream: true,
      stream_options: { include_usage: true },
    });
    for await (const chunk of stream) all.push(chunk);
  }
  const choices = all.flatMap((chunk) => chunk.choices);
  const usage = all.findLast((chunk) => chunk.usage)?.usage;
  return {
    text: choices.map((choice) => choice.text).join(''),
    reasoning: '',
    refusal: '',
    calls: [],
    end: choices.findLast((choice) => choice.finish_reason)?.finish_reason ?? 'stop',
    promptTokens: usage?.prompt_tokens ?? null,
    completionTokens: usage?.completion_tokens ?? null,
    cachedTokens: usage?.prompt_tokens_details?.cached_tokens ?? null,
  };
}

async function readResponse(answer: Response, isStream: boolean): Promise<AnswerFacts> {
  const client = openai(answer);
  const body = { model: MODEL, input: 'Hello' };
  const response = isStream
    ? await client.responses.stream(body).finalResponse()
    : await client.responses.create(body);
  const { output, usage } = response;
  const contents = output.flatMap((item) => (item.type === 'message' ? item.content : []));
  const reason = response.incomplete_details?.reason;
  if ((reason === undefined) !== (response.status === 'completed')) {
    throw new Error(`status ${response.status} with reason ${reason}`);
  }
  return {
    text: contents.map((part) => (part.type === 'output_text' ? part.text : '')).join(''),
    reasoning: output
      .flatMap((item) => (item.type === 'reasoning' ? item.summary : []))
      .map((part) => part.text)
      .join(''),
    refusal: contents.map((part) => (part.type === 'refusal' ? part.refusal : '')).join(''),
    calls: output.flatMap((item) =>
      item.type === 'function_call'
        ? [{ id: item.call_id, name: item.name, input: inputOf(item.arguments) }]
        : [],
    ),
    end: reason === 'max_output_tokens' ? 'length' : (reason ?? 'stop'),
    promptTokens: usage?.input_tokens ?? null,
    completionTokens: usage?.output_tokens ?? null,
    cachedTokens: usage?.input_tokens_details.cached_tokens ?? null,
  };
}

const ANTHROPIC_ENDS: Readonly<Record<string, AnswerFacts['end']>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  max_tokens: 'length',
  tool_use: 'tool_calls',
  refusal: 'refusal',
};

async function readMessage(answer: Response, isStream: boolean): Promise<AnswerFacts> {
  const client = new Anthropic({
    apiKey: 'none',
    baseURL: 'http://none.invalid',
    maxRetries: 0,
    fetch: async () => answer,
  });
  const body = { model: MODEL, max_tokens: 100, messages: MESSAGES };
  const { content, stop_reason, usage } = isStream
    ? await client.messages.stream(body).finalMessage()
    : await client.messages.create(body);
  const end = ANTHROPIC_ENDS[stop_reason ?? ''];
  if (end === undefined) throw new Error(`stop_reason ${stop_reason}`);
  return {
    text: content.map((block) => (block.type === 'text' ? block.text : '')).join(''),
    reasoning: content.map((block) => (block.type === 'thinking' ? block.thinking : '')).join(''),
    refusal: '',
    calls: content.flatMap((block) =>
      block.type === 'tool_use' ? [{ id: block.id, name: block.name, input: block.input }] : [],
    ),
    end,
    promptTokens:
      usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0),
    completionTokens: usage.output_tokens,
    cachedTokens: usage.cache_read_input_tokens,
  };
}

function ollama(answer: Response): Ollama {
  return new Ollama({ host: 'http://none.invalid', fetch: async () => answer });
}

async function readOllamaChat(answer: Response, isStream: boolean): Promise<AnswerFacts> {
  const client = ollama(answer);
  const body = { model: MODEL, messages: MESSAGES };
  const all = isStream ? [] : [await client.chat({ ...body, stream: false })];
  if (isStream) for await (const line of await client.chat({ ...body, stream: true })) all.push(line);
  const calls = all.flatMap(({ message }) => message.tool_calls ?? []);
  return {
    ...endOfOllama(all),
    text: all.map(({ message }) => message.content).join(''),
    reasoning: all.map(({ message }) => message.thinking ?? '').join(''),
    // The SDK's type has no id; the protocol does.
    calls: calls.map(({ function: called, ...rest }) => ({
      id: String((rest as { id?: unknown }).id),
      name: called.name,
      input: called.arguments,
    })),
  };
}

async function readOllamaGenerate(answer: Response, isStream: boolean): Promise<AnswerFacts> {
  const client = ollama(answer);
  const body = { model: MODEL, prompt: 'Hello' };
  const all = isStream ? [] : [await client.generate({ ...body, stream: false })];
  if (isStream) for await (const line of await client.generate({ ...body, stream: true })) all.push(line);
  return {
    ...endOfOllama(all),
    text: all.map(({ response }) => response).join(''),
    reasoning: all.map(({ thinking }) => thinking ?? '').join(''),
    calls: [],
  };
}

interface OllamaLine {
  readonly done: boolean;
  readonly done_reason: string;
  readonly prompt_eval_count: number;
  readonly eval_count: number;
}

function endOfOllama(lines: readonly OllamaLine[]): Omit<AnswerFacts, 'text' | 'reasoning' | 'calls'> {
  const last = lines.at(-1);
  if (last?.done !== true || lines.filter((line) => line.done).length !== 1) throw new Error('no one end');
  return {
    refusal: '',
    end: last.done_reason === 'length' ? 'length' : 'stop',
    promptTokens: last.prompt_eval_count ?? null,
    completionTokens: last.eval_count ?? null,
    cachedTokens: null,
  };
}
