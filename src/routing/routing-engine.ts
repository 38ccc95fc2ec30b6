import { randomInt } from 'node:crypto';
import type { Decision } from '../core/decision.ts';
import type { Logger } from '../core/log.ts';
import type { Policy } from '../core/policy.ts';
import { isAutoName, PolicyBook } from '../core/policy.ts';
import { classifiedText, toPromptText } from '../core/prompt-text.ts';
import type { RuleSubject } from '../core/request-conditions.ts';
import type { RoutingRule } from '../core/routing-rules.ts';
import type { RankedModel, Snapshot } from '../core/snapshot.ts';
import { starterSnapshot } from '../core/starter-snapshot.ts';
import { type UseCaseRule, UseCaseRules } from '../core/use-case-rules.ts';
import { createRandom } from '../stats/random.ts';
import { AbTests } from './ab-tests.ts';
import { explicitDecision, type Frame, ruleDecision } from './decisions.ts';
import type { DrawTable, ExplorationChange, UniformSource } from './exploration.ts';
import { Exploration } from './exploration.ts';
import type { ClassifiedMessage, RoutingMessage } from './message.ts';
import { explicitModel } from './message.ts';
import type { ModelRegistry, Plan } from './plan.ts';
import { PlanBook } from './plan.ts';
import { PlanFollower, type Planned } from './plan-follower.ts';
import { refuseBarred, restrict } from './request-limits.ts';
import { type Course, newCourse, type RuledRequest } from './routing-rules.ts';
import type { Rule, RuleAction, RulePredicate } from './rule.ts';
import { type ListedRule, RuleList } from './rule-list.ts';
import type { SnapshotSource } from './snapshot-holder.ts';
import { SnapshotHolder } from './snapshot-holder.ts';
import { StickySessions, type StickySettings } from './sticky-sessions.ts';

export interface RoutingEngineOptions {
  /** Default: the starter snapshot, which has no rankings. */
  readonly snapshots?: SnapshotSource | undefined;
  /** Default: at most a tenth of the decisions and a dollar a day. */
  readonly exploration?: Exploration | ExplorationChange | undefined;
  /** How long sessions stay with their model; by default as docs/routing.md says. */
  readonly sessions?: Partial<StickySettings> | undefined;
  readonly random?: UniformSource | undefined;
  /** The A/B tests that run; none by default. */
  readonly abTests?: AbTests | undefined;
  /** The model of day zero, by any of its names; null takes the order of the priors. */
  readonly defaultModel?: string | null | undefined;
  readonly rules?: readonly Rule[] | undefined;
  /** Rules of the operator's configuration. */
  readonly routingRules?: readonly RoutingRule[] | undefined;
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

/**
 * Chooses a model for a message: an explicitly named one, else the first rule by priority that has an answer,
 * else the default model or the order of the priors. Reads one immutable snapshot and never waits for a store.
 */
export class RoutingEngine {
  readonly #registry: ModelRegistry;
  readonly #snapshots: SnapshotSource;
  readonly #follower: PlanFollower;
  readonly #random: UniformSource;
  readonly #defaultModel: string | null;
  readonly #policies: PolicyBook;
  readonly #useCaseRules: UseCaseRules;
  readonly #logger: Logger | null;
  readonly #rules = new RuleList();
  #book: { readonly snapshot: Snapshot; readonly catalog: unknown; readonly plans: PlanBook } | null = null;
  #ruleFailureCount = 0;

  constructor(registry: ModelRegistry, options: RoutingEngineOptions = {}) {
    this.#registry = registry;
    this.#snapshots = options.snapshots ?? new SnapshotHolder(starterSnapshot());
    this.#random = options.random ?? createRandom(randomInt(2 ** 47));
    this.#defaultModel = options.defaultModel ?? null;
    this.#policies = options.policies ?? new PolicyBook();
    this.#useCaseRules = new UseCaseRules(options.useCaseRules);
    this.#logger = options.logger ?? null;
    const { exploration } = options;
    this.#follower = new PlanFollower({
      registry,
      exploration: exploration instanceof Exploration ? exploration : new Exploration(exploration),
      sessions: new StickySessions(options.sessions),
      abTests: options.abTests ?? new AbTests(),
      clock: options.clock ?? Date.now,
    });
    for (const rule of options.rules ?? []) this.#rules.put(rule);
    this.#rules.declare(options.routingRules ?? []);
  }

  /**
   * Replaces the operator's rules, all at once; those of code and the data-driven one stay. Each counts its requests
   * from 0.
   *
   * @throws {RangeError} for a rule that `faultsOfRoutingRule` has something against
   */
  setRoutingRules(rules: readonly RoutingRule[]): void {
    this.#rules.declare(rules);
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
    this.#rules.put({ name, priority, predicate, action, explore });
  }

  /** @returns false when there was no such rule of code */
  removeRule(name: string): boolean {
    return this.#rules.remove(name);
  }

  /** The rules in the order in which they are asked. */
  rules(): readonly ListedRule[] {
    return this.#rules.listed();
  }

  /** Rules that threw since the start. */
  get ruleFailureCount(): number {
    return this.#ruleFailureCount;
  }

  /**
   * Decides which model answers `message`.
   *
   * @throws {TallyrankError} `unknown_model`, `ambiguous_model` (an explicit name), `bad_request` (an unknown
   *   policy, or needs that no model has), `no_candidate` (no priced, permitted model)
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
      explorationShare: table?.isShadow === false ? table.rate : 0,
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
      if (plan !== null) yield { useCase, plan, table: this.#follower.tableOf(plan, useCase) };
    }
  }

  async #decide(message: RoutingMessage, random: UniformSource | null): Promise<Planned> {
    const snapshot = this.#snapshots.current;
    const text = message.text ?? toPromptText(message.content);
    const named = explicitModel(message, text, this.#registry.catalog);
    const subject: RuleSubject = { ...message, prompt: text.prompt };
    const promptTokens = message.needs?.promptTokens ?? null;
    const ruled = this.#useCaseRules.match(subject);
    const classification = ruled ?? snapshot.classifier.classify(classifiedText(text));
    const policy = this.#policyFor(message, classification.useCase);
    const frame: Frame = { snapshot, policy, classification, useCaseRule: ruled?.ruleName ?? null };
    if (named !== null) {
      refuseBarred(named, message.limits, this.#registry.catalog);
      return unplanned(explicitDecision(frame, named.modelId));
    }
    const { useCase, confidence: useCaseConfidence } = classification;
    const plans = this.#plansOf(snapshot);
    const isUnnamed = message.routing?.explicit !== true || isAutoName(message.routing.model ?? '');
    const course = newCourse(message.explore !== false);
    restrict(course, message.limits, { snapshot, registry: this.#registry, useCase });
    const planBy = (preset: Policy['name']): Plan | null =>
      plans.plan(classification, this.#policies.policyOf(preset, useCase), message.needs, course);
    const shared = { course, subject: message, random, planBy };
    let wereRankingsAsked = false;
    let classified: ClassifiedMessage | null = null;
    let asked: RuledRequest | null = null;
    for (const { name, rule, declared } of this.#rules.entries) {
      if (declared !== null) {
        asked ??= { subject, useCase, policy: policy.name, promptTokens };
        if (declared.check(asked) !== true) continue;
        if (random !== null) declared.hitCount++;
        const modelIds = declared.shape(course, this.#registry.catalog);
        if (modelIds !== null) return unplanned(ruleDecision(frame, name, modelIds));
        continue;
      }
      if (rule === null) {
        if (!isUnnamed) continue;
        wereRankingsAsked = true;
        const shaped = this.#shapedFrame(frame, course);
        const plan = plans.plan(classification, shaped.policy, message.needs, course);
        if (plan !== null && plan.candidateCount > 0) {
          return this.#follower.follow(shaped, plan, { ruleName: name, ...shared });
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
      const modelIds = await this.#ask(rule, classified, course);
      if (modelIds !== null && modelIds.length > 0) return unplanned(ruleDecision(frame, name, modelIds));
      if (modelIds !== null && rule.explore === false) course.mayExplore = false;
    }
    // Here the rule of the rankings had no answer, was taken out, or did not apply.
    const last = this.#shapedFrame(frame, course);
    const { restrictions } = course;
    const ranked = plans.plan(classification, last.policy, message.needs, course);
    const plan =
      ranked === null || wereRankingsAsked || ranked.candidateCount === 0
        ? ranked
        : plans.plan(classification, last.policy, message.needs, { isRanked: false, restrictions });
    if (plan === null) throw plans.refusal(message.needs, restrictions);
    course.mayExplore &&= isUnnamed;
    return this.#follower.follow(last, plan, { ruleName: null, ...shared });
  }

  #shapedFrame(frame: Frame, { policy }: Course): Frame {
    if (policy === null) return frame;
    return { ...frame, policy: this.#policies.policyOf(policy, frame.classification.useCase) };
  }

  /** The models that a rule chose and that can be called; empty when it has none, null when it does not apply. */
  async #ask(
    rule: Rule,
    message: ClassifiedMessage,
    { restrictions }: Course,
  ): Promise<readonly string[] | null> {
    try {
      if (!(await rule.predicate(message))) return null;
      const choice = await rule.action(message);
      const names: readonly string[] = typeof choice === 'string' ? [choice] : (choice ?? []);
      const { catalog } = this.#registry;
      return names
        .map((name) => catalog.canonicalId(name))
        .filter((id) => {
          const model = catalog.get(id);
          return model?.isChat === true && restrictions.every((one) => one.permits(model, catalog));
        });
    } catch (error) {
      this.#ruleFailureCount++;
      this.#logger?.warn({ err: error, rule: rule.name }, 'A routing rule failed and was passed over.');
      return null;
    }
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
}

function unplanned(decision: Decision): Planned {
  return { decision, plan: null, table: null };
}
