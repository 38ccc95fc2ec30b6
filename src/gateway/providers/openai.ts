import type { AnswerPart, ChatAnswer } from '../chat.ts';
import { factsOfName } from '../model-facts.ts';
import type { Fields } from '../protocols/fields.ts';
import { toCount, toFields, toFieldsList, toWord, tryParseFields } from '../protocols/fields.ts';
import { decodeOpenAiAnswer, encodeOpenAiRequest, OpenAiStreamReader } from '../protocols/openai.ts';
import { malformed } from '../upstream-errors.ts';
import type { HttpProviderOptions } from './http-provider.ts';
import { HttpEndpoint } from './http-provider.ts';
import type { ListedModel, Provider, ProviderCall } from './provider.ts';

const PATH = '/chat/completions';

/** Any server that speaks OpenAI's chat completions; `baseUrl` ends in its version, e.g. "/v1". */
export class OpenAiProvider implements Provider {
  readonly id: string;
  readonly kind = 'openai';
  readonly #endpoint: HttpEndpoint;

  constructor(options: HttpProviderOptions) {
    this.id = options.id;
    const headers = options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` };
    this.#endpoint = new HttpEndpoint(options, headers);
  }

  async complete(call: ProviderCall): Promise<ChatAnswer> {
    const { request } = call;
    // The same name on both sides and nothing to take out: the client's bytes can go on as they are.
    const isSame = request.model === call.modelName && !request.metadata;
    const body = (isSame ? call.requestBytes : null) ?? encodeOpenAiRequest(request, call.modelName, false);
    const answer = await this.#endpoint.post(PATH, body, false, call.signal);
    return decodeOpenAiAnswer(this.id, await answer.readAll());
  }

  async *stream(call: ProviderCall): AsyncGenerator<readonly AnswerPart[], void, undefined> {
    const body = encodeOpenAiRequest(call.request, call.modelName, true);
    const answer = await this.#endpoint.post(PATH, body, true, call.signal);
    const reader = new OpenAiStreamReader(this.id);
    for await (const bytes of answer) {
      const parts = reader.push(bytes);
      if (parts.length > 0) yield parts;
    }
    yield reader.end();
  }

  async listModels(signal: AbortSignal): Promise<readonly ListedModel[]> {
    const body = tryParseFields((await this.#endpoint.get('/models', signal)).toString());
    // Together answers with a bare list, all others with `data`.
    if (body === null || !Array.isArray(body['data'])) throw malformed(this.id, 'a model list without data');
    return toFieldsList(body['data']).flatMap((model) => decodeModel(model));
  }
}

/** OpenAI gives the bare name; OpenRouter and vLLM say more, which is used where it is there. */
function decodeModel(model: Fields): ListedModel[] {
  const name = toWord(model['id']);
  if (name === null) return [];
  const guess = factsOfName(name);
  const modalities = toFields(model['architecture'])['input_modalities'];
  const parameters = model['supported_parameters'];
  return [
    {
      ...guess,
      contextTokens: toCount(model['context_length']) ?? toCount(model['max_model_len']),
      hasTools: Array.isArray(parameters) ? parameters.includes('tools') : guess.hasTools,
      hasImages: Array.isArray(modalities) ? modalities.includes('image') : guess.hasImages,
    },
  ];
}
