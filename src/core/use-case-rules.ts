import type { Classification } from './classifier.ts';
import {
  CompiledConditions,
  isUnconditional,
  patternFaults,
  type RequestConditions,
  type RuleSubject,
} from './request-conditions.ts';
import { isSlug } from './use-case.ts';

/** A hand-written rule: what it recognises is this use case, whatever the classifier says. */
export interface UseCaseRule {
  readonly name: string;
  /** Slug of the use case, whether discovery has found it or not. */
  readonly useCase: string;
  readonly when: RequestConditions;
}

/** Each rule is tried on every request. */
export const USE_CASE_RULES_MAX = 200;

/** A use case that a rule gave, with confidence 1. */
export interface RuledClassification extends Classification {
  readonly ruleName: string;
}

interface CompiledRule {
  readonly conditions: CompiledConditions;
  /** The classification that it gives; one object for all requests. */
  readonly classification: RuledClassification;
}

/** Rules in their order, compiled once. Immutable. */
export class UseCaseRules {
  readonly #rules: readonly CompiledRule[];

  /** @throws {RangeError} for the first rule that {@link faultsOfRule} has something against */
  constructor(rules: readonly UseCaseRule[] = []) {
    this.#rules = rules.map((rule) => {
      const [fault] = faultsOfRule(rule);
      if (fault !== undefined) throw new RangeError(`use case rule "${rule.name}": ${fault}`);
      return {
        conditions: new CompiledConditions(rule.when),
        classification: { useCase: rule.useCase, confidence: 1, ruleName: rule.name },
      };
    });
  }

  get size(): number {
    return this.#rules.length;
  }

  /** The first rule that holds, as a classification of confidence 1; null when none does. */
  match(subject: RuleSubject): RuledClassification | null {
    if (this.#rules.length === 0) return null;
    return this.#rules.find(({ conditions }) => conditions.check(subject) === true)?.classification ?? null;
  }
}

/** What is wrong with a rule, in sentences for its author; empty when nothing is. */
export function faultsOfRule(rule: UseCaseRule): string[] {
  const faults: string[] = [];
  if (!isSlug(rule.useCase)) {
    faults.push(`useCase "${rule.useCase}" must be a slug: lower-case words with "_" between`);
  }
  if (isUnconditional(rule.when)) faults.push('when must hold at least one condition');
  return [...faults, ...patternFaults(rule.when)];
}
