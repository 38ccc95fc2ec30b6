import { describe, expect, it } from 'vitest';
import type { UseCaseEdit } from '../../store/queries/use-case-edits.ts';
import { compilePattern, OperatorEdits, patternOfKeywords } from './operator-edits.ts';

let count = 0;
const edit = (given: Partial<UseCaseEdit>): UseCaseEdit => ({
  editId: `edit-${++count}`,
  atMs: count,
  kind: 'rename',
  slug: '',
  toSlug: null,
  name: null,
  pattern: null,
  undoes: null,
  changedBy: 'test',
  ...given,
});

describe('OperatorEdits', () => {
  it('follows a chain of renames and merges, and carries name and pin along', () => {
    const edits = new OperatorEdits([
      edit({ kind: 'pin', slug: 'food' }),
      edit({ slug: 'food', toSlug: 'eating', name: 'Eating out' }),
      edit({ kind: 'merge', slug: 'bars', toSlug: 'eating' }),
      edit({ slug: 'eating', toSlug: 'going_out' }),
    ]);
    expect(edits.shownSlug('food', '')).toBe('going_out');
    expect(edits.shownSlug('bars', '')).toBe('going_out');
    expect(edits.shownSlug('code', '')).toBe('code');
    expect(edits.names).toEqual(new Map([['going_out', 'Eating out']]));
    expect(edits.pinned).toEqual(new Set(['going_out']));
    expect(edits.isMergedAway('bars')).toBe(true);
    expect(edits.isMergedAway('food')).toBe(false);
    expect(edits.movedSlug('eating')).toBe('going_out');
  });

  it('lets two use cases swap their slugs', () => {
    const edits = new OperatorEdits([
      edit({ slug: 'a', toSlug: 'c' }),
      edit({ slug: 'b', toSlug: 'a' }),
      edit({ slug: 'c', toSlug: 'b' }),
    ]);
    expect(edits.shownSlug('a', '')).toBe('b');
    expect(edits.shownSlug('b', '')).toBe('a');
  });

  it('splits by the text, and only what it was asked to split', () => {
    const edits = new OperatorEdits([
      edit({
        kind: 'split',
        slug: 'code',
        toSlug: 'sql',
        name: 'SQL',
        pattern: patternOfKeywords(['sql', 'select  from']),
      }),
      edit({ slug: 'sql', toSlug: 'databases' }),
    ]);
    expect(edits.shownSlug('code', 'An SQL join?')).toBe('databases');
    expect(edits.shownSlug('code', 'select\nfrom where')).toBe('databases');
    expect(edits.shownSlug('code', 'mysqldump fails')).toBe('code');
    expect(edits.shownSlug('food', 'sql')).toBe('food');
    expect(edits.isSplit('code')).toBe(true);
    expect(edits.isSplit('food')).toBe(false);
    expect(edits.names.get('databases')).toBe('SQL');
  });

  it('forgets what was undone', () => {
    const merge = edit({ kind: 'merge', slug: 'bars', toSlug: 'food' });
    const edits = new OperatorEdits([merge, edit({ kind: 'undo', undoes: merge.editId })]);
    expect(edits.shownSlug('bars', '')).toBe('bars');
    expect(edits.active).toEqual([]);
    expect(edits.lastEditId).not.toBeNull();
  });

  it('keeps the slugs that edits gave from new use cases', () => {
    expect(new OperatorEdits([edit({ slug: 'a', toSlug: 'b' })]).givenSlugs).toEqual(new Set(['b']));
  });
});

describe('compilePattern', () => {
  it.each(['(', 'a*', '', 'x'.repeat(1_001)])('refuses %j', (pattern) => {
    expect(() => compilePattern(pattern)).toThrow(expect.objectContaining({ code: 'bad_request' }));
  });

  it('takes signs of a keyword as they are', () => {
    expect(compilePattern(patternOfKeywords(['c++', 'what?'])).test('is C++ hard')).toBe(true);
  });
});
