import { describe, expect, it } from 'vitest';
import { createRandom } from '../../stats/random.ts';
import { findTemplates, spreadOverMembers } from './repeats.ts';

const asked = (texts: readonly string[], requestCount = 1) =>
  texts.map((prompt, at) => ({ promptHash: `${at}`, prompt, requestCount }));

const CITIES = ['Rome', 'Paris', 'Oslo', 'Lima', 'Cairo', 'Tokyo', 'Quito', 'Sofia'];
const letter = (city: string, name: string): string =>
  `You are a travel agent of Sunny Tours. Write a friendly offer of three days in ${city} for our customer ${name}, ` +
  'with a hotel near the centre, breakfast, and one evening at the opera. Keep it under one page.';

describe('findTemplates', () => {
  it('finds one text with other values, and lets the square root of its prompts stand for it', () => {
    const sums = Array.from({ length: 100 }, (_, at) => `What is ${at} plus ${2 * at}?`);
    const { templates, templateOf, clustered } = findTemplates(asked([...sums, 'How do I boil an egg?']));
    expect(templates).toMatchObject([
      { template: 'what is <number> plus <number>?', representative: 0, requestCount: 100 },
    ]);
    expect([...clustered]).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
    expect(templateOf[57]).toBe(0);
    expect(templateOf[100]).toBe(-1);
  });

  it('finds longer texts that differ in a few words, and shows those as slots', () => {
    const letters = CITIES.map((city, at) => letter(city, `Ann${'a'.repeat(at)} Lee`));
    const { templates } = findTemplates(asked(letters));
    expect(templates).toHaveLength(1);
    expect(templates[0]?.members).toHaveLength(CITIES.length);
    expect(templates[0]?.template).toContain('three days in … for our customer …');
  });

  it('leaves questions that only sound alike to themselves', () => {
    const things = ['order', 'flight', 'hotel', 'subscription', 'card', 'contract', 'phone', 'visa'];
    const prompts = things.flatMap((thing) => [
      `How do I cancel my ${thing}?`,
      `My ${thing} has not come yet, although you said it would be here by the end of the week`,
    ]);
    expect(findTemplates(asked(prompts.filter((_, at) => at % 2 === 0))).templates).toEqual([]);
  });

  it('needs five of a kind', () => {
    expect(findTemplates(asked([1, 2, 3, 4].map((n) => `Is ${n} a prime number?`))).templates).toEqual([]);
    expect(findTemplates(asked([1, 2, 3, 4, 5].map((n) => `Is ${n} a prime?`))).templates).toHaveLength(1);
  });

  it('counts requests, and puts the most frequent template first', () => {
    const small = asked([1, 2, 3, 4, 5, 6].map((n) => `Is ${n} a prime number?`));
    const large = asked(
      [1, 2, 3, 4, 5].map((n) => `Summarise ticket INC-${n}`),
      100,
    );
    const { templates } = findTemplates([...small, ...large]);
    expect(templates.map(({ requestCount }) => requestCount)).toEqual([500, 6]);
  });

  it('shows no personal data in a template', () => {
    const prompts = [1, 2, 3, 4, 5].map((n) => `Mail ann.lee@example.com, subject number ${n}`);
    expect(findTemplates(asked(prompts)).templates[0]?.template).not.toContain('ann.lee');
  });

  it('gives the same answer for the same prompts, and none for none', () => {
    const prompts = asked(CITIES.map((city) => letter(city, 'Bo')));
    expect(findTemplates(prompts)).toEqual(findTemplates(prompts));
    expect(findTemplates([])).toMatchObject({ templates: [], clustered: new Int32Array(0) });
  });

  it('stays bounded when ten thousand texts are nearly one', () => {
    const random = createRandom(7);
    const words = Array.from(
      { length: 300 },
      (_, at) => `word${'abcdefghij'[at % 10]}${'klmnopqrst'[at % 9]}`,
    );
    const prompts = Array.from({ length: 10_000 }, () =>
      letter(words[random.int(300)] ?? '', words[random.int(300)] ?? ''),
    );
    const { templates, clustered } = findTemplates(asked(prompts));
    expect(templates[0]?.members.length).toBeGreaterThan(9_900);
    expect(clustered.length).toBeLessThan(200);
  });
});

describe('spreadOverMembers', () => {
  it('gives every prompt of a template what most of those that stood for it got', () => {
    const sums = Array.from({ length: 400 }, (_, n) => `What is ${n} plus 7?`);
    const repeats = findTemplates(asked(['How do I boil an egg?', ...sums, 'Who wrote Faust?']));
    expect(repeats.clustered).toHaveLength(22);
    const spread = spreadOverMembers(repeats, {
      labels: Int32Array.of(8, ...new Array<number>(20).fill(9), -1),
      similarities: Float32Array.of(0.5, ...new Array<number>(20).fill(1), 0),
    });
    expect([spread.labels[0], spread.labels[401]]).toEqual([8, -1]);
    expect(new Set(spread.labels.slice(1, 401))).toEqual(new Set([9]));
    expect([spread.similarities[0], spread.similarities[333]]).toEqual([0.5, 1]);
  });

  it('lets no single one of a template stray', () => {
    const sums = Array.from({ length: 9 }, (_, n) => `What is ${n} plus 7?`);
    const repeats = findTemplates(asked(sums));
    const spread = spreadOverMembers(repeats, {
      labels: Int32Array.of(4, 4, -1, 4, 5, 4, 4, 4, 4),
      similarities: new Float32Array(9).fill(0.5),
    });
    expect(new Set(spread.labels)).toEqual(new Set([4]));
  });
});
