import { mayShowTexts } from '../naming/describe-use-cases.ts';
import type { Repeats } from './repeats.ts';
import type { ScheduledPrompt } from './scheduled-prompts.ts';

/** What a run says of programs among the askers; part of its report. */
export interface RepeatsReport {
  /** Most requests first; redacted. */
  readonly templates: readonly {
    /** "what is <number> plus <number>?"; null where too few people stand behind it to show its words. */
    readonly template: string | null;
    /** Distinct prompts made from it. */
    readonly promptCount: number;
    readonly requestCount: number;
  }[];
  /** Distinct prompts of all templates, those not listed included. */
  readonly templatePromptCount: number;
  /** Texts that come by the clock, most requests first. */
  readonly scheduled: readonly Pick<ScheduledPrompt, 'promptHash' | 'rhythm' | 'requestCount'>[];
  readonly scheduledRequestCount: number;
}

/** A report is read by people. */
const LISTED_MAX = 20;

export function reportRepeats({ templates }: Pick<Repeats, 'templates'>, asked: Asked): RepeatsReport {
  const { prompts, scheduled } = asked;
  return {
    templates: templates.slice(0, LISTED_MAX).map(({ template, members, requestCount }) => ({
      template: mayShowTexts(
        members.flatMap((at) => prompts[at] ?? []),
        asked,
      )
        ? template
        : null,
      promptCount: members.length,
      requestCount,
    })),
    templatePromptCount: templates.reduce((sum, { members }) => sum + members.length, 0),
    scheduled: scheduled
      .slice(0, LISTED_MAX)
      .map(({ promptHash, rhythm, requestCount }) => ({ promptHash, rhythm, requestCount })),
    scheduledRequestCount: scheduled.reduce((sum, { requestCount }) => sum + requestCount, 0),
  };
}

/** The prompts that the templates point into, who asked them, and what a clock asks. */
type Asked = Parameters<typeof mayShowTexts>[1] & {
  readonly prompts: Parameters<typeof mayShowTexts>[0];
  readonly scheduled: readonly ScheduledPrompt[];
};
