import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TallyrankError } from '../core/errors.ts';
import { loadConfig } from './load.ts';
import { priceBookOf } from './prices.ts';

let cwd = '';
beforeEach(() => {
  cwd = fs.mkdtempSync(path.join(os.tmpdir(), 'config-'));
});
afterEach(() => fs.rmSync(cwd, { recursive: true, force: true }));

function faultsOf(env: Record<string, string>, file?: string): string {
  if (file !== undefined) fs.writeFileSync(path.join(cwd, 'tallyrank.config.yaml'), file);
  try {
    loadConfig({ env, cwd });
  } catch (error) {
    expect(error).toBeInstanceOf(TallyrankError);
    return (error as TallyrankError).message;
  }
  return '';
}

describe('loadConfig', () => {
  it('needs nothing: port 5001 on loopback, data in ./data, a local Ollama', () => {
    const { config, secrets, file } = loadConfig({ env: {}, cwd });
    expect(config).toMatchObject({
      port: 5001,
      host: '127.0.0.1',
      dataDir: path.join(cwd, 'data'),
      providers: [{ id: 'ollama', baseUrl: 'http://127.0.0.1:11434' }],
      exploration: { share: 0.1 },
    });
    expect(secrets.adminKey).toBeNull();
    expect(file).toBeNull();
  });

  it('starts from the environment alone', () => {
    const { config, secrets } = loadConfig({
      cwd,
      env: {
        PORT: '6000',
        HOST: '0.0.0.0',
        TALLYRANK_ADMIN_KEY: 'a-long-admin-key',
        TALLYRANK_DATA_DIR: 'elsewhere',
        OLLAMA_HOST: '0.0.0.0:11500',
        OPENAI_API_KEY: 'sk-test',
        OPENAI_BASE_URL: 'http://127.0.0.1:9999',
        ANTHROPIC_API_KEY: 'ant-test',
        ANTHROPIC_BASE_URL: 'http://127.0.0.1:9998/v1/',
      },
    });
    expect(config).toMatchObject({ port: 6000, host: '0.0.0.0', dataDir: path.join(cwd, 'elsewhere') });
    expect(config.providers.map(({ id, baseUrl }) => [id, baseUrl])).toEqual([
      ['ollama', 'http://127.0.0.1:11500'],
      ['openai', 'http://127.0.0.1:9999/v1'],
      ['anthropic', 'http://127.0.0.1:9998'],
    ]);
    expect([...secrets.providerKeys]).toEqual([
      ['openai', 'sk-test'],
      ['anthropic', 'ant-test'],
    ]);
    expect(JSON.stringify(config)).not.toMatch(/sk-test|ant-test|a-long-admin-key/);
  });

  it('knows well-known providers by their keys alone', () => {
    const { config, secrets } = loadConfig({
      cwd,
      env: {
        OPENROUTER_API_KEY: 'or',
        GROQ_API_KEY: 'gq',
        MISTRAL_API_KEY: 'mi',
        DEEPSEEK_API_KEY: 'ds',
        GEMINI_API_KEY: 'ge',
        AZURE_OPENAI_API_KEY: 'az',
        AZURE_OPENAI_ENDPOINT: 'https://mine.openai.azure.com/openai/v1/',
      },
    });
    expect(config.providers.map(({ id, kind, baseUrl }) => [id, kind, baseUrl]).slice(1)).toEqual([
      ['azure', 'azure', 'https://mine.openai.azure.com'],
      ['openrouter', 'openai', 'https://openrouter.ai/api/v1'],
      ['groq', 'openai', 'https://api.groq.com/openai/v1'],
      ['mistral', 'openai', 'https://api.mistral.ai/v1'],
      ['deepseek', 'openai', 'https://api.deepseek.com/v1'],
      ['gemini', 'openai', 'https://generativelanguage.googleapis.com/v1beta/openai'],
    ]);
    expect([...secrets.providerKeys.values()].sort()).toEqual(['az', 'ds', 'ge', 'gq', 'mi', 'or']);
    expect(config.providers[0]).toMatchObject({ retries: 2, queueMax: 100 });
    // A key without its resource says nothing, and neither does a wrong URL pass.
    expect(loadConfig({ cwd, env: { AZURE_OPENAI_API_KEY: 'az' } }).config.providers).toHaveLength(1);
    const wrong = { AZURE_OPENAI_API_KEY: 'az', AZURE_OPENAI_ENDPOINT: 'mine' };
    expect(faultsOf(wrong)).toContain('AZURE_OPENAI_ENDPOINT: "mine" is not an http(s) URL');
  });

  it('takes models by name or with facts, and prices a deployment by its model', () => {
    const file = (entry: string): string =>
      `providers: [{ id: az, kind: azure, baseUrl: "https://a.openai.azure.com", models: [gpt-4o, ${entry}] }]`;
    fs.writeFileSync(path.join(cwd, 'tallyrank.config.yaml'), file('{ name: small, model: gpt-4o-mini }'));
    const prices = priceBookOf(loadConfig({ env: {}, cwd }).config);
    expect(prices.typicalCostUsd('az:small')).toBeCloseTo((500 * 0.15 + 300 * 0.6) / 1e6, 9);
    expect(prices.isPriced('az:gpt-4o')).toBe(true);
    expect(prices.isPriced('az:whatever')).toBe(false);
    expect(faultsOf({}, file('{ model: gpt-4o-mini }'))).toContain('providers.0.models.1');
  });

  it.each([
    ['gpu-box', 'http://gpu-box:11434'],
    ['https://ollama.example/', 'https://ollama.example'],
    ['127.0.0.1:11434', 'http://127.0.0.1:11434'],
  ])('reads OLLAMA_HOST=%s as Ollama does', (host, url) => {
    const { config } = loadConfig({ env: { OLLAMA_HOST: host }, cwd });
    expect(config.providers[0]?.baseUrl).toBe(url);
  });

  it('lets the environment win over the file', () => {
    fs.writeFileSync(path.join(cwd, 'tallyrank.config.yaml'), 'port: 7000\nexploration:\n  share: 0.2\n');
    const { config } = loadConfig({ env: { PORT: '8000' }, cwd });
    expect([config.port, config.exploration.share]).toEqual([8000, 0.2]);
  });

  it('refuses an address that others can reach without a key', () => {
    expect(faultsOf({ HOST: '0.0.0.0' })).toContain('Set TALLYRANK_ADMIN_KEY');
  });

  it('names key, value and what is allowed, for all faults at once', () => {
    const message = faultsOf(
      { PORT: 'x' },
      'exploration:\n  share: 3\nranking:\n  timeframe: soon\nunknown: 1\n',
    );
    expect(message).toContain('PORT: "x" must be a number');
    expect(message).toMatch(/exploration\.share: 3: .*<=1/);
    expect(message).toContain('ranking.timeframe: "soon": must be a timeframe');
    expect(message).toContain('unknown: no such setting');
  });

  it.each([
    ['[1, 2]', 'must hold settings'],
    ['a: [', 'is not valid YAML'],
    ['providers:\n  - id: A\n    kind: openai\n    baseUrl: http://x', 'providers.0.id'],
    [
      'providers:\n  - id: a\n    kind: openai\n    baseUrl: http://x\n    apiKeyEnv: NOT_THERE',
      'NOT_THERE is not set',
    ],
  ])('refuses the file %j', (file, reason) => {
    expect(faultsOf({}, file)).toContain(reason);
  });

  it('takes hand-written use cases, and names what is wrong with one', () => {
    const rule = (when: string): string => `useCaseRules: [{ name: r, useCase: refunds, when: ${when} }]`;
    fs.writeFileSync(path.join(cwd, 'tallyrank.config.yaml'), rule('{ regex: [cancel, order], tag: batch }'));
    expect(loadConfig({ env: {}, cwd }).config.useCaseRules).toEqual([
      { name: 'r', useCase: 'refunds', when: { regex: ['cancel', 'order'], tag: 'batch' } },
    ]);
    expect(faultsOf({}, rule('{ regex: "(a+)+$" }'))).toContain('exponential time');
    expect(faultsOf({}, rule('{}'))).toContain('at least one condition');
    expect(faultsOf({}, rule('{ regex: a }').replace('refunds', 'Not OK'))).toContain('must be a slug');
  });

  it('takes an embedder with its key from the environment', () => {
    const file = (embedder: string): string => `discovery: { embedder: ${embedder} }`;
    fs.writeFileSync(
      path.join(cwd, 'tallyrank.config.yaml'),
      file('{ kind: http, url: "http://gpu:8000/v1", model: m, apiKeyEnv: EMBED_KEY }'),
    );
    const { config, secrets } = loadConfig({ env: { EMBED_KEY: 'k' }, cwd });
    expect(config.discovery.embedder).toMatchObject({ kind: 'http', model: 'm' });
    expect(secrets.embedderKey).toBe('k');
    expect(faultsOf({})).toContain('EMBED_KEY is not set');
    expect(faultsOf({}, file('{ kind: http }'))).toContain('discovery.embedder.url');
    expect(faultsOf({}, file('{ kind: transformers }'))).toContain('discovery.embedder.model');
    fs.writeFileSync(
      path.join(cwd, 'tallyrank.config.yaml'),
      file('{ kind: transformers, model: a/b, folder: models }'),
    );
    expect(loadConfig({ env: {}, cwd }).config.discovery.embedder.folder).toBe(path.join(cwd, 'models'));
  });
});
