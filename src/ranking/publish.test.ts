import { describe, expect, it } from 'vitest';
import { momentOfVersion, versionAfter } from './publish.ts';

const NOW_MS = Date.UTC(2026, 10, 23, 13, 0, 0, 123);

describe('versionAfter', () => {
  it('is a sortable stamp with a suffix', () => {
    expect(versionAfter(null, NOW_MS, 'ab12')).toBe('20261123T130000123Z-ab12');
    expect(momentOfVersion('20261123T130000123Z-ab12')).toBe(NOW_MS);
  });

  it('is greater than the latest even when the clock stands behind it', () => {
    const latest = versionAfter(null, NOW_MS + 60_000, 'ffff');
    const next = versionAfter(latest, NOW_MS, '0000');
    expect(next > latest).toBe(true);
    expect(versionAfter(next, NOW_MS, '0000') > next).toBe(true);
  });

  it('starts anew after a version that it cannot read', () => {
    expect(momentOfVersion('something')).toBeNull();
    expect(versionAfter('something', NOW_MS, 'ab12')).toBe('20261123T130000123Z-ab12');
  });
});
