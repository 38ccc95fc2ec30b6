import type { Classification, PossibleUseCase } from '../core/classifier.ts';
import type { CandidateScore } from '../core/decision.ts';
import type { CatalogModel, ModelCatalog, RequiredAbilities } from '../core/model-catalog.ts';
import { hasAbilities } from '../core/model-catalog.ts';
import type { Policy } from '../core/policy.ts';
import { viewRanking } from '../core/ranking-view.ts';
import type { RankedModel, Snapshot } from '../core/snapshot.ts';
import { OTHER_USE_CASE } from '../core/use-case.ts';
import { mixedModels, quantisedMix } from './mixed-ranking.ts';

/** What models there are, and what they cost; the gateway's registry fits. */
export interface ModelRegistry {
  /** Replaced whole when providers come and go. */
  readonly catalog: ModelCatalog;
  isPriced(modelId: string): boolean;
  /** Dollars of a typical request; null when no price is known. */
  typicalCostUsd(modelId: string): number | null;
  /** False while a provider is known to be away. */
  health?(modelId: string): boolean;
}

/** What one policy does with one use case, for requests of equal needs; made once, read by every request. */
export interface Plan {
  /** What `modelIds[0]` rests on. */
  readonly cause: 'ranking' | 'default' | 'prior';
  /** The use case whose ranking was used, '*' for the one over all, null for none. */
  readonly rankedBy: string | null;
  /** All able models: candidates by score, others by score, then those without requests here. */
  readonly modelIds: readonly string[];
  /** The first of them: what a request gets that nothing diverts, made once. */
  readonly firstIds: readonly string[];
  /** The first so many are candidates; 0 without a ranking. */
  readonly candidateCount: number;
  readonly rows: readonly CandidateScore[];
  readonly rankedModels: readonly RankedModel[];
  /** Why `modelIds[0]`, for people. */
  readonly reason: string;
  readonly grounds: PlanGrounds;
}

/** What is known of the able models, whatever the plan made of it: what exploration looks at. */
export interface PlanGrounds {
  /** Of the use case and the policy: the same for all plans that are made of newer rankings. */
  readonly name: string;
  readonly policy: Policy;
  /** Rows of the use case, as the policy sees them. */
  readonly here: readonly RankedModel[];
  /** Rows over all use cases. */
  readonly elsewhere: readonly RankedModel[];
  /** True where the places of the rows are of this very ranking: of one use case, by `auto`. */
  readonly hasPlaces: boolean;
}

/** Fallbacks beyond this are never reached: each costs the caller another failed try. */
export const MODEL_IDS_MAX = 10;
/** Rows of a decision beyond this tell nobody anything, and every one of them is stored. */
const ROWS_MAX = 20;
/** Different needs that plans are kept for; prompts longer than some context windows make few of them. */
const PLANS_MAX = 2_000;

/** All plans of one snapshot and one catalog. Thrown away with them. */
export class PlanBook {
  readonly #snapshot: Snapshot;
  readonly #registry: ModelRegistry;
  readonly #defaultModel: string | null;
  /** Priced chat models that `auto` may take, in the order of the priors. */
  readonly #eligible: readonly CatalogModel[];
  readonly #plans = new Map<string, Plan>();

  constructor(snapshot: Snapshot, registry: ModelRegistry, defaultModel: string | null) {
    this.#snapshot = snapshot;
    this.#registry = registry;
    this.#defaultModel = defaultModel === null ? null : registry.catalog.canonicalId(defaultModel);
    this.#eligible = registry.catalog.models
      .filter((model) => model.isChat && model.isAutoAllowed && registry.isPriced(model.modelId))
      .sort((one, other) => byPrior(one, other, registry));
  }

  /**
   * The plan of a prompt; null when no model may serve the request. Where its use case is in doubt, what is expected
   * of each model over those that it may be.
   *
   * @param isRanked  false leaves the rankings aside: the default model, else the order of the priors
   */
  plan(
    { useCase, mix }: Pick<Classification, 'useCase' | 'mix'>,
    policy: Policy,
    needs: RequiredAbilities | undefined,
    isRanked = true,
  ): Plan | null {
    // A rejected prompt is also like those that fit nothing.
    const rest = useCase === OTHER_USE_CASE ? useCase : this.#snapshot.overall.useCase;
    const parts = isRanked ? quantisedMix(mix, rest) : null;
    let unable = '';
    if (needs !== undefined) {
      for (let at = 0; at < this.#eligible.length; at++) {
        const model = this.#eligible[at];
        if (model !== undefined && !hasAbilities(model, needs)) unable += `,${at}`;
      }
    }
    const asked = parts === null ? useCase : mixName(parts);
    const key = `${policy.name} ${useCase} ${asked} ${unable}${isRanked ? '' : ' unranked'}`;
    const known = this.#plans.get(key);
    if (known !== undefined) return known;
    const able =
      needs === undefined ? this.#eligible : this.#eligible.filter((model) => hasAbilities(model, needs));
    const plan = this.#make(useCase, { mix: parts, policy, able, isRanked });
    if (plan === null) return null;
    if (this.#plans.size >= PLANS_MAX) this.#plans.clear();
    this.#plans.set(key, plan);
    return plan;
  }

  /** Why {@link plan} found nobody, and what to do. */
  emptyReason(): string {
    const { models } = this.#registry.catalog;
    if (models.length === 0) return 'No provider offers a model now; see GET /api/models.';
    if (this.#eligible.length > 0) return 'No model that auto may use can do what this request needs.';
    return 'auto uses only models with a known price, and there is none: declare prices, or name a model.';
  }

  #make(
    useCase: string,
    {
      mix,
      policy,
      able,
      isRanked,
    }: {
      readonly mix: readonly PossibleUseCase[] | null;
      readonly policy: Policy;
      readonly able: readonly CatalogModel[];
      readonly isRanked: boolean;
    },
  ): Plan | null {
    if (able.length === 0) return null;
    const ableIds = new Set(able.map((model) => model.modelId));
    const asked = mix === null ? useCase : mixName(mix);
    const own =
      mix === null ? this.#snapshot.rankings.get(useCase)?.models : mixedModels(this.#snapshot, mix);
    const local = rankAble(own, policy, ableIds);
    const overall = rankAble(this.#snapshot.overall.models, policy, ableIds);
    const grounds: PlanGrounds = {
      name: `${policy.name} ${asked}`,
      policy,
      here: local.models,
      elsewhere: overall.models,
      hasPlaces: mix === null && policy.name === 'auto',
    };
    const priors = this.#priorOrder(able);
    if (!isRanked) return this.#planOfPriors(priors, grounds, 'No rule had an answer');
    const chosen = local.candidates.length > 0 ? local : overall;
    if (chosen.candidates.length === 0)
      return this.#planOfPriors(priors, grounds, `No model has enough evidence for "${useCase}" yet`);
    const rest = [local, overall].flatMap(({ others, candidates }) => [...candidates, ...others]);
    const order = new Set([...chosen.candidates, ...chosen.others, ...rest].map((model) => model.modelId));
    const modelIds = [...new Set([...order, ...priors])];
    return {
      cause: 'ranking',
      rankedBy: chosen === local ? asked : this.#snapshot.overall.useCase,
      modelIds,
      firstIds: modelIds.slice(0, MODEL_IDS_MAX),
      candidateCount: chosen.candidates.length,
      rows: rowsOf(chosen, this.#registry, ableIds),
      rankedModels: chosen.models,
      reason: reasonOf(chosen, asked, chosen === local),
      grounds,
    };
  }

  #planOfPriors(priors: readonly string[], grounds: PlanGrounds, why: string): Plan {
    const isDefault = this.#defaultModel !== null && priors[0] === this.#defaultModel;
    const seen = new Map([...grounds.elsewhere, ...grounds.here].map((model) => [model.modelId, model]));
    return {
      cause: isDefault ? 'default' : 'prior',
      rankedBy: null,
      modelIds: priors,
      firstIds: priors.slice(0, MODEL_IDS_MAX),
      candidateCount: 0,
      rows: priors.slice(0, ROWS_MAX).map((modelId) => ({
        modelId,
        score: seen.get(modelId)?.score ?? null,
        isCandidate: false,
        reason: seen.get(modelId)?.notCandidateReason ?? 'no requests yet',
      })),
      rankedModels: [...seen.values()],
      reason: isDefault
        ? `${why}: the configured default model.`
        : `${why}: first in the order of the priors (local, then cheap, then big).`,
      grounds,
    };
  }

  #priorOrder(able: readonly CatalogModel[]): readonly string[] {
    const ids = able.map((model) => model.modelId);
    const preferred = this.#defaultModel;
    if (preferred === null || !ids.includes(preferred)) return ids;
    return [preferred, ...ids.filter((id) => id !== preferred)];
  }
}

/**
 * Which model is tried first while nothing is known: local before paid (free, and the prompt stays at home),
 * then cheaper, then bigger; then by name.
 */
function byPrior(one: CatalogModel, other: CatalogModel, registry: ModelRegistry): number {
  if (one.isLocal !== other.isLocal) return one.isLocal ? -1 : 1;
  const costUsd = (registry.typicalCostUsd(one.modelId) ?? 0) - (registry.typicalCostUsd(other.modelId) ?? 0);
  if (costUsd !== 0) return costUsd;
  const size = (other.parameterBillions ?? 0) - (one.parameterBillions ?? 0);
  if (size !== 0) return size;
  return one.modelId < other.modelId ? -1 : 1;
}

/** "translation 0.63, technical_code 0.38". */
function mixName(mix: readonly PossibleUseCase[]): string {
  return mix.map(({ useCase, probability }) => `${useCase} ${probability.toFixed(2)}`).join(', ');
}

interface AbleRanking {
  readonly candidates: readonly RankedModel[];
  readonly others: readonly RankedModel[];
  readonly models: readonly RankedModel[];
  /** Ranked models that may not serve this request. */
  readonly left: readonly RankedModel[];
  readonly note: string | null;
}

/** The ranking among the models that may serve: the best of those is what the others are measured by. */
function rankAble(
  ranked: readonly RankedModel[] | undefined,
  policy: Policy,
  ableIds: ReadonlySet<string>,
): AbleRanking {
  const all = ranked ?? [];
  const view = viewRanking(
    all.filter((model) => ableIds.has(model.modelId)),
    policy,
  );
  return {
    candidates: view.models.filter((model) => model.isCandidate),
    others: view.models.filter((model) => !model.isCandidate),
    models: view.models,
    left: all.filter((model) => !ableIds.has(model.modelId)),
    note: view.note,
  };
}

function rowsOf(
  ranking: AbleRanking,
  registry: ModelRegistry,
  ableIds: ReadonlySet<string>,
): CandidateScore[] {
  const rows = [...ranking.candidates, ...ranking.others, ...ranking.left].slice(0, ROWS_MAX);
  return rows.map((model) => ({
    modelId: model.modelId,
    score: model.score,
    isCandidate: model.isCandidate && ableIds.has(model.modelId),
    reason: ableIds.has(model.modelId) ? model.notCandidateReason : whyNotAble(model.modelId, registry),
  }));
}

function whyNotAble(modelId: string, registry: ModelRegistry): string {
  const model = registry.catalog.get(modelId);
  if (model === null) return 'not offered by any provider now';
  if (!model.isChat) return 'not a chat model';
  if (!model.isAutoAllowed) return 'kept out of auto';
  return registry.isPriced(modelId) ? 'lacks an ability that the request needs' : 'no price known';
}

function reasonOf(ranking: AbleRanking, useCase: string, isOfUseCase: boolean): string {
  const best = ranking.candidates[0];
  const scope = isOfUseCase
    ? `for "${useCase}"`
    : `over all use cases, since "${useCase}" has too little evidence of its own`;
  const choice = `Best score (${best?.score?.toFixed(1) ?? '-'}) of ${ranking.candidates.length} candidate(s) ${scope}.`;
  return ranking.note === null ? choice : `${choice} ${ranking.note}`;
}
