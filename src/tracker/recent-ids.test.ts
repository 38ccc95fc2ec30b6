import { describe, expect, it } from 'vitest';
import { RecentIds } from './recent-ids.ts';

describe('RecentIds', () => {
  it('knows the last 20,000 references and forgets those before twice as many', () => {
    const ids = new RecentIds();
    for (let at = 0; at < 45_000; at++) ids.add(`response-${at}`, `request-${at}`);
    expect(ids.get('response-44999')).toBe('request-44999');
    expect(ids.get('response-25000')).toBe('request-25000');
    expect(ids.get('response-0')).toBeNull();
  });

  it('takes the later request of two with one reference', () => {
    const ids = new RecentIds();
    ids.add('same', 'first');
    ids.add('same', 'second');
    expect(ids.get('same')).toBe('second');
  });
});
