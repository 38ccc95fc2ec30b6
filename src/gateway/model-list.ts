import type { FastifyInstance } from 'fastify';
import type { GatewayDeps } from './deps.ts';
import type { Fields } from './protocols/fields.ts';
import { encodeModel } from './protocols/openai/chat-client-answer.ts';
import { AUTO_MODELS } from './request-facts.ts';

/** Anthropic's clients send this header with every call, and nobody else does. */
export function isAnthropicClient(headers: Readonly<Record<string, unknown>>): boolean {
  return headers['anthropic-version'] !== undefined;
}

/** `GET /models` and one of them, in the shape of the client that asks. */
export function mountModels(
  app: FastifyInstance,
  { providers, clock }: Pick<GatewayDeps, 'providers' | 'clock'>,
): void {
  // The protocols want a moment of creation; what we know is since when we offer it.
  const sinceMs = clock();
  const describe = (id: string, ownedBy: string, headers: Readonly<Record<string, unknown>>): Fields =>
    isAnthropicClient(headers)
      ? { type: 'model', id, display_name: id, created_at: new Date(sinceMs).toISOString() }
      : encodeModel(id, ownedBy, Math.floor(sinceMs / 1000));
  app.get('/models', ({ headers }) => {
    const data = [
      ...AUTO_MODELS.map((id) => describe(id, 'tallyrank', headers)),
      ...providers.catalog.models.map((model) => describe(model.modelId, model.provider, headers)),
    ];
    if (!isAnthropicClient(headers)) return { object: 'list', data };
    // One page: the list is short, and clients that page through it stop here.
    return { data, has_more: false, first_id: data[0]?.['id'] ?? null, last_id: data.at(-1)?.['id'] ?? null };
  });
  // Ids hold slashes and colons, and clients send them encoded or not.
  app.get<{ Params: { '*': string } }>('/models/*', ({ params, headers }) => {
    const id = params['*'];
    if (AUTO_MODELS.includes(id)) return describe(id, 'tallyrank', headers);
    const model = providers.catalog.resolve(id);
    return describe(model.modelId, model.provider, headers);
  });
}
