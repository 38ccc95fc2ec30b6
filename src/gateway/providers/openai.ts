import { TallyrankError } from '../../core/errors.ts';
import type { AnswerPart, ChatAnswer } from '../chat.ts';
import { factsOfName, isCompletionModel } from '../model-facts.ts';
import type { Fields } from '../protocols/fields.ts';
import { toCount, toFields, toFieldsList, toText, toWord, tryParseFields } from '../protocols/fields.ts';
import type { ClientRequest, ProtocolName } from '../protocols/inbound.ts';
import { withModelName } from '../protocols/model-name.ts';
import { adaptRequest } from '../protocols/openai/adapt-request.ts';
import {
  decodeOpenAiAnswer,
  encodeOpenAiRequest,
  hasThoughts,
  OpenAiStreamReader,
} from '../protocols/openai/chat-provider.ts';
import type { OpenAiDialect } from '../protocols/openai/chat-provider-request.ts';
import { encodeNeutralRequest } from '../protocols/openai/chat-provider-request.ts';
import { forwardCompletionsRequest } from '../protocols/openai/completions-provider.ts';
import { decodeOpenAiEmbedding, encodeOpenAiEmbedding } from '../protocols/openai/embeddings-provider.ts';
import {
  decodeResponse,
  forwardResponsesRequest,
  ResponsesStreamReader,
} from '../protocols/openai/responses-provider.ts';
import { malformed } from '../upstream-errors.ts';
import type { EmbeddingAnswer, EmbeddingCall } from './embedding.ts';
import type { HttpProviderOptions } from './http-provider.ts';
import { HttpEndpoint } from './http-provider.ts';
import type { ListedModel, Provider, ProviderCall } from './provider.ts';
import { ownSource } from './provider.ts';

const CHAT_PATH = '/chat/completions';
const RESPONSES_PATH = '/responses';
const COMPLETIONS_PATH = '/completions';
const EMBEDDINGS_PATH = '/embeddings';

/** Hosts that have OpenAI's Responses in full; what other servers call so is often a part of it. */
const HAS_RESPONSES = /(^|\.)(openai\.com|openai\.azure\.com)$/;

interface OpenAiProviderOptions extends HttpProviderOptions {
  /** Requests of Responses go on as they are; else they become chat completions. Left out: known by the host. */
  readonly hasResponses?: boolean | undefined;
  /** Of Azure: version of its API, or "v1" for the one without versions. Left out: it is not Azure. */
  readonly azureVersion?: string | undefined;
}

/** The last version of Azure's API that lists deployments to whoever holds the key of the resource. */
const AZURE_LIST_VERSION = '2022-12-01';

/** Any server that speaks OpenAI's chat completions; `baseUrl` ends in its version, e.g. "/v1". */
export class OpenAiProvider implements Provider {
  readonly id: string;
  readonly kind = 'openai';
  readonly #endpoint: HttpEndpoint;
  /** Where its models are listed. */
  readonly #lists: HttpEndpoint;
  readonly #hasResponses: boolean;
  readonly #dialect: OpenAiDialect;
  /** Models that take an effort, as the list said when it was last read. */
  #thinkers: ReadonlySet<string> = new Set();
  /** Azure names the model in the path. */
  readonly #isByDeployment: boolean;
  readonly #isAzure: boolean;

  constructor(options: OpenAiProviderOptions) {
    this.id = options.id;
    const { azureVersion, apiKey } = options;
    this.#isAzure = azureVersion !== undefined;
    this.#isByDeployment = azureVersion !== undefined && azureVersion !== 'v1';
    const { hostname } = new URL(options.baseUrl);
    this.#dialect = dialectOf(hostname, this.#isAzure);
    const knownByHost = HAS_RESPONSES.test(hostname) && !this.#isByDeployment;
    this.#hasResponses = options.hasResponses ?? knownByHost;
    if (azureVersion === undefined) {
      const headers = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
      this.#endpoint = new HttpEndpoint(options, headers);
      this.#lists = this.#endpoint;
      return;
    }
    const baseUrl = `${options.baseUrl.replace(/\/+$/, '')}/openai`;
    const headers = apiKey === undefined ? {} : { 'api-key': apiKey };
    const own = this.#isByDeployment
      ? { baseUrl, query: `api-version=${azureVersion}` }
      : { baseUrl: `${baseUrl}/v1` };
    this.#endpoint = new HttpEndpoint({ ...options, ...own }, headers);
    const listed = { baseUrl, query: `api-version=${AZURE_LIST_VERSION}` };
    this.#lists = new HttpEndpoint({ ...options, ...listed }, headers);
  }

  forwards(protocol: ProtocolName): boolean {
    if (protocol === 'openai-responses') return this.#hasResponses;
    return protocol === 'openai-chat' || protocol === 'openai-completions';
  }

  async complete(call: ProviderCall): Promise<ChatAnswer> {
    const responses = this.#hasResponses ? ownSource(call, 'openai-responses', false) : null;
    if (responses !== null) {
      const body = forwardResponsesRequest(responses, call.modelName);
      const answer = await this.#endpoint.post(RESPONSES_PATH, body, false, call.signal);
      return decodeResponse(this.id, await answer.readAll());
    }
    const { path, body, keepsWire } = this.#encode(call, false);
    const answer = await this.#endpoint.post(path, body, false, call.signal);
    return decodeOpenAiAnswer(this.id, await answer.readAll(), keepsWire);
  }

  async *stream(call: ProviderCall): AsyncGenerator<readonly AnswerPart[], void, undefined> {
    const responses = this.#hasResponses ? ownSource(call, 'openai-responses', true) : null;
    const { path, body, keepsWire } =
      responses === null
        ? this.#encode(call, true)
        : {
            path: RESPONSES_PATH,
            body: forwardResponsesRequest(responses, call.modelName),
            keepsWire: true,
          };
    const answer = await this.#endpoint.post(path, body, true, call.signal);
    const reader =
      responses === null ? new OpenAiStreamReader(this.id, keepsWire) : new ResponsesStreamReader(this.id);
    for await (const bytes of answer) {
      const parts = reader.push(bytes);
      if (parts.length > 0) yield parts;
    }
    yield reader.end();
  }

  /** A text completion stays one where a chat could not carry it or the model cannot chat; all else is a chat. */
  #encode(
    call: ProviderCall,
    isStream: boolean,
  ): { readonly path: string; readonly body: string | Buffer; readonly keepsWire: boolean } {
    const completion = ownSource(call, 'openai-completions', isStream);
    if (completion !== null && (completion.ownFeatures.length > 0 || isCompletionModel(call.modelName))) {
      const body = forwardCompletionsRequest(completion, call.modelName, isStream);
      return { path: this.#pathOf(call, COMPLETIONS_PATH), body, keepsWire: true };
    }
    const own = ownSource(call, 'openai-chat', isStream);
    const path = this.#pathOf(call, CHAT_PATH);
    return { path, body: this.#bodyOf(call, own, isStream), keepsWire: own !== null };
  }

  #pathOf({ modelName }: { readonly modelName: string }, path: string): string {
    return this.#isByDeployment ? `/deployments/${encodeURIComponent(modelName)}${path}` : path;
  }

  #bodyOf(
    { request, source, modelName }: ProviderCall,
    own: ClientRequest | null,
    isStream: boolean,
  ): string | Buffer {
    const dialect = this.#dialectFor(modelName);
    if (source !== null && source.protocol !== 'openai-chat') {
      return encodeNeutralRequest(request, modelName, this.id, isStream, dialect);
    }
    // Nothing to add and nothing to take out: the client's bytes can go on, but for the name.
    const isFit =
      !isStream &&
      own !== null &&
      !request.metadata &&
      !hasThoughts(request) &&
      adaptRequest(request, modelName, dialect) === request;
    return isFit ? withModelName(own, modelName) : encodeOpenAiRequest(request, modelName, isStream, dialect);
  }

  async embed(call: EmbeddingCall): Promise<EmbeddingAnswer> {
    const body = encodeOpenAiEmbedding(call);
    const path = this.#pathOf(call, EMBEDDINGS_PATH);
    const answer = await this.#endpoint.post(path, body, false, call.signal);
    return decodeOpenAiEmbedding(
      this.id,
      await answer.readAll(),
      call.source.protocol === 'openai-embeddings',
    );
  }

  async listModels(signal: AbortSignal): Promise<readonly ListedModel[]> {
    if (this.#isAzure) return await this.#listDeployments(signal);
    const body = tryParseFields((await this.#lists.get('/models', signal)).toString());
    // Together answers with a bare list, all others with `data`.
    if (body === null || !Array.isArray(body['data'])) throw malformed(this.id, 'a model list without data');
    const models = toFieldsList(body['data']);
    this.#thinkers = new Set(models.filter(takesEfforts).map((model) => toText(model['id'])));
    return models.flatMap((model) => decodeModel(model));
  }

  #dialectFor(modelName: string): OpenAiDialect {
    return this.#thinkers.has(modelName) ? { ...this.#dialect, takesEfforts: true } : this.#dialect;
  }

  /** Resources that do not list their deployments any more offer those of the configuration. */
  async #listDeployments(signal: AbortSignal): Promise<readonly ListedModel[]> {
    try {
      const body = tryParseFields((await this.#lists.get('/deployments', signal)).toString());
      return toFieldsList(body?.['data']).flatMap(decodeDeployment);
    } catch (error) {
      if (error instanceof TallyrankError && error.code === 'upstream_not_found') return [];
      throw error;
    }
  }
}

/** What a server of this protocol is known to want, by its host. */
function dialectOf(hostname: string, isAzure: boolean): OpenAiDialect {
  return {
    isOpenAi: isAzure || HAS_RESPONSES.test(hostname),
    takesCacheHints: /(^|\.)openrouter\.ai$/.test(hostname),
    isMistral: /(^|\.)mistral\.ai$/.test(hostname),
  };
}

/** A deployment goes by the name it was given; what it can do its model tells. */
function decodeDeployment(deployment: Fields): ListedModel[] {
  const name = toWord(deployment['id']);
  if (name === null) return [];
  return [{ ...factsOfName(toWord(deployment['model']) ?? name), name }];
}

/** OpenAI gives the bare name; OpenRouter and vLLM say more, which is used where it is there. */
function decodeModel(model: Fields): ListedModel[] {
  // Gemini's ids are paths; its other addresses take the bare name as well.
  const name = toWord(model['id'])?.replace(/^models\/(?=gemini|gemma)/, '');
  if (name === undefined) return [];
  const guess = factsOfName(name);
  const modalities = toFields(model['architecture'])['input_modalities'];
  const takes = (word: string): boolean | null =>
    Array.isArray(modalities) ? modalities.includes(word) : null;
  const parameters = model['supported_parameters'];
  // Mistral's list says what each can do.
  const { vision, audio } = toFields(model['capabilities']);
  return [
    {
      ...guess,
      contextTokens: toCount(model['context_length']) ?? toCount(model['max_model_len']),
      hasTools: Array.isArray(parameters) ? parameters.includes('tools') : guess.hasTools,
      hasImages: takes('image') ?? toBoolean(vision) ?? guess.hasImages,
      hasAudio: takes('audio') ?? toBoolean(audio) ?? guess.hasAudio,
      // OpenRouter reads PDFs to models that do not: not in the list is no refusal.
      hasFiles: takes('file') === true ? true : Array.isArray(modalities) ? null : guess.hasFiles,
    },
  ];
}

/** OpenRouter's list says so; `reasoning` is its own word for it. */
function takesEfforts({ supported_parameters: parameters }: Fields): boolean {
  return Array.isArray(parameters) && parameters.includes('reasoning');
}

function toBoolean(value: unknown): boolean | null {
  return typeof value === 'boolean' ? value : null;
}
