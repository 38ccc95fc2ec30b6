import { NO_TIMINGS } from '../../../core/usage-record.ts';
import type { EmbeddingAnswer, EmbeddingCall } from '../../providers/embedding.ts';
import { malformed, reportedFailure } from '../../upstream-errors.ts';
import { toCount, toWord, tryParseFields } from '../fields.ts';
import { badRequest, stringifyRequest } from '../json-body.ts';

const NS_PER_MS = 1e6;

/**
 * The body for Ollama's `/api/embed`.
 *
 * @throws {TallyrankError} `bad_request` for tokens, which Ollama does not take
 */
export function encodeOllamaEmbedding({ modelName, source }: EmbeddingCall, provider: string): string {
  const { inputs, dimensions } = source;
  if (inputs.texts === null) {
    throw badRequest(`The provider ${provider} takes no tokens; send input as texts.`, 'input');
  }
  return stringifyRequest({
    model: modelName,
    input: inputs.texts,
    ...(dimensions === null ? {} : { dimensions }),
  });
}

/**
 * The answer of `/api/embed` or the older `/api/embeddings`.
 *
 * @param keepsWire  the client speaks the protocol too and may have the bytes
 * @throws {TallyrankError} `upstream_malformed`, `upstream_failed`
 */
export function decodeOllamaEmbedding(provider: string, bytes: Buffer, keepsWire: boolean): EmbeddingAnswer {
  const body = tryParseFields(bytes.toString());
  if (body === null) throw malformed(provider, 'a body that is not a JSON object');
  if (body['error'] !== undefined) throw reportedFailure(provider, body['error']);
  const vectors: unknown =
    body['embeddings'] ?? (body['embedding'] === undefined ? null : [body['embedding']]);
  if (!Array.isArray(vectors) || !vectors.every((vector) => Array.isArray(vector))) {
    throw malformed(provider, 'without embeddings');
  }
  const loadNs = toCount(body['load_duration']);
  return {
    vectors: vectors as number[][],
    promptTokens: toCount(body['prompt_eval_count']),
    modelReported: toWord(body['model']),
    timings: { ...NO_TIMINGS, loadMs: loadNs === null ? null : loadNs / NS_PER_MS },
    wire: keepsWire ? bytes : null,
  };
}
