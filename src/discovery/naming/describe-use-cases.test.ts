import { describe, expect, it } from 'vitest';
import type { UseCaseEdit } from '../../store/queries/use-case-edits.ts';
import { OperatorEdits } from '../edits/operator-edits.ts';
import { type DescribeOptions, describeUseCases, type LabelledPrompt } from './describe-use-cases.ts';

const edit = (given: Partial<UseCaseEdit>): UseCaseEdit => ({
  editId: 'e',
  atMs: 0,
  kind: 'pin',
  slug: '',
  toSlug: null,
  name: null,
  pattern: null,
  undoes: null,
  changedBy: 'test',
  ...given,
});
const found = (slug: string, name: string, promptCount: number, description: string | null = null) => ({
  slug,
  name,
  description,
  promptCount,
  similarityMin: 0,
  centroid: Float32Array.of(1, 0),
});

function labelled(slug: string, texts: readonly string[], edits: OperatorEdits): LabelledPrompt[] {
  return texts.map((text, at) => ({
    promptHash: `${slug}-${at}`,
    prompt: text,
    context: '',
    text,
    requestCount: 2,
    userCount: 1,
    foundSlug: slug,
    shownSlug: edits.shownSlug(slug, text),
    similarity: 1 - at / 100,
  }));
}

const RECIPES = ['pasta', 'rice', 'soup', 'bread', 'cake', 'salad'].map((dish) => `recipe for ${dish}`);

function options(edits: OperatorEdits, given: Partial<DescribeOptions> = {}): DescribeOptions {
  const users = new Map(RECIPES.map((_, at) => [`food-${at}`, [`user-${at % 2}`]]));
  return {
    found: [found('food', 'Food', 6)],
    edits,
    users,
    isShared: true,
    ...given,
  };
}

describe('describeUseCases', () => {
  const none = new OperatorEdits([]);

  it('shows the most typical prompts, redacted, and counts all', () => {
    const [first = '', ...others] = RECIPES;
    const prompts = [`${first}, mail it to ann@example.com`, ...others];
    const [food] = describeUseCases(labelled('food', prompts, none), options(none));
    expect(food).toMatchObject({ slug: 'food', name: 'Food', sampleCount: 12, distinctPromptCount: 6 });
    expect(food?.examplePrompts[0]).toMatch(/^recipe for pasta, mail it to (?!ann@)/);
    expect(food?.examplePrompts).toHaveLength(5);
    expect(food?.keywords.join()).not.toMatch(/ann|example/);
  });

  it('shows no words of fewer than five prompts', () => {
    const [food] = describeUseCases(labelled('food', RECIPES.slice(0, 4), none), options(none));
    expect(food).toMatchObject({ examplePrompts: [], keywords: [], distinctPromptCount: 4 });
  });

  it('shows no words of a single user, as soon as the log knows two', () => {
    const users = new Map(RECIPES.map((_, at) => [`food-${at}`, ['user-0']]));
    const prompts = labelled('food', RECIPES, none);
    expect(describeUseCases(prompts, options(none, { users }))[0]?.examplePrompts).toEqual([]);
    const alone = describeUseCases(prompts, options(none, { users, isShared: false }));
    expect(alone[0]?.examplePrompts).toHaveLength(5);
  });

  it('lists a pinned use case that nobody asks for, under the name it was given', () => {
    const edits = new OperatorEdits([
      edit({ kind: 'rename', slug: 'poems', name: 'Verses' }),
      edit({ editId: 'f', slug: 'poems' }),
    ]);
    const useCases = describeUseCases(
      labelled('food', RECIPES, edits),
      options(edits, { found: [found('food', 'Food', 6), found('poems', 'Poems', 9)] }),
    );
    expect(useCases.find(({ slug }) => slug === 'poems')).toMatchObject({
      name: 'Verses',
      isPinned: true,
      sampleCount: 0,
      typicalLength: null,
    });
  });

  it('describes a use case by its own words against those of the nearest one, or as a model did', () => {
    const poems = ['sea', 'love', 'rain', 'war', 'trees', 'cats'].map((about) => `poem on the ${about}`);
    const prompts = [...labelled('food', RECIPES, none), ...labelled('poems', poems, none)];
    const users = new Map(prompts.map(({ promptHash }, at) => [promptHash, [`user-${at % 2}`]]));
    const given = [found('food', 'Food', 6), found('poems', 'Poems', 6, 'People want verses.')];
    const useCases = describeUseCases(prompts, options(none, { users, found: given }));
    expect(useCases.map(({ description }) => description)).toEqual([
      'Prompts about recipe, bread, cake and pasta. Nearest to it is Poems, about poem, cats and love.',
      'People want verses.',
    ]);
  });

  it('describes nothing in the words of too few people', () => {
    const given = [found('food', 'Food', 6, 'Ann cooks.')];
    const [food] = describeUseCases(
      labelled('food', RECIPES, none),
      options(none, { users: new Map(), found: given }),
    );
    expect(food?.description).toBeUndefined();
  });

  it('lists what fits nothing as "other", without a centre', () => {
    const useCases = describeUseCases(labelled('other', RECIPES, none), options(none));
    expect(useCases).toMatchObject([{ slug: 'other', name: 'Other', distinctPromptCount: 6 }]);
    expect(useCases[0]?.centroid).toHaveLength(0);
  });
});
