import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../../tests/kit/scratch-store.ts';
import { LinearClassifier } from '../../core/linear-classifier.ts';
import type { PublishedSnapshot } from '../../core/snapshot.ts';
import { STARTER_USE_CASES } from '../../core/starter-taxonomy.ts';
import { writeClassifier } from './discovery-runs.ts';
import {
  loadLatestSnapshot,
  readLatestPublished,
  readLatestVersion,
  readPublishedSnapshot,
  readUseCasesOfRun,
  writeSnapshot,
} from './snapshots.ts';

const CREATED_MS = Date.now();

function published(version: string, runId: string): PublishedSnapshot {
  const createdAt = new Date(CREATED_MS).toISOString();
  return {
    version,
    createdAt,
    runId,
    windowFrom: createdAt,
    windowTo: createdAt,
    useCases: [],
    rankings: [{ useCase: 'coffee_hours', requestCount: 0, models: [] }],
    overall: { useCase: '*', requestCount: 0, models: [] },
  };
}

/** Knows one class: whatever it is asked, it says so. */
function classifierOf(useCase: string): LinearClassifier {
  return LinearClassifier.fromWeights({
    useCases: [useCase],
    features: new Uint32Array([1]),
    weights: new Float32Array([1]),
    bias: new Float32Array([0]),
    temperature: 1,
    confidenceMin: 0,
  });
}

describe('snapshots', () => {
  let store: ScratchStore;
  beforeAll(async () => {
    store = await openScratchStore();
  });
  afterAll(() => store.dispose());

  it('are null before the first', async () => {
    expect(await readLatestVersion(store.db)).toBeNull();
    expect(await readLatestPublished(store.db)).toBeNull();
    expect(await readPublishedSnapshot(store.db, 'never')).toBeNull();
  });

  it('come back as they were published, the greatest version first', async () => {
    await writeSnapshot(store.db, published('20261123T130000124Z-0000', 'run-1'));
    await writeSnapshot(store.db, published('20261123T130000123Z-ffff', 'run-1'));
    expect(await readLatestPublished(store.db)).toEqual(published('20261123T130000124Z-0000', 'run-1'));
    expect((await readPublishedSnapshot(store.db, '20261123T130000123Z-ffff'))?.runId).toBe('run-1');
  });

  it('classify by the starter taxonomy, as the starter run, while the run has no classifier', async () => {
    const snapshot = await loadLatestSnapshot(store.db);
    expect(snapshot?.runId).toBe('starter');
    expect(snapshot?.rankings.has('coffee_hours')).toBe(true);
  });

  it('carry the classifier of their run', async () => {
    await writeClassifier(store.db, 'run-1', classifierOf('coffee_hours').encode(), CREATED_MS);
    const snapshot = await loadLatestSnapshot(store.db);
    expect(snapshot?.runId).toBe('run-1');
    expect(snapshot?.classifier.classify('When does it open?').useCase).toBe('coffee_hours');
  });
});

describe('readUseCasesOfRun', () => {
  it('has the starter taxonomy for the starter run', async () => {
    await using store = await openScratchStore();
    const useCases = await readUseCasesOfRun(store.db, 'starter');
    expect(useCases.map(({ slug }) => slug)).toEqual(STARTER_USE_CASES.map(({ slug }) => slug));
    expect(await readUseCasesOfRun(store.db, 'nowhere')).toEqual([]);
  });
});
