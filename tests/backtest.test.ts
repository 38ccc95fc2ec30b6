import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from './kit/start-tallyrank.ts';
import { promptOf, SUBJECTS } from './kit/subjects.ts';

/* The command as a user runs it, on a file of a user's own, without store, server or configuration. */

let folder: string;
let file: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tr-backtest-'));
  file = join(folder, 'outcomes.jsonl.gz');
  const lines = Array.from({ length: 240 }, (_, at) => {
    const subject = SUBJECTS[at % SUBJECTS.length] ?? 'food';
    const row = { prompt_id: at, prompt: promptOf(subject, at) };
    return [
      { ...row, model: 'gpt-4o', score: subject === 'code' ? 1 : 0.5, cost_usd: 0.01 },
      { ...row, model: 'mistral:7b', score: subject === 'code' ? 0 : 0.9, cost_usd: 0 },
    ];
  }).flat();
  writeFileSync(file, gzipSync(lines.map((line) => `${JSON.stringify(line)}\n`).join('')));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('tallyrank backtest', () => {
  it('prints one document with every policy, and leaves nothing behind', async () => {
    const result = await runCli(['backtest', file, '--frontier', '--json', '--seed', '3'], { cwd: folder });
    expect(result, result.stderr).toMatchObject({ exitCode: 0 });
    const report = result.json as { policies: { name: string; model?: string; quality: number }[] };
    expect(Object.keys(report)).toEqual([
      'promptCount',
      'modelCount',
      'trainCount',
      'testCount',
      'policies',
      'useCases',
    ]);
    expect(report).toMatchObject({ promptCount: 240, modelCount: 2, trainCount: 168, testCount: 72 });
    const [first] = report.policies;
    expect(first).toMatchObject({ name: 'tallyrank', lambda: 0, costUsd: expect.any(Number) });
    const single = report.policies.find(({ name }) => name === 'best-single');
    expect(single?.model).toBe('mistral:7b');
    expect(first?.quality).toBeGreaterThan(single?.quality ?? 1);
    const again = await runCli(['backtest', file, '--frontier', '--json', '--seed', '3'], { cwd: folder });
    expect(again.stdout).toBe(result.stdout);
  });

  it('answers people with tables', async () => {
    const { exitCode, stdout } = await runCli(['backtest', file, '--feedback', 'bandit'], { cwd: folder });
    expect(exitCode).toBe(0);
    expect(stdout).toContain('240 prompts, 2 models: learnt from 168, measured on 72 (bandit feedback');
    expect(stdout).toMatch(/best-single +mistral:7b/);
  });

  it('refuses a bad line with its number, a missing file and bad options with exit code 2', async () => {
    const bad = join(folder, 'bad.jsonl');
    writeFileSync(bad, '{"prompt_id": 1, "prompt": "Why?", "model": "a", "score": 3}\n');
    for (const [args, message] of [
      [[bad], 'Line 1: score must be a number from 0 to 1, not 3'],
      [[join(folder, 'none.jsonl')], 'There is no file'],
      [[file, '--train', '1'], 'between 0 and 1'],
      [[file, '--lambda', '2'], 'numbers from 0 to 1'],
      [[file, '--lambda', '0.5', '--frontier'], 'cannot be used with'],
      [[file, '--feedback', 'some'], 'full, bandit'],
      [[file, '--limit', '1'], 'whole number from 2'],
    ] as const) {
      const result = await runCli(['backtest', ...args, '--json'], { cwd: folder });
      expect(result.exitCode, message).toBe(2);
      expect(result.stderr).toContain(message);
      expect(result.json).toMatchObject({ error: { message: expect.stringContaining(message) } });
    }
  });
});
