import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../../tests/kit/scratch-store.ts';
import { marksOfAnswer } from '../../tracker/outcome/answer-marks.ts';
import { findRequest } from './requests.ts';

const CONSTANT_ANSWERS = `
SELECT model_id AS modelId, response_hash AS responseHash, uniqExact(prompt_hash) AS promptCount
FROM usage_log
WHERE response_hash != ''
GROUP BY modelId, responseHash
HAVING promptCount > 1
ORDER BY promptCount DESC`;

describe('marks and times of an answer in the log', () => {
  let store: ScratchStore;
  beforeAll(async () => {
    store = await openScratchStore();
  });
  afterAll(() => store.dispose());

  it('come back with the request, and are null where nobody said', async () => {
    const [full, bare] = await store.insertRequests([
      { responseHash: 'cccccccccccccccc', echoShare: 0.25, loadMs: 1, queueMs: 2.5, generationMs: 300 },
      { response: null, responseHash: null, echoShare: null },
    ]);
    expect(await findRequest(store.db, full?.requestId ?? '')).toMatchObject({
      responseHash: 'cccccccccccccccc',
      echoShare: 0.25,
      loadMs: 1,
      queueMs: 2.5,
      generationMs: 300,
      failedModelIds: [],
    });
    expect(await findRequest(store.db, bare?.requestId ?? '')).toMatchObject({
      responseHash: null,
      echoShare: null,
      queueMs: null,
      generationMs: null,
    });
  });

  it('show a model that gives one answer to all prompts', async () => {
    const prompts = ['When does it open?', 'Write a poem', 'Sort this list'];
    await store.insertRequests(
      prompts.flatMap((prompt, at) => [
        { modelId: 'a:null', promptHash: `${at}`, ...marksOfAnswer('I am the best.', prompt) },
        { modelId: 'a:fair', promptHash: `${at}`, ...marksOfAnswer(`On "${prompt}": yes.`, prompt) },
      ]),
    );
    const rows = await store.db.query<{ modelId: string; promptCount: number }>(CONSTANT_ANSWERS);
    expect(rows).toMatchObject([{ modelId: 'a:null', promptCount: 3 }]);
  });
});
