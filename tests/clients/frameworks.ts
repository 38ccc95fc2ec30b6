import type { ChatClient, Failure } from './client.ts';
import { collected, fieldsOf, PROMPT, SCHEMA, TOOL } from './client.ts';
import type { Packages } from './client-sets.ts';

/* The frameworks that programs are written in: Vercel's AI SDK and LangChain. */

type LanguageModel = Parameters<Packages['ai']['generateText']>[0]['model'];
type EmbeddingModel = Parameters<Packages['ai']['embedMany']>[0]['model'];

interface AiSdkModels {
  readonly name: string;
  readonly chat: (model: string) => LanguageModel;
  readonly embedding: ((model: string) => EmbeddingModel) | null;
}

/** The AI SDK over each of its providers that speaks one of our protocols. */
export function aiSdk(packages: Packages, url: string): ChatClient[] {
  const openAi = packages.aiSdkOpenAi.createOpenAI({ baseURL: `${url}/v1`, apiKey: 'none' });
  const anthropic = packages.aiSdkAnthropic.createAnthropic({ baseURL: `${url}/v1`, apiKey: 'none' });
  const compatible = packages.aiSdkCompatible.createOpenAICompatible({
    name: 'tallyrank',
    baseURL: `${url}/v1`,
    supportsStructuredOutputs: true,
  });
  const ways: AiSdkModels[] = [
    {
      name: 'AI SDK, openai, responses',
      chat: (model) => openAi(model),
      embedding: (model) => openAi.embedding(model),
    },
    { name: 'AI SDK, openai, chat completions', chat: (model) => openAi.chat(model), embedding: null },
    { name: 'AI SDK, anthropic', chat: (model) => anthropic(model), embedding: null },
    {
      name: 'AI SDK, openai-compatible',
      chat: (model) => compatible(model),
      embedding: (model) => compatible.embeddingModel(model),
    },
  ];
  return ways.map((way) => aiSdkClient(packages, way));
}

function aiSdkClient({ ai }: Packages, { name, chat, embedding }: AiSdkModels): ChatClient {
  // Without a limit of tokens the SDK warns of models that it does not know.
  const once = { maxRetries: 0, maxOutputTokens: 500 };
  return {
    name,
    async ask(model, prompt) {
      const { text, response } = await ai.generateText({ model: chat(model), prompt, ...once });
      return { text, responseId: response.id };
    },
    async *stream(model, prompt, abortSignal) {
      const { fullStream } = ai.streamText({
        model: chat(model),
        prompt,
        abortSignal,
        // Errors are parts of the stream; without this they are printed as well.
        onError: () => undefined,
        ...once,
      });
      let said = '';
      for await (const part of fullStream) {
        if (part.type === 'error') throw part.error;
        if (part.type === 'text-delta') yield { text: part.text, responseId: null };
        if (part.type === 'finish-step') said = part.response.id;
      }
      yield { text: '', responseId: said };
    },
    async useTool(model, isStream) {
      let given: unknown = null;
      const tool = ai.tool({
        description: TOOL.description,
        inputSchema: ai.jsonSchema(TOOL.schema),
        execute: (input) => {
          given = input;
          return TOOL.result;
        },
      });
      const body = {
        model: chat(model),
        prompt: PROMPT,
        tools: { [TOOL.name]: tool },
        stopWhen: ai.stepCountIs(3),
        ...once,
      };
      const text = await (isStream ? ai.streamText(body) : await ai.generateText(body)).text;
      return { text, given };
    },
    async structured(model) {
      const schema = ai.jsonSchema(SCHEMA);
      const body = { model: chat(model), prompt: PROMPT, output: ai.Output.object({ schema }), ...once };
      return (await ai.generateText(body)).output;
    },
    embed:
      embedding === null
        ? null
        : async (model, texts) =>
            (await ai.embedMany({ model: embedding(model), values: [...texts], maxRetries: 0 })).embeddings,
    failureOf(error) {
      const { name: kind, statusCode, responseHeaders } = fieldsOf(error);
      const headers = responseHeaders as Readonly<Record<string, string>> | undefined;
      return {
        name: String(kind),
        statusCode: statusCode as number,
        retryAfter: headers?.['retry-after'] ?? null,
      };
    },
    failures: {
      notFound: { name: 'AI_APICallError', statusCode: 404, retryAfter: null },
      rateLimited: { name: 'AI_APICallError', statusCode: 429, retryAfter: '30' },
    },
  };
}

/** LangChain's model of OpenAI on both of its paths. */
export function langchain(packages: Packages, url: string): ChatClient[] {
  return [false, true].map((useResponsesApi) => langchainClient(packages, url, useResponsesApi));
}

function langchainClient(packages: Packages, url: string, useResponsesApi: boolean): ChatClient {
  const { ChatOpenAI, OpenAIEmbeddings } = packages.langchainOpenAi;
  const { HumanMessage, ToolMessage } = packages.langchainMessages;
  const common = { apiKey: 'none', maxRetries: 0, configuration: { baseURL: `${url}/v1` } };
  const chat = (model: string): InstanceType<typeof ChatOpenAI> =>
    new ChatOpenAI({ model, useResponsesApi, ...common });
  return {
    name: `LangChain, ${useResponsesApi ? 'responses' : 'chat completions'}`,
    async ask(model, prompt) {
      const { text, id } = await chat(model).invoke(prompt);
      return { text, responseId: id ?? null };
    },
    async *stream(model, prompt, signal) {
      for await (const { text, id } of await chat(model).stream(prompt, { signal })) {
        yield { text, responseId: id ?? null };
      }
    },
    async useTool(model, isStream) {
      const { name, description, schema } = TOOL;
      const bound = chat(model).bindTools([
        { type: 'function', function: { name, description, parameters: schema } },
      ]);
      const asked = new HumanMessage(PROMPT);
      const called = isStream
        ? (await collected(await bound.stream([asked]))).reduce((all, part) => all.concat(part))
        : await bound.invoke([asked]);
      const [call] = called.tool_calls ?? [];
      const result = new ToolMessage({ content: TOOL.result, tool_call_id: call?.id ?? '' });
      return { text: (await bound.invoke([asked, called, result])).text, given: call?.args };
    },
    async structured(model) {
      return await chat(model).withStructuredOutput(SCHEMA, { name: 'hours' }).invoke(PROMPT);
    },
    embed: useResponsesApi
      ? null
      : async (model, texts) => await new OpenAIEmbeddings({ model, ...common }).embedDocuments([...texts]),
    failureOf(error): Failure {
      const { lc_error_code: code, status, headers } = fieldsOf(error);
      return {
        name: String(code),
        statusCode: status as number,
        retryAfter: headers instanceof Headers ? headers.get('retry-after') : null,
      };
    },
    failures: {
      notFound: { name: 'MODEL_NOT_FOUND', statusCode: 404, retryAfter: null },
      rateLimited: { name: 'MODEL_RATE_LIMIT', statusCode: 429, retryAfter: '30' },
    },
  };
}
