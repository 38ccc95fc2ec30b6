import type { Classification, PossibleUseCase } from '../core/classifier.ts';
import type { CandidateScore } from '../core/decision.ts';
import { TallyrankError } from '../core/errors.ts';
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
  /** False for models whose provider is known to be away; undefined while none is. */
  readonly health?: ((modelId: string) => boolean) | undefined;
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

/** What a rule of the operator, or the request itself, leaves of the models that `auto` may use. */
export interface Restriction {
  readonly ruleName: string;
  /** True where it is no rule, and `ruleName` says what the request demands. Left out: a rule. */
  readonly isDemand?: boolean | undefined;
  permits(model: CatalogModel, catalog: ModelCatalog): boolean;
}

/** What a plan depends on beside prompt, policy and needs. */
export interface PlanOptions {
  /** False leaves the rankings aside: the default model, else the order of the priors. Default: true. */
  readonly isRanked?: boolean;
  /** All must permit a model. Default: none. */
  readonly restrictions?: readonly Restriction[];
}

const NO_OPTIONS: PlanOptions = {};
const NO_RESTRICTIONS: readonly Restriction[] = [];

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
   */
  plan(
    { useCase, mix }: Pick<Classification, 'useCase' | 'mix'>,
    policy: Policy,
    needs: RequiredAbilities | undefined,
    { isRanked = true, restrictions = NO_RESTRICTIONS }: PlanOptions = NO_OPTIONS,
  ): Plan | null {
    // A rejected prompt is also like those that fit nothing.
    const rest = useCase === OTHER_USE_CASE ? useCase : this.#snapshot.overall.useCase;
    const parts = isRanked ? quantisedMix(mix, rest) : null;
    const isAble = (model: CatalogModel): boolean =>
      (needs === undefined || hasAbilities(model, needs)) && this.#barringRule(model, restrictions) === null;
    let unable = '';
    if (needs !== undefined || restrictions.length > 0) {
      for (let at = 0; at < this.#eligible.length; at++) {
        const model = this.#eligible[at];
        if (model !== undefined && !isAble(model)) unable += `,${at}`;
      }
      // The rows of the plan name the rules.
      for (const { ruleName } of restrictions) unable += ` ${JSON.stringify(ruleName)}`;
    }
    const asked = parts === null ? useCase : mixName(parts);
    const key = `${policy.name} ${useCase} ${asked} ${unable}${isRanked ? '' : ' unranked'}`;
    const known = this.#plans.get(key);
    if (known !== undefined) return known;
    const able = unable === '' ? this.#eligible : this.#eligible.filter(isAble);
    const plan = this.#make(useCase, { mix: parts, policy, able, isRanked, restrictions });
    if (plan === null) return null;
    if (this.#plans.size >= PLANS_MAX) this.#plans.clear();
    this.#plans.set(key, plan);
    return plan;
  }

  /**
   * Why {@link plan} found nobody, and what to do: `bad_request` where the request itself asks what no model does, else
   * `no_candidate`.
   */
  refusal(needs: RequiredAbilities | undefined, restrictions: readonly Restriction[]): TallyrankError {
    if (this.#registry.catalog.models.length === 0) {
      return nobody('No provider offers a model now; see GET /api/models.');
    }
    if (this.#eligible.length === 0) {
      const text =
        'auto uses only models with a known price, and there is none: declare prices, or name a model.';
      return nobody(text);
    }
    const able = this.#eligible.filter((model) => needs === undefined || hasAbilities(model, needs));
    if (able.length === 0) {
      const text = `No model that auto may use is known to serve ${wordsOf(needs)}; name one that does, or declare what yours can.`;
      return new TallyrankError('bad_request', text, { param: 'messages' });
    }
    const barring = new Set(able.map((model) => this.#barringRule(model, restrictions)));
    const demands = [...barring].flatMap((one) => (one?.isDemand === true ? [one.ruleName] : []));
    if (demands.length > 0) {
      return nobody(
        `Of ${able.length} models that could serve this request, none is left by ${demands.join(', ')}; ask for less.`,
      );
    }
    const rules = [...barring].map((one) => `"${one?.ruleName}"`).join(', ');
    return nobody(
      `Of ${able.length} models that could serve this request, routing rules leave none: ${rules} (GET /api/rules).`,
    );
  }

  #make(
    useCase: string,
    {
      mix,
      policy,
      able,
      isRanked,
      restrictions,
    }: {
      readonly mix: readonly PossibleUseCase[] | null;
      readonly policy: Policy;
      readonly able: readonly CatalogModel[];
      readonly isRanked: boolean;
      readonly restrictions: readonly Restriction[];
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
      rows: this.#rowsOf(chosen, ableIds, restrictions),
      rankedModels: chosen.models,
      reason: reasonOf(chosen, asked, chosen === local),
      grounds,
    };
  }

  #rowsOf(
    ranking: AbleRanking,
    ableIds: ReadonlySet<string>,
    restrictions: readonly Restriction[],
  ): CandidateScore[] {
    const rows = [...ranking.candidates, ...ranking.others, ...ranking.left].slice(0, ROWS_MAX);
    return rows.map(({ modelId, score, isCandidate, notCandidateReason }) => {
      const isAble = ableIds.has(modelId);
      const reason = isAble ? notCandidateReason : this.#whyNotAble(modelId, restrictions);
      return { modelId, score, isCandidate: isCandidate && isAble, reason };
    });
  }

  #whyNotAble(modelId: string, restrictions: readonly Restriction[]): string {
    const model = this.#registry.catalog.get(modelId);
    if (model === null) return 'not offered by any provider now';
    if (!model.isChat) return 'not a chat model';
    if (!model.isAutoAllowed) return 'kept out of auto';
    if (!this.#registry.isPriced(modelId)) return 'no price known';
    const rule = this.#barringRule(model, restrictions);
    if (rule === null) return 'lacks an ability that the request needs';
    return rule.isDemand === true
      ? `kept out by ${rule.ruleName}`
      : `kept out by the rule "${rule.ruleName}"`;
  }

  #barringRule(model: CatalogModel, restrictions: readonly Restriction[]): Restriction | null {
    const { catalog } = this.#registry;
    return restrictions.find((one) => !one.permits(model, catalog)) ?? null;
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

function reasonOf(ranking: AbleRanking, useCase: string, isOfUseCase: boolean): string {
  const best = ranking.candidates[0];
  const scope = isOfUseCase
    ? `for "${useCase}"`
    : `over all use cases, since "${useCase}" has too little evidence of its own`;
  const choice = `Best score (${best?.score?.toFixed(1) ?? '-'}) of ${ranking.candidates.length} candidate(s) ${scope}.`;
  return ranking.note === null ? choice : `${choice} ${ranking.note}`;
}

function nobody(text: string): TallyrankError {
  return new TallyrankError('no_candidate', text, { param: 'model' });
}

/** What a request needs, e.g. "images, tools and 9000 tokens". */
function wordsOf(needs: RequiredAbilities | undefined): string {
  const tokens = (needs?.promptTokens ?? 0) + (needs?.answerTokens ?? 0);
  const words = [
    ...(needs?.needsImages ? ['images'] : []),
    ...(needs?.needsAudio ? ['sound'] : []),
    ...(needs?.needsFiles ? ['files'] : []),
    ...(needs?.needsTools ? ['tools'] : []),
    ...(tokens > 0 ? [`some ${tokens} tokens`] : []),
  ];
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)} together`;
}
