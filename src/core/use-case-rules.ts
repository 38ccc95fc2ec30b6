import type { Classification } from './classifier.ts';
import { compileSafePattern, patternTextMax } from './safe-pattern.ts';
import { isSlug } from './use-case.ts';

/** What a rule looks at; all that is given must hold. */
export interface UseCaseConditions {
  /** Must occur in the prompt, case-insensitively; of a list, all must. */
  readonly regex?: string | readonly string[] | undefined;
  /** A header of the request; without a value it must only be there. */
  readonly header?: { readonly name: string; readonly value?: string | undefined } | undefined;
  readonly keyId?: string | undefined;
  readonly roomId?: string | undefined;
  readonly userId?: string | undefined;
  readonly tag?: string | undefined;
}

/** A hand-written rule: what it recognises is this use case, whatever the classifier says. */
export interface UseCaseRule {
  readonly name: string;
  /** Slug of the use case, whether discovery has found it or not. */
  readonly useCase: string;
  readonly when: UseCaseConditions;
}

/** A request as far as rules look at it. */
export interface RuleSubject {
  /** The user's last turn. */
  readonly prompt: string;
  /** Names in lower case, as Node gives them. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>> | undefined;
  readonly keyId?: string | null | undefined;
  readonly roomId?: string | null | undefined;
  readonly userId?: string | null | undefined;
  readonly tags?: readonly string[] | undefined;
}

/** Each rule is tried on every request. */
export const USE_CASE_RULES_MAX = 200;

/** A use case that a rule gave, with confidence 1. */
export interface RuledClassification extends Classification {
  readonly ruleName: string;
}

interface CompiledRule {
  readonly rule: UseCaseRule;
  readonly patterns: readonly { readonly pattern: RegExp; readonly textLengthMax: number }[];
  readonly headerName: string | null;
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
        rule,
        patterns: patternsOf(rule.when)
          .map(compileSafePattern)
          .map((pattern) => ({ pattern, textLengthMax: patternTextMax(pattern) })),
        headerName: rule.when.header?.name.toLowerCase() ?? null,
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
    return this.#rules.find((rule) => holds(rule, subject))?.classification ?? null;
  }
}

/** What is wrong with a rule, in sentences for its author; empty when nothing is. */
export function faultsOfRule(rule: UseCaseRule): string[] {
  const faults: string[] = [];
  if (!isSlug(rule.useCase)) {
    faults.push(`useCase "${rule.useCase}" must be a slug: lower-case words with "_" between`);
  }
  if (Object.values(rule.when).every((condition) => condition === undefined)) {
    faults.push('when must hold at least one condition');
  }
  for (const source of patternsOf(rule.when)) {
    try {
      compileSafePattern(source);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      faults.push(`regex ${JSON.stringify(source)}: ${error.message}`);
    }
  }
  return faults;
}

function patternsOf({ regex }: UseCaseConditions): readonly string[] {
  if (regex === undefined) return [];
  return typeof regex === 'string' ? [regex] : regex;
}

function holds({ rule, patterns, headerName }: CompiledRule, subject: RuleSubject): boolean {
  const { when } = rule;
  if (when.keyId !== undefined && when.keyId !== subject.keyId) return false;
  if (when.roomId !== undefined && when.roomId !== subject.roomId) return false;
  if (when.userId !== undefined && when.userId !== subject.userId) return false;
  if (when.tag !== undefined && subject.tags?.includes(when.tag) !== true) return false;
  if (headerName !== null && !hasHeader(subject.headers?.[headerName], when.header?.value)) return false;
  // Last: the only condition that costs.
  return patterns.every(({ pattern, textLengthMax }) =>
    pattern.test(boundedText(subject.prompt, textLengthMax)),
  );
}

function hasHeader(found: string | readonly string[] | undefined, wanted: string | undefined): boolean {
  if (found === undefined) return false;
  if (wanted === undefined) return true;
  return typeof found === 'string' ? found === wanted : found.includes(wanted);
}

/** Head and tail: what is asked stands before or after what was pasted. */
function boundedText(prompt: string, lengthMax: number): string {
  if (prompt.length <= lengthMax) return prompt;
  const half = lengthMax / 2;
  return `${prompt.slice(0, half - 1)}\n${prompt.slice(-half)}`;
}
