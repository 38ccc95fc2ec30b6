import { randomInt } from 'node:crypto';
import type { Decision } from '../core/decision.ts';
import { TallyrankError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { Policy } from '../core/policy.ts';
import { isAutoName, PolicyBook } from '../core/policy.ts';
import { classifiedText, toPromptText } from '../core/prompt-text.ts';
import type { RankedModel, Snapshot } from '../core/snapshot.ts';
import { starterSnapshot } from '../core/starter-snapshot.ts';
import { type UseCaseRule, UseCaseRules } from '../core/use-case-rules.ts';
import { createRandom } from '../stats/random.ts';
import { chosenFirst, explicitDecision, type Frame, ruleDecision } from './decisions.ts';
import type { DrawTable, ExplorationChange, UniformSource } from './exploration.ts';
import { Exploration } from './exploration.ts';
import type { ClassifiedMessage, RoutingMessage } from './message.ts';
import { explicitModel } from './message.ts';
import type { ModelRegistry, Plan } from './plan.ts';
import { PlanBook } from './plan.ts';
import type { Rule, RuleAction, RulePredicate } from './rule.ts';
import type { SnapshotSource } from './snapshot-holder.ts';
import { SnapshotHolder } from './snapshot-holder.ts';
import { reasonOfBest, StickySessions, type StickySettings, stayOf } from './sticky-sessions.ts';

/** Name and priority of the rule that ships: classify, then the best candidate of the ranking. */
const DATA_DRIVEN_RULE = { name: 'data-driven-routing', priority: 95 } as const;

export interface RoutingEngineOptions {
  /** Default: the starter snapshot, which has no rankings. */
  readonly snapshots?: SnapshotSource | undefined;
  /** Default: at most a tenth of the decisions and a dollar a day. */
  readonly exploration?: Exploration | ExplorationChange | undefined;
  /** How long sessions stay with their model; by default as docs/routing.md says. */
  readonly sessions?: Partial<StickySettings> | undefined;
  readonly random?: UniformSource | undefined;
  /** The model of day zero, by any of its names; null takes the order of the priors. */
  readonly defaultModel?: string | null | undefined;
  readonly rules?: readonly Rule[] | undefined;
  /** Hand-written use cases; where one matches, the classifier is not asked. */
  readonly useCaseRules?: readonly UseCaseRule[] | undefined;
  readonly policies?: PolicyBook | undefined;
  readonly logger?: Logger | undefined;
  /** Milliseconds since 1970: for idle sessions and the day of the budget. */
  readonly clock?: (() => number) | undefined;
}

/** A decision with what it rests on. Nothing was left to chance for it and nobody was called. */
export interface Explanation extends Decision {
  /** The ranking rows that were read, as the policy sees them; empty when none was. */
  readonly rankedModels: readonly RankedModel[];
  /** The use case whose ranking was read, '*' for the one over all, null for none. */
  readonly rankedBy: string | null;
  /** Probability with which chance would have chosen another model; 0 where it has no say. */
  readonly explorationShare: number;
}

/** What is explored in one use case, and why. */
export interface UseCaseExploration {
  readonly useCase: string;
  readonly plan: Plan;
  /** null where nothing is: the share is 0, or the use case is excluded. */
  readonly table: DrawTable | null;
}

interface Entry {
  readonly name: string;
  readonly priority: number;
  /** null for the data-driven rule, which needs no callbacks. */
  readonly rule: Rule | null;
}

/** How a plan is followed. */
interface Following {
  readonly ruleName: string | null;
  readonly sessionId: string | null;
  readonly mayExplore: boolean;
  /** null: nothing is drawn, and nothing remembered. */
  readonly random: UniformSource | null;
}

interface Planned {
  readonly decision: Decision;
  readonly plan: Plan | null;
  readonly table: DrawTable | null;
}

/**
 * Chooses a model for a message: an explicitly named one, else the first rule by priority that has an answer,
 * else the default model or the order of the priors. Reads one immutable snapshot and never waits for a store.
 */
export class RoutingEngine {
  readonly #registry: ModelRegistry;
  readonly #snapshots: SnapshotSource;
  readonly #exploration: Exploration;
  readonly #sessions: StickySessions;
  readonly #random: UniformSource;
  readonly #defaultModel: string | null;
  readonly #policies: PolicyBook;
  readonly #useCaseRules: UseCaseRules;
  readonly #logger: Logger | null;
  readonly #clock: () => number;
  #entries: readonly Entry[] = [{ ...DATA_DRIVEN_RULE, rule: null }];
  #book: { readonly snapshot: Snapshot; readonly catalog: unknown; readonly plans: PlanBook } | null = null;
  #ruleFailureCount = 0;

  constructor(registry: ModelRegistry, options: RoutingEngineOptions = {}) {
    this.#registry = registry;
    this.#snapshots = options.snapshots ?? new SnapshotHolder(starterSnapshot());
    const { exploration } = options;
    this.#exploration = exploration instanceof Exploration ? exploration : new Exploration(exploration);
    this.#random = options.random ?? createRandom(randomInt(2 ** 47));
    this.#defaultModel = options.defaultModel ?? null;
    this.#policies = options.policies ?? new PolicyBook();
    this.#useCaseRules = new UseCaseRules(options.useCaseRules);
    this.#logger = options.logger ?? null;
    this.#clock = options.clock ?? Date.now;
    this.#sessions = new StickySessions(options.sessions);
    for (const rule of options.rules ?? []) this.#put(rule.name, rule.priority, rule);
  }

  /**
   * Adds a rule; one of the same name is replaced, the data-driven one included. Rules above 95 win over the
   * data-driven rule, rules below serve what it has no answer for. A rule that throws is passed over, counted
   * and logged. With `explore: false` nothing is explored where the predicate holds and the action gives null; it must
   * stand above the data-driven rule.
   *
   * @throws {RangeError} unless the priority is a finite number
   */
  addRule(
    name: string,
    priority: number,
    predicate: RulePredicate,
    action: RuleAction,
    { explore }: Pick<Rule, 'explore'> = {},
  ): void {
    this.#put(name, priority, { name, priority, predicate, action, explore });
  }

  /** @returns false when there was no such rule */
  removeRule(name: string): boolean {
    const left = this.#entries.filter((entry) => entry.name !== name);
    const isRemoved = left.length < this.#entries.length;
    this.#entries = left;
    return isRemoved;
  }

  /** The rules in the order in which they are asked. */
  rules(): readonly { readonly name: string; readonly priority: number }[] {
    return this.#entries.map(({ name, priority }) => ({ name, priority }));
  }

  /** Rules that threw since the start. */
  get ruleFailureCount(): number {
    return this.#ruleFailureCount;
  }

  /**
   * Decides which model answers `message`.
   *
   * @throws {TallyrankError} `unknown_model`, `ambiguous_model` (an explicit name), `bad_request` (an unknown
   *   policy), `no_candidate` (no priced, able model)
   */
  async route(message: RoutingMessage): Promise<Decision> {
    return (await this.#decide(message, this.#random)).decision;
  }

  /**
   * What `route` would decide without exploration, and on what grounds. `propensity` is that of the choice
   * shown. Rules are asked; no provider is.
   *
   * @throws {TallyrankError} as `route`
   */
  async explain(message: RoutingMessage): Promise<Explanation> {
    const { decision, plan, table } = await this.#decide(message, null);
    return {
      ...decision,
      rankedModels: plan?.rankedModels ?? [],
      rankedBy: plan?.rankedBy ?? null,
      explorationShare: table?.rate ?? 0,
    };
  }

  /**
   * What is explored by `auto` in the use cases of the rankings, for requests without needs. One by one, since each may
   * take milliseconds.
   */
  *explorations(): Generator<UseCaseExploration> {
    const snapshot = this.#snapshots.current;
    const plans = this.#plansOf(snapshot);
    for (const useCase of snapshot.rankings.keys()) {
      const plan = plans.plan({ useCase }, this.#policies.policyOf('auto', useCase), undefined);
      if (plan !== null) yield { useCase, plan, table: this.#tableOf(plan, useCase) };
    }
  }

  async #decide(message: RoutingMessage, random: UniformSource | null): Promise<Planned> {
    const snapshot = this.#snapshots.current;
    const text = message.text ?? toPromptText(message.content);
    const named = explicitModel(message, text, this.#registry.catalog);
    const ruled = this.#useCaseRules.match({ ...message, prompt: text.prompt });
    const classification = ruled ?? snapshot.classifier.classify(classifiedText(text));
    const policy = this.#policyFor(message, classification.useCase);
    const useCaseRule = ruled?.ruleName ?? null;
    const frame: Frame = { snapshot, policy, classification, useCaseRule };
    if (named !== null) return unplanned(explicitDecision(frame, named.modelId));
    const { useCase, confidence: useCaseConfidence } = frame.classification;
    const plans = this.#plansOf(snapshot);
    const plan = plans.plan(classification, policy, message.needs);
    const isUnnamed = message.routing?.explicit !== true || isAutoName(message.routing.model ?? '');
    const sessionId = message.sessionId || null;
    let mayExplore = message.explore !== false;
    let classified: ClassifiedMessage | null = null;
    for (const { name, rule } of this.#entries) {
      if (rule === null) {
        if (isUnnamed && plan !== null && plan.candidateCount > 0) {
          return this.#follow(frame, plan, { ruleName: name, sessionId, mayExplore, random });
        }
        continue;
      }
      classified ??= {
        ...message,
        text,
        routing: { ...message.routing, explicit: !isUnnamed },
        useCase,
        useCaseConfidence,
      };
      const modelIds = await this.#ask(rule, classified);
      if (modelIds !== null && modelIds.length > 0) return unplanned(ruleDecision(frame, name, modelIds));
      if (modelIds !== null && rule.explore === false) mayExplore = false;
    }
    // Here the rule of the rankings had no answer, was taken out, or did not apply.
    const last = plan?.candidateCount === 0 ? plan : plans.plan(classification, policy, message.needs, false);
    if (last === null) throw new TallyrankError('no_candidate', plans.emptyReason(), { param: 'model' });
    mayExplore &&= isUnnamed;
    return this.#follow(frame, last, { ruleName: null, sessionId, mayExplore, random });
  }

  /** The models that a rule chose and that can be called; empty when it has none, null when it does not apply. */
  async #ask(rule: Rule, message: ClassifiedMessage): Promise<readonly string[] | null> {
    try {
      if (!(await rule.predicate(message))) return null;
      const choice = await rule.action(message);
      const names: readonly string[] = typeof choice === 'string' ? [choice] : (choice ?? []);
      const { catalog } = this.#registry;
      return names.map((name) => catalog.canonicalId(name)).filter((id) => catalog.get(id)?.isChat === true);
    } catch (error) {
      this.#ruleFailureCount++;
      this.#logger?.warn({ err: error, rule: rule.name }, 'A routing rule failed and was passed over.');
      return null;
    }
  }

  /** The session's model, else the best or what chance takes in its place. */
  #follow(frame: Frame, plan: Plan, { ruleName, sessionId, mayExplore, random }: Following): Planned {
    const policy = frame.policy.name;
    const nowMs = this.#clock();
    const heldId = sessionId === null ? null : this.#sessions.modelOf(sessionId, policy, nowMs);
    const open = this.#healthyOf(plan.modelIds);
    const { useCase, confidence } = frame.classification;
    const stay = heldId === null ? null : stayOf(heldId, plan, open, this.#sessions.switchMargin);
    // A session that changes over in its midst goes to the best: one cold cache is enough.
    const table = heldId === null && mayExplore ? this.#tableOf(plan, useCase, open) : null;
    const drawn = table === null || random === null ? null : this.#exploration.draw(table, random);
    const bestId = open[0] as string;
    const modelId = stay?.modelId ?? drawn?.modelId ?? bestId;
    const isExploration = stay === null && modelId !== bestId;
    const decision: Decision = {
      cause: isExploration ? 'exploration' : modelId === bestId ? plan.cause : 'session',
      ruleName,
      policy,
      useCase,
      useCaseConfidence: confidence,
      useCaseRule: frame.useCaseRule,
      modelIds: chosenFirst(modelId, plan),
      candidates: plan.rows,
      propensity: drawn?.probability ?? table?.rows[0]?.probability ?? 1,
      isExploration,
      runId: frame.snapshot.runId,
      snapshotVersion: frame.snapshot.version,
      reason: isExploration ? (drawn?.reason ?? plan.reason) : (stay?.reason ?? reasonOfBest(plan, bestId)),
    };
    if (random !== null) {
      if (sessionId !== null) this.#sessions.note(sessionId, { modelId, policy }, nowMs);
      if (drawn !== null) this.#exploration.note(decision, drawn, nowMs);
    }
    return { decision, plan, table };
  }

  #tableOf(plan: Plan, useCase: string, open = this.#healthyOf(plan.modelIds)): DrawTable | null {
    if (!this.#exploration.isOn(useCase)) return null;
    return this.#exploration.tableOf(plan, open, { registry: this.#registry, nowMs: this.#clock() });
  }

  /** Models whose provider is not known to be away; all of them when every one is. */
  #healthyOf(modelIds: readonly string[]): readonly string[] {
    const registry = this.#registry;
    if (registry.health === undefined) return modelIds;
    const isHealthy = (id: string): boolean => registry.health?.(id) !== false;
    if (modelIds.every(isHealthy)) return modelIds;
    const healthy = modelIds.filter(isHealthy);
    return healthy.length > 0 ? healthy : modelIds;
  }

  #policyFor(message: RoutingMessage, useCase: string): Policy {
    const named =
      message.model && isAutoName(message.model) && message.model !== 'auto' ? message.model : null;
    return this.#policies.policyOf(named ?? message.policy ?? 'auto', useCase);
  }

  #plansOf(snapshot: Snapshot): PlanBook {
    const { catalog } = this.#registry;
    if (this.#book?.snapshot !== snapshot || this.#book.catalog !== catalog) {
      this.#book = { snapshot, catalog, plans: new PlanBook(snapshot, this.#registry, this.#defaultModel) };
    }
    return this.#book.plans;
  }

  #put(name: string, priority: number, rule: Rule): void {
    if (!Number.isFinite(priority)) throw new RangeError(`the priority of rule ${name} must be a number`);
    const others = this.#entries.filter((entry) => entry.name !== name);
    // The sort is stable: among equal priorities, who came first is asked first.
    this.#entries = [...others, { name, priority, rule }].sort((one, other) => other.priority - one.priority);
  }
}

function unplanned(decision: Decision): Planned {
  return { decision, plan: null, table: null };
}
