import { billionsOfText } from '../../core/model-name-facts.ts';
import type { AnswerPart, ChatAnswer } from '../chat.ts';
import { factsOfName } from '../model-facts.ts';
import type { Fields } from '../protocols/fields.ts';
import { toCount, toFields, toFieldsList, toText, toWord, tryParseFields } from '../protocols/fields.ts';
import { decodeOllamaAnswer, encodeOllamaRequest, OllamaStreamReader } from '../protocols/ollama.ts';
import { malformed } from '../upstream-errors.ts';
import type { HttpProviderOptions } from './http-provider.ts';
import { HttpEndpoint } from './http-provider.ts';
import type { ListedModel, Provider, ProviderCall } from './provider.ts';

/** Descriptions that are kept; a digest changes only when a model is pulled anew. */
const DESCRIPTIONS_MAX = 1_000;

/** Ollama by its own protocol, which tells load times and lists what is installed. */
export class OllamaProvider implements Provider {
  readonly id: string;
  readonly kind = 'ollama';
  readonly #endpoint: HttpEndpoint;
  /** Name and digest to what `/api/show` said. */
  readonly #descriptions = new Map<string, Fields>();

  constructor(options: HttpProviderOptions) {
    this.id = options.id;
    const headers = options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` };
    this.#endpoint = new HttpEndpoint(options, headers);
  }

  async complete(call: ProviderCall): Promise<ChatAnswer> {
    const body = encodeOllamaRequest(call.request, call.modelName, this.id, false);
    const answer = await this.#endpoint.post('/api/chat', body, false, call.signal);
    return decodeOllamaAnswer(this.id, await answer.readAll(), call.requestId);
  }

  async *stream(call: ProviderCall): AsyncGenerator<readonly AnswerPart[], void, undefined> {
    const body = encodeOllamaRequest(call.request, call.modelName, this.id, true);
    const answer = await this.#endpoint.post('/api/chat', body, true, call.signal);
    const reader = new OllamaStreamReader(this.id, call.requestId);
    for await (const bytes of answer) {
      const parts = reader.push(bytes);
      if (parts.length > 0) yield parts;
    }
    yield reader.end();
  }

  async listModels(signal: AbortSignal): Promise<readonly ListedModel[]> {
    const body = tryParseFields((await this.#endpoint.get('/api/tags', signal)).toString());
    if (body === null || !Array.isArray(body['models']))
      throw malformed(this.id, 'a model list without models');
    const models = toFieldsList(body['models']).filter((model) => nameOf(model) !== '');
    return await Promise.all(
      models.map(async (model) => decodeModel(model, await this.#describe(model, signal))),
    );
  }

  /** What `/api/show` says; nothing when it fails, for the list alone is enough to offer a model. */
  async #describe(model: Fields, signal: AbortSignal): Promise<Fields> {
    const name = nameOf(model);
    const key = `${name} ${toText(model['digest'])}`;
    const known = this.#descriptions.get(key);
    if (known !== undefined) return known;
    try {
      const answer = await this.#endpoint.post('/api/show', JSON.stringify({ model: name }), false, signal);
      const { capabilities, model_info } = tryParseFields((await answer.readAll()).toString()) ?? {};
      const description = { capabilities, model_info };
      if (this.#descriptions.size >= DESCRIPTIONS_MAX) this.#descriptions.clear();
      this.#descriptions.set(key, description);
      return description;
    } catch {
      // Counted nowhere on purpose: an old Ollama has no such path, and the facts then stay unknown.
      return {};
    }
  }
}

function nameOf(model: Fields): string {
  return toWord(model['name']) ?? toText(model['model']);
}

function decodeModel(model: Fields, description: Fields): ListedModel {
  const name = nameOf(model);
  const guess = factsOfName(name);
  const details = toFields(model['details']);
  const capabilities = description['capabilities'];
  const can = (word: string): boolean | null =>
    Array.isArray(capabilities) ? capabilities.includes(word) : null;
  const info = Object.entries(toFields(description['model_info']));
  return {
    name,
    family: guess.family ?? toWord(details['family']),
    parameterBillions: billionsOfText(toText(details['parameter_size'])) ?? guess.parameterBillions,
    contextTokens: toCount(info.find(([key]) => key.endsWith('.context_length'))?.[1]),
    hasTools: can('tools'),
    hasImages: can('vision') ?? guess.hasImages,
    isChat: can('completion') ?? guess.isChat,
  };
}
