import { deepStrictEqual } from 'node:assert';
import type { AnswerPart, ChatAnswer } from '../../src/gateway/chat.ts';
import { ANTHROPIC_MESSAGES } from '../../src/gateway/protocols/anthropic/client.ts';
import type {
  AnswerHead,
  ClientRequest,
  InboundProtocol,
  ProtocolName,
} from '../../src/gateway/protocols/inbound.ts';
import { OLLAMA_CHAT, OLLAMA_GENERATE } from '../../src/gateway/protocols/ollama/client.ts';
import { OPENAI_CHAT } from '../../src/gateway/protocols/openai/chat-client.ts';
import { OPENAI_COMPLETIONS } from '../../src/gateway/protocols/openai/completions-client.ts';
import { OPENAI_RESPONSES } from '../../src/gateway/protocols/openai/responses-client.ts';
import { splitsOf } from './chunking.ts';
import { CLIENTS } from './clients.ts';
import type { AnswerFacts, CallFacts } from './facts.ts';
import { dataOf } from './facts.ts';
import { collected, decodeStream, decodeWhole, factsOfAnswer } from './neutral.ts';
import type { Fields, Recording, SpokenProtocol } from './recordings.ts';

/** Every protocol that clients may speak; one that is added and not named here does not compile. */
export const PROTOCOLS: Readonly<Record<ProtocolName, InboundProtocol>> = {
  'openai-chat': OPENAI_CHAT,
  'openai-completions': OPENAI_COMPLETIONS,
  'openai-responses': OPENAI_RESPONSES,
  anthropic: ANTHROPIC_MESSAGES,
  ollama: OLLAMA_CHAT,
  'ollama-generate': OLLAMA_GENERATE,
};

/** What was tried of one recording: "read", "chunked", "passed on", or the protocol it was written in. */
export interface Check {
  readonly what: string;
  /** null: passed. */
  readonly fault: string | null;
}

/** Characters of a fault that are shown; a comparison of long texts would fill the screen. */
const FAULT_LENGTH_MAX = 400;

/** One test, whatever it throws. */
export async function attempt(what: string, test: () => void | Promise<void>): Promise<Check> {
  try {
    await test();
    return { what, fault: null };
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return { what, fault: said.replace(/\s+/g, ' ').slice(0, FAULT_LENGTH_MAX) };
  }
}

/** All checks of one recorded answer; `expected` is what it says. */
export async function checkAnswer(recording: Recording, expected: AnswerFacts): Promise<Check[]> {
  const { protocol, isStream } = recording;
  const checks = [
    await attempt('read', () => sameFacts(factsOfAnswer(answerOf(recording)), expected)),
    await attempt('passed on', () => (isStream ? streamPasses(recording) : wholePasses(recording))),
  ];
  if (isStream) checks.push(await attempt('chunked', () => sameInAnyPieces(recording)));
  // Answers in the form of Responses come only to clients of it, as they are.
  if (protocol === 'openai-responses') return checks;
  for (const out of Object.values(PROTOCOLS)) {
    checks.push(await attempt(out.name, () => isWritten(recording, out, expected)));
  }
  return checks;
}

function answerOf({ protocol, provider, bytes, isStream }: Recording): ChatAnswer {
  if (!isStream) return decodeWhole(protocol, provider, bytes, false);
  return collected(decodeStream(protocol, provider, [bytes], false)).answer;
}

function sameInAnyPieces({ protocol, provider, bytes }: Recording): void {
  for (const keepsWire of [false, true]) {
    const parts = JSON.stringify(decodeStream(protocol, provider, [bytes], keepsWire));
    for (const [way, pieces] of Object.entries(splitsOf(bytes))) {
      const again = JSON.stringify(decodeStream(protocol, provider, pieces, keepsWire));
      if (again !== parts) throw new Error(`other parts when it comes ${way}`);
    }
  }
}

function wholePasses({ protocol, provider, bytes }: Recording): void {
  if (decodeWhole(protocol, provider, bytes, true).wire?.equals(bytes) !== true)
    throw new Error('other bytes');
}

/** The frames that the client gets hold the provider's events, all of them, unchanged but for the usage. */
function streamPasses(recording: Recording): void {
  const { protocol, provider, bytes } = recording;
  const { before, after } = framesOf(PROTOCOLS[protocol], decodeStream(protocol, provider, [bytes], true));
  const given = eventsIn(protocol, bytes.toString());
  const passed = eventsIn(protocol, before + after);
  if (protocol !== 'openai-chat' && protocol !== 'openai-completions') {
    deepStrictEqual(passed, given);
    return;
  }
  // Usage is told once, in a last chunk, which we write: it may say more than the provider's.
  const withoutUsage = (events: readonly Fields[]): Fields[] =>
    events
      .map(({ usage: _usage, ...rest }) => rest)
      .filter(({ choices }) => !Array.isArray(choices) || choices.length > 0);
  const [is, should] = [withoutUsage(passed), withoutUsage(given)];
  // A reason is put behind a stream that has none.
  if (!/"finish_reason":\s*"[^"]/.test(bytes.toString())) is.pop();
  deepStrictEqual(is, should);
  const told = given.findLast(({ usage }) => usage)?.['usage'];
  if (told)
    deepStrictEqual(
      { ...(passed.at(-1)?.['usage'] as Fields), ...(told as Fields) },
      passed.at(-1)?.['usage'],
    );
}

function eventsIn(protocol: SpokenProtocol, text: string): Fields[] {
  const lines = protocol.startsWith('ollama') ? text.split('\n').filter((line) => line !== '') : dataOf(text);
  return lines.map((line) => JSON.parse(line) as Fields);
}

/** Anthropic's SDK makes an empty object of arguments that break off. */
function withoutBrokenInput(wanted: AnswerFacts, { calls }: AnswerFacts): AnswerFacts {
  const isWhole = (at: number): boolean => typeof calls[at]?.input === 'object';
  return { ...wanted, calls: wanted.calls.map((call, at) => (isWhole(at) ? call : { ...call, input: {} })) };
}

async function isWritten(
  recording: Recording,
  protocol: InboundProtocol,
  expected: AnswerFacts,
): Promise<void> {
  const wanted = expectedIn(protocol.name, expected);
  const read = CLIENTS[protocol.name];
  const answer = answerOf(recording);
  const whole = protocol.encodeAnswer(clientOf(protocol, false), headOf(protocol, answer), answer, null, 1);
  const json = { headers: { 'content-type': 'application/json' } };
  sameFacts(await read(new Response(whole, json), false), wanted, 'whole: ');
  if (!recording.isStream) return;
  const parts = decodeStream(recording.protocol, recording.provider, [recording.bytes], false);
  const { before, after, usageWire } = framesOf(protocol, parts);
  const isEarly = END_MARKS[protocol.name].exec(before)?.[0];
  if (isEarly !== undefined) throw new Error(`stream: tells its end before the end: ${isEarly}`);
  const stream = { headers: { 'content-type': protocol.streamType } };
  const streamed = protocol.name === 'anthropic' ? withoutBrokenInput(wanted, expected) : wanted;
  // The usage object of a provider of OpenAI's protocol goes on as it is, with counts as it counts.
  const said = /^openai-(chat|completions)$/.test(protocol.name)
    ? usageWire?.['completion_tokens']
    : undefined;
  const completionTokens = typeof said === 'number' ? said : streamed.completionTokens;
  sameFacts(
    await read(new Response(before + after, stream), true),
    { ...streamed, completionTokens },
    'stream: ',
  );
}

/** What tells a client that the answer is complete. In a text of an answer the quotes would be escaped. */
const END_MARKS: Readonly<Record<ProtocolName, RegExp>> = {
  'openai-chat': /[^\\]"finish_reason":"/,
  'openai-completions': /[^\\]"finish_reason":"/,
  'openai-responses': /^event: response\.(completed|incomplete)/m,
  anthropic: /^event: message_(delta|stop)/m,
  ollama: /[^\\]"done":true/,
  'ollama-generate': /[^\\]"done":true/,
};

/** All that a client is sent, before the record is written and after. */
function framesOf(
  protocol: InboundProtocol,
  parts: readonly AnswerPart[],
): { before: string; after: string; usageWire: Fields | null } {
  const { answer, collector } = collected(parts);
  const encoder = protocol.openStream(clientOf(protocol, true), headOf(protocol, answer));
  const before = parts.map((part) => encoder.part(part)).join('');
  const after = encoder.end({
    answer,
    usageWire: collector.usageWire,
    costUsd: () => null,
    outcome: { latencyMs: 2, firstTokenMs: 1 },
  });
  return { before, after, usageWire: collector.usageWire };
}

/** A plain request of a client. */
export function clientOf(protocol: InboundProtocol, stream: boolean): ClientRequest {
  const body = {
    model: 'auto',
    messages: [{ role: 'user', content: 'Hello' }],
    prompt: protocol.name === 'openai-responses' ? undefined : 'Hello',
    input: 'Hello',
    max_tokens: 100,
    stream,
    ...(stream ? { stream_options: { include_usage: true } } : {}),
  };
  return protocol.parse(Buffer.from(JSON.stringify(body)), {});
}

function headOf(protocol: InboundProtocol, answer: ChatAnswer): AnswerHead {
  return {
    id: answer.responseId ?? protocol.newAnswerId('0199'),
    createdAtSeconds: 1_700_000_000,
    model: answer.modelReported ?? 'provider:model',
  };
}

/** What is left of an answer in a protocol that has no word for some of it. */
function expectedIn(protocol: ProtocolName, facts: AnswerFacts): AnswerFacts {
  const text = facts.text + facts.refusal;
  const isAtLimit = facts.end === 'length';
  switch (protocol) {
    case 'openai-chat':
      return { ...facts, end: facts.end === 'refusal' ? 'content_filter' : facts.end };
    case 'openai-completions':
      return {
        ...facts,
        text,
        refusal: '',
        reasoning: '',
        calls: [],
        end: facts.end === 'refusal' ? 'content_filter' : facts.end,
      };
    case 'openai-responses':
      return { ...facts, end: isAtLimit || facts.end === 'content_filter' ? facts.end : 'stop' };
    case 'anthropic':
      return {
        ...facts,
        text,
        refusal: '',
        calls: facts.calls.map(asObject).map(withToolId),
        end: facts.end === 'content_filter' ? 'refusal' : facts.end,
      };
    case 'ollama':
    case 'ollama-generate':
      return {
        ...facts,
        text,
        refusal: '',
        calls: protocol === 'ollama' ? facts.calls.map(asObject) : [],
        end: isAtLimit ? 'length' : 'stop',
        cachedTokens: null,
      };
  }
}

/** Anthropic's ids have no other characters. */
function withToolId(call: CallFacts): CallFacts {
  return { ...call, id: call.id.replace(/[^\w-]/g, '_') };
}

/** These protocols have objects for arguments: what is none stands in one. */
function asObject(call: CallFacts): CallFacts {
  const { input } = call;
  if (typeof input === 'object' && input !== null && !Array.isArray(input)) return call;
  return { ...call, input: { invalid_json: typeof input === 'string' ? input : JSON.stringify(input) } };
}

/** @throws {Error} naming the first fact that differs */
function sameFacts(given: AnswerFacts, wanted: AnswerFacts, where = ''): void {
  for (const key of Object.keys(wanted) as (keyof AnswerFacts)[]) {
    const [is, should] = [comparable(given, wanted, key), comparable(wanted, wanted, key)];
    if (is !== should) throw new Error(`${where}${key} is ${cut(is)}, not ${cut(should)}`);
  }
}

function comparable(facts: AnswerFacts, wanted: AnswerFacts, key: keyof AnswerFacts): string {
  if (key === 'calls') {
    // A provider that gives no id gets one from us, whatever it is, as long as it is there and told apart.
    const ids = facts.calls.map(({ id }) => id);
    const isFit = ids.every((id, at) => facts === wanted || (id !== '' && ids.indexOf(id) === at));
    return JSON.stringify(
      facts.calls.map((call, at) => (isFit && wanted.calls[at]?.id === '' ? { ...call, id: '' } : call)),
    );
  }
  // Most protocols have no word for a count that is not known.
  return /Tokens$/.test(key) ? String(facts[key] ?? 0) : String(facts[key]);
}

function cut(text: string): string {
  return JSON.stringify(text.length > 160 ? `${text.slice(0, 160)}…` : text);
}
