import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { FakeAnswer, FakeKind, FakeModel } from './fake-wire.ts';
import {
  encodeEmbeddings,
  encodeModelList,
  encodePlain,
  encodeShow,
  encodeStream,
  errorBodyOf,
  toCompletion,
  toGenerated,
} from './fake-wire.ts';

export type { FakeAnswer, FakeKind, FakeModel, FakeToolCall } from './fake-wire.ts';

/** A chat call as the fake provider received it. */
export interface FakeCall {
  /** The name of the model in the request. */
  readonly model: string;
  readonly isStream: boolean;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readonly<Record<string, unknown>>;
  /** Text of the last user message; '' when it has none. */
  readonly prompt: string;
}

/** What happens to one call: an answer, on time or late, whole or broken. */
export interface FakeReply extends FakeAnswer {
  /** Waited before the head of the answer; the whole latency of a plain answer. */
  readonly delayMs?: number;
  /** Waited between two chunks of a stream. */
  readonly chunkGapMs?: number;
  /** Awaited before the chunk of that number (0 is the first) is written: time without sleeping. */
  readonly beforeChunk?: (index: number) => Promise<void> | undefined;
  /** An error of the kind's own shape with this status. */
  readonly errorStatus?: number;
  /** Sent with any status. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Recorded bytes in place of an answer of ours; streams are cut at empty lines, NDJSON at lines. */
  readonly recorded?: Buffer | string;
  /** The connection breaks after that many chunks; 0: before the head of the answer. */
  readonly cutAfterChunks?: number;
  /** The head of the answer never comes. */
  readonly isSilent?: boolean;
}

export interface FakeProviderOptions {
  readonly kind: FakeKind;
  /** What the model list says; names, or names with facts. */
  readonly models: readonly (string | FakeModel)[];
  /** Decides each call for which no reply is queued. Default: `text` and `latencyMs`, or "Hello from <model>". */
  readonly reply?: (call: FakeCall) => FakeReply | Promise<FakeReply>;
  /** Text of an answer. */
  readonly text?: (call: FakeCall) => string;
  /** Milliseconds until an answer is whole; of a stream, half of it passes before the first chunk. */
  readonly latencyMs?: (call: FakeCall) => number;
}

/**
 * A provider at the level of the wire: Ollama's, OpenAI's or Anthropic's protocol on a free port of the
 * loopback. Calls are counted and kept; replies are queued with `next` or decided per call.
 */
export class FakeProvider implements AsyncDisposable {
  readonly kind: FakeKind;
  readonly models: readonly FakeModel[];
  /** As a client's configuration gives it: with "/v1" for OpenAI's protocol. */
  readonly baseUrl: string;
  /** Chat calls, in the order of arrival. */
  readonly calls: FakeCall[] = [];
  /** Calls whose client left before the answer ended. */
  abortedCount = 0;
  readonly #options: FakeProviderOptions;
  readonly #server: Server;
  readonly #queue: FakeReply[] = [];
  readonly #abortWaiters: (() => void)[] = [];
  readonly #callWaiters: (() => void)[] = [];

  private constructor(options: FakeProviderOptions, server: Server) {
    this.kind = options.kind;
    this.models = options.models.map((model) => (typeof model === 'string' ? { name: model } : model));
    this.#options = options;
    this.#server = server;
    const { port } = server.address() as AddressInfo;
    this.baseUrl = `http://127.0.0.1:${port}${options.kind === 'openai' ? '/v1' : ''}`;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  static async open(options: FakeProviderOptions): Promise<FakeProvider> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FakeProvider(options, server);
  }

  /** Queues replies: each serves one call, before `reply` is asked again. */
  next(...replies: readonly FakeReply[]): void {
    this.#queue.push(...replies);
  }

  /** Resolves when `count` chat calls have arrived. */
  async waitForCalls(count: number): Promise<void> {
    while (this.calls.length < count) await new Promise<void>((resolve) => this.#callWaiters.push(resolve));
  }

  /** Resolves when `count` clients have left early. */
  async waitForAborts(count: number): Promise<void> {
    while (this.abortedCount < count) await new Promise<void>((resolve) => this.#abortWaiters.push(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    if (request.method === 'GET') {
      const list = encodeModelList(this.kind, path, this.models);
      sendJson(response, list === null ? 404 : 200, list ?? errorBodyOf(this.kind, 404));
      return;
    }
    const body = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
    const model = this.models.find(({ name }) => name === body['model']);
    if (path === '/api/show') {
      sendJson(response, model ? 200 : 404, model ? encodeShow(model) : errorBodyOf(this.kind, 404));
      return;
    }
    const call = toCall(this.kind, path, request.headers, body);
    this.calls.push(call);
    for (const wake of this.#callWaiters.splice(0)) wake();
    response.once('close', () => {
      if (response.writableFinished) return;
      this.abortedCount++;
      for (const wake of this.#abortWaiters.splice(0)) wake();
    });
    const queued = this.#queue.shift();
    const reply = queued ?? (model ? await this.#decide(call) : { errorStatus: 404 });
    await this.#answer(call, reply, response);
  }

  async #decide(call: FakeCall): Promise<FakeReply> {
    const { reply, text, latencyMs } = this.#options;
    if (reply) return await reply(call);
    const totalMs = latencyMs?.(call) ?? 0;
    const answer = { text: text?.(call) ?? `Hello from ${call.model}` };
    if (!call.isStream) return { ...answer, delayMs: totalMs };
    return { ...answer, delayMs: totalMs / 2, chunkGapMs: totalMs / 2 / answer.text.split(' ').length };
  }

  async #answer(call: FakeCall, reply: FakeReply, response: ServerResponse): Promise<void> {
    if (reply.isSilent) return;
    if (reply.delayMs) await delay(reply.delayMs, undefined, { ref: false });
    if (reply.cutAfterChunks === 0) {
      response.destroy();
      return;
    }
    if (reply.errorStatus !== undefined) {
      const body = reply.recorded ?? errorBodyOf(this.kind, reply.errorStatus);
      sendJson(response, reply.errorStatus, body, reply.headers);
      return;
    }
    const vectors = encodeEmbeddings(call.path, call.body);
    if (!call.isStream || vectors !== null) {
      const chat = vectors ?? encodePlain(this.kind, call.model, reply);
      sendJson(response, 200, reply.recorded ?? olderForm(call.path, chat), reply.headers);
      return;
    }
    await this.#stream(call, reply, response);
  }

  async #stream(call: FakeCall, reply: FakeReply, response: ServerResponse): Promise<void> {
    const type = this.kind === 'ollama' ? 'application/x-ndjson' : 'text/event-stream; charset=utf-8';
    response.writeHead(200, { 'content-type': type, ...reply.headers });
    response.flushHeaders();
    const isUsageWanted = (call.body['stream_options'] as { include_usage?: boolean } | undefined)
      ?.include_usage;
    const chunks =
      reply.recorded === undefined
        ? encodeStream(this.kind, call.model, reply, isUsageWanted === true).map((chunk) =>
            inOlderForm(call.path, chunk),
          )
        : cutRecorded(this.kind, reply.recorded.toString());
    for (const [index, chunk] of chunks.entries()) {
      if (index > 0 && reply.chunkGapMs) await delay(reply.chunkGapMs, undefined, { ref: false });
      await reply.beforeChunk?.(index);
      if (response.destroyed) return;
      if (index === reply.cutAfterChunks) {
        response.destroy();
        return;
      }
      // A chunk that was not handed over yet would be lost with a broken connection.
      await new Promise<void>((resolve) => {
        response.write(chunk, () => resolve());
      });
    }
    response.end();
  }
}

function toCall(
  kind: FakeKind,
  path: string,
  headers: IncomingHttpHeaders,
  body: Record<string, unknown>,
): FakeCall {
  const messages = (body['messages'] ?? []) as { role?: string; content?: unknown }[];
  const content = messages.filter(({ role }) => role === 'user').at(-1)?.content;
  const parts = Array.isArray(content) ? (content as { text?: string }[]) : [{ text: content as string }];
  return {
    model: String(body['model']),
    // Ollama streams unless told otherwise.
    isStream: kind === 'ollama' ? body['stream'] !== false : body['stream'] === true,
    path,
    headers,
    body,
    prompt: parts.map(({ text }) => text ?? '').join(''),
  };
}

/** The paths that were there before chats say the same in other words. */
function olderForm(path: string, body: Record<string, unknown>): Record<string, unknown> {
  if (path === '/api/generate') return toGenerated(body);
  return path === '/v1/completions' ? toCompletion(body) : body;
}

function inOlderForm(path: string, chunk: string): string {
  const [, before = '', json = ''] = /^(data: )?(\{.*\})\s*$/.exec(chunk) ?? [];
  if (json === '') return chunk;
  const body = JSON.parse(json) as Record<string, unknown>;
  return chunk.replace(before + json, () => before + JSON.stringify(olderForm(path, body)));
}

function cutRecorded(kind: FakeKind, recorded: string): string[] {
  return recorded.split(kind === 'ollama' ? /(?<=\n)/ : /(?<=\n\n)/).filter((chunk) => chunk !== '');
}

function sendJson(
  response: ServerResponse,
  statusCode: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const bytes = typeof body === 'string' || Buffer.isBuffer(body) ? Buffer.from(body) : JSON.stringify(body);
  response.writeHead(statusCode, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(bytes),
    ...headers,
  });
  response.end(bytes);
}
