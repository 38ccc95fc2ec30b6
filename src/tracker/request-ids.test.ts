import { describe, expect, it } from 'vitest';
import { RequestIds } from './request-ids.ts';

describe('RequestIds', () => {
  it('gives UUIDs of version 7 whose time is the one given', () => {
    const ids = new RequestIds();
    const atMs = Date.UTC(2026, 10, 23, 19, 47, 21, 123);
    const id = ids.next(atMs + 0.75);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(atMs);
  });

  it('never gives the same id twice, beyond one filling of its random bytes', () => {
    const ids = new RequestIds();
    const given = new Set(Array.from({ length: 5_000 }, () => ids.next(1_795_463_546_446)));
    expect(given.size).toBe(5_000);
  });
});
