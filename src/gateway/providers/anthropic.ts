import type { AnswerPart, ChatAnswer } from '../chat.ts';
import { factsOfName } from '../model-facts.ts';
import { AnthropicStreamReader, decodeAnthropicAnswer } from '../protocols/anthropic/provider-answer.ts';
import { encodeAnthropicRequest, forwardMessagesRequest } from '../protocols/anthropic/provider-request.ts';
import type { ThinkingWays } from '../protocols/anthropic/thinking.ts';
import { thinkingWaysOfList, thinkingWaysOfName } from '../protocols/anthropic/thinking.ts';
import { API_VERSION } from '../protocols/anthropic/wire-words.ts';
import type { Fields } from '../protocols/fields.ts';
import { toCount, toFields, toFieldsList, toWord, tryParseFields } from '../protocols/fields.ts';
import type { ClientRequest, ProtocolName } from '../protocols/inbound.ts';
import { malformed } from '../upstream-errors.ts';
import type { HttpProviderOptions } from './http-provider.ts';
import { HttpEndpoint } from './http-provider.ts';
import type { ListedModel, Provider, ProviderCall } from './provider.ts';
import { ownSource } from './provider.ts';

/** Anthropic's messages API; `baseUrl` with or without its "/v1". */
export class AnthropicProvider implements Provider {
  readonly id: string;
  readonly kind = 'anthropic';
  readonly #options: HttpProviderOptions;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #endpoint: HttpEndpoint;
  /** Of models of which the list said it when it was last read. */
  #ways: ReadonlyMap<string, ThinkingWays> = new Map();

  constructor(options: HttpProviderOptions) {
    this.id = options.id;
    this.#options = { ...options, baseUrl: options.baseUrl.replace(/\/+$/, '').replace(/\/v1$/, '') };
    this.#headers = {
      'anthropic-version': API_VERSION,
      ...(options.apiKey === undefined ? {} : { 'x-api-key': options.apiKey }),
    };
    this.#endpoint = new HttpEndpoint(this.#options, this.#headers);
  }

  forwards(protocol: ProtocolName): boolean {
    return protocol === 'anthropic';
  }

  async complete(call: ProviderCall): Promise<ChatAnswer> {
    const own = ownSource(call, 'anthropic', false);
    const body = this.#bodyOf(call, own, false);
    const answer = await this.#endpointFor(own).post('/v1/messages', body, false, call.signal);
    return decodeAnthropicAnswer(this.id, await answer.readAll(), own !== null);
  }

  async *stream(call: ProviderCall): AsyncGenerator<readonly AnswerPart[], void, undefined> {
    const own = ownSource(call, 'anthropic', true);
    const body = this.#bodyOf(call, own, true);
    const answer = await this.#endpointFor(own).post('/v1/messages', body, true, call.signal);
    const reader = new AnthropicStreamReader(this.id, own !== null);
    for await (const bytes of answer) {
      const parts = reader.push(bytes);
      if (parts.length > 0) yield parts;
    }
    yield reader.end();
  }

  async countTokens(source: ClientRequest, modelName: string, signal: AbortSignal): Promise<Buffer> {
    const body = forwardMessagesRequest(source, modelName).toString();
    return await this.#endpointFor(source).ask('/v1/messages/count_tokens', body, signal);
  }

  async listModels(signal: AbortSignal): Promise<readonly ListedModel[]> {
    const body = tryParseFields((await this.#endpoint.get('/v1/models?limit=1000', signal)).toString());
    if (body === null || !Array.isArray(body['data'])) throw malformed(this.id, 'a model list without data');
    const models = toFieldsList(body['data']).flatMap((model) => {
      const name = toWord(model['id']);
      return name === null ? [] : [{ model, name, ways: thinkingWaysOfList(model, name) }];
    });
    this.#ways = new Map(models.flatMap(({ name, ways }) => (ways === null ? [] : [[name, ways]])));
    return models.map(({ model, name }) => decodeModel(model, name));
  }

  #bodyOf(call: ProviderCall, own: ClientRequest | null, isStream: boolean): string | Buffer {
    const { request, modelName } = call;
    const ways = this.#ways.get(modelName) ?? thinkingWaysOfName(modelName);
    if (own !== null) return forwardMessagesRequest(own, modelName, ways);
    return encodeAnthropicRequest(request, modelName, this.id, isStream, ways);
  }

  /** Beta headers of a client reach Anthropic; most send none. */
  #endpointFor(source: ClientRequest | null): HttpEndpoint {
    if (source === null || Object.keys(source.headers).length === 0) return this.#endpoint;
    return new HttpEndpoint(this.#options, { ...this.#headers, ...source.headers });
  }
}

/** Newer lists say what each model reads and how much of it. */
function decodeModel(model: Fields, name: string): ListedModel {
  const guess = factsOfName(name);
  const capabilities = toFields(model['capabilities']);
  const supported = (word: string): boolean | null => {
    const given = toFields(capabilities[word])['supported'];
    return typeof given === 'boolean' ? given : null;
  };
  return {
    ...guess,
    contextTokens: toCount(model['max_input_tokens']) || null,
    // Every model of the messages API calls tools.
    hasTools: true,
    hasImages: supported('image_input') ?? guess.hasImages,
    hasFiles: supported('pdf_input') ?? guess.hasFiles,
  };
}
