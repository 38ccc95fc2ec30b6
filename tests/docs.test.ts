import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createOutput } from '../src/cli/output.ts';
import { buildProgram, leafCommands } from '../src/cli/program.ts';
import { ENVIRONMENT, OTHER_ENVIRONMENT } from '../src/config/environment.ts';
import { configSchema } from '../src/config/schema.ts';
import { ERROR_KINDS } from '../src/core/errors.ts';
import { JOURNAL_TABLES } from '../src/core/journal-lines.ts';
import { PRICE_LIST_VERSION } from '../src/core/price-book.ts';
import { BACKEND_DIFFERENCES } from '../src/store/backends.ts';
import { Telemetry } from '../src/telemetry.ts';
import { IMPORT_FIELD_NAMES } from '../src/tracker/import-rows.ts';

/*
 * The documentation against the program: what it names must exist, and what exists must be named.
 */

const ROOT = join(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

/** Cells of every table row of a page whose first cell is in backticks, without the backticks there. */
function rowsOf(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split(/(?<!\\)\|/).slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim()))
    .map(([first = '', ...others]) => [first.replace(/^`([^`]*)`$/, '$1'), ...others]);
}

/** The text between a heading of the second order and the next one. */
function sectionOf(text: string, heading: string): string {
  const sections = text.split(/^## /m);
  return sections.find((section) => section.split('\n', 1)[0] === heading) ?? '';
}

/** A part of a JSON schema, as far as settings need it. */
interface SchemaNode {
  readonly type?: string;
  readonly default?: unknown;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
  readonly additionalProperties?: SchemaNode | boolean;
}

interface Setting {
  readonly path: string;
  readonly default: string;
  readonly sentence: string;
}

function settingsOf(node: SchemaNode, path: string, isRequired: boolean): Setting[] {
  if (node.properties !== undefined) {
    return Object.entries(node.properties).flatMap(([key, child]) =>
      settingsOf(child, path === '' ? key : `${path}.${key}`, node.required?.includes(key) ?? false),
    );
  }
  const written =
    node.default === undefined ? (isRequired ? 'required' : 'none') : `\`${JSON.stringify(node.default)}\``;
  const own = { path, default: written, sentence: node.description ?? '' };
  const { items, additionalProperties: values } = node;
  if (items?.properties !== undefined) return [own, ...settingsOf(items, `${path}[]`, false)];
  if (typeof values === 'object' && values.properties !== undefined) {
    return [own, ...settingsOf(values, `${path}.*`, false)];
  }
  return [own];
}

describe('docs/configuration.md', () => {
  const text = read('docs/configuration.md');

  it('has every setting with its default and its sentence, and no other', () => {
    const schema = z.toJSONSchema(configSchema, { io: 'input' }) as SchemaNode;
    const documented = rowsOf(sectionOf(text, 'Settings')).map(([path, written, , sentence]) => ({
      path,
      default: written,
      sentence,
    }));
    expect(documented).toEqual(settingsOf(schema, '', false));
  });

  it('has every environment variable with the setting that it sets, and no other', () => {
    const rows = rowsOf(sectionOf(text, 'Environment'));
    const names = [...Object.keys(ENVIRONMENT), ...OTHER_ENVIRONMENT];
    expect(rows.map(([name]) => name).sort()).toEqual([...names].sort());
    for (const [name, [path]] of Object.entries(ENVIRONMENT)) {
      expect(rows.find(([documented]) => documented === name)?.[1]).toContain(`\`${path}\``);
    }
  });
});

describe('docs/errors.md', () => {
  it('has every code with status, fault and retry, and no other', () => {
    const documented = rowsOf(read('docs/errors.md')).map((cells) => cells.slice(0, 4));
    const codes = Object.entries(ERROR_KINDS).map(([code, { statusCode, fault, retryable }]) => [
      code,
      String(statusCode),
      fault,
      retryable ? 'yes' : 'no',
    ]);
    expect(documented).toEqual(codes);
  });
});

describe('docs/cli.md', () => {
  const text = read('docs/cli.md');
  const program = buildProgram({
    output: createOutput(false),
    signal: new AbortController().signal,
    overrides: () => ({}),
  });
  const nameOf = (command: Command): string =>
    command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
  const usageOf = (command: Command): string => {
    const operands = command.registeredArguments.map((argument) =>
      argument.required ? ` <${argument.name()}>` : ` [${argument.name()}]`,
    );
    return `\`${nameOf(command)}${operands.join('')}\``;
  };
  const isCommon = (flags: string): boolean => /^--(json|data-dir)\b/.test(flags);

  it('has every command, and no other', () => {
    const headings = [...text.matchAll(/^## (`tallyrank.*)$/gm)].map(([, heading]) => heading);
    expect(headings.sort()).toEqual(leafCommands(program).map(usageOf).sort());
  });

  it.each(leafCommands(program).map((command) => [nameOf(command), command] as const))(
    'has what %s does and takes',
    (_name, command) => {
      const section = sectionOf(text, usageOf(command));
      const flat = section.replace(/\[import\.md\]\(import\.md\)/g, 'docs/import.md').replace(/\s+/g, ' ');
      expect(flat).toContain(command.description());
      const options = command.options.filter(({ flags }) => !isCommon(flags));
      expect(rowsOf(section)).toEqual(options.map(({ flags, description }) => [flags, description]));
    },
  );

  it('has the options that all commands take', () => {
    const common = program.commands[0]?.options.filter(({ flags }) => isCommon(flags)) ?? [];
    const documented = rowsOf(text.split(/^## /m)[0] ?? '');
    expect(documented).toEqual(common.map(({ flags, description }) => [flags, description]));
  });
});

describe('docs/api.md', () => {
  const text = read('docs/api.md');
  const sources = ['src/server.ts', 'src/gateway/access.ts', 'src/gateway/ollama-paths.ts'].concat(
    readdirSync(join(ROOT, 'src/api'))
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
      .map((name) => `src/api/${name}`),
  );
  const served = new Set(
    sources
      .flatMap((file) => [...read(file).matchAll(/'(\/(?:api\/|metrics|healthz|readyz|health\/)[^'\s]*)'/g)])
      .map(([, path = '']) =>
        path.replace(/:(\w+)/g, '{$1}').replace('/performance/*', '/performance/{modelId}/{useCase}'),
      ),
  );

  it('has every path', () => {
    expect(served.size).toBeGreaterThan(20);
    expect([...served].filter((path) => !text.includes(`${path}\``))).toEqual([]);
  });

  it('has no path that is not served', () => {
    const documented = [...text.matchAll(/`(?:GET|POST|PUT|PATCH|DELETE) (\/(?!v1)\S*)`/g)].map(
      ([, path]) => path,
    );
    expect(documented.filter((path) => path !== undefined && !served.has(path))).toEqual([]);
  });

  it('has every header of an answer, and no other', () => {
    const headers = new Set(
      ['src/gateway/answer-headers.ts', 'src/gateway/chat-exchange.ts'].flatMap((file) =>
        [...read(file).matchAll(/'(x-tallyrank-[a-z-]+)'/g)].map(([, name]) => name),
      ),
    );
    const asked = read('src/gateway/request-context.ts') + read('src/gateway/request-constraints.ts');
    const documented = new Set(
      [...text.matchAll(/x-tallyrank-[a-z-]+/g)]
        .map(([name]) => name)
        .filter((name) => !asked.includes(name)),
    );
    expect([...documented].sort()).toEqual([...headers].sort());
  });

  it('has every header and field that says who asks', () => {
    const source = read('src/gateway/request-context.ts') + read('src/gateway/request-constraints.ts');
    const headers = [...source.matchAll(/'((?:x|helicone)-[a-z-]+)'/g)].map(([, name]) => name ?? '');
    const fields = [...source.matchAll(/metadata\['(\w+)'\]/g)].map(([, name]) => `metadata.${name}`);
    expect([...headers, ...fields].filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });
});

describe('docs/metrics.md', () => {
  it('has every metric with its kind, and no other', async () => {
    const telemetry = new Telemetry('silent');
    const none = { openCount: 0, droppedCount: 0, rejectedCount: 0, shippedCount: 0, journalWaitingBytes: 0 };
    telemetry.watchLog(() => none);
    telemetry.watchProviders(() => []);
    const metrics = (await telemetry.registry.getMetricsAsJSON())
      .map(({ name, type }) => [name, String(type)])
      .filter(([name]) => !/^tallyrank_(process|nodejs)_/.test(name ?? ''));
    telemetry.registry.clear();
    expect(rowsOf(read('docs/metrics.md')).map((cells) => cells.slice(0, 2))).toEqual(metrics);
  });
});

describe('docs/journal-format.md', () => {
  it('has every letter with its table, and no other', () => {
    const rows = rowsOf(sectionOf(read('docs/journal-format.md'), 'Lines'));
    expect(rows.map(([letter, table]) => [letter, table])).toEqual(
      Object.entries(JOURNAL_TABLES).map(([letter, table]) => [letter, `\`${table}\``]),
    );
  });
});

describe('docs/import.md', () => {
  it('has every field with all its names in order, and no other', () => {
    const rows = rowsOf(sectionOf(read('docs/import.md'), 'Fields'));
    expect(Object.fromEntries(rows.map(([field = '', names]) => [field, names]))).toEqual(
      Object.fromEntries(
        Object.entries(IMPORT_FIELD_NAMES).map(([field, names]) => [
          field,
          names.map((name) => `\`${name}\``).join(', '),
        ]),
      ),
    );
  });
});

describe('docs/store.md', () => {
  const text = read('docs/store.md');
  const migrations = readdirSync(join(ROOT, 'src/store/migrations')).map((name) =>
    read(`src/store/migrations/${name}`),
  );
  const createdBy = (kind: string): string[] =>
    migrations.flatMap((sql) =>
      [...sql.matchAll(new RegExp(`^CREATE ${kind} IF NOT EXISTS (\\w+)`, 'gm'))].map(
        ([, name]) => name ?? '',
      ),
    );

  it('has every table, and no other', () => {
    const documented = rowsOf(sectionOf(text, 'Tables')).map(([name]) => name);
    expect(documented.sort()).toEqual(createdBy('TABLE').sort());
  });

  it('has every view', () => {
    expect(createdBy('VIEW').filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });

  it('has every kind of signal, and no other', () => {
    const union = read('src/core/signal.ts').split('export type SignalKind =')[1]?.split(';')[0] ?? '';
    const kinds = [...union.matchAll(/'(\w+)'/g)].map(([, kind]) => kind);
    const documented = rowsOf(sectionOf(text, 'Signals')).map(([kind]) => kind);
    expect(documented.sort()).toEqual(kinds.sort());
  });

  it('has the differences between the backends', () => {
    const section = sectionOf(text, 'Embedded, server, cluster');
    for (const { what } of BACKEND_DIFFERENCES.filter((row) =>
      /^(connection|memory|system)/.test(row.what),
    )) {
      expect(section).toContain(`| ${what} |`);
    }
  });
});

describe('README.md', () => {
  const text = read('README.md');

  it('has the two commands, a line each', () => {
    const lines = text.split('\n');
    expect(lines).toContain('npm ci && npm start');
    expect(lines).toContain('npm ci && npm test');
  });

  it('imports only what the library has', () => {
    const index = read('src/index.ts');
    const imported = [text, read('examples/library.mjs')].flatMap((source) =>
      [...source.matchAll(/import \{([^}]+)\} from 'tallyrank'/g)].flatMap(([, names = '']) =>
        names.split(',').map((name) => name.trim()),
      ),
    );
    const missing = imported.filter(
      (name) => name !== '' && !new RegExp(`export \\{ ${name} \\}`).test(index),
    );
    expect(imported.length).toBeGreaterThan(5);
    expect(missing).toEqual([]);
  });
});

describe('links', () => {
  const pages = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', 'examples/README.md'].concat(
    readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => `docs/${name}`),
  );

  it.each(pages)('of %s lead somewhere', (page) => {
    const targets = [...read(page).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(
      ([, target]) => target ?? '',
    );
    expect(targets.filter((target) => !existsSync(join(ROOT, dirname(page), target)))).toEqual([]);
  });

  it('of the examples name every file', () => {
    const files = readdirSync(join(ROOT, 'examples')).filter((name) => name !== 'README.md');
    expect(
      rowsOf(read('examples/README.md'))
        .map(([name]) => name)
        .sort(),
    ).toEqual(files.sort());
  });
});

describe('the price list', () => {
  it('has the version that is written on rows', () => {
    const entry = createRequire(import.meta.url).resolve('@pydantic/genai-prices');
    const folder = entry.slice(0, entry.lastIndexOf('genai-prices') + 'genai-prices'.length);
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
    expect(PRICE_LIST_VERSION).toBe(`genai-prices:${version}`);
  });
});
