import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeProvider } from './kit/fake-provider.ts';
import { Tallyrank } from './kit/start-tallyrank.ts';

/* An evaluation made elsewhere tells of a model that was never used here: it comes in as an import with scores. */

interface Part {
  readonly value: number;
  readonly sampleCount: number;
  readonly isAssumed: boolean;
}

interface Ranked {
  readonly modelId: string;
  readonly totalRequests: number;
  readonly parts: { readonly quality: Part; readonly speed: Part };
}

const open: AsyncDisposable[] = [];
let product: Tallyrank;

beforeAll(async () => {
  const provider = await FakeProvider.open({ kind: 'openai', models: ['one'] });
  product = await Tallyrank.start({ providers: { p: provider } });
  open.push(provider, product);
});

afterAll(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

async function importLines(name: string, rows: readonly Readonly<Record<string, unknown>>[]): Promise<void> {
  const file = join(product.dir, name);
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  expect(await product.cli('import', file, '--json')).toMatchObject({
    exitCode: 0,
    json: { takenCount: rows.length, refusedCount: 0 },
  });
}

async function rank(): Promise<ReadonlyMap<string, Ranked>> {
  const ranked = await product.cli('rank', '--json');
  expect(ranked, ranked.stderr).toMatchObject({ exitCode: 0 });
  const shown = await product.cli('rankings', 'food_dining', '--json');
  expect(shown, shown.stderr).toMatchObject({ exitCode: 0 });
  const { best, alternatives } = shown.json as { best: Ranked | null; alternatives: Ranked[] };
  return new Map([...(best ? [best] : []), ...alternatives].map((model) => [model.modelId, model]));
}

const question = (at: number): string => `Which restaurant near me serves lunch on Friday? Table ${at}.`;

describe.sequential('an imported evaluation', () => {
  it('leaves a new model to what is assumed while there is none', async () => {
    const history = Array.from({ length: 60 }, (_, at) => ({
      id: `past-${at}`,
      model: 'ollama:mistral:7b',
      prompt: question(at),
      response: 'It opens at 8.',
      latency_ms: 800,
      feedback: at % 4 === 0 ? 2 : 4,
    }));
    const newcomer = {
      id: 'new',
      model: 'llama3.3:70b',
      prompt: question(7),
      response: 'At 9.',
      latency_ms: 900,
    };
    await importLines('history.jsonl', [...history, newcomer]);
    const models = await rank();
    expect(models.get('ollama:mistral:7b')?.parts.quality).toMatchObject({
      sampleCount: 60,
      isAssumed: false,
    });
    expect(models.get('ollama:llama3.3:70b')?.parts.quality).toMatchObject({
      sampleCount: 0,
      isAssumed: true,
    });
    expect(models.has('ollama:llama3.1:70b')).toBe(false);
  });

  it('gives quality to a model that was never used here, and its relatives something to expect', async () => {
    const before = (await rank()).get('ollama:llama3.3:70b')?.parts.quality;
    const lines = Array.from({ length: 40 }, (_, at) => ({
      id: `evaluation-${at}`,
      model: 'llama3.1:70b',
      prompt: question(100 + at),
      score: at % 2 ? 0.1 : 0.2,
    }));
    await importLines('evaluation.jsonl', lines);
    const models = await rank();
    const evaluated = models.get('ollama:llama3.1:70b');
    expect(evaluated).toMatchObject({
      totalRequests: 40,
      parts: { quality: { sampleCount: 40, isAssumed: false }, speed: { sampleCount: 0, isAssumed: true } },
    });
    expect(evaluated?.parts.quality.value).toBeGreaterThan(0.1);
    expect(evaluated?.parts.quality.value).toBeLessThan(0.35);
    const after = models.get('ollama:llama3.3:70b')?.parts.quality;
    expect(after).toMatchObject({ sampleCount: 0, isAssumed: true });
    expect(after?.value).toBeLessThan((before?.value ?? 0) - 0.1);
  });

  it('changes nothing when it is imported again', async () => {
    const file = join(product.dir, 'evaluation.jsonl');
    expect(await product.cli('import', file, '--json')).toMatchObject({
      json: { takenCount: 0, knownCount: 40 },
    });
    expect((await rank()).get('ollama:llama3.1:70b')?.parts.quality.sampleCount).toBe(40);
  });
});
