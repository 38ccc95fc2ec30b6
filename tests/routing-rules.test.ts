import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dryRunAnswer, rulesAnswer } from '../src/api/contract-rules.ts';
import { FakeProvider } from './kit/fake-provider.ts';
import { type CliResult, Tallyrank, until } from './kit/start-tallyrank.ts';

/* The operator's routing rules on the compiled program: from the configuration, by API, on the command line. */

/** Dollars: each answer has 1,000 tokens of prompt and none that cost anything. */
const DEAR_USD = 0.01;
const CHEAP_USD = 0.001;
const BATCH = { 'x-room-id': 'batch' };

const BATCH_IS_CHEAP = { name: 'batch is cheap', when: { roomId: 'batch' }, do: { models: ['p:cheap'] } };
const LEGAL_STAYS = { name: 'legal stays', when: { regex: 'contract|договор' }, do: { deny: ['p:cheap'] } };

let models: FakeProvider;
let product: Tallyrank;
let second: Tallyrank;

beforeAll(async () => {
  models = await FakeProvider.open({
    kind: 'openai',
    models: ['dear', 'cheap'],
    reply: () => ({ text: 'At eight.', usage: { promptTokens: 1_000, completionTokens: 10 } }),
  });
  const config = {
    prices: {
      'p:dear': { inputUsdPerMtok: 10, outputUsdPerMtok: 0 },
      'p:cheap': { inputUsdPerMtok: 1, outputUsdPerMtok: 0 },
    },
    defaultModel: 'p:dear',
    exploration: { share: 0 },
    routingRules: [LEGAL_STAYS],
  };
  product = await Tallyrank.start({ providers: { p: models }, config });
  second = await Tallyrank.start({
    providers: { p: models },
    config,
    env: { TALLYRANK_DATA_DIR: product.dataDir },
  });
});

afterAll(async () => {
  await second[Symbol.asyncDispose]();
  await product[Symbol.asyncDispose]();
  await models[Symbol.asyncDispose]();
});

const put = (rules: readonly object[]) => product.ask('/api/rules', { rules }, { method: 'PUT' });
const shown = async (at = product) => rulesAnswer.parse(await at.get('/api/rules'));
const dryRun = async (body: object) =>
  dryRunAnswer.parse(await product.get('/api/rules/dry-run', body, { method: 'POST' }));

async function modelOf(
  prompt: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<string | null> {
  const answer = await product.chat('auto', prompt, { headers });
  expect(answer.statusCode, answer.text).toBe(200);
  return answer.headers.get('x-tallyrank-model');
}

function fileOf(name: string, content: unknown): string {
  const file = join(product.dir, name);
  writeFileSync(file, JSON.stringify(content));
  return file;
}

const rules = (...args: string[]): Promise<CliResult> => product.cli('rules', ...args);

describe.sequential('routing rules', () => {
  it('come from the configuration', async () => {
    const { origin, rules: asked, declared, warnings } = await shown();
    expect({ origin, warnings }).toEqual({ origin: 'configuration', warnings: [] });
    expect(asked).toEqual([
      { name: 'legal stays', priority: 100, kind: 'declared', hitCount: 0 },
      { name: 'data-driven-routing', priority: 95, kind: 'built-in', hitCount: null },
    ]);
    expect(declared).toEqual([{ ...LEGAL_STAYS, priority: 100, isEnabled: true }]);
  });

  it('are tried on the log before they are set: to the decision, and to the cent', async () => {
    for (let at = 0; at < 12; at++) expect(await modelOf(`What is ${at}?`)).toBe('p:dear');
    for (let at = 0; at < 8; at++) expect(await modelOf(`Translate line ${at}`, BATCH)).toBe('p:dear');
    for (let at = 0; at < 15; at++) {
      expect(await product.chat('p:cheap', `Hello ${at}`)).toMatchObject({ statusCode: 200 });
    }
    await product.flush();
    const answer = await dryRun({ rules: [BATCH_IS_CHEAP, LEGAL_STAYS], timeframe: '1 hour' });
    expect(answer).toMatchObject({ decisionCount: 20, sampleCount: 20 });
    expect(answer.together).toMatchObject({ changedCount: 8, refusedCount: 0, undecidedCount: 0 });
    expect(answer.together.money?.actualUsd).toBeCloseTo(8 * DEAR_USD, 9);
    expect(answer.together.money?.expectedUsd).toBeCloseTo(8 * CHEAP_USD, 9);
    expect(answer.message).toMatch(/^would have changed 8 of 20 decisions, -\$0\.07\d* \(±0\.0+\d*\)$/);
    expect(answer.together.success).toMatchObject({ actualRate: 1, sampleCount: 8 });
    expect(answer.alone).toMatchObject([
      { name: 'batch is cheap', heldCount: 8, changedCount: 8 },
      { name: 'legal stays', heldCount: 0, changedCount: 0 },
    ]);
    // Nothing was set by looking.
    expect(await modelOf('Once more', BATCH)).toBe('p:dear');
  });

  it('are refused with every fault and the name of the rule', async () => {
    const answer = await put([
      { name: 'slow', when: { regex: '(a+)+$' }, do: { localOnly: true } },
      { name: 'nice', when: {}, do: { policy: 'auto:nice' } },
      { name: 'nice', do: { models: [] } },
    ]);
    expect(answer.statusCode).toBe(400);
    for (const part of ['rule "slow"', '(a+)+$', 'rule "nice"', 'auto:nice', 'when'])
      expect((answer.json as { error: { message: string } }).error.message).toContain(part);
    expect(await put([LEGAL_STAYS, LEGAL_STAYS])).toMatchObject({ statusCode: 400 });
    expect(await product.ask('/api/rules/dry-run', { rules: [{}] })).toMatchObject({ statusCode: 400 });
    expect((await shown()).origin).toBe('configuration');
  });

  it('are set by API, at once here and within seconds in another gateway', async () => {
    const odd = { name: 'odd', priority: 10, when: {}, do: { models: ['p:nobody'] } };
    const answer = rulesAnswer.parse((await put([BATCH_IS_CHEAP, LEGAL_STAYS, odd])).json);
    expect(answer.origin).toBe('operator');
    expect(answer.warnings).toEqual(['Rule "odd": no provider offers "p:nobody" now.']);
    expect(await modelOf('Translate this', BATCH)).toBe('p:cheap');
    // The deny comes second among equals, and the rule before it has answered.
    expect(await modelOf('Translate the договор', BATCH)).toBe('p:cheap');
    expect(await modelOf('Read the contract')).toBe('p:dear');
    const hits = (await shown()).rules.map(({ name, hitCount }) => [name, hitCount]);
    expect(hits).toContainEqual(['batch is cheap', 2]);
    expect(hits).toContainEqual(['legal stays', 1]);
    await until('the rules of the other gateway', async () =>
      (await shown(second)).origin === 'operator' ? true : null,
    );
    expect((await shown(second)).declared).toEqual((await shown()).declared);
  });

  it('that leave nobody answer with their name', async () => {
    await put([{ name: 'at home', when: {}, do: { localOnly: true } }]);
    const answer = await product.chat('auto', 'Hello');
    expect(answer.statusCode).toBe(503);
    expect(answer.text).toContain('at home');
    expect((await product.chat('p:dear', 'Hello')).statusCode).toBe(200);
  });

  it('are kept over a restart', async () => {
    await put([BATCH_IS_CHEAP]);
    await product.restart();
    expect((await shown()).declared).toMatchObject([{ name: 'batch is cheap' }]);
    expect(await modelOf('Translate this', BATCH)).toBe('p:cheap');
  });

  it('are checked and tried on the command line', async () => {
    const good = fileOf('rules.json', {
      routingRules: [LEGAL_STAYS, { ...BATCH_IS_CHEAP, isEnabled: false }],
    });
    const bad = fileOf('bad.json', [{ name: 'x', when: {}, do: {} }]);
    expect(await rules('check', good)).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('2 rules, no faults'),
    });
    expect(await rules('check', bad)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('rule "x"'),
    });
    expect(await rules('check', join(product.dir, 'none.yaml'))).toMatchObject({ exitCode: 2 });
    const tried = await rules('dry-run', good, '--json');
    expect(tried.exitCode, tried.stderr).toBe(0);
    expect(dryRunAnswer.parse(tried.json).alone).toMatchObject([
      { name: 'legal stays', heldCount: 2 },
      { name: 'batch is cheap', isEnabled: false },
    ]);
  });

  it('are set on the command line, and not without --yes', async () => {
    const good = join(product.dir, 'rules.json');
    const unset = await rules('set', good);
    expect(unset.stdout).toContain('The rules would have changed');
    expect(unset.stdout).toContain('Nothing is set');
    expect((await rules('list', '--json')).json).toMatchObject({ rules: [{ name: 'batch is cheap' }] });
    expect((await rules('set', good, '--yes')).stdout).toContain('2 rules are set');
    const listed = await rules('list');
    expect(listed.stdout).toContain('batch is cheap (off)');
    // The running gateway hears of it.
    await until('the rules of the command', async () =>
      (await shown()).declared.length === 2 ? true : null,
    );
    expect(await modelOf('Translate this', BATCH)).toBe('p:dear');
  });

  it('go back to the configuration', async () => {
    const answer = rulesAnswer.parse((await product.ask('/api/rules', undefined, { method: 'DELETE' })).json);
    expect(answer).toMatchObject({ origin: 'configuration', declared: [{ name: 'legal stays' }] });
    await put([]);
    expect(await shown()).toMatchObject({ origin: 'operator', declared: [] });
    expect((await rules('reset')).stdout).toContain('from the configuration');
    await until('the reset', async () => ((await shown()).origin === 'configuration' ? true : null));
  });
});
