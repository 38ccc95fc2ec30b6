import { describe, expect, it } from 'vitest';
import { starterSnapshot } from '../core/starter-snapshot.ts';
import { SnapshotHolder } from './snapshot-holder.ts';

describe('SnapshotHolder', () => {
  const first = { ...starterSnapshot(), version: 'v1' };
  const newer = {
    version: 'v1',
    rankings: new Map(),
    overall: { useCase: '*', requestCount: 7, models: [] },
  };

  it('takes newer rankings of its version as a new snapshot, and leaves the old one whole', () => {
    const holder = new SnapshotHolder(first);
    expect(holder.replaceRankings(newer)).toBe(true);
    expect(holder.current).toEqual({ ...first, ...newer });
    expect(holder.current).not.toBe(first);
    expect(first.overall.requestCount).toBe(0);
    const { current } = holder;
    expect(holder.replaceRankings(newer)).toBe(true);
    expect(holder.current).toBe(current);
  });

  it('refuses rankings of a version that it no longer holds', () => {
    const holder = new SnapshotHolder({ ...first, version: 'v2' });
    expect(holder.replaceRankings(newer)).toBe(false);
    expect(holder.current.version).toBe('v2');
    expect(holder.current.overall.requestCount).toBe(0);
  });
});
