import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FakeProvider } from './kit/fake-provider.ts';
import { Tallyrank } from './kit/start-tallyrank.ts';
import { promptOf, SUBJECTS } from './kit/subjects.ts';

/* The page at `/` in a real browser, served by the real process. */

const PLACES = [process.env['TALLYRANK_TEST_CHROMIUM'], '/usr/bin/chromium'];
const executablePath = PLACES.find((path) => path !== undefined && path !== '' && existsSync(path));
if (executablePath === undefined) {
  process.stderr.write(
    'The page is not tested: no Chromium. Set TALLYRANK_TEST_CHROMIUM to the path of one.\n',
  );
}

const KEY = 'a-long-admin-key-of-ours';
const INJECTION = '<img src=x onerror="document.title=`broken`"> what does this tag do?';

describe.skipIf(executablePath === undefined)('the page', () => {
  const open: AsyncDisposable[] = [];
  let browser: Browser;
  let page: Page;
  let complaints: string[] = [];

  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: executablePath ?? '',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
  });

  afterAll(async () => {
    await browser.close();
  });

  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
  });

  /** Opens the page and collects all that the console complains of. */
  async function visit(product: Tallyrank, size = { width: 1440, height: 900 }): Promise<Page> {
    const context = await browser.newContext({ viewport: size, colorScheme: 'light' });
    page = await context.newPage();
    page.setDefaultTimeout(10_000);
    complaints = [];
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(product.url);
    return page;
  }

  async function startWithTraffic(): Promise<Tallyrank> {
    const local = await FakeProvider.open({ kind: 'ollama', models: ['mistral:7b'], latencyMs: () => 5 });
    const paid = await FakeProvider.open({ kind: 'openai', models: ['large'], latencyMs: () => 15 });
    open.push(local, paid);
    const product = await Tallyrank.start({
      providers: { ollama: local, paid },
      config: { prices: { 'paid:large': { inputUsdPerMtok: 500, outputUsdPerMtok: 1500 } } },
    });
    open.push(product);
    for (const subject of SUBJECTS) {
      await Promise.all(
        Array.from({ length: 24 }, async (_, at) => {
          for (const model of ['ollama:mistral:7b', 'paid:large']) {
            const { headers } = await product.chat(model, promptOf(subject, at));
            const requestId = headers.get('x-tallyrank-request-id');
            await product.get('/api/feedback', {
              requestId,
              score: subject === 'code' && model !== 'paid:large' ? 1 : 5,
            });
          }
        }),
      );
    }
    paid.next({ errorStatus: 500 });
    await product.chat('paid:large', 'Please fail, for once.');
    await product.analyze();
    await product.chat('auto', INJECTION);
    await product.flush();
    return product;
  }

  it('shows what people ask, who serves it best, the cost, the last requests, and how to connect', async () => {
    const product = await startWithTraffic();
    const shots = mkdtempSync(join(tmpdir(), 'tallyrank-page-'));
    await visit(product);
    await page.locator('#use-cases tbody tr').nth(3).waitFor();
    const { categories } = await product.get<{ categories: { categoryName: string; sampleCount: number }[] }>(
      '/api/usage/categories',
    );
    const useCases = await page.locator('#use-cases tbody').textContent();
    for (const { categoryName, sampleCount } of categories) {
      expect(useCases).toContain(categoryName);
      expect(useCases).toContain(String(sampleCount));
    }
    const rankings = await page.locator('#rankings').textContent();
    expect(rankings).toContain('ollama:mistral:7b');
    expect(rankings).toContain('auto takes this');
    expect(await page.locator('#savings').textContent()).toMatch(/\$\d/);
    expect(await page.locator('#models').textContent()).toContain('paid:large');
    expect(await page.locator('#client').textContent()).toContain(`${product.url}/v1/chat/completions`);
    expect(await page.locator('#sentence').textContent()).toMatch(/People asked 290 things/);
    expect(complaints).toEqual([]);

    const rows = page.locator('#requests tbody tr');
    expect(await rows.first().locator('td').nth(4).textContent()).toBe('ok');
    expect(await rows.nth(1).locator('td').nth(4).textContent()).toBe('upstream_failed');

    for (const [width, name] of [
      [1440, 'wide'],
      [390, 'narrow'],
    ] as const) {
      await page.setViewportSize({ width, height: 900 });
      await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
      const overflow = await page.evaluate(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      );
      expect(overflow, `the page at ${width} px is wider than the window`).toBe(0);
    }
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.screenshot({ path: join(shots, 'dark.png'), fullPage: true });
    process.stdout.write(`screenshots: ${shots}\n`);

    // What people type is shown as they typed it, and does nothing.
    expect(await rows.first().textContent()).toContain('<img src=x');
    expect(await page.locator('#requests img').count()).toBe(0);
    expect(await page.title()).toBe('Tallyrank');

    await page.locator('#analyze').click();
    await page.getByText('Analyzed.').waitFor({ timeout: 30_000 });
    expect(complaints).toEqual([]);
  });

  it('says what to do while nothing was asked', async () => {
    const product = await Tallyrank.start();
    open.push(product);
    await visit(product, { width: 390, height: 800 });
    await page.getByText('Nothing was asked in this window').waitFor();
    expect(await page.locator('#rankings').textContent()).toContain('No ranking yet');
    expect(await page.locator('#requests').textContent()).toContain('No request yet');
    expect(await page.locator('#client').textContent()).toContain('curl');
    expect(complaints).toEqual([]);
  });

  it('asks for the admin key where there is one, and remembers it for this tab', async () => {
    const product = await Tallyrank.start({ env: { TALLYRANK_ADMIN_KEY: KEY }, key: KEY });
    open.push(product);
    await visit(product);
    await page.locator('#key').waitFor();
    expect(await page.locator('#use-cases').textContent()).toBe('');
    await page.locator('#key').fill('not-the-right-key');
    await page.getByRole('button', { name: 'Open' }).click();
    await page.getByText('The key is not valid').waitFor();
    await page.locator('#key').fill(KEY);
    await page.getByRole('button', { name: 'Open' }).click();
    await page.getByText('Nothing was asked in this window').waitFor();
    expect(await page.locator('#key-form').isVisible()).toBe(false);
    await page.reload();
    await page.getByText('Nothing was asked in this window').waitFor();
  });
});
