import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { ProtocolName } from '../../src/gateway/protocols/inbound.ts';

/** Protocols of providers that the gateway speaks. */
export type SpokenProtocol = ProtocolName;

/** One recorded answer. */
export interface Recording {
  /** The provider as the table names it, e.g. "groq". */
  readonly provider: string;
  /** Where it stands in the data, for messages. */
  readonly name: string;
  readonly protocol: SpokenProtocol;
  readonly isStream: boolean;
  readonly statusCode: number;
  /** The body as it was sent. */
  readonly bytes: Buffer;
  /** The body of the request; null where only the answer was recorded. */
  readonly request: Fields | null;
}

/** A recording that is not tested, and why. */
export interface Skipped {
  readonly provider: string;
  readonly reason: string;
}

export type Fields = Readonly<Record<string, unknown>>;

export class DataMissing extends Error {}

const FILES = ['fixtures_provider_streams', 'fixtures_http_cassettes', 'price_usage_cases'] as const;

/** The rows of one file of the shared data. @throws {DataMissing} */
export function readRows(dir: string, name: (typeof FILES)[number]): Fields[] {
  const missing = FILES.map((file) => join(dir, `${file}.jsonl.gz`)).filter((file) => !existsSync(file));
  if (missing.length > 0) {
    throw new DataMissing(`Conformance needs ${missing.join(', ')}; give their folder by --data.`);
  }
  return gunzipSync(readFileSync(join(dir, `${name}.jsonl.gz`)))
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Fields);
}

/** All recorded answers, each to be tested or skipped. */
export function readRecordings(dir: string): { recordings: Recording[]; skipped: Skipped[] } {
  const recordings: Recording[] = [];
  const skipped: Skipped[] = [];
  const each = [
    ...readRows(dir, 'fixtures_provider_streams').flatMap(ofStreams),
    ...readRows(dir, 'fixtures_http_cassettes').map(ofCassette),
  ];
  for (const one of each) {
    if (one === 'embeddings') continue;
    if ('reason' in one) skipped.push(one);
    else recordings.push(one);
  }
  return { recordings, skipped };
}

function ofStreams(row: Fields): (Recording | Skipped)[] {
  const path = String(row['path']);
  const provider = String(row['provider']);
  const protocol = protocolOfPath(provider, path);
  if (protocol === null) return [{ provider, reason: reasonOfPath(path) }];
  const base = { provider, name: path.slice(path.lastIndexOf('/') + 1), protocol, request: null };
  const { body, kind } = row;
  if (kind === 'sse') {
    return [{ ...base, isStream: true, statusCode: 200, bytes: Buffer.from(String(body)) }];
  }
  if (kind === 'stream_chunks') {
    return answersOf(String(body)).map((lines) =>
      isShortened(lines)
        ? { provider, reason: 'shortened by its makers: its pieces do not add up to its own end' }
        : { ...base, isStream: true, statusCode: 200, bytes: Buffer.from(framed(protocol, lines)) },
    );
  }
  const { error, id } = body as Fields;
  const isError = error !== undefined && error !== null && id === undefined;
  const isQuota = isError && (error as Fields)['code'] === 'insufficient_quota';
  return [
    {
      ...base,
      isStream: false,
      // The status of an error was not recorded; these two are what OpenAI sends with such bodies.
      statusCode: isQuota ? 429 : isError ? 400 : 200,
      bytes: Buffer.from(JSON.stringify(body)),
    },
  ];
}

/** Some files hold the answers of several turns, one after the other. */
function answersOf(body: string): Fields[][] {
  const answers: Fields[][] = [[]];
  let hasEnded = false;
  for (const line of body.split('\n').filter((each) => each.trim() !== '')) {
    const event = JSON.parse(line) as Fields;
    const type = String(event['type']);
    if (hasEnded && /^(message_start|response\.created)$/.test(type)) answers.push([]);
    hasEnded = /^(message_stop|response\.(completed|incomplete|failed))$/.test(type);
    answers.at(-1)?.push(event);
  }
  return answers;
}

/** True when the deltas of a text do not make the text that the stream itself repeats at its end. */
function isShortened(events: readonly Fields[]): boolean {
  const of = (type: string, field: string): string =>
    events
      .filter((event) => event['type'] === `response.output_text.${type}`)
      .map((event) => event[field])
      .join('');
  return of('delta', 'delta') !== of('done', 'text');
}

function protocolOfPath(provider: string, path: string): SpokenProtocol | null {
  if (/\/(embedding|skills)\//.test(path)) return null;
  if (path.includes('/completion/')) return 'openai-completions';
  if (/\/responses\//.test(path) || provider === 'azure') return 'openai-responses';
  if (provider === 'anthropic') return 'anthropic';
  return /^(google|google-vertex|amazon-bedrock|cohere)$/.test(provider) ? null : 'openai-chat';
}

function reasonOfPath(path: string): string {
  if (path.includes('/skills/')) return 'files and skills, no chat';
  if (path.includes('embedding')) return 'embeddings, shortened by its makers';
  return NOT_SPOKEN;
}

const NOT_SPOKEN = "a provider's own protocol that we do not speak (Gemini, Bedrock, Cohere, …)";

/** The lines are what stood behind `data:`; the frames are put around them again. */
function framed(protocol: SpokenProtocol, events: readonly Fields[]): string {
  const hasDone = protocol === 'openai-chat' || protocol === 'openai-completions';
  const frames = events.map((event) => {
    const data = `data: ${JSON.stringify(event)}\n\n`;
    return hasDone ? data : `event: ${String(event['type'])}\n${data}`;
  });
  return frames.join('') + (hasDone ? 'data: [DONE]\n\n' : '');
}

function ofCassette(row: Fields): Recording | Skipped | 'embeddings' {
  const { resp, req } = row;
  const api = String(row['api']);
  const provider = providerOfHost(String(row['host']));
  const protocol = protocolOfApi(api);
  // They are tested apart.
  if (api === '/v1/embeddings') return 'embeddings';
  if (protocol === null) return { provider, reason: reasonOfApi(api) };
  const isStream = typeof resp === 'string' && row['status'] === 200;
  const path = String(row['path']);
  return {
    provider,
    name: `${path.slice(path.lastIndexOf('/cassettes/') + 11)}#${String(row['i'])}`,
    protocol,
    isStream,
    statusCode: Number(row['status']),
    bytes: Buffer.from(typeof resp === 'string' ? resp : JSON.stringify(resp)),
    request: typeof req === 'object' && req !== null ? (req as Fields) : null,
  };
}

function protocolOfApi(api: string): SpokenProtocol | null {
  if (api.startsWith('/bin/')) return null;
  if (api.endsWith('/chat/completions')) return 'openai-chat';
  if (api.endsWith('/completions')) return 'openai-completions';
  if (api.endsWith('/responses')) return 'openai-responses';
  if (api === '/v1/messages') return 'anthropic';
  if (api === '/api/chat') return 'ollama';
  return api === '/api/generate' ? 'ollama-generate' : null;
}

function reasonOfApi(api: string): string {
  if (/embed/.test(api)) return NOT_SPOKEN;
  if (/count_tokens|\/v1\/models$/.test(api)) return 'token counts and model lists, no chat';
  if (/predictions|stable-diffusion/.test(api)) return 'images and jobs, no chat';
  return api.startsWith('/bin/') ? 'a test server, no provider' : NOT_SPOKEN;
}

/** The provider as the tables name it. */
export function providerOfHost(host: string): string {
  if (host === 'localhost' || host === '127.0.0.1') return 'local';
  const known = /azure|mantle|snowflake|googleapis|amazonaws|huggingface|heroku|crusoe/.exec(host)?.[0];
  return known ?? host.split('.').slice(-2, -1).join('');
}
