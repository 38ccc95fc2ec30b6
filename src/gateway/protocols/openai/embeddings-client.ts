import type { EmbeddingForm, EmbeddingInputs } from '../../providers/embedding.ts';
import { toCount } from '../fields.ts';
import { badRequest, checkFields, isNumber, isTextList, modelOfBody, parseJsonBody } from '../json-body.ts';

/** Bytes of a number in base64: OpenAI's are 32-bit floats, lowest byte first. */
const FLOAT_BYTES = 4;

const FORMATS: ReadonlySet<unknown> = new Set(['float', 'base64']);

/** OpenAI's `/v1/embeddings`. */
export const OPENAI_EMBEDDINGS: EmbeddingForm = {
  parse(bytes) {
    const body = parseJsonBody(bytes);
    checkFields(body, [
      ['dimensions', isNumber, 'a number'],
      ['encoding_format', (value) => FORMATS.has(value), '"float" or "base64"'],
    ]);
    return {
      protocol: 'openai-embeddings',
      model: modelOfBody(body),
      inputs: decodeInput(body['input']),
      dimensions: toCount(body['dimensions']),
      body,
    };
  },
  encodeAnswer({ body }, { answer, model, costUsd }) {
    const isBase64 = body['encoding_format'] === 'base64';
    return JSON.stringify({
      object: 'list',
      data: answer.vectors.map((vector, index) => ({
        object: 'embedding',
        index,
        embedding: isBase64 ? base64Of(vector) : numbersOf(vector),
      })),
      model,
      usage: { prompt_tokens: answer.promptTokens, total_tokens: answer.promptTokens, cost: costUsd },
    });
  },
};

/** The numbers of a vector. */
export function numbersOf(vector: readonly number[] | string): readonly number[] {
  if (typeof vector !== 'string') return vector;
  const bytes = Buffer.from(vector, 'base64');
  return Array.from({ length: Math.floor(bytes.length / FLOAT_BYTES) }, (_, at) =>
    bytes.readFloatLE(at * FLOAT_BYTES),
  );
}

function base64Of(vector: readonly number[] | string): string {
  if (typeof vector === 'string') return vector;
  const bytes = Buffer.alloc(vector.length * FLOAT_BYTES);
  for (const [at, number] of vector.entries()) bytes.writeFloatLE(number, at * FLOAT_BYTES);
  return bytes.toString('base64');
}

/** A text, a list of texts, the tokens of one text, or a list of those. */
function decodeInput(input: unknown): EmbeddingInputs {
  if (typeof input === 'string') return { texts: [input], tokens: null };
  if (Array.isArray(input) && input.length > 0) {
    if (isTextList(input)) return { texts: input as string[], tokens: null };
    if (isTokens(input)) return { texts: null, tokens: [input as number[]] };
    if (input.every(isTokens)) return { texts: null, tokens: input as number[][] };
  }
  throw badRequest('input must be a text, a list of texts, or tokens.', 'input');
}

function isTokens(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((each) => Number.isInteger(each));
}
