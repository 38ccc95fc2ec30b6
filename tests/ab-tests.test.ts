import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { abReportAnswer, abTestAnswer, abTestsAnswer } from '../src/api/contract-ab-tests.ts';
import { FakeProvider } from './kit/fake-provider.ts';
import { type Answer, Tallyrank, until } from './kit/start-tallyrank.ts';

/*
 * A/B tests as operators and callers meet them, on the compiled program: of two models one breaks half of its answers.
 */

const USERS = 140;
const AT_ONCE = 6;

let steady: FakeProvider;
let shaky: FakeProvider;
let product: Tallyrank;
/** Arm of each user by the model that answered first or was tried first. */
const armOfUser = new Map<string, string>();

const NEW_MODEL = {
  name: 'new-model',
  arms: [
    { name: 'now', model: 'steady:model' },
    { name: 'new', model: 'shaky:model' },
  ],
};

async function ask(user: string, model = 'auto'): Promise<Answer> {
  const answer = await product.chat(model, 'When does the coffee shop open?', {
    headers: { 'x-user-id': user },
  });
  expect(answer.statusCode, answer.text).toBe(200);
  return answer;
}

/** One request of each of the many users of that name, and all of them logged. */
async function askAs(name: string): Promise<void> {
  const users = Array.from({ length: USERS }, (_, at) => `${name}-${at}`);
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let user = users.pop(); user !== undefined; user = users.pop()) await ask(user);
    }),
  );
  await product.flush();
}

interface Given {
  readonly abTest: string | null;
  readonly abArm: string | null;
}

/** The arms that such requests were given, by the log. */
async function armsOf(answers: readonly Answer[]): Promise<(Given | null)[]> {
  await product.flush();
  const found: (Given | null)[] = [];
  for (const { headers } of answers) {
    const id = headers.get('x-tallyrank-request-id');
    const { decision } = await product.get<{ decision: Given | null }>(`/api/requests/${id}`);
    found.push(decision === null ? null : { abTest: decision.abTest, abArm: decision.abArm });
  }
  return found;
}

const report = async (name: string) =>
  abReportAnswer.parse(await product.get(`/api/ab-tests/${encodeURIComponent(name)}`));

async function refusal(body: unknown): Promise<readonly [number, string]> {
  const { statusCode, json } = await product.ask('/api/ab-tests', body);
  const { error } = json as { error: { code: string; message: string } };
  return [statusCode, `${error.code}: ${error.message}`];
}

beforeAll(async () => {
  steady = await FakeProvider.open({ kind: 'openai', models: ['model'], text: () => 'At eight.' });
  let callCount = 0;
  shaky = await FakeProvider.open({
    kind: 'openai',
    models: ['model', 'unpriced'],
    reply: () => (++callCount % 2 === 0 ? { text: '' } : { text: 'At eight.' }),
  });
  const price = { inputUsdPerMtok: 1, outputUsdPerMtok: 1 };
  product = await Tallyrank.start({
    providers: { steady, shaky },
    config: {
      prices: { 'steady:model': price, 'shaky:model': price },
      ranking: { refreshSeconds: 3600 },
      exploration: { share: 0 },
      defaultModel: 'steady:model',
    },
  });
});

afterAll(async () => {
  for (const each of [product, steady, shaky]) await each?.[Symbol.asyncDispose]();
});

describe.sequential('an A/B test over HTTP', () => {
  it('is refused with the fault by name', async () => {
    expect(await refusal({ ...NEW_MODEL, share: 2 })).toEqual([
      400,
      'bad_request: share: 2 must lie above 0 and be at most 1.',
    ]);
    const withModel = (model: string) => ({
      ...NEW_MODEL,
      arms: [NEW_MODEL.arms[0], { name: 'new', model }],
    });
    expect((await refusal(withModel('nobody:knows')))[0]).toBe(404);
    expect(await refusal(withModel('shaky:unpriced'))).toEqual([
      400,
      'bad_request: arms: shaky:unpriced has no known price, so no request of auto could be given it.',
    ]);
    expect((await refusal({ ...NEW_MODEL, sides: [] }))[0]).toBe(400);
    expect(await product.get('/api/ab-tests')).toEqual({ tests: [] });
  });

  it('is made, told to whoever watches, and gives each user one arm', async () => {
    const leave = new AbortController();
    const events = await fetch(`${product.url}/api/events`, { signal: leave.signal });
    const reader = events.body?.pipeThrough(new TextDecoderStream()).getReader();
    const made = await product.ask('/api/ab-tests', NEW_MODEL);
    expect(made.statusCode).toBe(201);
    expect(abTestAnswer.parse(made.json)).toMatchObject({
      name: 'new-model',
      status: 'running',
      createdBy: 'api',
    });
    let text = '';
    while (!text.includes('event: ab-test')) {
      const { value, done } = (await reader?.read()) ?? { done: true };
      if (done) break;
      text += value;
    }
    leave.abort();
    expect(text).toContain('event: ab-test\ndata: {"name":"new-model","status":"running","verdict":null}');

    const answers: Answer[] = [];
    for (let turn = 0; turn < 24; turn++) answers.push(await ask(`user-${turn % 12}`));
    for (const { headers } of answers) {
      expect(headers.get('x-tallyrank-cause')).toBe('ab_test');
      expect(headers.get('x-tallyrank-propensity')).toBe('0.5');
    }
    const given = await armsOf([...answers, await ask('user-0', 'steady:model')]);
    expect(given.pop()?.abTest ?? null).toBeNull();
    expect(given.slice(12)).toEqual(given.slice(0, 12));
    given.slice(0, 12).forEach((each, user) => {
      expect(each?.abTest).toBe('new-model');
      armOfUser.set(`user-${user}`, each?.abArm ?? '');
    });
    expect(new Set(armOfUser.values())).toEqual(new Set(['now', 'new']));
  });

  it('cannot share requests with another test', async () => {
    const [statusCode, message] = await refusal({ ...NEW_MODEL, name: 'another' });
    expect([statusCode, message.split(':')[0]]).toEqual([409, 'conflict']);
    expect((await refusal(NEW_MODEL))[1]).toContain('choose another name');
  });

  it('goes on after a restart, with the same arms', async () => {
    await product.restart();
    const { tests } = abTestsAnswer.parse(await product.get('/api/ab-tests'));
    expect(tests.map(({ name, status }) => [name, status])).toEqual([['new-model', 'running']]);
    const answers: Answer[] = [];
    for (const user of armOfUser.keys()) answers.push(await ask(user));
    expect((await armsOf(answers)).map((given) => given?.abArm)).toEqual([...armOfUser.values()]);
  });

  it('comes to a verdict when one arm is clearly worse, and counts its fallbacks', async () => {
    expect((await report('new-model')).verdict.comparisons[0]?.outcome).toBe('early');
    await askAs('other');
    const { verdict } = await report('new-model');
    const [now, fresh] = verdict.arms;
    expect((now?.unitCount ?? 0) + (fresh?.unitCount ?? 0)).toBe(USERS + 12);
    expect([now?.fallbackCount, now?.figures.success.value]).toEqual([0, 1]);
    expect(fresh?.fallbackCount).toBeGreaterThan(10);
    expect(fresh?.figures.success.value).toBeLessThan(0.75);
    // Twelve users asked more than once: units of several requests need a hundred in each arm.
    expect(verdict.comparisons[0]?.outcome).toBe('early');
    expect(verdict.split.isMismatched).toBe(false);
  });

  it('is stopped, and gives no arms any more; another may begin', async () => {
    const stopped = await product.get('/api/ab-tests/new-model/stop', undefined, { method: 'POST' });
    expect(abTestAnswer.parse(stopped).status).toBe('stopped');
    expect((await ask('user-0')).headers.get('x-tallyrank-cause')).not.toBe('ab_test');
    expect((await report('new-model')).verdict.arms[1]?.requestCount).toBeGreaterThan(50);

    await product.get('/api/ab-tests', { ...NEW_MODEL, name: 'again', stickyBy: 'request', margin: 0.02 });
    await askAs('third');
    const { verdict } = await report('again');
    expect(verdict.comparisons[0]).toMatchObject({ arm: 'new', metric: 'success', outcome: 'worse' });
    expect(verdict.winner).toBeNull();
    expect(verdict.sentence).toMatch(
      /^new is worse than now: success \d+\.\d points \(\d+\.\d to \d+\.\d\) lower; /,
    );
  });

  it('is made, shown, stopped and removed by command; the gateway follows', async () => {
    await product.get('/api/ab-tests/again/stop', undefined, { method: 'POST' });
    const create = [
      'ab-tests',
      'create',
      'by-cli',
      '--arm',
      'now=auto',
      'cheap=auto:cheap',
      '--weight',
      'cheap=3',
    ];
    const made = await product.cli(...create, '--share', '0.5', '--sticky-by', 'session', '--json');
    expect([made.exitCode, made.stderr.includes('stay outside')]).toEqual([0, true]);
    expect(abTestAnswer.parse(made.json).arms.map(({ policy, weight }) => [policy, weight])).toEqual([
      ['auto', 0.25],
      ['auto:cheap', 0.75],
    ]);
    await until('an arm in the gateway', async () => {
      const answer = await product.chat('auto', 'Hello', {
        headers: { 'x-session-id': `s-${Math.random()}` },
      });
      return answer.headers.get('x-tallyrank-cause') === 'ab_test' ? true : null;
    });
    const shown = await product.cli('ab-tests', 'show', 'again');
    expect(shown.stdout).toMatch(/^again \(stopped\): new is worse than now/);
    expect((await product.cli('ab-tests', 'list')).stdout).toContain(
      'now (auto, 25 %), cheap (auto:cheap, 75 %)',
    );
    expect((await product.cli('ab-tests', 'stop', 'by-cli')).stdout).toBe('by-cli is stopped.\n');
    expect((await product.cli('ab-tests', 'remove', 'by-cli')).exitCode).toBe(0);
    const gone = await product.cli('ab-tests', 'show', 'by-cli');
    expect([gone.exitCode, gone.stderr]).toEqual([2, 'tallyrank: There is no A/B test "by-cli".\n']);
    const twice = await product.cli('ab-tests', 'create', 'x', '--arm', 'now');
    expect([twice.exitCode, twice.stderr.includes('must be name=value')]).toEqual([2, true]);
  });

  it('is removed; what its requests came to stays in the log', async () => {
    await product.get('/api/ab-tests/again', undefined, { method: 'DELETE' });
    for (const [path, method] of [
      ['/api/ab-tests/again', 'GET'],
      ['/api/ab-tests/again', 'DELETE'],
      ['/api/ab-tests/again/stop', 'POST'],
    ] as const) {
      expect((await product.ask(path, undefined, { method })).statusCode).toBe(404);
    }
    const rows = await product.rows('&user=third-1');
    expect(rows).toHaveLength(1);
  });
});
