import type { CatalogModel, ModelCatalog } from '../core/model-catalog.ts';
import { policyOf } from '../core/policy.ts';
import { CompiledConditions, type RuleSubject } from '../core/request-conditions.ts';
import { DATA_DRIVEN_RULE, faultsOfRoutingRule, type RoutingRule } from '../core/routing-rules.ts';
import type { Restriction } from './plan.ts';

/** A request as far as routing rules look at it. */
export interface RuledRequest {
  readonly subject: RuleSubject;
  readonly useCase: string;
  /** The preset asked for, by its full name. */
  readonly policy: string;
  /** Of the prompt, roughly; null where nobody counted them. */
  readonly promptTokens: number | null;
}

/** What the rules so far made of a request: where those that follow, the rankings among them, go on. */
export interface Course {
  /** The preset of the first rule that gave one; null: the one asked for. */
  policy: string | null;
  readonly restrictions: Restriction[];
  mayExplore: boolean;
  /** Names of the rules that had a say in it, in order. */
  readonly shapedBy: string[];
}

/** Models by their names in one catalog, kept while it lasts. */
interface NamedModels {
  readonly catalog: ModelCatalog;
  readonly ids: ReadonlySet<string>;
}

/** A rule of the operator made ready for the hot path: matched without a promise, and without reading what it need not. */
export class CompiledRoutingRule implements Restriction {
  readonly rule: RoutingRule;
  /** Requests that it held for since it was set. */
  hitCount = 0;
  readonly #conditions: CompiledConditions;
  readonly #useCases: ReadonlySet<string> | null;
  readonly #policyAsked: string | null;
  #named: NamedModels | null = null;

  /** @throws {RangeError} for a rule that {@link faultsOfRoutingRule} has something against */
  constructor(rule: RoutingRule) {
    const [fault] = faultsOfRoutingRule(rule);
    if (fault !== undefined) throw new RangeError(`routing rule "${rule.name}": ${fault}`);
    this.rule = rule;
    const { useCase, policy } = rule.when;
    this.#conditions = new CompiledConditions(rule.when);
    this.#useCases =
      useCase === undefined ? null : new Set(typeof useCase === 'string' ? [useCase] : useCase);
    this.#policyAsked = policy === undefined ? null : policyOf(policy).name;
  }

  get ruleName(): string {
    return this.rule.name;
  }

  /** True where a look at the prompt is needed. */
  get readsPrompt(): boolean {
    return this.#conditions.readsPrompt;
  }

  /** Does it hold? null: what is known of the request does not say. */
  check({ subject, useCase, policy, promptTokens }: RuledRequest): boolean | null {
    if (this.#useCases !== null && !this.#useCases.has(useCase)) return false;
    if (this.#policyAsked !== null && this.#policyAsked !== policy) return false;
    const { promptTokensMin, promptTokensMax } = this.rule.when;
    const hasRange = promptTokensMin !== undefined || promptTokensMax !== undefined;
    if (hasRange && promptTokens !== null) {
      if (promptTokens < (promptTokensMin ?? 0)) return false;
      if (promptTokensMax !== undefined && promptTokens > promptTokensMax) return false;
    }
    const rest = this.#conditions.check(subject);
    return rest === true && hasRange && promptTokens === null ? null : rest;
  }

  /** False for a model that the rule keeps out; true for rules that keep out none. */
  permits(model: CatalogModel, catalog: ModelCatalog): boolean {
    const { deny, allow, localOnly } = this.rule.do;
    if (localOnly === true) return model.isLocal;
    if (deny !== undefined) return !this.#idsIn(catalog, deny).has(model.modelId);
    return allow === undefined || this.#idsIn(catalog, allow).has(model.modelId);
  }

  /**
   * Takes over into `course` what the rule says.
   *
   * @returns the models that answer, in the order of fallback; null where the next rule is to be asked, also as none of
   *   the models that this one names is there or left by the restrictions
   */
  shape(course: Course, catalog: ModelCatalog): readonly string[] | null {
    const { models, policy, explore } = this.rule.do;
    if (explore === false) course.mayExplore = false;
    if (models !== undefined) {
      const ids = models.filter((name) => {
        const model = catalog.get(catalog.canonicalId(name));
        return model?.isChat === true && course.restrictions.every((one) => one.permits(model, catalog));
      });
      return ids.length === 0 ? null : ids.map((name) => catalog.canonicalId(name));
    }
    course.shapedBy.push(this.ruleName);
    if (policy !== undefined) course.policy ??= policy;
    else if (this.isRestriction) course.restrictions.push(this);
    return null;
  }

  get isRestriction(): boolean {
    const { deny, allow, localOnly } = this.rule.do;
    return deny !== undefined || allow !== undefined || localOnly !== undefined;
  }

  #idsIn(catalog: ModelCatalog, names: readonly string[]): ReadonlySet<string> {
    if (this.#named?.catalog !== catalog) {
      this.#named = { catalog, ids: new Set(names.map((name) => catalog.canonicalId(name))) };
    }
    return this.#named.ids;
  }
}

/** Enabled rules, compiled, in the order in which they are asked. */
export function compileRoutingRules(rules: readonly RoutingRule[]): CompiledRoutingRule[] {
  return rules
    .filter(({ isEnabled }) => isEnabled)
    .map((rule) => new CompiledRoutingRule(rule))
    .sort((one, other) => other.rule.priority - one.rule.priority);
}

/** True for a rule that is asked before the rankings. */
export function precedesRankings({ priority }: Pick<RoutingRule, 'priority'>): boolean {
  return priority > DATA_DRIVEN_RULE.priority;
}

export function newCourse(mayExplore: boolean): Course {
  return { policy: null, restrictions: [], mayExplore, shapedBy: [] };
}

/** What people read of the rules that had a say; '' where none had. */
export function shapedReason({ shapedBy, policy }: Pick<Course, 'shapedBy' | 'policy'>): string {
  if (shapedBy.length === 0) return '';
  const names = shapedBy.map((name) => `"${name}"`).join(', ');
  return ` Shaped by the rule${shapedBy.length > 1 ? 's' : ''} ${names}${policy === null ? '' : ` (${policy})`}.`;
}

/** Names of models in the rules that `catalog` does not know, with a sentence each. Models come and go. */
export function unknownModelWarnings(rules: readonly RoutingRule[], catalog: ModelCatalog): string[] {
  return rules.flatMap(({ name, do: effect }) =>
    [...(effect.models ?? []), ...(effect.deny ?? []), ...(effect.allow ?? [])]
      .filter((model) => catalog.get(catalog.canonicalId(model)) === null)
      .map((model) => `Rule "${name}": no provider offers "${model.slice(0, 120)}" now.`),
  );
}
