import type { AnswerPart, ChatAnswer } from '../chat.ts';
import { factsOfName } from '../model-facts.ts';
import {
  AnthropicStreamReader,
  decodeAnthropicAnswer,
  encodeAnthropicRequest,
} from '../protocols/anthropic.ts';
import { toFieldsList, toWord, tryParseFields } from '../protocols/fields.ts';
import { malformed } from '../upstream-errors.ts';
import type { HttpProviderOptions } from './http-provider.ts';
import { HttpEndpoint } from './http-provider.ts';
import type { ListedModel, Provider, ProviderCall } from './provider.ts';

const API_VERSION = '2023-06-01';

/** Anthropic's messages API; `baseUrl` with or without its "/v1". */
export class AnthropicProvider implements Provider {
  readonly id: string;
  readonly kind = 'anthropic';
  readonly #endpoint: HttpEndpoint;

  constructor(options: HttpProviderOptions) {
    this.id = options.id;
    const baseUrl = options.baseUrl.replace(/\/+$/, '').replace(/\/v1$/, '');
    this.#endpoint = new HttpEndpoint(
      { ...options, baseUrl },
      {
        'anthropic-version': API_VERSION,
        ...(options.apiKey === undefined ? {} : { 'x-api-key': options.apiKey }),
      },
    );
  }

  async complete(call: ProviderCall): Promise<ChatAnswer> {
    const body = encodeAnthropicRequest(call.request, call.modelName, this.id, false);
    const answer = await this.#endpoint.post('/v1/messages', body, false, call.signal);
    return decodeAnthropicAnswer(this.id, await answer.readAll());
  }

  async *stream(call: ProviderCall): AsyncGenerator<readonly AnswerPart[], void, undefined> {
    const body = encodeAnthropicRequest(call.request, call.modelName, this.id, true);
    const answer = await this.#endpoint.post('/v1/messages', body, true, call.signal);
    const reader = new AnthropicStreamReader(this.id);
    for await (const bytes of answer) {
      const parts = reader.push(bytes);
      if (parts.length > 0) yield parts;
    }
    yield reader.end();
  }

  async listModels(signal: AbortSignal): Promise<readonly ListedModel[]> {
    const body = tryParseFields((await this.#endpoint.get('/v1/models?limit=1000', signal)).toString());
    if (body === null || !Array.isArray(body['data'])) throw malformed(this.id, 'a model list without data');
    return toFieldsList(body['data']).flatMap((model) => {
      const name = toWord(model['id']);
      // Every model of the messages API calls tools.
      return name === null ? [] : [{ ...factsOfName(name), hasTools: true }];
    });
  }
}
