import { describe, expect, it } from 'vitest';
import { identityEvents, matchIdentity, type SharedPrompt } from './match-identity.ts';

const axis = (at: number, tilt = 0): Float32Array => {
  const vector = new Float32Array(4);
  vector[at] = Math.cos(tilt);
  vector[(at + 1) % 4] = Math.sin(tilt);
  return vector;
};
const known = (slug: string, promptCount: number, centroid: Float32Array | null = null) => ({
  slug,
  promptCount,
  centroid,
});
const cluster = (promptCount: number, centroid = axis(3)) => ({ promptCount, centroid });
const shared = (slug: string, to: number, count: number): SharedPrompt[] =>
  Array.from({ length: count }, () => ({ slug, cluster: to, weight: 1 }));

describe('matchIdentity', () => {
  it('continues a use case where its prompts went, whatever the order of clusters', () => {
    const prompts = [...shared('food', 1, 90), ...shared('code', 0, 80), ...shared('food', 0, 10)];
    const { slugs } = matchIdentity(
      [known('food', 100), known('code', 80)],
      [cluster(90), cluster(90)],
      prompts,
    );
    expect(slugs).toEqual(['code', 'food']);
  });

  it('goes by the centres where the two runs share no prompts', () => {
    const previous = [known('food', 50, axis(0)), known('code', 50, axis(1))];
    const { slugs } = matchIdentity(previous, [cluster(50, axis(1, 0.2)), cluster(50, axis(0, 0.1))], []);
    expect(slugs).toEqual(['code', 'food']);
  });

  it('calls a cluster new that neither shares prompts nor lies near', () => {
    const { slugs } = matchIdentity([known('food', 50, axis(0))], [cluster(50, axis(1))], []);
    expect(slugs).toEqual([null]);
  });

  it('goes by shared prompts alone when another embedder made the old centres', () => {
    const previous = [known('food', 50, null)];
    expect(matchIdentity(previous, [cluster(50, axis(0))], []).slugs).toEqual([null]);
    expect(matchIdentity(previous, [cluster(50, axis(0))], shared('food', 0, 5)).slugs).toEqual(['food']);
  });

  it('lets many shared prompts overrule the centres', () => {
    const previous = [known('food', 200, axis(0)), known('code', 200, axis(1))];
    const prompts = [...shared('food', 1, 200), ...shared('code', 0, 200)];
    expect(matchIdentity(previous, [cluster(200, axis(0)), cluster(200, axis(1))], prompts).slugs).toEqual([
      'code',
      'food',
    ]);
  });

  it('does not let a splinter inherit the name', () => {
    const prompts = [...shared('food', 0, 10), ...shared('food', -1, 90)];
    expect(matchIdentity([known('food', 100)], [cluster(10)], prompts).slugs).toEqual([null]);
  });
});

describe('identityEvents', () => {
  it('records a merge, a split, a birth and a death with their shares', () => {
    const previous = [known('food', 100), known('bars', 40), known('code', 100), known('poems', 30)];
    const clusters = [cluster(140), cluster(60), cluster(40), cluster(50)];
    const prompts = [
      ...shared('food', 0, 100),
      ...shared('bars', 0, 40),
      ...shared('code', 1, 60),
      ...shared('code', 2, 40),
    ];
    const match = matchIdentity(previous, clusters, prompts);
    expect(match.slugs).toEqual(['food', 'code', null, null]);
    const slugs = ['food', 'code', 'sql', 'travel'];
    expect(
      identityEvents(
        previous.map(({ slug }) => slug),
        slugs,
        match,
      ),
    ).toEqual([
      { kind: 'merge', fromSlugs: ['bars', 'food'], toSlugs: ['food'], share: 1 },
      { kind: 'death', fromSlugs: ['poems'], toSlugs: [], share: null },
      { kind: 'split', fromSlugs: ['code'], toSlugs: ['code', 'sql'], share: 1 },
      { kind: 'birth', fromSlugs: [], toSlugs: ['travel'], share: null },
    ]);
  });

  it('says nothing of a use case that is kept by hand', () => {
    const match = matchIdentity([known('poems', 30)], [], []);
    expect(identityEvents(['poems'], [], match, new Set(['poems']))).toEqual([]);
  });
});
