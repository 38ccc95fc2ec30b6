import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** Protocols of providers that the gateway speaks. */
export type SpokenProtocol = 'openai-chat' | 'openai-responses' | 'anthropic' | 'ollama' | 'ollama-generate';

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
    ...readRows(dir, 'fixtures_provider_streams').map(ofStreams),
    ...readRows(dir, 'fixtures_http_cassettes').map(ofCassette),
  ];
  for (const one of each) {
    if ('reason' in one) skipped.push(one);
    else recordings.push(one);
  }
  return { recordings, skipped };
}

function ofStreams(row: Fields): Recording | Skipped {
  const path = String(row['path']);
  const provider = String(row['provider']);
  const protocol = protocolOfPath(provider, path);
  if (protocol === null) return { provider, reason: reasonOfPath(path) };
  const { body, kind } = row;
  const isStream = kind !== 'json';
  const text =
    kind === 'stream_chunks' ? framed(protocol, String(body)) : isStream ? String(body) : JSON.stringify(body);
  const isError = !isStream && (body as Fields)['error'] != null && (body as Fields)['id'] === undefined;
  const said = ((body as Fields)['error'] ?? {}) as Fields;
  return {
    provider,
    name: path.slice(path.lastIndexOf('/') + 1),
    protocol,
    isStream,
    // The status was not recorded; these two are what OpenAI sends with such bodies.
    statusCode: !isError ? 200 : said['code'] === 'insufficient_quota' ? 429 : 400,
    bytes: Buffer.from(text),
    request: null,
  };
}

function protocolOfPath(provider: string, path: string): SpokenProtocol | null {
  if (/\/(completion|embedding|skills)\//.test(path)) return null;
  if (/\/responses\//.test(path) || provider === 'azure') return 'openai-responses';
  if (provider === 'anthropic') return 'anthropic';
  return /^(google|google-vertex|amazon-bedrock|cohere)$/.test(provider) ? null : 'openai-chat';
}

function reasonOfPath(path: string): string {
  if (path.includes('/skills/')) return 'files and skills, no chat';
  if (path.includes('/completion/')) return 'older completions: providers are asked for chats';
  if (path.includes('embedding')) return 'embeddings: tested with their own recordings';
  return NOT_SPOKEN;
}

const NOT_SPOKEN = "a provider's own protocol that we do not speak (Gemini, Bedrock, Cohere, …)";

/** The lines are what stood behind `data:`; the frames are put around them again. */
function framed(protocol: SpokenProtocol, body: string): string {
  const lines = body.split('\n').filter((line) => line.trim() !== '');
  if (protocol === 'openai-chat') return [...lines, '[DONE]'].map((line) => `data: ${line}\n\n`).join('');
  return lines
    .map((line) => `event: ${String((JSON.parse(line) as Fields)['type'])}\ndata: ${line}\n\n`)
    .join('');
}

function ofCassette(row: Fields): Recording | Skipped {
  const { resp, req } = row;
  const api = String(row['api']);
  const provider = providerOfHost(String(row['host']));
  const protocol = protocolOfApi(api);
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
  if (api.endsWith('/responses')) return 'openai-responses';
  if (api === '/v1/messages') return 'anthropic';
  if (api === '/api/chat') return 'ollama';
  return api === '/api/generate' ? 'ollama-generate' : null;
}

function reasonOfApi(api: string): string {
  if (api.endsWith('/completions') && !api.startsWith('/bin/')) {
    return 'older completions: providers are asked for chats';
  }
  if (/embed/.test(api)) return 'embeddings: tested with their own recordings';
  if (/count_tokens|\/v1\/models$/.test(api)) return 'token counts and model lists, no chat';
  if (/predictions|stable-diffusion/.test(api)) return 'images and jobs, no chat';
  return api.startsWith('/bin/') ? 'a test server, no provider' : NOT_SPOKEN;
}

function providerOfHost(host: string): string {
  if (host === 'localhost' || host === '127.0.0.1') return 'local';
  const known = /azure|mantle|snowflake|googleapis|amazonaws|huggingface|heroku|crusoe/.exec(host)?.[0];
  return known ?? host.split('.').slice(-2, -1).join('');
}
