import { NO_TIMINGS } from '../../../core/usage-record.ts';
import type { EmbeddingAnswer, EmbeddingCall } from '../../providers/embedding.ts';
import { malformed, reportedFailure } from '../../upstream-errors.ts';
import { toCount, toFields, toFieldsList, toWord, tryParseFields } from '../fields.ts';
import { stringifyRequest } from '../json-body.ts';

/** The body for the `/embeddings` of an OpenAI-compatible server; a client of the protocol has its own sent on. */
export function encodeOpenAiEmbedding({ modelName, source }: EmbeddingCall): string {
  const { protocol, body, inputs, dimensions } = source;
  if (protocol === 'openai-embeddings') {
    // Our clients send it for tracking; nobody knows it here.
    const { metadata: _metadata, ...rest } = body;
    return stringifyRequest({ ...rest, model: modelName });
  }
  return stringifyRequest({
    model: modelName,
    input: inputs.texts ?? inputs.tokens,
    ...(dimensions === null ? {} : { dimensions }),
  });
}

/**
 * @param keepsWire  the client speaks the protocol too and may have the bytes
 * @throws {TallyrankError} `upstream_malformed`, `upstream_failed` when the bytes hold an error
 */
export function decodeOpenAiEmbedding(provider: string, bytes: Buffer, keepsWire: boolean): EmbeddingAnswer {
  const body = tryParseFields(bytes.toString());
  if (body === null) throw malformed(provider, 'a body that is not a JSON object');
  if (body['error']) throw reportedFailure(provider, body['error']);
  if (!Array.isArray(body['data'])) throw malformed(provider, 'without data');
  // Their index says which input each belongs to; most servers keep the order.
  const items = toFieldsList(body['data']).toSorted((a, b) => indexOf(a['index']) - indexOf(b['index']));
  const vectors = items.map(({ embedding }) => embedding);
  if (!vectors.every((vector) => typeof vector === 'string' || Array.isArray(vector))) {
    throw malformed(provider, 'without vectors');
  }
  const usage = toFields(body['usage']);
  return {
    vectors: vectors as (string | number[])[],
    promptTokens: toCount(usage['prompt_tokens']) ?? toCount(usage['total_tokens']),
    modelReported: toWord(body['model']),
    timings: NO_TIMINGS,
    wire: keepsWire ? bytes : null,
  };
}

function indexOf(value: unknown): number {
  return toCount(value) ?? 0;
}
