import type OpenAI from 'openai';
import type { RunnableToolFunctionWithParse } from 'openai/lib/RunnableFunction';
import type { ChatClient, Said } from './client.ts';
import { failureOfSdk, fieldsOf, PROMPT, SCHEMA, SDK_FAILURES, TOOL } from './client.ts';
import type { Packages } from './client-sets.ts';

/* The clients that OpenAI, Anthropic and Ollama publish themselves. */

type ResponseItem = OpenAI.Responses.ResponseOutputItem;

const user = (content: string): [{ role: 'user'; content: string }] => [{ role: 'user', content }];

export function openAiChat({ openai }: Packages, url: string): ChatClient {
  const client = new openai.OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
  return {
    name: 'openai, chat completions',
    async ask(model, prompt) {
      const { id, choices } = await client.chat.completions.create({ model, messages: user(prompt) });
      return { text: choices[0]?.message.content ?? '', responseId: id };
    },
    async *stream(model, prompt, signal) {
      const body = { model, messages: user(prompt), stream: true } as const;
      for await (const { id, choices } of await client.chat.completions.create(body, { signal })) {
        yield { text: choices[0]?.delta.content ?? '', responseId: id };
      }
    },
    async useTool(model, isStream) {
      let given: unknown = null;
      const tool: RunnableToolFunctionWithParse<object> = {
        type: 'function',
        function: {
          name: TOOL.name,
          description: TOOL.description,
          parameters: { ...TOOL.schema, required: [...TOOL.schema.required] },
          parse: (text) => JSON.parse(text) as object,
          function: (args) => {
            given = args;
            return TOOL.result;
          },
        },
      };
      const body = { model, messages: user(PROMPT), tools: [tool] };
      const runner = isStream
        ? client.chat.completions.runTools({ ...body, stream: true })
        : client.chat.completions.runTools(body);
      return { text: (await runner.finalContent()) ?? '', given };
    },
    async structured(model) {
      const { choices } = await client.chat.completions.parse({
        model,
        messages: user(PROMPT),
        response_format: {
          type: 'json_schema',
          json_schema: { name: 'hours', schema: SCHEMA, strict: true },
        },
      });
      return JSON.parse(choices[0]?.message.content ?? '') as unknown;
    },
    async embed(model, texts) {
      const { data } = await client.embeddings.create({ model, input: [...texts] });
      return data.map(({ embedding }) => embedding);
    },
    failureOf: failureOfSdk,
    failures: SDK_FAILURES,
  };
}

export function openAiResponses(packages: Packages, url: string): ChatClient {
  const { responses } = new packages.openai.OpenAI({
    baseURL: `${url}/v1`,
    apiKey: 'none',
    maxRetries: 0,
  });
  const tools = [
    {
      type: 'function' as const,
      name: TOOL.name,
      description: TOOL.description,
      parameters: TOOL.schema,
      strict: true,
    },
  ];
  return {
    name: 'openai, responses',
    async ask(model, input) {
      const { id, output_text: text } = await responses.create({ model, input });
      return { text, responseId: id };
    },
    async *stream(model, input, signal) {
      let responseId: string | null = null;
      for await (const event of await responses.create({ model, input, stream: true }, { signal })) {
        if (event.type === 'error') throw new Error(event.message);
        if (event.type === 'response.created') responseId = event.response.id;
        if (event.type === 'response.output_text.delta') yield { text: event.delta, responseId };
      }
    },
    async useTool(model, isStream) {
      const body = { model, input: PROMPT, tools };
      const asked = isStream ? await responses.stream(body).finalResponse() : await responses.create(body);
      const call = (asked.output as ResponseItem[]).find((item) => item.type === 'function_call');
      const input = [
        ...user(PROMPT),
        ...asked.output,
        { type: 'function_call_output' as const, call_id: call?.call_id ?? '', output: TOOL.result },
      ];
      // The package does not take all kinds of items that it gives, as far as its types go.
      const { output_text: text } = await responses.create({ model, tools, input: input as [] });
      return { text, given: JSON.parse(call?.arguments ?? 'null') as unknown };
    },
    async structured(model) {
      const { output_text: text } = await responses.parse({
        model,
        input: PROMPT,
        text: { format: { type: 'json_schema', name: 'hours', schema: SCHEMA, strict: true } },
      });
      return JSON.parse(text) as unknown;
    },
    embed: null,
    failureOf: failureOfSdk,
    failures: SDK_FAILURES,
  };
}

export function anthropicSdk(packages: Packages, url: string): ChatClient {
  const client = new packages.anthropic.Anthropic({ baseURL: url, apiKey: 'none', maxRetries: 0 });
  const textOf = (content: readonly { type: string }[]): string =>
    content.map((block) => ('text' in block ? String(block.text) : '')).join('');
  return {
    name: '@anthropic-ai/sdk',
    async ask(model, prompt) {
      const body = { model, max_tokens: 100, messages: user(prompt) };
      const { id, content } = await client.messages.create(body);
      return { text: textOf(content), responseId: id };
    },
    async *stream(model, prompt, signal) {
      let responseId: string | null = null;
      const body = { model, max_tokens: 100, messages: user(prompt) };
      for await (const event of client.messages.stream(body, { signal })) {
        if (event.type === 'message_start') responseId = event.message.id;
        if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') {
          yield { text: event.delta.text, responseId };
        }
      }
    },
    async useTool(model, isStream) {
      let given: unknown = null;
      const tool = packages.betaTool({
        name: TOOL.name,
        description: TOOL.description,
        inputSchema: TOOL.schema,
        run: (input) => {
          given = input;
          return TOOL.result;
        },
      });
      const body = { model, max_tokens: 100, messages: user(PROMPT), tools: [tool] };
      const { content } = await (isStream
        ? client.beta.messages.toolRunner({ ...body, stream: true })
        : client.beta.messages.toolRunner(body)
      ).runUntilDone();
      return { text: textOf(content), given };
    },
    async structured(model) {
      const { parsed_output: parsed } = await client.messages.parse({
        model,
        max_tokens: 100,
        messages: user(PROMPT),
        output_config: { format: packages.jsonSchemaOutputFormat(SCHEMA) },
      });
      return parsed;
    },
    embed: null,
    failureOf: failureOfSdk,
    failures: SDK_FAILURES,
  };
}

export function ollamaPackage(packages: Packages, url: string): ChatClient {
  const client = new packages.Ollama({ host: url });
  const tools = [
    {
      type: 'function',
      function: {
        name: TOOL.name,
        description: TOOL.description,
        parameters: { type: 'object', required: ['shop'], properties: { shop: { type: 'string' } } },
      },
    },
  ];
  return {
    name: 'ollama',
    async ask(model, prompt) {
      const { message } = await client.chat({ model, messages: user(prompt) });
      return { text: message.content, responseId: null };
    },
    async *stream(model, prompt, signal): AsyncGenerator<Said> {
      const stream = await client.chat({ model, messages: user(prompt), stream: true });
      signal.addEventListener('abort', () => client.abort());
      for await (const { message } of stream) yield { text: message.content, responseId: null };
    },
    async useTool(model, isStream) {
      const body = { model, messages: user(PROMPT), tools };
      const messages = [];
      if (isStream) {
        for await (const { message } of await client.chat({ ...body, stream: true })) messages.push(message);
      } else messages.push((await client.chat(body)).message);
      const calls = messages.flatMap((message) => message.tool_calls ?? []);
      const said = await client.chat({
        ...body,
        messages: [
          ...body.messages,
          { role: 'assistant', content: '', tool_calls: calls },
          { role: 'tool', tool_name: TOOL.name, content: TOOL.result },
        ],
      });
      return { text: said.message.content, given: calls[0]?.function.arguments };
    },
    async structured(model) {
      const { message } = await client.chat({ model, messages: user(PROMPT), format: SCHEMA });
      return JSON.parse(message.content) as unknown;
    },
    async embed(model, texts) {
      return (await client.embed({ model, input: [...texts] })).embeddings;
    },
    failureOf(error) {
      const { name, status_code: statusCode } = fieldsOf(error);
      return { name: String(name), statusCode: statusCode as number, retryAfter: null };
    },
    failures: {
      notFound: { name: 'ResponseError', statusCode: 404, retryAfter: null },
      rateLimited: { name: 'ResponseError', statusCode: 429, retryAfter: null },
    },
  };
}
