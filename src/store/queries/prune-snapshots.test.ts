import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../../tests/kit/scratch-store.ts';
import type { PublishedSnapshot } from '../../core/snapshot.ts';
import { pruneSnapshots, versionsToPrune } from './prune-snapshots.ts';
import { readPublication, readRankingVersions, writeRankingHold } from './ranking-versions.ts';
import { readSnapshotEvidence, writeSnapshot } from './snapshots.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NOW_MS = Date.UTC(2026, 10, 23, 12, 0, 0);

function versionAt(atMs: number): { version: string; createdAtMs: number } {
  return { version: `${new Date(atMs).toISOString().replace(/[-:.]/g, '')}-ab12`, createdAtMs: atMs };
}

describe('versionsToPrune', () => {
  it('keeps all of a day, the last of each hour of a week, the last of each day of a year', () => {
    const quarters = Array.from({ length: 400 * 24 * 4 }, (_, at) => versionAt(NOW_MS - at * (HOUR_MS / 4)));
    const pruned = new Set(versionsToPrune(quarters, NOW_MS, new Set()));
    const kept = quarters.filter(({ version }) => !pruned.has(version));
    const ageOf = ({ createdAtMs }: { createdAtMs: number }): number => NOW_MS - createdAtMs;
    expect(kept.filter((one) => ageOf(one) < DAY_MS)).toHaveLength(96);
    const hourly = kept.filter((one) => ageOf(one) >= DAY_MS && ageOf(one) < 7 * DAY_MS);
    expect(hourly).toHaveLength(6 * 24 + 1);
    expect(hourly.slice(1, -1).every(({ createdAtMs }) => createdAtMs % HOUR_MS === (HOUR_MS * 3) / 4)).toBe(
      true,
    );
    const daily = kept.filter((one) => ageOf(one) >= 7 * DAY_MS);
    expect(daily.length).toBeGreaterThanOrEqual(359);
    expect(daily.length).toBeLessThanOrEqual(360);
    expect(Math.max(...daily.map(ageOf))).toBeLessThan(366 * DAY_MS);
    expect(versionsToPrune(kept, NOW_MS, new Set())).toEqual([]);
  });

  it('keeps what is in use, however old', () => {
    const old = versionAt(NOW_MS - 800 * DAY_MS);
    expect(versionsToPrune([old], NOW_MS, new Set())).toEqual([old.version]);
    expect(versionsToPrune([old], NOW_MS, new Set([old.version]))).toEqual([]);
  });
});

describe('pruneSnapshots', () => {
  let store: ScratchStore;
  beforeAll(async () => {
    store = await openScratchStore();
  });
  afterAll(() => store.dispose());

  function snapshot(atMs: number): PublishedSnapshot {
    const createdAt = new Date(atMs).toISOString();
    return {
      version: versionAt(atMs).version,
      createdAt,
      runId: 'starter',
      windowFrom: createdAt,
      windowTo: createdAt,
      useCases: [],
      rankings: [],
      overall: { useCase: '*', requestCount: 7, models: [] },
    };
  }

  it('deletes old versions, but neither the newest nor the held one', async () => {
    const atMs = [900, 500, 10.02, 10.01, 2].map((days) => NOW_MS - days * DAY_MS);
    for (const at of atMs) await writeSnapshot(store.db, snapshot(at), '{}');
    const [held = '', gone = ''] = atMs.map((at) => versionAt(at).version);
    const at = new Date(NOW_MS);
    await writeRankingHold(
      store.db,
      { version: held, rolledBackTo: held, heldAt: at.toISOString(), heldBy: 'test' },
      { at, by: 'test' },
    );
    expect(await pruneSnapshots(store.db, NOW_MS)).toBe(2);
    const left = (await readRankingVersions(store.db, { limit: 10 })).map(({ version }) => version);
    expect(left).toHaveLength(3);
    expect(left).toContain(held);
    expect(left).not.toContain(gone);
    expect(await readPublication(store.db)).toMatchObject({ current: held, newest: left[0] });
    expect(await pruneSnapshots(store.db, NOW_MS)).toBe(0);
    await writeRankingHold(store.db, null, { at: new Date(NOW_MS + 1), by: 'test' });
    expect(await pruneSnapshots(store.db, NOW_MS + 500 * DAY_MS)).toBe(2);
    const [last, ...others] = await readRankingVersions(store.db, { limit: 10 });
    expect(others).toEqual([]);
    expect(last).toMatchObject({ requestCount: 7, rolledBackTo: null, createdAtMs: NOW_MS - 2 * DAY_MS });
    expect(await readSnapshotEvidence(store.db, 'never')).toBeNull();
  });
});
