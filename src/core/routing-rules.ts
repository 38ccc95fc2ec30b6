import { policyOf } from './policy.ts';
import { patternFaults, type RequestConditions } from './request-conditions.ts';

/** What a routing rule looks at; all that is given must hold, and nothing given means every request. */
export interface RoutingConditions extends RequestConditions {
  /** Slug of the request's use case; of a list, one. */
  readonly useCase?: string | readonly string[] | undefined;
  /** The preset that the request asks for: "auto", "auto:cheap", … */
  readonly policy?: string | undefined;
  /** Tokens of the prompt, roughly, at least and at most. */
  readonly promptTokensMin?: number | undefined;
  readonly promptTokensMax?: number | undefined;
}

/** What a routing rule does: one of the first five, and whether chance has a say; or the latter alone. */
export interface RoutingEffect {
  /** These, in the order of fallback, and no others. */
  readonly models?: readonly string[] | undefined;
  /** The preset to choose by, in place of the one asked for. */
  readonly policy?: string | undefined;
  /** Every model that `auto` may use but these. */
  readonly deny?: readonly string[] | undefined;
  /** None but these. */
  readonly allow?: readonly string[] | undefined;
  /** None but local ones. */
  readonly localOnly?: true | undefined;
  /** Nothing is left to chance. */
  readonly explore?: false | undefined;
}

/** An operator's rule as it is written in the configuration, sent by API and kept. */
export interface RoutingRule {
  readonly name: string;
  /** Highest first. Above 95 it comes before the rankings, below it serves what they have no answer for. */
  readonly priority: number;
  readonly when: RoutingConditions;
  readonly do: RoutingEffect;
  readonly isEnabled: boolean;
}

/** The operator's rules, and who gave them. */
export interface KeptRules {
  /** `operator`: set by API or command, which wins over the configuration. */
  readonly origin: 'configuration' | 'operator';
  readonly rules: readonly RoutingRule[];
}

/** Each rule is tried on every request. */
export const ROUTING_RULES_MAX = 200;
/** Without one of its own: before the rankings. */
export const RULE_PRIORITY_DEFAULT = 100;
/** Name and priority of the rule that ships: classify, then the best candidate of the ranking. */
export const DATA_DRIVEN_RULE = { name: 'data-driven-routing', priority: 95 } as const;

const KINDS = ['models', 'policy', 'deny', 'allow', 'localOnly'] as const;

/** What is wrong with a rule, in sentences for its author; empty when nothing is. */
export function faultsOfRoutingRule({ name, when, do: effect }: Omit<RoutingRule, 'isEnabled'>): string[] {
  const faults: string[] = [];
  if (name === DATA_DRIVEN_RULE.name) faults.push(`"${name}" is the name of the rule that ships`);
  const { promptTokensMin = 0, promptTokensMax = Number.POSITIVE_INFINITY } = when;
  if (promptTokensMin > promptTokensMax) faults.push('when.promptTokensMin lies above promptTokensMax');
  const kinds = KINDS.filter((kind) => effect[kind] !== undefined);
  if (kinds.length > 1) {
    faults.push(`do holds one thing, not ${kinds.join(' and ')}: write a rule for each`);
  }
  if (kinds.length === 0 && effect.explore === undefined) {
    faults.push(`do must hold one of ${KINDS.join(', ')}, or explore: false alone`);
  }
  faults.push(...presetFaults('when.policy', when.policy), ...presetFaults('do.policy', effect.policy));
  return [...faults, ...patternFaults(when)];
}

/** What is wrong with the list as such. */
export function faultsOfRoutingRules(rules: readonly Pick<RoutingRule, 'name'>[]): string[] {
  const names = rules.map(({ name }) => name);
  const twice = new Set(names.filter((name, at) => names.indexOf(name) !== at));
  return [...twice].map((name) => `two rules are named "${name}"; counts and decisions name them`);
}

function presetFaults(field: string, preset: string | undefined): string[] {
  if (preset === undefined) return [];
  try {
    policyOf(preset);
    return [];
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // It stands in a list of faults.
    return [`${field}: ${message.replace(/\.$/, '')}`];
  }
}
