import { Ollama } from 'ollama';
import OpenAI from 'openai';
import { OLLAMA_EMBED } from '../../src/gateway/protocols/ollama/embeddings-client.ts';
import { numbersOf, OPENAI_EMBEDDINGS } from '../../src/gateway/protocols/openai/embeddings-client.ts';
import { decodeOpenAiEmbedding } from '../../src/gateway/protocols/openai/embeddings-provider.ts';
import type { EmbeddingForm } from '../../src/gateway/providers/embedding.ts';
import { attempt } from './answers.ts';
import { providerOfHost, readRows } from './recordings.ts';
import type { Tested } from './report.ts';

/** What vectors say: the first numbers of each, and the tokens that were counted. */
interface VectorFacts {
  readonly vectors: readonly (readonly number[])[];
  readonly promptTokens: number | null;
}

interface RecordedEmbedding {
  readonly data: readonly { readonly embedding: string | readonly number[] }[];
  readonly usage: { readonly prompt_tokens?: number; readonly total_tokens: number };
}

/** Numbers of a vector that are compared; a wrong reading shows in the first. */
const COMPARED = 8;

/** Recorded vectors of OpenAI-compatible servers in every form in which clients ask for them. */
export async function checkEmbeddings(dir: string): Promise<Tested[]> {
  const rows = readRows(dir, 'fixtures_http_cassettes').filter(
    (row) => row['api'] === '/v1/embeddings' && row['status'] === 200,
  );
  return await Promise.all(
    rows.map(async (row) => {
      const recording = {
        provider: providerOfHost(String(row['host'])),
        name: String(row['path']),
        protocol: 'openai-embeddings',
        isStream: false,
        statusCode: 200,
      };
      const body = row['resp'] as RecordedEmbedding;
      return { recording, checks: await checksOf(recording.provider, body), refusals: [] };
    }),
  );
}

async function checksOf(provider: string, body: RecordedEmbedding): Promise<Tested['checks']> {
  const bytes = Buffer.from(JSON.stringify(body));
  const expected: VectorFacts = {
    vectors: body.data.map(({ embedding }) => firstOf(floatsOf(embedding))),
    promptTokens: body.usage.prompt_tokens ?? body.usage.total_tokens,
  };
  const written = (form: EmbeddingForm, request: object): string => {
    const answer = decodeOpenAiEmbedding(provider, bytes, false);
    const result = { answer, model: 'a-model', latencyMs: 1, costUsd: null };
    return form.encodeAnswer(form.parse(Buffer.from(JSON.stringify(request))), result);
  };
  const ask = { model: 'a-model', input: 'Hello' };
  return [
    await attempt('read', () => {
      const { vectors, promptTokens } = decodeOpenAiEmbedding(provider, bytes, false);
      same({ vectors: vectors.map((vector) => firstOf(numbersOf(vector))), promptTokens }, expected);
    }),
    await attempt('passed on', () => {
      if (decodeOpenAiEmbedding(provider, bytes, true).wire?.equals(bytes) !== true)
        throw new Error('other bytes');
    }),
    // The SDK asks for base64 unless told otherwise.
    await attempt('openai-embeddings', async () => {
      same(await readByOpenAi(written(OPENAI_EMBEDDINGS, { ...ask, encoding_format: 'base64' })), expected);
      same(await readByOpenAi(written(OPENAI_EMBEDDINGS, ask), 'float'), expected);
    }),
    await attempt('ollama-embed', async () => {
      const client = new Ollama({
        host: 'http://none.invalid',
        fetch: async () => new Response(written(OLLAMA_EMBED, ask)),
      });
      const { embeddings, prompt_eval_count } = await client.embed(ask);
      same({ vectors: embeddings.map(firstOf), promptTokens: prompt_eval_count }, expected);
    }),
  ];
}

async function readByOpenAi(json: string, format?: 'float'): Promise<VectorFacts> {
  const client = new OpenAI({
    apiKey: 'none',
    baseURL: 'http://none.invalid/v1',
    fetch: async () => new Response(json, { headers: { 'content-type': 'application/json' } }),
  });
  const { data, usage } = await client.embeddings.create({
    model: 'a-model',
    input: 'Hello',
    ...(format === undefined ? {} : { encoding_format: format }),
  });
  return { vectors: data.map(({ embedding }) => firstOf(embedding)), promptTokens: usage.prompt_tokens };
}

function floatsOf(embedding: string | readonly number[]): readonly number[] {
  if (typeof embedding !== 'string') return embedding;
  const { buffer, byteOffset, byteLength } = Buffer.from(embedding, 'base64');
  return [...new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength))];
}

/** As 32-bit floats: a vector that went through base64 has no more. */
function firstOf(vector: readonly number[]): readonly number[] {
  return [vector.length, ...vector.slice(0, COMPARED).map(Math.fround)];
}

function same(given: VectorFacts, expected: VectorFacts): void {
  const [is, should] = [JSON.stringify(given), JSON.stringify(expected)];
  if (is !== should) throw new Error(`${is.slice(0, 120)}, not ${should.slice(0, 120)}`);
}
