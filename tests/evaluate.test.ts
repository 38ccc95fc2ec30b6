import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evaluateAnswer } from '../src/api/contract-evaluate.ts';
import { FakeProvider } from './kit/fake-provider.ts';
import { runCli, Tallyrank } from './kit/start-tallyrank.ts';

/* A policy looked at before it is switched on, as an operator meets it: by HTTP and on the command line. */

let models: FakeProvider;
let product: Tallyrank;

beforeAll(async () => {
  models = await FakeProvider.open({ kind: 'openai', models: ['one', 'two'], text: () => 'At eight.' });
  const free = { inputUsdPerMtok: 1, outputUsdPerMtok: 1 };
  product = await Tallyrank.start({
    providers: { p: models },
    config: {
      prices: { 'p:one': free, 'p:two': free },
      // Every decision is drawn, so that few are enough.
      exploration: { method: 'uniform', share: 1 },
    },
  });
  for (let at = 0; at < 200; at++) {
    expect(await product.chat('auto', `When does coffee shop ${at} open?`)).toMatchObject({
      statusCode: 200,
    });
  }
});

afterAll(async () => {
  await product[Symbol.asyncDispose]();
  await models[Symbol.asyncDispose]();
});

const evaluate = (body: object) => product.get<unknown>('/api/evaluate', body, { method: 'POST' });

describe.sequential('an evaluation', () => {
  it('says what another model would have come to', async () => {
    const answer = evaluateAnswer.parse(await evaluate({ policy: 'p:two' }));
    expect(answer).toMatchObject({ policy: 'p:two', decisionCount: 200, sampleCount: 200, refusal: null });
    expect(answer.overlap.weightMean).toBeGreaterThan(0.7);
    expect(answer.overlap.weightMean).toBeLessThan(1.3);
    expect(answer.rewards.success.snips?.value).toBe(1);
    expect(answer.rewards.success.snips?.interval[0]).toBeLessThan(1);
    expect(answer.rewards.quality.refusal).toContain('/api/feedback');
  });

  it('answers wrong questions with what to ask', async () => {
    const post = (body: object) => product.ask('/api/evaluate', body, { method: 'POST' });
    expect(await post({ policy: 'p:three' })).toMatchObject({ statusCode: 404 });
    expect(await post({ policy: 'auto:nice' })).toMatchObject({ statusCode: 400 });
    expect(await post({ useCases: { '*': { certainty: 7 } } })).toMatchObject({ statusCode: 400 });
    expect(await post({ timeframe: 'soon' })).toMatchObject({ statusCode: 400 });
    expect(await post({ policies: 'auto' })).toMatchObject({ statusCode: 400 });
  });

  it('answers on the command line beside the gateway', async () => {
    const run = (...args: string[]) =>
      runCli(['evaluate', '--data-dir', product.dataDir, ...args], { env: product.env, cwd: product.dir });
    const words = await run('--policy', 'two');
    expect(words, words.stderr).toMatchObject({ exitCode: 0 });
    expect(words.stdout).toContain('p:two on 200 of 200 decisions');
    expect(words.stdout).toContain('doubly robust');
    const settings = join(product.dir, 'settings.yaml');
    writeFileSync(settings, '"*":\n  certainty: 0.8\n');
    const json = await run('--json', '--settings', settings);
    expect(json, json.stderr).toMatchObject({ exitCode: 0 });
    expect(evaluateAnswer.parse(json.json)).toMatchObject({ policy: 'auto', decisionCount: 200 });
    expect(await run('--settings', join(product.dir, 'none.yaml'))).toMatchObject({ exitCode: 2 });
    const early = await run('--policy', 'two', '--timeframe', '1 second');
    expect(early.stdout).toContain('No estimate.');
  });
});
