import { DATA_DRIVEN_RULE, type RoutingRule } from '../core/routing-rules.ts';
import { type CompiledRoutingRule, compileRoutingRules } from './routing-rules.ts';
import type { Rule } from './rule.ts';

/** Something that is asked for a model. */
export interface RuleEntry {
  readonly name: string;
  readonly priority: number;
  /** Of code; null for the data-driven rule and for those of the operator, which need no callbacks. */
  readonly rule: Rule | null;
  readonly declared: CompiledRoutingRule | null;
}

/** A rule as it is asked, and where it comes from. */
export interface ListedRule {
  readonly name: string;
  readonly priority: number;
  readonly kind: 'built-in' | 'code' | 'declared';
  /** Requests that it held for in this process since it was set; null for rules that nobody counts. */
  readonly hitCount: number | null;
}

/** All that is asked for a model: rules of code, those of the operator, and the data-driven one. */
export class RuleList {
  #entries: readonly RuleEntry[] = [{ ...DATA_DRIVEN_RULE, rule: null, declared: null }];

  /** Highest priority first. Never changed, but replaced. */
  get entries(): readonly RuleEntry[] {
    return this.#entries;
  }

  /**
   * Adds a rule of code; one of the same name is replaced, the data-driven one included.
   *
   * @throws {RangeError} unless the priority is a finite number
   */
  put(rule: Rule): void {
    const { name, priority } = rule;
    if (!Number.isFinite(priority)) throw new RangeError(`the priority of rule ${name} must be a number`);
    // Among equal priorities, who came first is asked first.
    this.#entries = sorted([...this.#without(name), { name, priority, rule, declared: null }]);
  }

  /** @returns false when there was no such rule of code */
  remove(name: string): boolean {
    const left = this.#without(name);
    const isRemoved = left.length < this.#entries.length;
    this.#entries = left;
    return isRemoved;
  }

  /**
   * Replaces the operator's rules, all at once.
   *
   * @throws {RangeError} for a rule that `faultsOfRoutingRule` has something against
   */
  declare(rules: readonly RoutingRule[]): void {
    const declared = compileRoutingRules(rules).map((compiled): RuleEntry => {
      const { name, priority } = compiled.rule;
      return { name, priority, rule: null, declared: compiled };
    });
    this.#entries = sorted([...declared, ...this.#entries.filter((entry) => entry.declared === null)]);
  }

  listed(): readonly ListedRule[] {
    return this.#entries.map(({ name, priority, rule, declared }) => ({
      name,
      priority,
      kind: declared !== null ? 'declared' : rule !== null ? 'code' : 'built-in',
      hitCount: declared?.hitCount ?? null,
    }));
  }

  #without(name: string): readonly RuleEntry[] {
    return this.#entries.filter((entry) => entry.name !== name || entry.declared !== null);
  }
}

/** Highest priority first; stable. */
function sorted(entries: readonly RuleEntry[]): readonly RuleEntry[] {
  return [...entries].sort((one, other) => other.priority - one.priority);
}
