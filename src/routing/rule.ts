import type { ClassifiedMessage } from './message.ts';

export type RulePredicate = (message: ClassifiedMessage) => boolean | Promise<boolean>;

type RuleChoice = string | readonly string[] | null | undefined;

/** A model id, several in the order of fallback, or null to leave the message to the next rule. */
export type RuleAction = (message: ClassifiedMessage) => RuleChoice | Promise<RuleChoice>;

export interface Rule {
  readonly name: string;
  /** Higher comes first. */
  readonly priority: number;
  readonly predicate: RulePredicate;
  readonly action: RuleAction;
  /** False: where the predicate holds and the action leaves the choice to others, nothing is explored. */
  readonly explore?: boolean | undefined;
}
