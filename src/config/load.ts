import * as fs from 'node:fs';
import * as path from 'node:path';
import { parse as parseYaml, YAMLParseError } from 'yaml';
import type { z } from 'zod';
import { TallyrankError } from '../core/errors.ts';
import { ENVIRONMENT } from './environment.ts';
import { keysOf, providersOf } from './environment-providers.ts';
import type { Config, ProviderConfig, Secrets } from './schema.ts';
import { configSchema } from './schema.ts';

export interface LoadedConfig {
  readonly config: Config;
  readonly secrets: Secrets;
  /** The file that was read; null when there was none. */
  readonly file: string | null;
}

export interface LoadOptions {
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly cwd?: string | undefined;
  /** Settings of the command line; they win over file and environment. */
  readonly overrides?: Readonly<Record<string, unknown>> | undefined;
}

const CONFIG_FILE = 'tallyrank.config.yaml';

type Environment = Readonly<Record<string, string | undefined>>;
type Tree = Record<string, unknown>;

/**
 * Configuration from defaults, file, environment and command line, the later winning.
 *
 * @throws {TallyrankError} `bad_config` with every fault found, a line each: key, value, what is allowed
 */
export function loadConfig(options: LoadOptions = {}): LoadedConfig {
  const env = options.env ?? process.env;
  const cwd = options.cwd ?? process.cwd();
  const file = findFile(env, cwd);
  const tree = file === null ? {} : readFile(file);
  const faults: string[] = [];
  for (const [name, [at, kind]] of Object.entries(ENVIRONMENT)) {
    const text = env[name];
    if (text !== undefined && text !== '') setPath(tree, at, parseValue(name, text, kind, faults));
  }
  for (const [at, value] of Object.entries(options.overrides ?? {})) {
    if (value !== undefined) setPath(tree, at, value);
  }
  const parsed = configSchema.safeParse(tree);
  if (!parsed.success) faults.push(...parsed.error.issues.map((issue) => describeIssue(issue, tree)));
  const secrets = parsed.success ? readSecrets(env, parsed.data, faults) : NO_SECRETS;
  const providers = parsed.success ? mergeProviders(env, parsed.data.providers, faults) : [];
  if (parsed.success && !isLoopback(parsed.data.host) && secrets.adminKey === null) {
    faults.push(
      `host: ${parsed.data.host} can be reached from other machines, and no admin key is set. ` +
        'Set TALLYRANK_ADMIN_KEY, or listen on 127.0.0.1.',
    );
  }
  if (faults.length > 0 || !parsed.success) {
    const source = file ?? 'the environment';
    throw new TallyrankError(
      'bad_config',
      `The configuration (${source}) has faults:\n  ${faults.join('\n  ')}`,
    );
  }
  const config: Config = {
    ...parsed.data,
    providers: providers.map((provider) => ({
      ...provider,
      baseUrl: toBaseUrl(provider.kind, provider.baseUrl),
    })),
    dataDir: path.resolve(cwd, parsed.data.dataDir),
    discovery: {
      ...parsed.data.discovery,
      embedder: {
        ...parsed.data.discovery.embedder,
        ...(parsed.data.discovery.embedder.folder === undefined
          ? {}
          : { folder: path.resolve(cwd, parsed.data.discovery.embedder.folder) }),
      },
    },
  };
  return { config, secrets, file };
}

/** True for addresses that only this machine can reach. */
function isLoopback(host: string): boolean {
  return (
    host === 'localhost' ||
    host === '::1' ||
    host === '[::1]' ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
  );
}

const NO_SECRETS: Secrets = {
  adminKey: null,
  clickhousePassword: null,
  embedderKey: null,
  providerKeys: new Map(),
};

/** Shorter keys can be guessed over the network. */
const ADMIN_KEY_LENGTH_MIN = 12;

function findFile(env: Environment, cwd: string): string | null {
  const named = env['TALLYRANK_CONFIG'];
  if (named) {
    const file = path.resolve(cwd, named);
    if (fs.existsSync(file)) return file;
    throw new TallyrankError('bad_config', `TALLYRANK_CONFIG names ${file}, and there is no such file.`);
  }
  const file = path.join(cwd, CONFIG_FILE);
  return fs.existsSync(file) ? file : null;
}

function readFile(file: string): Tree {
  try {
    const read: unknown = parseYaml(fs.readFileSync(file, 'utf8')) ?? {};
    if (typeof read !== 'object' || Array.isArray(read)) {
      throw new TallyrankError('bad_config', `${file} must hold settings as "key: value" lines.`);
    }
    return read as Tree;
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    throw new TallyrankError('bad_config', `${file} is not valid YAML: ${error.message}`, { cause: error });
  }
}

function parseValue(
  name: string,
  text: string,
  kind: 'text' | 'number' | 'boolean',
  faults: string[],
): unknown {
  if (kind === 'text') return text;
  if (kind === 'boolean') {
    if (/^(1|true|yes|on)$/i.test(text)) return true;
    if (/^(0|false|no|off)$/i.test(text)) return false;
    faults.push(`${name}: "${text}" must be true or false`);
    return undefined;
  }
  const number = Number(text);
  if (Number.isFinite(number)) return number;
  faults.push(`${name}: "${text}" must be a number`);
  return undefined;
}

function setPath(tree: Tree, at: string, value: unknown): void {
  if (value === undefined) return;
  const keys = at.split('.');
  const last = keys.pop();
  if (last === undefined) return;
  let node = tree;
  for (const key of keys) {
    const next = node[key];
    node = typeof next === 'object' && next !== null ? (next as Tree) : {};
    tree[key] = node;
  }
  node[last] = value;
}

function describeIssue(issue: z.core.$ZodIssue, tree: Tree): string {
  const at = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const keys = issue.keys.map((key) => (at === '' ? key : `${at}.${key}`)).join(', ');
    return `${keys}: no such setting; docs/configuration.md lists all`;
  }
  const value = issue.path.reduce<unknown>(
    (node, key) => (node as Record<PropertyKey, unknown>)?.[key],
    tree,
  );
  const shown = value === undefined ? 'missing' : JSON.stringify(value);
  return `${at}: ${shown.length > 80 ? `${shown.slice(0, 80)}…` : shown}: ${issue.message}`;
}

function readSecrets(env: Environment, { providers, discovery }: Config, faults: string[]): Secrets {
  const adminKey = env['TALLYRANK_ADMIN_KEY'] || null;
  if (adminKey !== null && adminKey.length < ADMIN_KEY_LENGTH_MIN) {
    faults.push(`TALLYRANK_ADMIN_KEY: must have at least ${ADMIN_KEY_LENGTH_MIN} characters`);
  }
  const providerKeys = keysOf(env);
  for (const { id, apiKeyEnv } of providers) {
    if (apiKeyEnv === undefined) continue;
    const key = env[apiKeyEnv];
    if (key) providerKeys.set(id, key);
    else faults.push(`providers.${id}.apiKeyEnv: the environment variable ${apiKeyEnv} is not set`);
  }
  const embedderVariable = discovery.embedder.apiKeyEnv;
  const embedderKey = embedderVariable === undefined ? null : (env[embedderVariable] ?? null) || null;
  if (embedderVariable !== undefined && embedderKey === null) {
    faults.push(`discovery.embedder.apiKeyEnv: the environment variable ${embedderVariable} is not set`);
  }
  const clickhousePassword = env['CLICKHOUSE_PASSWORD'] ?? null;
  return { adminKey, clickhousePassword, embedderKey, providerKeys };
}

/** The providers that the environment alone names, unless the file configures one of the same id. */
function mergeProviders(
  env: Environment,
  configured: readonly ProviderConfig[],
  faults: string[],
): ProviderConfig[] {
  const ids = configured.map(({ id }) => id);
  for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) {
    faults.push(`providers: the id "${id}" is given twice`);
  }
  const found = providersOf(env, faults);
  return [...configured, ...found.filter(({ id }) => !ids.includes(id))];
}

/** The base as its protocol's clients write it: OpenAI's ends in /v1 or another path, the others' do not. */
function toBaseUrl(kind: ProviderConfig['kind'], url: string): string {
  const bare = url.replace(/\/+$/, '');
  if (kind === 'azure') return bare.replace(/\/openai(\/v1)?$/, '');
  if (kind === 'openai') return new URL(bare).pathname === '/' ? `${bare}/v1` : bare;
  return bare.replace(/\/(v1|api)$/, '');
}
