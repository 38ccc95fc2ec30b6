import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, FastifyTypeProvider, RawServerDefault } from 'fastify';
import type { z } from 'zod';
import type { ApiDeps } from './deps.ts';
import { mountFeedback } from './feedback.ts';
import { mountLive } from './live.ts';
import { mountModels } from './models.ts';
import { mountPage } from './page.ts';
import { mountRankings } from './rankings.ts';
import { mountRequests } from './requests.ts';
import { mountRouting } from './routing.ts';
import { mountUsage } from './usage.ts';

/** Types what a handler takes by the contract's schemas; what it answers is checked by tests. */
interface ContractTypes extends FastifyTypeProvider {
  readonly validator: this['schema'] extends z.ZodType ? z.output<this['schema']> : unknown;
  readonly serializer: unknown;
}

/** A server whose handlers get their parameters typed. */
export type ApiServer = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ContractTypes
>;

/** Tallyrank's own endpoints under `/api`, and the page at `/`. */
export async function apiPlugin(
  server: FastifyInstance,
  { deps }: { readonly deps: ApiDeps },
): Promise<void> {
  const api: ApiServer = server.withTypeProvider<ContractTypes>();
  mountUsage(api, deps);
  mountRankings(api, deps);
  mountRequests(api, deps);
  mountFeedback(api, deps);
  mountRouting(api, deps);
  mountModels(api, deps);
  mountLive(api, deps);
  mountPage(api);
}
