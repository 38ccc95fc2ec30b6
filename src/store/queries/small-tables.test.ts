import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../../tests/kit/scratch-store.ts';
import { currentRunId } from './current-run.ts';
import { putStoredModel, type StoredModel, storedModels } from './model-storage.ts';
import { operatorSetting, putOperatorSetting } from './operator-settings.ts';

describe('small tables', () => {
  let store: ScratchStore;
  beforeEach(async () => {
    store = await openScratchStore();
  });
  afterEach(() => store.dispose());

  it('keeps the newest value of a setting', async () => {
    expect(await operatorSetting(store.db, 'exploration')).toBeNull();
    const setting = { name: 'exploration', changedBy: 'local' };
    await putOperatorSetting(store.db, { ...setting, value: { share: 0.1 }, changedAt: new Date(2_000) });
    await putOperatorSetting(store.db, { ...setting, value: { share: 0.5 }, changedAt: new Date(1_000) });
    expect(await operatorSetting(store.db, 'exploration')).toEqual({ share: 0.1 });
  });

  it('lists the model files that are there', async () => {
    const model: StoredModel = {
      modelId: 'ollama:mistral:7b',
      modelName: 'mistral',
      modelVersion: '1',
      modelFamily: 'mistral',
      bucketName: 'models',
      bucketPath: 'models/mistral/mistral-1/model.gguf',
      fileFormat: 'gguf',
      fileSizeBytes: 4_109_865_159,
      quantization: 'Q4_0',
      parameterCount: null,
      sha256: null,
      isDownloaded: false,
      localPath: null,
      changedAt: '2026-10-05T10:00:00.000Z',
    };
    await putStoredModel(store.db, model);
    await putStoredModel(store.db, { ...model, modelVersion: '2' });
    await putStoredModel(
      store.db,
      { ...model, modelVersion: '2', changedAt: '2026-10-06T10:00:00.000Z' },
      true,
    );
    expect(await storedModels(store.db)).toEqual([model]);
  });

  it('takes the newest active discovery run as the current one', async () => {
    expect(await currentRunId(store.db)).toBe('starter');
    const run = (id: string, day: number, status: string): object => {
      const at = new Date(Date.UTC(2026, 9, day));
      return { run_id: id, created_at: at, status, window_from: at, window_to: at, changed_at: at };
    };
    await store.db.insertRows('discovery_runs', [
      run('r1', 1, 'active'),
      run('r2', 2, 'active'),
      run('r3', 3, 'failed'),
    ]);
    expect(await currentRunId(store.db)).toBe('r2');
  });
});
