import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseOutcomeRow, readOutcomeFile } from './outcome-file.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tr-outcomes-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const row = (over: Readonly<Record<string, unknown>> = {}): string =>
  JSON.stringify({ prompt_id: 'p1', prompt: 'Why?', model: 'a', score: 0.5, cost_usd: 0.01, ...over });

let fileCount = 0;
async function fileOf(content: string | Buffer): Promise<string> {
  const file = join(folder, `${fileCount++}.jsonl`);
  await writeFile(file, content);
  return file;
}

describe('readOutcomeFile', () => {
  it('reads rows in any order into one prompt each, whatever the order of the file', async () => {
    const lines = [
      row({ prompt_id: 'p2', prompt: 'How?', model: 'b', score: 1, domain: 'how' }),
      row({ model: 'b', score: 0 }),
      row(),
    ];
    const matrix = await readOutcomeFile(await fileOf(lines.join('\n')));
    expect(matrix.models).toEqual(['a', 'b']);
    expect(matrix.prompts.map(({ promptId, domain }) => [promptId, domain])).toEqual([
      ['p1', null],
      ['p2', 'how'],
    ]);
    expect(matrix.prompts[0]?.outcomes.get('a')).toEqual({
      score: 0.5,
      costUsd: 0.01,
      latencyMs: null,
      isSuccess: true,
    });
    expect(await readOutcomeFile(await fileOf(lines.reverse().join('\n')))).toEqual(matrix);
  });

  it('reads gzip by its content, a byte order mark, Windows line ends and blank lines', async () => {
    const text = `\uFEFF${row()}\r\n\r\n${row({ model: 'b' })}\r\n`;
    const plain = await readOutcomeFile(await fileOf(text));
    expect(plain.models).toEqual(['a', 'b']);
    expect(await readOutcomeFile(await fileOf(gzipSync(text)))).toEqual(plain);
  });

  it('reads lines that lie across chunks of the file', async () => {
    const long = 'ü'.repeat(200_000);
    const lines = [row({ prompt: long }), row({ prompt_id: 'p2', prompt: 'How?' })].join('\n');
    const matrix = await readOutcomeFile(await fileOf(lines));
    expect(matrix.prompts.map(({ prompt }) => prompt.length)).toEqual([200_000, 4]);
  });

  it('takes the text of a prompt from any of its rows', async () => {
    const matrix = await readOutcomeFile(
      await fileOf([row({ prompt: undefined, model: 'b' }), row()].join('\n')),
    );
    expect(matrix.prompts[0]).toMatchObject({ prompt: 'Why?' });
  });

  it('takes the mean of repeated rows, and counts them', async () => {
    const matrix = await readOutcomeFile(
      await fileOf([row(), row({ score: 1, cost_usd: null }), row({ score: 0 })].join('\n')),
    );
    expect(matrix.repeatedRowCount).toBe(2);
    expect(matrix.prompts[0]?.outcomes.get('a')).toMatchObject({ score: 0.5, costUsd: 0.01 });
  });

  it.each([
    ['no JSON', '{"prompt_id": ', 'Line 2: is not JSON'],
    ['no object', '"my secret prompt"', 'Line 2: is not a JSON object'],
    ['a score above one', row({ score: 7 }), 'Line 2: score must be a number from 0 to 1, not 7'],
    ['a score as text', row({ score: '0.5' }), 'Line 2: score must be a number from 0 to 1, not "0.5"'],
    ['no score', row({ score: undefined }), 'Line 2: score must be a number from 0 to 1, not left out'],
    ['no model', row({ model: ' ' }), 'Line 2: model must be a name'],
    ['no id', row({ prompt_id: null }), 'Line 2: prompt_id must be a text, not null'],
    ['a negative cost', row({ cost_usd: -1 }), 'Line 2: cost_usd must be a number from 0'],
    ['a cost as text', row({ cost_usd: '$1' }), 'Line 2: cost_usd must be a number from 0'],
    ['a latency as text', row({ latency_ms: 'fast' }), 'Line 2: latency_ms must be a number from 0'],
    [
      'messages for a prompt',
      row({ prompt: [{ content: 'my secret' }] }),
      'prompt must be a text, not a list',
    ],
    ['another text', row({ prompt: 'Who?' }), 'Line 2: prompt_id "p1" has another prompt than in line 1'],
  ])('refuses %s with the number of the line', async (_what, line, message) => {
    const reading = readOutcomeFile(await fileOf(`${row()}\n${line}\n`));
    await expect(reading).rejects.toMatchObject({ code: 'bad_request', fault: 'caller' });
    await expect(reading).rejects.toThrow(message);
    await expect(reading).rejects.not.toThrow('secret');
  });

  it('refuses a prompt whose text no row has, and a file without rows', async () => {
    await expect(readOutcomeFile(await fileOf(row({ prompt: undefined })))).rejects.toThrow(
      'Line 1: no row of prompt_id "p1" has its "prompt"',
    );
    await expect(readOutcomeFile(await fileOf('\n\n'))).rejects.toMatchObject({ code: 'bad_request' });
  });

  it('says that there is no file, and which one cannot be read', async () => {
    await expect(readOutcomeFile(join(folder, 'none.jsonl'))).rejects.toMatchObject({ code: 'not_found' });
    await expect(readOutcomeFile(folder)).rejects.toMatchObject({ code: 'bad_request' });
    const cut = gzipSync(row().repeat(50)).subarray(0, 40);
    await expect(readOutcomeFile(await fileOf(cut))).rejects.toMatchObject({ code: 'bad_request' });
  });
});

describe('parseOutcomeRow', () => {
  it('takes numbers for ids, and an unknown cost for unknown', () => {
    expect(parseOutcomeRow(row({ prompt_id: 17, cost_usd: null }), 1)).toMatchObject({
      promptId: '17',
      costUsd: null,
    });
    expect(parseOutcomeRow(row({ cost_usd: undefined, success: false }), 1)).toMatchObject({
      costUsd: null,
      isSuccess: false,
    });
  });
});
