import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeProvider } from './kit/fake-provider.ts';
import type { CliResult } from './kit/start-tallyrank.ts';
import { runCli, Tallyrank } from './kit/start-tallyrank.ts';
import { promptOf, SUBJECTS } from './kit/subjects.ts';

/* Every command as a user runs it: a process of its own, beside a server that has the same data open. */

const open: AsyncDisposable[] = [];
let product: Tallyrank;
let history: string;

const HISTORY_COUNT = 240;

/** Past requests of six subjects to two models, with the names that logs commonly use. */
function historyLines(): string {
  const startMs = Date.now() - 6 * 86_400_000;
  const rows = Array.from({ length: HISTORY_COUNT }, (_, at) => {
    const subject = SUBJECTS[at % SUBJECTS.length] ?? 'food';
    return {
      id: `past-${at}`,
      timestamp: new Date(startMs + at * 60_000).toISOString(),
      model: at % 2 === 0 ? 'gpt-4o' : 'ollama:mistral:7b',
      prompt: promptOf(subject, at),
      response: 'An answer of some length.',
      prompt_tokens: 40,
      completion_tokens: 120,
      latency_ms: 700 + at,
      session_id: `past-session-${at % 20}`,
      ...(at % 3 === 0 ? { feedback: at % 2 === 0 ? 5 : 4 } : {}),
    };
  });
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}

beforeAll(async () => {
  const provider = await FakeProvider.open({ kind: 'openai', models: ['one'] });
  product = await Tallyrank.start({ providers: { p: provider } });
  open.push(provider, product);
  history = join(product.dir, 'history.jsonl');
  writeFileSync(history, historyLines());
});

afterAll(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

/** Exit code 0 and one JSON document on standard output. */
function documentOf(result: CliResult): Record<string, unknown> {
  expect(result, result.stderr).toMatchObject({ exitCode: 0 });
  expect(result.json, result.stdout).toBeDefined();
  return result.json as Record<string, unknown>;
}

describe.sequential('commands beside a running server', () => {
  it('say what an import would take, and take nothing, with --dry-run', async () => {
    const report = documentOf(await product.cli('--json', 'import', history, '--dry-run'));
    expect(report).toMatchObject({ lineCount: HISTORY_COUNT, takenCount: HISTORY_COUNT, isDryRun: true });
    expect(await product.rows()).toEqual([]);
  });

  it('import a file once, however often it is given', async () => {
    expect(documentOf(await product.cli('import', history, '--json'))).toMatchObject({
      takenCount: HISTORY_COUNT,
      knownCount: 0,
      refusedCount: 0,
      rejectFile: null,
      unpricedCount: 0,
    });
    expect(await product.rows()).toHaveLength(HISTORY_COUNT);
    expect(documentOf(await product.cli('import', history, '--json'))).toMatchObject({
      takenCount: 0,
      knownCount: HISTORY_COUNT,
    });
    expect(await product.rows()).toHaveLength(HISTORY_COUNT);
  });

  it('put lines that cannot be taken into a reject file, with line and reason', async () => {
    const mixed = join(product.dir, 'mixed.jsonl');
    const lines = [
      '{"model": "gpt-4o", "prompt": "good line", "timestamp": "2026-01-05T10:00:00Z"}',
      'this is no JSON',
      '{"prompt": "whose answer?"}',
      '',
      '{"model": "gpt-4o"}',
      '{"model": "gpt-4o", "prompt": "x", "latency_ms": "soon"}',
      '[1, 2]',
    ];
    writeFileSync(mixed, lines.join('\n'));
    const rejects = join(product.dir, 'rejects.jsonl');
    const report = documentOf(await product.cli('import', mixed, '--rejects', rejects, '--json'));
    expect(report).toMatchObject({ takenCount: 1, refusedCount: 5, rejectFile: rejects });
    const refused = readFileSync(rejects, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { line: number; reason: string; text: string });
    expect(refused.map(({ line }) => line)).toEqual([2, 3, 5, 6, 7]);
    expect(refused.map(({ text }) => text)).toEqual([2, 3, 5, 6, 7].map((number) => lines[number - 1]));
    for (const { reason } of refused) expect(reason.length).toBeGreaterThan(5);
    // It holds prompts.
    expect(statSync(rejects).mode & 0o077).toBe(0);
  });

  it('discover use cases and write one line per distinct prompt', async () => {
    const file = join(product.dir, 'assignments.jsonl');
    const report = documentOf(
      await product.cli('analyze', '--assignments', file, '--timeframe', '30 days', '--json'),
    );
    const categories = report['categories'] as { categorySlug: string }[];
    expect(categories.length).toBeGreaterThan(3);
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    const assigned = lines.map((line) => JSON.parse(line) as { prompt: string; useCase: string });
    const prompts = new Set((await product.rows('&timeframe=2%20years')).map((row) => row.prompt));
    expect(assigned.map(({ prompt }) => prompt).sort()).toEqual([...prompts].sort());
    for (const line of assigned) expect(Object.keys(line)).toEqual(['prompt', 'useCase']);
    // The server uses at once what the command found.
    const slugs = new Set(assigned.map(({ useCase }) => useCase));
    for (const row of await product.rows()) expect(slugs).toContain(row.useCase);
  });

  it('rank, and show what was published', async () => {
    const ranked = documentOf(await product.cli('rank', '--json'));
    expect(ranked['requestCount']).toBe(HISTORY_COUNT);
    const all = documentOf(await product.cli('rankings', '--json'));
    expect(all['version']).toBe(ranked['version']);
    const [first] = all['rankings'] as { useCase: string }[];
    const one = documentOf(await product.cli('rankings', first?.useCase ?? '', '--json'));
    expect(one).toMatchObject({ useCase: first?.useCase, version: ranked['version'] });
    const { stdout } = await product.cli('rankings');
    expect(stdout).toContain('openai:gpt-4o');
    expect(stdout).toContain('ollama:mistral:7b');
  });

  it('tell what each kind of signal is worth', async () => {
    const answer = documentOf(await product.cli('signals', '--model', 'gpt-4o', '--json')) as {
      modelId: string;
      signals: { kind: string; count: number; note: string | null }[];
    };
    expect(answer.modelId).toBe('openai:gpt-4o');
    expect(answer.signals.find(({ kind }) => kind === 'feedback')).toMatchObject({
      count: HISTORY_COUNT / 6,
      note: expect.stringContaining('No request has both'),
    });
    const { stdout } = await product.cli('signals');
    expect(stdout).toMatch(/^feedback +80 /m);
    expect(stdout).toContain('thanks: Not seen in this window.');
  });

  it('tell savings and patterns', async () => {
    const savings = documentOf(await product.cli('savings', '--timeframe', '1 month', '--json'));
    expect(savings['actualCost']).toMatch(/^\d+\.\d\d$/);
    const patterns = documentOf(await product.cli('patterns', '--timeframe', '1 month', '--json'));
    expect((patterns['categories'] as unknown[]).length).toBeGreaterThan(3);
    const words = await product.cli('savings', '--timeframe', '1 month');
    expect(words.stdout).toContain('$');
  });

  it('check the configuration, without showing secrets', async () => {
    const result = await runCli(['config', 'check', '--json'], {
      env: { ...product.env, OPENAI_API_KEY: 'sk-very-secret', TALLYRANK_ADMIN_KEY: 'a-long-admin-key' },
    });
    const checked = documentOf(result);
    expect(checked['secrets']).toMatchObject({ adminKey: 'set', providerKeys: ['openai'] });
    expect(result.stdout + result.stderr).not.toMatch(/sk-very-secret|a-long-admin-key/);
  });
});

describe('help', () => {
  const commands = [
    ['start'],
    ['import'],
    ['analyze'],
    ['rank'],
    ['rankings', 'show'],
    ['rankings', 'diff'],
    ['rankings', 'versions'],
    ['rankings', 'rollback'],
    ['savings'],
    ['patterns'],
    ['config', 'check'],
  ];
  it.each(commands.map((words) => [words.join(' '), words] as const))(
    'of %s names its options',
    async (name, words) => {
      const { exitCode, stdout, stderr } = await runCli([...words, '--help']);
      expect(exitCode).toBe(0);
      expect(stderr).toBe('');
      expect(stdout).toContain(`Usage: tallyrank ${name}`);
      expect(stdout).toContain('--json');
      expect(stdout).toContain('--data-dir');
    },
  );

  it('of the program lists every command', async () => {
    const { exitCode, stdout } = await runCli(['--help']);
    expect(exitCode).toBe(0);
    for (const [word] of commands) expect(stdout).toContain(`\n  ${word}`);
    expect((await runCli(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('wrong use', () => {
  const cases: readonly (readonly [string, readonly string[], Readonly<Record<string, string>>, RegExp])[] = [
    ['an unknown command', ['rnak'], {}, /unknown command 'rnak'/],
    ['an unknown option', ['rank', '--nope'], {}, /unknown option '--nope'/],
    ['a missing argument', ['import'], {}, /missing required argument 'file'/],
    ['no command', [], {}, /Usage: tallyrank/],
    ['a file that is not there', ['import', 'nowhere.jsonl'], {}, /nowhere\.jsonl.*ENOENT/],
    [
      'an absurd timeframe',
      ['patterns', '--timeframe', 'a fortnight'],
      {},
      /"a fortnight" is not a timeframe/,
    ],
    ['a port that is no number', ['config', 'check'], { PORT: 'many' }, /PORT: "many" must be a number/],
    ['a port option that is no number', ['start', '--port', 'many'], {}, /port: "many"/],
    ['a port out of range', ['start', '--port', '70000'], {}, /port: 70000.*65535/],
    [
      'a share out of range',
      ['config', 'check'],
      { TALLYRANK_EXPLORATION_SHARE: '7' },
      /exploration\.share: 7/,
    ],
    [
      'a host that others reach, without a key',
      ['start'],
      { HOST: '0.0.0.0' },
      /0\.0\.0\.0.*TALLYRANK_ADMIN_KEY/s,
    ],
    ['a key that can be guessed', ['start'], { TALLYRANK_ADMIN_KEY: 'short' }, /TALLYRANK_ADMIN_KEY.*12/],
    [
      'a configuration file that is not there',
      ['rank'],
      { TALLYRANK_CONFIG: '/nowhere.yaml' },
      /\/nowhere\.yaml/,
    ],
  ];
  it.each(cases)('%s ends with 2 and says what is wrong', async (_name, args, env, sentence) => {
    const { exitCode, stderr } = await runCli(args, { env: { ...product.env, ...env } });
    expect(stderr).toMatch(sentence);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(exitCode).toBe(2);
  });

  it('of the configuration file names key and value of each fault at once', async () => {
    const file = join(product.dir, 'bad.yaml');
    writeFileSync(
      file,
      'port: many\nexploration:\n  share: 7\nnope: 1\nproviders:\n  - id: UPPER\n    kind: ollama\n    baseUrl: ftp://x\n',
    );
    const { PORT: _port, ...env } = { ...product.env, TALLYRANK_CONFIG: file, PORT: '' };
    const { exitCode, stderr } = await runCli(['config', 'check'], { env: { ...env, PORT: '' } });
    expect(exitCode).toBe(2);
    for (const part of [
      'port: "many"',
      'exploration.share: 7',
      'nope',
      'providers.0.id: "UPPER"',
      'providers.0.baseUrl: "ftp://x"',
    ]) {
      expect(stderr).toContain(part);
    }
  });

  it('of a use case that is not known ends with 2 and lists those there are; with --json as JSON', async () => {
    const { exitCode, stdout, stderr, json } = await product.cli('rankings', 'no_such_use_case', '--json');
    expect(exitCode).toBe(2);
    expect(json, stdout).toMatchObject({ error: { code: 'unknown_use_case' } });
    expect(stderr).toContain('There are:');
  });

  it('of a taken port ends with 2 and says so', async () => {
    const { port } = new URL(product.url);
    const { exitCode, stderr } = await product.cli('start', '--port', port);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`Port ${port}`);
    expect(existsSync(product.dataDir)).toBe(true);
  });
});
