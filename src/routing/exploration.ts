import type { Decision } from '../core/decision.ts';
import type { RecordSource } from '../core/usage-record.ts';
import { type Arm, armsOf } from './arms.ts';
import { type Chances, chancesOf, type ExplorationMethod } from './chances.ts';
import { ExplorationBudget, type ExplorationSpending } from './exploration-budget.ts';
import type { ModelRegistry, Plan } from './plan.ts';

/** Draws from [0, 1); `Random` of the statistics fits. */
export interface UniformSource {
  next(): number;
}

/** What exploration is set to; an operator may change it while requests run. */
export interface ExplorationSettings {
  readonly method: ExplorationMethod;
  /** Share 0..1 of the `auto` decisions that may take another model than the best, at most. */
  readonly share: number;
  /** US dollars on one day (UTC) that exploration may cost beyond what the best models would have; null: no limit. */
  readonly budgetUsdPerDay: number | null;
  /** Requests in a use case up to which a model has a share of its own there. */
  readonly newModelRequests: number;
  /** The caller gets the first model's answer; what is drawn answers once more, in the background. */
  readonly shadow: boolean;
  /** Use cases, by slug, in which nothing is explored. */
  readonly excludedUseCases: readonly string[];
}

/** What is left out stays as it is. */
export type ExplorationChange = {
  readonly [Name in keyof ExplorationSettings]?: ExplorationSettings[Name] | undefined;
};

/** The draw of one decision: what may come out, and with what probability. */
export interface DrawTable {
  /** The model without exploration first. */
  readonly rows: readonly DrawRow[];
  /** Probability that another than the first is drawn. */
  readonly rate: number;
  /** What is drawn answers in the background, beside the first. */
  readonly isShadow: boolean;
  readonly chances: Chances;
  /** Able models that are left out, and why. */
  readonly barred: readonly { readonly modelId: string; readonly reason: string }[];
}

export interface DrawRow {
  readonly modelId: string;
  readonly probability: number;
  /** Dollars that it is expected to cost beyond the first, 0 for one that is cheaper; all that it costs, as a shadow. */
  readonly extraUsd: number;
  /** The same as a part of all that it costs, 0..1. */
  readonly extraPart: number;
  /** What to say when it is drawn. */
  readonly reason: string;
}

/**
 * Of the share: at 1 % a new model waits weeks for its twenty requests, at 50 % half of the requests pay for
 * knowledge. Of the dollar: a few hundred requests to a large model. Of the twenty requests: what makes a candidate.
 */
const DEFAULTS: ExplorationSettings = {
  method: 'thompson',
  share: 0.1,
  budgetUsdPerDay: 1,
  newModelRequests: 20,
  shadow: false,
  excludedUseCases: [],
};

/** Beliefs that chances are remembered for; small: they are worked out again, some milliseconds each. */
const CHANCES_MAX = 2_000;
/**
 * What a belief may move, in its standard deviations and as a share of these, before chances are worked out again. They
 * stay those that models are drawn by: smaller, and every new ranking costs milliseconds; larger, and they lag behind.
 */
const BELIEF_STEP = 0.15;
const NOT_WORSE_STEP = 0.05;
/** Requests by which a newcomer may be further in its trial than its chances know. */
const SAMPLES_STEP = 5;

/** What is worked out of one plan, while the same models are there. */
interface Prepared {
  /** The model without exploration first. */
  readonly arms: readonly Arm[];
  /** Of each arm, beyond the first. */
  readonly extrasUsd: readonly number[];
  readonly mostUsd: number;
  readonly isFirstEstablished: boolean;
  readonly barred: DrawTable['barred'];
  readonly name: string;
  /** By the number of arms that the budget still allows. */
  readonly tables: Map<number, DrawTable>;
}

interface Charge {
  readonly modelId: string;
  readonly isShadow: boolean;
  readonly useCase: string;
  readonly notedAtMs: number;
  readonly expectedUsd: number;
  /** Part of what the request costs that the other model would not have cost, 0..1. */
  readonly extraPart: number;
}

/**
 * Which requests buy knowledge, within a share of the requests and an amount of money a day. A table of probabilities
 * belongs to a plan and the state of the budget; the model is drawn from that very table, so the propensity that is
 * logged is the one that it was drawn with.
 */
export class Exploration {
  readonly #budget = new ExplorationBudget();
  #settings: ExplorationSettings;
  #excluded: ReadonlySet<string> = new Set();
  #prepared = new WeakMap<Plan, Prepared>();
  /** The same for plans with models that are away, by who is there. */
  #partly = new WeakMap<Plan, Map<string, Prepared>>();
  #known = new Map<string, { readonly arms: readonly Arm[]; readonly chances: Chances }>();
  /** What explored decisions were expected to cost, until they end. */
  readonly #charges = new WeakMap<Decision, Charge>();

  /**
   * @param given  what differs from the defaults; a number is the share alone
   * @throws {RangeError} as {@link change}
   */
  constructor(given: number | ExplorationChange = {}) {
    this.#settings = DEFAULTS;
    this.change(typeof given === 'number' ? { share: given } : given);
  }

  get settings(): ExplorationSettings {
    return this.#settings;
  }

  /** @throws {RangeError} for a share outside 0..1, a negative budget or number of requests */
  change(given: ExplorationChange): void {
    const { method, share: shareGiven, budgetUsdPerDay: budgetGiven } = given;
    const next: ExplorationSettings = {
      method: method ?? this.#settings.method,
      share: shareGiven ?? this.#settings.share,
      budgetUsdPerDay: budgetGiven === undefined ? this.#settings.budgetUsdPerDay : budgetGiven,
      newModelRequests: given.newModelRequests ?? this.#settings.newModelRequests,
      shadow: given.shadow ?? this.#settings.shadow,
      excludedUseCases: given.excludedUseCases ?? this.#settings.excludedUseCases,
    };
    const { share, budgetUsdPerDay, newModelRequests } = next;
    if (!(share >= 0 && share <= 1))
      throw new RangeError(`the exploration share must lie in 0..1, not ${share}`);
    if (budgetUsdPerDay !== null && !(budgetUsdPerDay >= 0))
      throw new RangeError(`the exploration budget must be 0 or more dollars, not ${budgetUsdPerDay}`);
    if (!(newModelRequests >= 0))
      throw new RangeError(`newModelRequests must be 0 or more, not ${newModelRequests}`);
    this.#settings = next;
    this.#excluded = new Set(next.excludedUseCases);
    this.#prepared = new WeakMap();
    this.#partly = new WeakMap();
    this.#known.clear();
  }

  /** Whether anything may be explored in a use case at all. */
  isOn(useCase: string): boolean {
    return this.#settings.share > 0 && !this.#excluded.has(useCase);
  }

  /**
   * What may come out of a decision by `plan`, and how often.
   *
   * @param openIds  models of the plan whose provider is not away, in its order; the first is taken without exploration
   */
  tableOf(
    plan: Plan,
    openIds: readonly string[],
    { registry, nowMs }: { readonly registry: ModelRegistry; readonly nowMs: number },
  ): DrawTable {
    const prepared = this.#preparedOf(plan, openIds, registry);
    const leftUsd = this.#leftUsd(nowMs);
    const count =
      prepared.mostUsd <= leftUsd
        ? prepared.arms.length
        : prepared.extrasUsd.filter((extraUsd) => extraUsd <= leftUsd).length;
    const known = prepared.tables.get(count);
    if (known !== undefined) return known;
    const table = this.#makeTable(prepared, leftUsd);
    prepared.tables.set(count, table);
    return table;
  }

  /** Draws from a table. */
  draw(table: DrawTable, random: UniformSource): DrawRow {
    const [first] = table.rows;
    if (first === undefined) throw new RangeError('a table has at least one row');
    let left = random.next() - (1 - table.rate);
    if (left < 0) return first;
    let last = first;
    for (let at = 1; at < table.rows.length; at++) {
      const row = table.rows[at];
      if (row === undefined || row.probability === 0) continue;
      last = row;
      left -= row.probability;
      if (left < 0) return row;
    }
    return last;
  }

  /** Counts a decision; the money of an explored one is taken from the budget until its request ends. */
  note(decision: Decision, drawn: DrawRow, nowMs: number): void {
    const { useCase, shadowModelId } = decision;
    const isExplored = decision.isExploration || shadowModelId !== null;
    this.#budget.note(useCase, isExplored ? drawn.extraUsd : null, nowMs);
    if (!isExplored || drawn.extraUsd === 0) return;
    this.#charges.set(decision, {
      modelId: drawn.modelId,
      isShadow: shadowModelId !== null,
      useCase,
      notedAtMs: nowMs,
      expectedUsd: drawn.extraUsd,
      extraPart: drawn.extraPart,
    });
  }

  /**
   * A request ended: what it really cost beyond the other model takes the place of what was expected. Where the price
   * or the tokens stayed unknown, or a fallback answered, what was expected stays. A shadow is settled when it has ended,
   * and not its request.
   */
  settle(
    decision: Decision,
    ended: { readonly modelId: string; readonly costUsd: number | null; readonly source?: RecordSource },
  ): void {
    const charge = this.#charges.get(decision);
    if (charge === undefined || charge.isShadow !== (ended.source === 'shadow')) return;
    this.#charges.delete(decision);
    if (ended.costUsd === null || ended.modelId !== charge.modelId) return;
    this.#budget.correct(charge.useCase, ended.costUsd * charge.extraPart - charge.expectedUsd, charge);
  }

  /** A shadow was given up before its model was asked: the money goes back. */
  release(decision: Decision): void {
    const { shadowModelId: modelId } = decision;
    if (modelId !== null) this.settle(decision, { modelId, costUsd: 0, source: 'shadow' });
  }

  /** What the log says was explored today, by all gateways and before the start. */
  learnSpent(logged: { readonly exploredCount: number; readonly spentUsd: number }, nowMs: number): void {
    this.#budget.learn(logged, nowMs);
  }

  spending(nowMs: number): ExplorationSpending {
    return this.#budget.spending(nowMs);
  }

  spendingIn(useCase: string, nowMs: number): ExplorationSpending {
    return this.#budget.spendingIn(useCase, nowMs);
  }

  #leftUsd(nowMs: number): number {
    const { budgetUsdPerDay } = this.#settings;
    if (budgetUsdPerDay === null) return Number.POSITIVE_INFINITY;
    return Math.max(0, budgetUsdPerDay - this.#budget.spentUsd(nowMs));
  }

  #preparedOf(plan: Plan, openIds: readonly string[], registry: ModelRegistry): Prepared {
    if (openIds === plan.modelIds) {
      const known = this.#prepared.get(plan) ?? this.#prepare(plan, openIds, registry);
      this.#prepared.set(plan, known);
      return known;
    }
    const byModels = this.#partly.get(plan) ?? new Map<string, Prepared>();
    this.#partly.set(plan, byModels);
    const key = openIds.join('\n');
    const known = byModels.get(key) ?? this.#prepare(plan, openIds, registry);
    byModels.set(key, known);
    return known;
  }

  #prepare(plan: Plan, openIds: readonly string[], registry: ModelRegistry): Prepared {
    const isOpen = new Set(openIds);
    const all = armsOf(plan, registry).filter(({ modelId }) => isOpen.has(modelId));
    const [first] = all;
    const isUniform = this.#settings.method === 'uniform';
    const arms = all.filter(
      (arm) => arm === first || arm.barredBecause === null || (isUniform && arm.costUsd !== null),
    );
    // What the first costs is paid in either way: a shadow's whole cost comes on top.
    const paidUsd = this.#settings.shadow ? 0 : (first?.costUsd ?? 0);
    const extrasUsd = arms.map((arm) => (arm === first ? 0 : Math.max(0, (arm.costUsd ?? 0) - paidUsd)));
    return {
      arms,
      extrasUsd,
      mostUsd: Math.max(0, ...extrasUsd),
      isFirstEstablished: isFirstEstablished(plan, arms),
      name: plan.grounds.name,
      barred: all.flatMap((arm) =>
        arms.includes(arm) ? [] : { modelId: arm.modelId, reason: arm.barredBecause ?? '' },
      ),
      tables: new Map(),
    };
  }

  #makeTable({ arms, extrasUsd, isFirstEstablished, barred, name }: Prepared, leftUsd: number): DrawTable {
    const allowed = arms.filter((_, at) => (extrasUsd[at] ?? 0) <= leftUsd);
    const extras = extrasUsd.filter((extraUsd) => extraUsd <= leftUsd);
    const chances = this.#chances(name, allowed, isFirstEstablished);
    const { method, newModelRequests } = this.#settings;
    const rows = allowed.map(({ modelId, costUsd, sampleCount }, at): DrawRow => {
      const probability = chances.probabilities[at] ?? 0;
      const extraUsd = extras[at] ?? 0;
      const how = chances.trialIds.includes(modelId)
        ? `new here, ${Math.floor(sampleCount)} of ${newModelRequests} requests of its trial`
        : chances.withheldIds.includes(modelId)
          ? 'withheld, asked now and then to show whether it was mended'
          : method;
      const often = `${(100 * probability).toFixed(1)} % of such requests`;
      return {
        modelId,
        probability,
        extraUsd,
        extraPart: costUsd === null || costUsd === 0 ? 0 : extraUsd / costUsd,
        reason: `Exploration (${how}): ${modelId} takes ${often}.`,
      };
    });
    const rate = rows.slice(1).reduce((sum, { probability }) => sum + probability, 0);
    return { rows, rate, isShadow: this.#settings.shadow, chances, barred };
  }

  /** Those of the last ranking, while beliefs have hardly moved. */
  #chances(name: string, arms: readonly Arm[], isFirstEstablished: boolean): Chances {
    const { method, share, newModelRequests } = this.#settings;
    const key = `${name} ${isFirstEstablished}\n${arms.map(({ modelId }) => modelId).join('\n')}`;
    const known = this.#known.get(key);
    if (known?.arms.every((arm, at) => isNear(arm, arms[at] ?? arm, newModelRequests))) return known.chances;
    const chances = chancesOf({ arms, method, share, newModelRequests, isFirstEstablished });
    if (this.#known.size >= CHANCES_MAX) this.#known.clear();
    this.#known.set(key, { arms, chances });
    return chances;
  }
}

function isNear(one: Arm, other: Arm, newModelRequests: number): boolean {
  const isNew = (arm: Arm): boolean => arm.sampleCount < newModelRequests;
  if (isNew(one) !== isNew(other) || one.isWithheld !== other.isWithheld) return false;
  if (isNew(one) && Math.abs(one.sampleCount - other.sampleCount) >= SAMPLES_STEP) return false;
  if (isNew(one) && (one.sampleCount === 0) !== (other.sampleCount === 0)) return false;
  return (
    Math.abs(one.mean - other.mean) <= BELIEF_STEP * one.deviation &&
    Math.abs(one.deviation - other.deviation) <= BELIEF_STEP * one.deviation &&
    Math.abs(one.notWorse - other.notWorse) <= NOT_WORSE_STEP
  );
}

/** Whether the evidence leaves the first no other place, among models that all have evidence here. */
function isFirstEstablished({ grounds, candidateCount }: Plan, arms: readonly Arm[]): boolean {
  if (!grounds.hasPlaces || candidateCount === 0) return false;
  const row = grounds.here.find(({ modelId }) => modelId === arms[0]?.modelId);
  return row?.rankWorst === 1 && arms.every(({ hasEnoughEvidence }) => hasEnoughEvidence);
}
