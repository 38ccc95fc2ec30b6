import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeProvider } from './kit/fake-provider.ts';
import { uuidAt } from './kit/scratch-store.ts';
import { Tallyrank, until } from './kit/start-tallyrank.ts';

/* How well an answer served, said by any of its three ids, too early, late and again. */

const MODEL = 'ollama:mistral:7b';

let provider: FakeProvider;
let product: Tallyrank;

beforeAll(async () => {
  provider = await FakeProvider.open({ kind: 'ollama', models: ['mistral:7b'] });
  product = await Tallyrank.start({
    providers: { ollama: provider },
    config: { ranking: { refreshSeconds: 3600 } },
  });
});

afterAll(async () => {
  await product[Symbol.asyncDispose]();
  await provider[Symbol.asyncDispose]();
});

interface Said {
  readonly kind: string;
  readonly value: number;
  readonly comment?: string | null;
}

async function ask(
  externalId: string,
): Promise<{ requestId: string; responseId: string; externalId: string }> {
  const answer = await product.chat(MODEL, `A haiku for ${externalId}.`, {
    headers: { 'x-request-id': externalId },
  });
  return {
    requestId: answer.headers.get('x-tallyrank-request-id') ?? '',
    responseId: (answer.json as { id: string }).id,
    externalId,
  };
}

/** The feedback that the log has of a request, once it has `value`. */
async function feedbackOf(requestId: string, value: number): Promise<Said[]> {
  return await until(`feedback ${value}`, async () => {
    await product.flush();
    const { signals } = await product.get<{ signals?: Said[] }>(`/api/requests/${requestId}`);
    const found = signals?.filter(({ kind }) => kind === 'feedback') ?? [];
    return found.some((one) => one.value === value) ? found : null;
  });
}

describe('feedback', () => {
  it('replaces what was said before, whichever of the three ids is used', async () => {
    const { requestId, responseId, externalId } = await ask('three-ids');
    expect(await product.get('/api/feedback', { requestId, score: 1, comment: 'bad' })).toEqual({
      status: 'stored',
      requestId,
    });
    expect(await feedbackOf(requestId, 0)).toMatchObject([{ value: 0, comment: 'bad' }]);
    expect(await product.get('/api/feedback', { responseId, score: 3 })).toEqual({
      status: 'stored',
      requestId,
    });
    expect(await feedbackOf(requestId, 0.5)).toHaveLength(1);
    expect(await product.get('/api/feedback', { externalId, thumbs: 'up' })).toEqual({
      status: 'stored',
      requestId,
    });
    expect(await feedbackOf(requestId, 1)).toHaveLength(1);
  });

  it('is the same after it was said twice', async () => {
    const { requestId, externalId } = await ask('twice');
    for (let time = 0; time < 2; time++) await product.get('/api/feedback', { externalId, score: 4 });
    expect(await feedbackOf(requestId, 0.75)).toHaveLength(1);
  });

  it('waits for a request that is not known yet, and the last word counts', async () => {
    for (const thumbs of ['up', 'down']) {
      expect(await product.get('/api/feedback', { externalId: 'comes-later', thumbs })).toEqual({
        status: 'waiting',
        requestId: null,
      });
      await product.flush();
    }
    const { requestId } = await ask('comes-later');
    expect(await feedbackOf(requestId, 0)).toHaveLength(1);
  });

  it('does not let what waited replace what was said since', async () => {
    await product.get('/api/feedback', { externalId: 'overtaken', score: 1 });
    await product.flush();
    const { requestId } = await ask('overtaken');
    await product.get('/api/feedback', { requestId, score: 5 });
    await feedbackOf(requestId, 1);
    // What is said after it and found its request shows that the one before had its turn.
    await product.get('/api/feedback', { externalId: 'later still', thumbs: 'down' });
    await product.flush();
    const { requestId: last } = await ask('later still');
    await feedbackOf(last, 0);
    expect(await feedbackOf(requestId, 1)).toHaveLength(1);
  });

  it('is kept under our own id before the row is there', async () => {
    const requestId = uuidAt(Date.now());
    expect(await product.get('/api/feedback', { requestId, score: 2 })).toEqual({
      status: 'stored',
      requestId,
    });
  });
});
