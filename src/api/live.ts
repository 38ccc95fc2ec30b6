import type { ServerResponse } from 'node:http';
import type { AppEventName, AppEvents } from '../core/events.ts';
import type { ApiDeps } from './deps.ts';
import type { ApiServer } from './server-type.ts';

/** Proxies close silent connections after 30 to 60 s. */
const KEEP_ALIVE_MS = 15_000;
/** Bytes that may wait for a slow reader; beyond it events are left out for that reader. */
const BACKLOG_MAX_BYTES = 256 * 1024;

/** `GET /api/events`: what happens, as server-sent events. Prompts and answers are not in them. */
export function mountLive(api: ApiServer, deps: ApiDeps): void {
  const open = new Set<ServerResponse>();

  api.get(
    '/api/events',
    { schema: { tags: ['live'], summary: 'Server-sent events: request, ranking, job, ab-test' } },
    (request, reply) => {
      reply.hijack();
      const stream = reply.raw;
      stream.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-cache',
        'x-accel-buffering': 'no',
      });
      stream.write(': open\n\n');
      open.add(stream);
      const unsubscribe = deps.events.subscribe((name, payload) => {
        if (stream.writableLength < BACKLOG_MAX_BYTES) stream.write(encode(name, payload));
      });
      const keepAlive = setInterval(() => stream.write(': keep-alive\n\n'), KEEP_ALIVE_MS);
      request.raw.socket.once('close', () => {
        clearInterval(keepAlive);
        unsubscribe();
        open.delete(stream);
      });
    },
  );

  // An open stream would hold up the shutdown until its reader leaves.
  api.addHook('preClose', async () => {
    for (const stream of open) stream.end();
  });
}

function encode(name: AppEventName, payload: AppEvents[AppEventName]): string {
  return `event: ${name}\ndata: ${JSON.stringify('record' in payload ? requestEvent(payload) : payload)}\n\n`;
}

function requestEvent({ record, decision }: AppEvents['request']): object {
  return {
    requestId: record.requestId,
    startedAt: new Date(record.startedAtMs).toISOString(),
    modelAsked: record.modelAsked,
    modelId: record.modelId,
    useCase: record.useCase,
    cause: decision?.cause ?? null,
    isSuccess: record.failure === null,
    errorCode: record.failure?.code ?? null,
    latencyMs: record.latencyMs,
    costUsd: record.costUsd,
  };
}
