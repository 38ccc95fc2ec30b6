import { describe, expect, it } from 'vitest';
import { marksOfAnswer } from './answer-marks.ts';

const prompt =
  'Please tell me when the coffee shop at the corner opens on Sundays, and whether it serves breakfast.';
const answer =
  'It opens at eight in the morning and serves pancakes, eggs and toast until noon every single day of the week.';

describe('marksOfAnswer', () => {
  it('gives equal answers one hash, whatever was asked and whatever white space is around them', () => {
    const { responseHash } = marksOfAnswer(answer, prompt);
    expect(responseHash).toMatch(/^[0-9a-f]{16}$/);
    expect(marksOfAnswer(`\n${answer} `, 'Another prompt').responseHash).toBe(responseHash);
    expect(marksOfAnswer(`${answer}!`, prompt).responseHash).not.toBe(responseHash);
  });

  it('tells long answers apart by their length too', () => {
    const long = 'x'.repeat(100_000);
    expect(marksOfAnswer(long, '').responseHash).not.toBe(marksOfAnswer(`${long}x`, '').responseHash);
  });

  it.each([
    ['an answer of its own', answer, prompt, 0],
    ['the prompt itself', prompt, prompt, 1],
    ['a short prompt itself', 'Hi there', ' Hi there', 1],
    ['a short answer', 'Paris', 'Is it Paris or Rome?', 0],
    ['a prompt beyond the searched part', prompt, 'x'.repeat(30_000) + prompt, 0],
    ['a line of the prompt', 'the coffee shop at the corner opens on Sundays', prompt, 1],
  ])('estimates the echo of %s', (_what, response, asked, share) => {
    expect(marksOfAnswer(response, asked).echoShare).toBe(share);
  });

  it('estimates the share of an answer that repeats the prompt and goes on', () => {
    const { echoShare } = marksOfAnswer(`${prompt}\n${answer}`, prompt);
    expect(echoShare).toBeGreaterThan(0.3);
    expect(echoShare).toBeLessThan(0.6);
  });

  it('knows nothing of answers that did not come and prompts that were not kept', () => {
    expect(marksOfAnswer(null, prompt)).toEqual({ responseHash: null, echoShare: null });
    expect(marksOfAnswer(' ', prompt)).toEqual({ responseHash: null, echoShare: null });
    expect(marksOfAnswer(answer, '')).toMatchObject({ echoShare: null });
  });
});
