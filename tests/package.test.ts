import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endStore } from './kit/scratch-store.ts';
import { childEnvironment } from './kit/start-tallyrank.ts';

/* The package as a user gets it: packed, installed into an empty folder, started and imported from there. */

const ROOT = join(import.meta.dirname, '..');
const INSTALL_MAX_MS = 180_000;

let dir = '';

function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    env: childEnvironment(),
    timeout: INSTALL_MAX_MS,
  });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${stdout}${stderr}`);
  return stdout;
}

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'trp-'));
  // The tests run on a built tree: packing must not build it anew under other tests.
  run('npm', ['pack', '--ignore-scripts', '--pack-destination', dir], ROOT);
  const tarball = readdirSync(dir).find((name) => name.endsWith('.tgz')) ?? '';
  writeFileSync(join(dir, 'package.json'), JSON.stringify({ name: 'somebody', private: true }));
  run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', `./${tarball}`], dir);
}, INSTALL_MAX_MS);

afterAll(async () => {
  await endStore(join(dir, 'data'));
  rmSync(dir, { recursive: true, force: true });
});

const NAMES = ['UsageTracker', 'UseCaseAnalyzer', 'ModelRanker', 'RoutingEngine', 'openDatabase'];

describe('the installed package', () => {
  it('starts by npx and is alive', async () => {
    const child = spawn('npx', ['tallyrank', 'start', '--json'], {
      cwd: dir,
      env: childEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const closed = once(child, 'close');
    let printed = '';
    const url = await new Promise<string>((resolve, reject) => {
      child.stdout.on('data', (chunk: Buffer) => {
        printed += chunk.toString();
        const found = /"url": "([^"]+)"/.exec(printed)?.[1];
        if (found !== undefined) resolve(found);
      });
      child.once('close', (code) => reject(new Error(`It ended with ${code}: ${printed}`)));
    });
    try {
      expect(await (await fetch(`${url}/healthz`)).json()).toMatchObject({ status: 'ok' });
      const page = await fetch(url);
      expect(page.headers.get('content-type')).toContain('text/html');
      expect((await fetch(`${url}/api/docs`)).status).toBe(200);
    } finally {
      // npx does not hand signals on: its whole group gets it.
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
      await closed;
    }
  });

  it('gives the same classes to require and to import', () => {
    const script = `
      const required = require('tallyrank');
      import('tallyrank').then((imported) => {
        const names = ${JSON.stringify(NAMES)};
        console.log(JSON.stringify(names.map((name) => typeof required[name] === 'function' && required[name] === imported[name])));
      });`;
    expect(run(process.execPath, ['--input-type=commonjs', '--eval', script], dir).trim()).toBe(
      JSON.stringify(NAMES.map(() => true)),
    );
  });

  it('tracks alone in a program of a few lines, and says what it flushed', () => {
    writeFileSync(
      join(dir, 'program.mjs'),
      `import { openDatabase, UsageTracker } from 'tallyrank';
const db = await openDatabase({ dataDir: './data' });
const tracker = new UsageTracker({ db });
for (let at = 0; at < 100; at++) {
  const requestId = tracker.logRequest({ model: 'mistral', prompt: 'What time does Starbucks open?' });
  tracker.logResponse(requestId, 'At half past five.');
}
await tracker.flush();
await tracker.close();
await db.close();
`,
    );
    const { status, stdout, stderr } = spawnSync(process.execPath, ['program.mjs'], {
      cwd: dir,
      encoding: 'utf8',
      env: childEnvironment(),
      timeout: 60_000,
    });
    expect(stdout + stderr).toContain('[UsageTracker] Flushed 100 entries to database');
    // Nothing keeps a program alive that has closed what it opened.
    expect(status).toBe(0);
  });

  it('has what it needs and nothing of the workshop', () => {
    const files = readdirSync(join(dir, 'node_modules', 'tallyrank'), { recursive: true, encoding: 'utf8' });
    for (const needed of [
      'dist/index.js',
      'dist/index.d.ts',
      'dist/api/page/index.html',
      'dist/store/migrations/0001_usage_log.sql',
      'bin/tallyrank.js',
      'LICENSE',
      'README.md',
    ]) {
      expect(files).toContain(needed);
    }
    expect(files.filter((name) => /^(src|tests|bench|scripts|\.ci)(\/|$)|\.test\./.test(name))).toEqual([]);
  });
});
