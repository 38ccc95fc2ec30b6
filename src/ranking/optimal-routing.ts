import type { PolicyBook } from '../core/policy.ts';
import type { UseCaseRanking } from '../core/snapshot.ts';
import type { RankedModelAnswer } from './answers.ts';
import { toRankingsAnswer } from './answers.ts';
import type { SavingsAnswer } from './savings.ts';

/** One use case: the model to use, why, and what it does to the bill. */
export interface OptimalRoute {
  readonly useCase: string;
  /** null: too little data; `note` says so. */
  readonly modelId: string | null;
  /** The ranking row of that model. */
  readonly evidence: RankedModelAnswer | null;
  /** Requests of the window whose price is known. */
  readonly requestCount: number;
  readonly actualCostUsd: number;
  readonly optimalCostUsd: number;
  readonly savingsUsd: number;
  readonly savingsInterval: readonly [number, number];
  /** Share of these requests whose optimal cost is observed and not extrapolated; null without requests. */
  readonly observedShare: number | null;
  readonly note: string | null;
}

export interface OptimalRoutingAnswer {
  readonly window: SavingsAnswer['window'];
  readonly version: string | null;
  readonly routes: readonly OptimalRoute[];
}

/** Rankings and money of every use case, the ones with most requests first. Money is of the window. */
export function toOptimalRouting(
  rankings: ReadonlyMap<string, UseCaseRanking>,
  savings: SavingsAnswer,
  policies: PolicyBook,
): OptimalRoutingAnswer {
  const money = new Map(savings.perUseCase.map((part) => [part.useCase, part]));
  // Only the models of an answer are looked at here.
  const frame = { version: savings.version, liveRequestCount: 0, hold: null, redirectedFrom: null };
  const routes = [...new Set([...rankings.keys(), ...money.keys()])].map((useCase): OptimalRoute => {
    const ranking = rankings.get(useCase);
    const answer = ranking ? toRankingsAnswer(ranking, policies.policyOf('auto', useCase), frame) : null;
    const part = money.get(useCase);
    return {
      useCase,
      modelId: answer?.best?.modelId ?? null,
      evidence: answer?.best ?? null,
      requestCount: part?.requestCount ?? 0,
      actualCostUsd: part?.actualCostUsd ?? 0,
      optimalCostUsd: part?.optimalCostUsd ?? 0,
      savingsUsd: part?.savingsUsd ?? 0,
      savingsInterval: part?.interval ?? [0, 0],
      observedShare: part?.observedShare ?? null,
      note: answer?.note ?? part?.note ?? null,
    };
  });
  routes.sort(
    (one, other) => other.requestCount - one.requestCount || (one.useCase < other.useCase ? -1 : 1),
  );
  return { window: savings.window, version: savings.version, routes };
}
