import type { FastifyInstance } from 'fastify';
import { mountAbTests } from './ab-tests.ts';
import { mountCache } from './cache.ts';
import type { ApiDeps } from './deps.ts';
import { mountEvaluate } from './evaluate.ts';
import { mountExploration } from './exploration.ts';
import { mountFeedback } from './feedback.ts';
import { mountJudge } from './judge.ts';
import { mountLive } from './live.ts';
import { mountModels } from './models.ts';
import { mountPage } from './page.ts';
import { mountRankingVersions } from './ranking-versions.ts';
import { mountRankings } from './rankings.ts';
import { mountRequests } from './requests.ts';
import { mountRouting } from './routing.ts';
import { mountRules } from './rules.ts';
import type { ApiServer, ContractTypes } from './server-type.ts';
import { mountSignals } from './signals.ts';
import { mountTrends } from './trends.ts';
import { mountUsage } from './usage.ts';
import { mountUseCaseEdits } from './use-case-edits.ts';
import { mountAnalysis, mountUseCaseHistory, mountUseCases } from './use-cases.ts';

/** Tallyrank's own endpoints under `/api`, and the page at `/`. */
export async function apiPlugin(
  server: FastifyInstance,
  { deps }: { readonly deps: ApiDeps },
): Promise<void> {
  const api: ApiServer = server.withTypeProvider<ContractTypes>();
  mountUsage(api, deps);
  mountUseCases(api, deps);
  mountUseCaseHistory(api, deps);
  mountUseCaseEdits(api, deps);
  mountAnalysis(api, deps);
  mountTrends(api, deps);
  mountRankingVersions(api, deps);
  mountRankings(api, deps);
  mountJudge(api, deps);
  mountRequests(api, deps);
  mountFeedback(api, deps);
  mountSignals(api, deps);
  mountRouting(api, deps);
  mountRules(api, deps);
  mountEvaluate(api, deps);
  mountExploration(api, deps);
  mountAbTests(api, deps);
  mountModels(api, deps);
  mountCache(api, deps);
  mountLive(api, deps);
  mountPage(api);
}
