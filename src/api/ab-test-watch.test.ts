import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore, uuidAt } from '../../tests/kit/scratch-store.ts';
import type { AbTestRequest } from '../core/ab-test.ts';
import type { TallyrankError } from '../core/errors.ts';
import { type AppEvents, EventBus } from '../core/events.ts';
import { AbTestBook } from '../evaluation/ab-tests.ts';
import { AbTests } from '../routing/ab-tests.ts';
import { AbTestWatch } from './ab-test-watch.ts';

const START_MS = Date.UTC(2026, 9, 5, 10);
const BY = { createdBy: 'api', modelIdOf: (model: string) => `p:${model}` };

const asked = (given: Partial<AbTestRequest> = {}): AbTestRequest => ({
  name: 'new-model',
  arms: [
    { name: 'now', policy: 'auto' },
    { name: 'new', model: 'new' },
  ],
  stickyBy: 'request',
  ...given,
});

let store: ScratchStore;
const clock = { nowMs: START_MS };
beforeEach(async () => {
  clock.nowMs = START_MS;
  store = await openScratchStore();
});
afterEach(() => store.dispose());

function open() {
  const book = new AbTestBook({ db: store.db, clock: () => clock.nowMs });
  const running = new AbTests();
  const events = new EventBus();
  const told: AppEvents['ab-test'][] = [];
  events.subscribe((name, payload) => {
    if (name === 'ab-test') told.push(payload as AppEvents['ab-test']);
  });
  const watch = new AbTestWatch({ book, running, events, clock: () => clock.nowMs });
  const armOf = (): string | null => {
    const trial = running.trialOf({ useCase: 'coffee', userId: 'u1' }, clock.nowMs, { next: () => 0.9 });
    return trial?.arm?.name ?? null;
  };
  return { book, watch, told, armOf };
}

/** Requests of an arm, the part `rate` of which succeeded. */
async function log(arm: string, count: number, rate: number): Promise<void> {
  const rows = Array.from({ length: count }, (_, at) => {
    const startedAtMs = clock.nowMs + at;
    const failure = at < rate * count ? null : { fault: 'model' as const, code: 'empty_answer', message: '' };
    return { requestId: uuidAt(startedAtMs), startedAtMs, modelId: `p:${arm}`, failure };
  });
  await store.insertRequests(rows);
  const decision = { cause: 'ab_test', useCase: 'coffee', modelIds: [`p:${arm}`], propensity: 0.5 } as const;
  const abTest = { name: 'new-model', arm };
  await store.insertDecisions(
    rows.map(({ requestId, startedAtMs }) => ({ requestId, startedAtMs, ...decision, abTest })),
  );
}

describe('a gateway that watches the A/B tests', () => {
  it('routes by them and tells what began, ended and went, but nothing of what it found at its start', async () => {
    const { book, watch, told, armOf } = open();
    await book.create(asked({ startsAt: new Date(START_MS + 1_000).toISOString() }), BY);
    await watch.follow();
    expect([told, armOf()]).toEqual([[], null]);
    clock.nowMs += 1_000;
    await watch.follow();
    expect(armOf()).not.toBeNull();
    await watch.follow();
    await book.stop('new-model', 'cli');
    await watch.follow();
    expect(armOf()).toBeNull();
    await book.remove('new-model', 'cli');
    await watch.follow();
    expect(told).toEqual([
      { name: 'new-model', status: 'running', verdict: null },
      { name: 'new-model', status: 'stopped', verdict: null },
      { name: 'new-model', status: 'removed', verdict: null },
    ]);
  });

  it('tells a verdict when it changes, once more after the end, and then looks no more', async () => {
    const { book, watch, told } = open();
    await watch.follow();
    await book.create(asked({ endsAt: new Date(START_MS + 60_000).toISOString() }), BY);
    await watch.follow();
    await watch.judge();
    expect(told).toEqual([{ name: 'new-model', status: 'running', verdict: null }]);
    await log('now', 500, 0.7);
    await log('new', 500, 0.95);
    clock.nowMs += 10_000;
    await watch.judge();
    await watch.judge();
    expect(told.slice(1)).toEqual([
      {
        name: 'new-model',
        status: 'running',
        verdict: expect.stringMatching(/^new is better than now: success 25\.0/),
      },
    ]);
    await log('now', 4_000, 1);
    clock.nowMs += 50_000;
    await watch.follow();
    await watch.judge();
    await log('now', 10, 1);
    await watch.judge();
    expect(told.slice(2)).toEqual([
      { name: 'new-model', status: 'ended', verdict: null },
      { name: 'new-model', status: 'ended', verdict: expect.stringMatching(/^Do not trust this test/) },
    ]);
  });
});

describe('the book of A/B tests', () => {
  const codeOf = async (work: Promise<unknown>): Promise<string> =>
    await work.then(
      () => 'done',
      (error: TallyrankError) => error.code,
    );

  it('refuses a name that is taken, and a test that would fight with another for requests', async () => {
    const { book } = open();
    await book.create(asked({ useCases: ['coffee', 'tea'] }), BY);
    expect(await codeOf(book.create(asked({ useCases: ['wine'] }), BY))).toBe('conflict');
    expect(await codeOf(book.create(asked({ name: 'b', useCases: ['tea'] }), BY))).toBe('conflict');
    expect(await codeOf(book.create(asked({ name: 'b' }), BY))).toBe('conflict');
    await expect(book.create(asked({ name: 'b' }), BY)).rejects.toThrow(
      /"new-model" is about some of the same use cases/,
    );
    expect(await codeOf(book.create(asked({ name: 'b', useCases: ['wine'] }), BY))).toBe('done');
    await book.stop('new-model', 'api');
    await book.stop('b', 'api');
    expect(await codeOf(book.create(asked({ name: 'c' }), BY))).toBe('done');
    expect((await book.list()).map(({ name, status }) => [name, status])).toEqual([
      ['b', 'stopped'],
      ['c', 'running'],
      ['new-model', 'stopped'],
    ]);
  });

  it('lets one test follow another', async () => {
    const { book } = open();
    const noon = new Date(START_MS + 7_200_000).toISOString();
    await book.create(asked({ endsAt: noon }), BY);
    const next = await book.create(asked({ name: 'next', startsAt: noon }), BY);
    expect(next).toMatchObject({ status: 'scheduled', startsAt: noon, endsAt: null });
  });

  it('leaves a test that is over as it is, and knows none that never was', async () => {
    const { book } = open();
    await book.create(asked({ endsAt: new Date(START_MS + 1_000).toISOString() }), BY);
    clock.nowMs += 1_000;
    expect(await book.stop('new-model', 'api')).toMatchObject({ status: 'ended', stoppedAt: null });
    expect(await codeOf(book.report('no'))).toBe('not_found');
    expect(await codeOf(book.stop('no', 'api'))).toBe('not_found');
    expect(await codeOf(book.remove('no', 'api'))).toBe('not_found');
  });
});
