import type { FakeCall, FakeKind, FakeReply } from './fake-provider.ts';
import { FakeProvider } from './fake-provider.ts';

/** What a judge is asked, read back from its prompt. */
export interface JudgeQuestion {
  /** The word that a verdict must repeat. */
  readonly check: string;
  readonly question: string;
  readonly earlierTurnsOfTheUser?: string;
  /** Where one answer is scored. */
  readonly answer?: string;
  /** Where two are compared. */
  readonly first?: string;
  readonly second?: string;
}

/** A verdict as an object (the check word is added), a text as it is, or a reply of the wire. */
export type FakeVerdict = { readonly [name: string]: unknown } | string | { readonly reply: FakeReply };

/** The same grade for every question of the rubric. */
export function grades(score: number): FakeVerdict {
  return { correct: score, complete: score, instruction: score, length: score, score };
}

export function readQuestion({ prompt }: FakeCall): JudgeQuestion {
  const data = prompt.split('\n').find((line) => line.startsWith('{"')) ?? '{}';
  const asked = prompt.slice(prompt.lastIndexOf('Answer with one JSON object'));
  const check = /"check": "([^"]*)"/.exec(asked)?.[1] ?? '';
  return { ...(JSON.parse(data) as Omit<JudgeQuestion, 'check'>), check };
}

/** A judging model at the level of the wire, named "judge". */
export function openFakeJudge(
  kind: FakeKind,
  verdictOf: (question: JudgeQuestion, call: FakeCall) => FakeVerdict,
): Promise<FakeProvider> {
  return FakeProvider.open({
    kind,
    models: ['judge'],
    reply: (call) => {
      const question = readQuestion(call);
      const verdict = verdictOf(question, call);
      if (typeof verdict === 'string') return { text: verdict };
      if ('reply' in verdict) return verdict['reply'] as FakeReply;
      return { text: JSON.stringify({ check: question.check, ...verdict }) };
    },
  });
}
