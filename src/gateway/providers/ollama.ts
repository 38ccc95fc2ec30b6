import { billionsOfText } from '../../core/model-name-facts.ts';
import type { AnswerPart, ChatAnswer } from '../chat.ts';
import { factsOfName } from '../model-facts.ts';
import type { Fields } from '../protocols/fields.ts';
import { toCount, toFields, toFieldsList, toText, toWord, tryParseFields } from '../protocols/fields.ts';
import type { ProtocolName } from '../protocols/inbound.ts';
import { stringifyRequest } from '../protocols/json-body.ts';
import { decodeOllamaEmbedding, encodeOllamaEmbedding } from '../protocols/ollama/embeddings-provider.ts';
import { decodeOllamaAnswer, encodeOllamaRequest, OllamaStreamReader } from '../protocols/ollama/provider.ts';
import { malformed } from '../upstream-errors.ts';
import type { EmbeddingAnswer, EmbeddingCall, EmbeddingProtocol } from './embedding.ts';
import type { HttpProviderOptions } from './http-provider.ts';
import { HttpEndpoint } from './http-provider.ts';
import type { ListedModel, OllamaServer, Provider, ProviderCall } from './provider.ts';
import { ownSource } from './provider.ts';

/** Descriptions that are kept; a digest changes only when a model is pulled anew. */
const DESCRIPTIONS_MAX = 1_000;

/** Where a client's own request for vectors goes on to. */
const OWN_EMBEDDING_PATHS: Readonly<Partial<Record<EmbeddingProtocol, string>>> = {
  'ollama-embed': '/api/embed',
  'ollama-embeddings': '/api/embeddings',
};

/** Ollama by its own protocol, which tells load times and lists what is installed. */
export class OllamaProvider implements Provider, OllamaServer {
  readonly id: string;
  readonly kind = 'ollama';
  readonly ollama: OllamaServer = this;
  readonly #endpoint: HttpEndpoint;
  /** Name and digest to what `/api/show` said. */
  readonly #descriptions = new Map<string, Fields>();
  /** Its own list, by name, as it was last read. */
  #entries: ReadonlyMap<string, Fields> = new Map();

  constructor(options: HttpProviderOptions) {
    this.id = options.id;
    const headers = options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` };
    this.#endpoint = new HttpEndpoint(options, headers);
  }

  forwards(protocol: ProtocolName): boolean {
    return protocol === 'ollama' || protocol === 'ollama-generate';
  }

  async complete(call: ProviderCall): Promise<ChatAnswer> {
    const { path, body, keepsWire } = this.#encode(call, false);
    const answer = await this.#endpoint.post(path, body, false, call.signal);
    return decodeOllamaAnswer(this.id, await answer.readAll(), call.requestId, keepsWire);
  }

  async *stream(call: ProviderCall): AsyncGenerator<readonly AnswerPart[], void, undefined> {
    const { path, body, keepsWire } = this.#encode(call, true);
    const answer = await this.#endpoint.post(path, body, true, call.signal);
    const reader = new OllamaStreamReader(this.id, call.requestId, keepsWire);
    for await (const bytes of answer) {
      const parts = reader.push(bytes);
      if (parts.length > 0) yield parts;
    }
    yield reader.end();
  }

  async embed(call: EmbeddingCall): Promise<EmbeddingAnswer> {
    const own = OWN_EMBEDDING_PATHS[call.source.protocol];
    const body =
      own === undefined
        ? encodeOllamaEmbedding(call, this.id)
        : stringifyRequest({ ...call.source.body, model: call.modelName });
    const answer = await this.#endpoint.post(own ?? '/api/embed', body, false, call.signal);
    return decodeOllamaEmbedding(this.id, await answer.readAll(), own !== undefined);
  }

  entryOf(name: string): Fields | null {
    return this.#entries.get(name) ?? null;
  }

  async ask(path: string, body: Fields | null, signal: AbortSignal): Promise<Buffer> {
    if (body === null) return await this.#endpoint.get(path, signal);
    return await this.#endpoint.ask(path, stringifyRequest(body), signal);
  }

  /** The body of a client that speaks the protocol is sent on; for the others it is written. */
  #encode(
    call: ProviderCall,
    isStream: boolean,
  ): { readonly path: string; readonly body: string; readonly keepsWire: boolean } {
    const { modelName } = call;
    const generate = ownSource(call, 'ollama-generate', isStream);
    const own = generate ?? ownSource(call, 'ollama', isStream);
    const path = generate === null ? '/api/chat' : '/api/generate';
    const body =
      own === null
        ? encodeOllamaRequest(call.request, modelName, this.id, isStream)
        : stringifyRequest({ ...own.body, model: modelName, stream: isStream });
    return { path, body, keepsWire: own !== null };
  }

  async listModels(signal: AbortSignal): Promise<readonly ListedModel[]> {
    const body = tryParseFields((await this.#endpoint.get('/api/tags', signal)).toString());
    if (body === null || !Array.isArray(body['models']))
      throw malformed(this.id, 'a model list without models');
    const models = toFieldsList(body['models']).filter((model) => nameOf(model) !== '');
    this.#entries = new Map(models.map((model) => [nameOf(model), model]));
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
      const answer = await this.#endpoint.ask('/api/show', JSON.stringify({ model: name }), signal);
      const { capabilities, model_info } = tryParseFields(answer.toString()) ?? {};
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
    hasAudio: false,
    hasFiles: false,
    isChat: can('completion') ?? guess.isChat,
  };
}
