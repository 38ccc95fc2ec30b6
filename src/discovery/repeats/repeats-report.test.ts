import { describe, expect, it } from 'vitest';
import { findTemplates } from './repeats.ts';
import { reportRepeats } from './repeats-report.ts';

const prompts = [1, 2, 3, 4, 5].map((n) => ({
  promptHash: `${n}`,
  prompt: `What is ${n} plus ${n}?`,
  requestCount: 824,
}));
const clock = { promptHash: 'c', requestCount: 96, intervalMs: 900_000, rhythm: 'every 15 minutes' };
const askedBy = (...users: string[]) => ({
  prompts,
  users: new Map(prompts.map(({ promptHash }, at) => [promptHash, [users[at % users.length] ?? '']])),
  isShared: true,
  scheduled: [clock],
});

describe('reportRepeats', () => {
  it('lists templates and schedules with their counts', () => {
    expect(reportRepeats(findTemplates(prompts), askedBy('ann', 'bob'))).toEqual({
      templates: [{ template: 'what is <number> plus <number>?', promptCount: 5, requestCount: 4_120 }],
      templatePromptCount: 5,
      scheduled: [{ promptHash: 'c', rhythm: 'every 15 minutes', requestCount: 96 }],
      scheduledRequestCount: 96,
    });
  });

  it('counts the template of a single user among several, and keeps its words to itself', () => {
    const { templates } = reportRepeats(findTemplates(prompts), askedBy('ann'));
    expect(templates).toEqual([{ template: null, promptCount: 5, requestCount: 4_120 }]);
  });
});
