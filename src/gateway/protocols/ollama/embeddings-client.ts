import type { EmbeddingForm, EmbeddingInputs } from '../../providers/embedding.ts';
import { toCount } from '../fields.ts';
import {
  badRequest,
  checkFields,
  isNumber,
  isText,
  isTextList,
  modelOfBody,
  parseJsonBody,
} from '../json-body.ts';
import { numbersOf } from '../openai/embeddings-client.ts';

const NS_PER_MS = 1e6;

/** Ollama's `/api/embed`. */
export const OLLAMA_EMBED: EmbeddingForm = {
  parse(bytes) {
    const body = parseJsonBody(bytes);
    checkFields(body, [['dimensions', isNumber, 'a number']]);
    const { input } = body;
    const texts = isText(input) ? [input] : input;
    if (!isTextList(texts) || (texts as string[]).length === 0) {
      throw badRequest('input must be a text or a list of texts.', 'input');
    }
    return {
      protocol: 'ollama-embed',
      model: modelOfBody(body),
      inputs: { texts: texts as string[], tokens: null },
      dimensions: toCount(body['dimensions']),
      body,
    };
  },
  encodeAnswer: (_request, { answer, model, latencyMs }) => {
    const { loadMs } = answer.timings;
    return JSON.stringify({
      model,
      embeddings: answer.vectors.map(numbersOf),
      ...(latencyMs === null ? {} : { total_duration: Math.round(latencyMs * NS_PER_MS) }),
      ...(loadMs === null ? {} : { load_duration: Math.round(loadMs * NS_PER_MS) }),
      ...(answer.promptTokens === null ? {} : { prompt_eval_count: answer.promptTokens }),
    });
  },
};

/** The older `/api/embeddings`: one text, one vector. */
export const OLLAMA_EMBEDDINGS: EmbeddingForm = {
  parse(bytes) {
    const body = parseJsonBody(bytes);
    const { prompt } = body;
    if (typeof prompt !== 'string') throw badRequest('prompt must be a text.', 'prompt');
    const inputs: EmbeddingInputs = { texts: [prompt], tokens: null };
    return { protocol: 'ollama-embeddings', model: modelOfBody(body), inputs, dimensions: null, body };
  },
  encodeAnswer: (_request, { answer: { vectors } }) =>
    JSON.stringify({ embedding: vectors[0] === undefined ? [] : numbersOf(vectors[0]) }),
};
