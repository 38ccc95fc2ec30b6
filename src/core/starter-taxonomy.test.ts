import { describe, expect, it } from 'vitest';
import { starterSnapshot } from './starter-snapshot.ts';
import { STARTER_USE_CASES, StarterClassifier } from './starter-taxonomy.ts';
import { isSlug } from './use-case.ts';

const classifier = new StarterClassifier();
const useCaseOf = (text: string): string => classifier.classify(text).useCase;

describe('StarterClassifier', () => {
  it.each([
    // The founding observation: a coffee shop's hours are no job for the expensive model, nor is a definition.
    ['What time does Starbucks open?', 'food_dining'],
    ['what is python?', 'quick_lookup'],
    ['debug this function: function add(a, b) { return a - b }', 'technical_code'],
    ['hi, how are you', 'casual_chat'],
    ['hello', 'casual_chat'],
    ['How do I reverse a list in Python?', 'technical_code'],
    ['What is the capital of Peru?', 'quick_lookup'],
    ['Translate "good morning" into Japanese', 'translation'],
    ['Summarize this article about cooking in three bullet points', 'summarization'],
    ['Write an email to my landlord about the rent', 'writing_email'],
    ['Plan a trip to Lisbon with two kids', 'travel'],
    ['solve 3x - 4 = 11', 'math'],
    ['Act as a pirate captain and greet me', 'roleplay'],
    ['Write a haiku about autumn rain', 'creative_writing'],
    ['How much does a used bicycle cost?', 'shopping_prices'],
    ['Write a cover letter for a nursing job', 'professional_writing'],
    ['你好', 'casual_chat'],
  ])('puts %j under %s', (text, useCase) => {
    expect(useCaseOf(text)).toBe(useCase);
  });

  it('sends what it does not know to other, unless it asks', () => {
    expect(useCaseOf('')).toBe('other');
    expect(useCaseOf('?!…')).toBe('other');
    expect(useCaseOf('qwertz asdfgh')).toBe('other');
    expect(useCaseOf('Zanzibar ohne Bremsen?')).toBe('quick_lookup');
  });

  it('has no confidence: it counts words', () => {
    expect(classifier.classify('hello').confidence).toBeNull();
  });

  it('reads a request and not the document that was pasted behind it', () => {
    const pasted = 'The recipe calls for garlic, pasta and olive oil; serve with bread for dinner. '.repeat(
      40,
    );
    expect(useCaseOf(`Translate this text into Spanish: ${pasted}`)).toBe('translation');
  });
});

describe('STARTER_USE_CASES', () => {
  it('has names, keywords and slugs that an API path can carry, no two alike', () => {
    const slugs = STARTER_USE_CASES.map(({ slug }) => slug);
    expect(new Set(slugs).size).toBe(slugs.length);
    expect(slugs.filter((slug) => !isSlug(slug))).toEqual([]);
    for (const { keywords } of STARTER_USE_CASES) {
      expect(keywords.length).toBeGreaterThan(5);
      expect(keywords).not.toContain('');
    }
    expect(slugs).toEqual(
      expect.arrayContaining(['casual_chat', 'food_dining', 'quick_lookup', 'technical_code']),
    );
  });

  it('makes the snapshot of day zero', () => {
    const snapshot = starterSnapshot();
    expect(snapshot.version).toBeNull();
    expect(snapshot.useCases).toHaveLength(STARTER_USE_CASES.length);
    expect(snapshot.rankings.size).toBe(0);
  });
});
