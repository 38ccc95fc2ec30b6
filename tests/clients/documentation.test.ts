import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeProvider } from '../kit/fake-provider.ts';
import { childEnvironment, Tallyrank } from '../kit/start-tallyrank.ts';
import { collected, idOf, PROMPT } from './client.ts';
import { floorClients } from './client-sets.ts';

/*
 * The product as its users meet it: what docs/clients.md shows runs, and what a client knows an answer by serves to
 * say how it was.
 */

const ROOT = join(import.meta.dirname, '..', '..');
const page = readFileSync(join(ROOT, 'docs', 'clients.md'), 'utf8');

/** Sections of the page with their blocks of JavaScript, and of shell where that is a call of curl. */
const blocks = page.split(/^## /m).flatMap((section) => {
  const title = section.split('\n', 1)[0] ?? '';
  const found = [...section.matchAll(/^```(js|sh)\n([\s\S]*?)^```$/gm)];
  return found
    .map(([, language = '', code = '']) => ({ title, language, code }))
    .filter(({ language, code }) => language === 'js' || code.startsWith('curl '));
});

let provider: FakeProvider;
let product: Tallyrank;
let dir: string;

beforeAll(async () => {
  // Ollama has no ids of answers: each gets one of ours.
  provider = await FakeProvider.open({
    kind: 'ollama',
    models: ['mistral:7b', 'text-embedding-3-small'],
    text: () => 'At eight.',
  });
  product = await Tallyrank.start({ providers: { ollama: provider } });
  // Inside the repository, where packages are found.
  mkdirSync(join(ROOT, 'build'), { recursive: true });
  dir = mkdtempSync(join(ROOT, 'build', 'clients-'));
});

afterAll(async () => {
  await product[Symbol.asyncDispose]();
  await provider[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

async function run(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, {
    cwd: dir,
    env: childEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  const [exitCode] = (await once(child, 'close')) as [number | null];
  if (exitCode !== 0) throw new Error(`ended with ${exitCode}: ${text}`);
  return text;
}

describe('docs/clients.md', () => {
  it('shows code for each kind of client', () => {
    expect(blocks.length).toBeGreaterThan(8);
  });

  it.each(blocks.map((block, at) => ({ ...block, at })))('runs: $title', async ({ language, code, at }) => {
    const pointed = code.replaceAll('http://localhost:5001', product.url);
    expect(pointed).not.toBe(code);
    const file = join(dir, `${at}.mjs`);
    if (language === 'js') writeFileSync(file, pointed);
    const said = language === 'js' ? await run(process.execPath, [file]) : await run('sh', ['-c', pointed]);
    expect(said).toMatch(/At eight\.|"status":"(stored|waiting)"/);
  });
});

describe('feedback', async () => {
  const { clientsOf } = await floorClients();
  const names = clientsOf('http://127.0.0.1:9').map(({ name }) => name);

  it.each(names.filter((name) => name !== 'ollama'))('is taken by the id that %s shows', async (name) => {
    const client = clientsOf(product.url).find((each) => each.name === name);
    if (client === undefined) throw new Error(`${name} is missing`);
    const plain = await client.ask('auto', PROMPT);
    const pieces = await collected(client.stream('auto', PROMPT, new AbortController().signal));
    const ids = [plain.responseId, idOf(pieces)];
    expect(new Set(ids).size).toBe(2);
    for (const responseId of ids) {
      expect(await product.get('/api/feedback', { responseId, thumbs: 'up' })).toMatchObject({
        status: 'stored',
      });
    }
  });
});
