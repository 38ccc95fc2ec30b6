import { setImmediate } from 'node:timers/promises';
import { ModelCatalog, plainModel } from '../core/model-catalog.ts';
import { canonicalModelName } from '../core/model-names.ts';
import { POLICIES, type PolicyBook, policyOf } from '../core/policy.ts';
import type { PriceBook } from '../core/price-book.ts';
import type { RoutingRule } from '../core/routing-rules.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { starterSnapshot } from '../core/starter-snapshot.ts';
import { shownTimeframe, type Timeframe } from '../core/timeframe.ts';
import { CostBook } from '../ranking/cost-book.ts';
import { PlanBook, type Restriction } from '../routing/plan.ts';
import {
  CompiledRoutingRule,
  compileRoutingRules,
  newCourse,
  precedesRankings,
  type RuledRequest,
  unknownModelWarnings,
} from '../routing/routing-rules.ts';
import type { Database } from '../store/database.ts';
import {
  countDecisions,
  type RuledDecision,
  streamRuledDecisions,
} from '../store/queries/ruled-decisions.ts';
import { readSavingsEvidence } from '../store/queries/savings-evidence.ts';
import { rankedIn } from './off-policy-target.ts';
import { type Fate, type MoneyChange, OutcomeTally, type RuleOutcome, shownCount } from './rule-outcome.ts';

/** Which rules, on which decisions. */
export interface DryRunQuestion {
  readonly rules: readonly RoutingRule[];
  readonly window: Timeframe;
  /** Decisions that are read at most; of more, one of so many. */
  readonly decisionsMax?: number | undefined;
}

export interface DryRunContext {
  readonly db: Database;
  readonly prices: Pick<PriceBook, 'typicalCostUsd'>;
  readonly policies: PolicyBook;
  readonly defaultModel: string | null;
  /** What is offered now; null where nobody can ask: then models are those of log and rules. */
  readonly catalog: ModelCatalog | null;
  /** By the configuration, for models that the catalog does not have. */
  isLocal(modelId: string): boolean;
}

/** One rule, as if there were no other. */
export interface RuleAlone extends RuleOutcome {
  readonly name: string;
  readonly priority: number;
  readonly isEnabled: boolean;
  /** Decisions that its conditions hold for. */
  readonly heldCount: number;
  readonly message: string;
}

export interface RulesDryRun {
  /** "would have changed 312 of 4,018 decisions, -$41 (±6)". */
  readonly message: string;
  readonly window: { readonly from: string; readonly to: string; readonly label: string };
  /** Version of the rankings that chose in the place of rules that name no model; null before any. */
  readonly rankingVersion: string | null;
  /** All of the window. Where the caller named a model nothing was decided, and no rule is asked. */
  readonly decisionCount: number;
  /** Decisions that were read; the figures are scaled up from them. */
  readonly sampleCount: number;
  /** All enabled rules as they stand. */
  readonly together: RuleOutcome;
  /** Each for itself, the disabled ones too. */
  readonly alone: readonly RuleAlone[];
  /** What a reader has to know of these figures. */
  readonly notes: readonly string[];
}

/** Decisions read at most: some seconds, and more narrow no interval that anybody reads. */
const DECISIONS_MAX = 200_000;
/** Costs are forecast from at least so long a time. */
const EVIDENCE_MS = 30 * 86_400_000;
/** Looks of rules at decisions between two breaths: with slow patterns, some milliseconds. */
const BREATH = 300;

/**
 * What routing rules would have changed of the decisions that were logged in a window, what that would have cost, and
 * how many would have succeeded. A decision stays as it was unless a rule takes it elsewhere: another model is named, the
 * chosen one is kept out, or another preset would choose otherwise by the rankings of now. Sessions are not followed
 * from turn to turn. Reads `decisions`, the log and its roll-up; some ten microseconds of this thread per decision, and
 * breaths in between.
 *
 * @throws {TallyrankError} `store_unavailable`
 */
export async function dryRunRules(
  context: DryRunContext,
  { rules, window, decisionsMax = DECISIONS_MAX }: DryRunQuestion,
): Promise<RulesDryRun> {
  const { db } = context;
  const snapshot = (await db.latestSnapshot()) ?? starterSnapshot();
  const scope = { runId: snapshot.runId, from: window.from, to: window.to };
  const { decisionCount, modelIds } = await countDecisions(db, scope);
  const sliceCount = Math.max(1, Math.ceil(decisionCount / decisionsMax));
  const evidenceFrom = new Date(Math.min(window.from.getTime(), window.to.getTime() - EVIDENCE_MS));
  const evidence = await readSavingsEvidence(db, { ...scope, evidenceFrom, routing: null });
  const catalog = catalogOf(
    context,
    [...modelIds, ...snapshot.overall.models.map(({ modelId }) => modelId)],
    rules,
  );
  const trials = rules.map((rule) => new Trial(new CompiledRoutingRule({ ...rule, isEnabled: true })));
  const order = compileRoutingRules(rules).flatMap(
    ({ ruleName }) => trials.find((one) => one.rule.ruleName === ruleName) ?? [],
  );
  const replay = new Replay(context, snapshot, catalog);
  const together = new OutcomeTally();
  const readsPrompt = trials.some(({ rule }) => rule.readsPrompt);
  const breath = Math.max(1, Math.floor(BREATH / (1 + trials.length)));
  let sampleCount = 0;
  let staleCount = 0;
  const names = new Set(rules.map(({ name }) => name));
  for await (const block of streamRuledDecisions(db, scope, { sliceCount, readsPrompt })) {
    for (const decision of block) {
      if (++sampleCount % breath === 0) await setImmediate();
      const asked = askedOf(decision);
      for (const trial of trials) trial.look(decision, asked, replay);
      const fate = replay.fate(decision, order);
      together.add(decision, fate);
      if (decision.cause === 'rule' && fate.kind === 'same' && !names.has(decision.ruleName)) staleCount++;
    }
  }
  const frame = {
    book: new CostBook(evidence),
    typicalCostUsd: (modelId: string) => context.prices.typicalCostUsd(modelId),
    rankedIn: (useCase: string, modelId: string) => rankedIn(snapshot, useCase, modelId),
    sliceCount,
  };
  const outcome = together.outcome(frame);
  const notes = notesOf({
    sliceCount,
    staleCount: staleCount * sliceCount,
    hasRankings: snapshot.version !== null,
  });
  return {
    message: messageOf(outcome, decisionCount),
    window: shownTimeframe(window),
    rankingVersion: snapshot.version,
    decisionCount,
    sampleCount,
    together: outcome,
    alone: trials.map((trial, at) => {
      const own = trial.tally.outcome(frame);
      const { name, priority } = trial.rule.rule;
      const heldCount = trial.heldCount * sliceCount;
      const isEnabled = rules[at]?.isEnabled ?? true;
      return { name, priority, isEnabled, heldCount, message: messageOf(own, decisionCount), ...own };
    }),
    notes: [...(context.catalog === null ? [] : unknownModelWarnings(rules, catalog)), ...notes],
  };
}

/** One rule, tried on decision after decision. */
class Trial {
  readonly rule: CompiledRoutingRule;
  readonly tally = new OutcomeTally();
  heldCount = 0;
  /** Of the decision looked at last. */
  isHeld: boolean | null = false;

  constructor(rule: CompiledRoutingRule) {
    this.rule = rule;
  }

  look(decision: RuledDecision, asked: RuledRequest, replay: Replay): void {
    this.isHeld = this.rule.check(asked);
    if (this.isHeld === false) return;
    if (this.isHeld === true) this.heldCount++;
    this.tally.add(decision, replay.fate(decision, [this]));
  }
}

/** What a rule sees of a logged request. */
function askedOf(decision: RuledDecision): RuledRequest {
  const { modelAsked, policy, useCase, promptTokens } = decision;
  // A preset that a rule gave is not the one that was asked for.
  const isKnown = Object.hasOwn(POLICIES, modelAsked);
  return {
    subject: { ...decision, headers: null },
    useCase,
    policy: isKnown ? modelAsked : policy,
    promptTokens,
  };
}

/** Decides logged requests again. */
class Replay {
  readonly #catalog: ModelCatalog;
  readonly #plans: PlanBook;
  readonly #policies: PolicyBook;
  readonly #able = new Map<string, Restriction>();

  constructor({ policies, prices, defaultModel }: DryRunContext, snapshot: Snapshot, catalog: ModelCatalog) {
    this.#catalog = catalog;
    this.#policies = policies;
    const registry = {
      catalog,
      // `auto` drew from these, so they had a price.
      isPriced: () => true,
      typicalCostUsd: (modelId: string) => prices.typicalCostUsd(modelId),
    };
    this.#plans = new PlanBook(snapshot, registry, defaultModel);
  }

  /** @param trials  that have looked at the decision, in the order in which they are asked */
  fate(decision: RuledDecision, trials: readonly Trial[]): Fate {
    const { cause, modelId, policy, useCase, isExploration, listedIds } = decision;
    const hadAnswer = cause !== 'default' && cause !== 'prior';
    const course = newCourse(true);
    for (const { rule, isHeld } of trials) {
      if (isHeld === false || (hadAnswer && !precedesRankings(rule.rule))) continue;
      if (isHeld === null) return { kind: 'undecided' };
      const [first] = rule.shape(course, this.#catalog) ?? [];
      if (first !== undefined)
        return first === modelId ? { kind: 'same' } : { kind: 'moved', modelId: first };
    }
    // Who chose by rule looked at no preset and no ranking.
    if (cause === 'rule' || course.shapedBy.length === 0) return { kind: 'same' };
    const { restrictions, mayExplore } = course;
    const chosen = this.#catalog.get(modelId) ?? plainModel(modelId);
    const isBarred = restrictions.some((one) => !one.permits(chosen, this.#catalog));
    const preset = course.policy === null ? policy : policyOf(course.policy).name;
    // What chance took it would have taken again.
    const isDrawn = isExploration || cause === 'ab_test';
    const isChosenAnew = isBarred || (isDrawn ? !mayExplore : preset !== policy);
    if (!isChosenAnew) return { kind: 'same' };
    const plan = this.#plans.plan({ useCase }, this.#policies.policyOf(preset, useCase), undefined, {
      restrictions: [this.#ableOf(listedIds), ...restrictions],
    });
    const best = plan?.modelIds[0];
    if (best === undefined) return { kind: 'refused' };
    return best === modelId ? { kind: 'same' } : { kind: 'moved', modelId: best };
  }

  /** Only those could serve the request. */
  #ableOf(modelIds: readonly string[]): Restriction {
    const key = modelIds.join('\n');
    const known = this.#able.get(key);
    if (known !== undefined) return known;
    const ids = new Set(modelIds);
    const able = { ruleName: '', permits: ({ modelId }: { readonly modelId: string }) => ids.has(modelId) };
    this.#able.set(key, able);
    return able;
  }
}

/** What there is to choose from: what is offered now and, as the log names them, what was. */
function catalogOf(
  { catalog, isLocal }: DryRunContext,
  loggedIds: readonly string[],
  rules: readonly RoutingRule[],
): ModelCatalog {
  const offered = catalog?.models ?? [];
  const ids = new Set(loggedIds);
  for (const { modelId } of offered) ids.delete(modelId);
  const plain = [...ids].map((modelId) => plainModel(modelId, { isLocal: isLocal(modelId) }));
  const known = new ModelCatalog([...offered, ...plain]);
  if (catalog !== null) return known;
  // Who cannot ask the providers takes a rule's word for it that they have the model.
  const named = new Set(rules.flatMap(({ do: effect }) => effect.models ?? []).map(canonicalModelName));
  const unseen = [...named].filter((name) => known.get(known.canonicalId(name)) === null);
  return new ModelCatalog([
    ...known.models,
    ...unseen.map((modelId) => plainModel(modelId, { isLocal: isLocal(modelId) })),
  ]);
}

function notesOf(facts: {
  readonly sliceCount: number;
  readonly staleCount: number;
  readonly hasRankings: boolean;
}): string[] {
  const { sliceCount, staleCount, hasRankings } = facts;
  const notes: string[] = [];
  if (sliceCount > 1) {
    notes.push(
      `One of ${sliceCount} decisions was read, drawn by request id; the figures are scaled up from them.`,
    );
  }
  if (staleCount > 0) {
    notes.push(`${shownCount(staleCount)} decisions of rules that are not in this list count as they are.`);
  }
  if (!hasRankings)
    notes.push('There are no rankings yet: presets and restrictions choose by the order of the priors.');
  return notes;
}

/** As people say it. */
function messageOf({ changedCount, money }: RuleOutcome, decisionCount: number): string {
  const changed = `would have changed ${shownCount(changedCount)} of ${shownCount(decisionCount)} decisions`;
  if (changedCount === 0) return changed;
  return `${changed}, ${money === null ? 'cost unknown' : shownMoney(money)}`;
}

/** "-$41 (±6)": the interval is not quite even, and the wider side is what is said. */
function shownMoney({ differenceUsd, interval: [low, high] }: MoneyChange): string {
  const reach = Math.max(high - differenceUsd, differenceUsd - low);
  const size = Math.max(Math.abs(differenceUsd), reach);
  // Whole dollars of tens, cents of less, and two digits of what is less than a dime.
  const digits =
    size >= 10 || size === 0 ? 0 : size >= 0.1 ? 2 : Math.min(6, 1 - Math.floor(Math.log10(size)));
  const amount = Math.abs(differenceUsd).toFixed(digits);
  const sign = Number(amount) === 0 ? '' : differenceUsd < 0 ? '-' : '+';
  return `${sign}$${amount} (±${reach.toFixed(digits)})`;
}
