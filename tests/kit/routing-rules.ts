import type { RoutingConditions, RoutingEffect, RoutingRule } from '../../src/core/routing-rules.ts';

/** A rule of the operator named "the rule", which does `effect` for every request unless `when` says for which. */
export function ruleOf(
  effect: RoutingEffect,
  when: RoutingConditions = {},
  given: Partial<RoutingRule> = {},
): RoutingRule {
  return { name: 'the rule', priority: 100, when, do: effect, isEnabled: true, ...given };
}
