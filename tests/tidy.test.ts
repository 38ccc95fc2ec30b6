import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

/*
 * The rules of the house that a machine can hold. Each fault says what to do; exceptions stand here by name.
 */

const ROOT = join(import.meta.dirname, '..');
const SRC = join(ROOT, 'src');

/** What each room may import of ours; the same table stands in docs/architecture.md, and a test compares them. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  stats: [],
  config: ['core'],
  telemetry: ['core'],
  tracker: ['core'],
  access: ['core'],
  routing: ['core', 'stats'],
  gateway: ['core', 'access', 'routing', 'tracker'],
  store: ['core'],
  discovery: ['core', 'stats', 'store'],
  ranking: ['core', 'stats', 'store'],
  evaluation: ['core', 'stats', 'store', 'discovery', 'ranking', 'routing'],
  bucket: ['core'],
  api: ['core', 'access', 'store', 'discovery', 'ranking', 'routing', 'evaluation', 'tracker', 'bucket'],
  workbench: [
    'core',
    'config',
    'telemetry',
    'tracker',
    'access',
    'store',
    'discovery',
    'ranking',
    'routing',
    'evaluation',
    'bucket',
  ],
  app: [
    'core',
    'config',
    'telemetry',
    'tracker',
    'access',
    'routing',
    'gateway',
    'store',
    'ranking',
    'api',
    'workbench',
  ],
  server: ['core', 'config', 'access', 'gateway', 'api', 'app', 'version'],
  version: [],
  cli: ['core', 'config', 'access', 'workbench', 'server', 'version'],
  index: [
    'core',
    'config',
    'tracker',
    'routing',
    'store',
    'discovery',
    'ranking',
    'evaluation',
    'bucket',
    'server',
  ],
};

const LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;

/** Files and functions that are long for a reason. */
const LONG_FILES: Readonly<Record<string, string>> = {};
const LONG_FUNCTIONS: Readonly<Record<string, string>> = {};

interface SourceFile {
  readonly name: string;
  readonly room: string;
  readonly text: string;
  readonly lines: readonly string[];
}

const files: SourceFile[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => {
    const text = readFileSync(join(SRC, name), 'utf8');
    const room = name.includes('/') ? (name.split('/')[0] ?? '') : name.replace(/\.ts$/, '');
    return { name, room, text, lines: text.split('\n') };
  });

const product = files.filter(({ name }) => !name.endsWith('.test.ts'));

function importsOf(file: SourceFile): string[] {
  const specifiers = file.text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g);
  return [...specifiers].map(([, specifier = '']) => relative(SRC, join(SRC, dirname(file.name), specifier)));
}

function roomOf(path: string): string {
  return path.includes('/') ? (path.split('/')[0] ?? '') : path.replace(/\.ts$/, '');
}

/** Code without comments and string contents, line by line, so that words in prose do not count. */
function codeOf(file: SourceFile): string {
  return file.text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ''))
    .replace(/\/\/[^\n]*/g, '');
}

function faultsIn(check: (file: SourceFile) => readonly string[]): string[] {
  return product.flatMap((file) => check(file).map((fault) => `src/${file.name}: ${fault}`));
}

describe('the house', () => {
  it('lets a room import only along the flow', () => {
    const faults = faultsIn((file) =>
      importsOf(file)
        .filter((path) => roomOf(path) !== file.room && !(MAY_IMPORT[file.room] ?? []).includes(roomOf(path)))
        .map(
          (path) =>
            `imports ${path}. ${file.room} may import ${(MAY_IMPORT[file.room] ?? []).join(', ') || 'nothing of ours'}: ` +
            'declare the interface it needs in its own room and let app.ts hand the part in, or move what both need to core.',
        ),
    );
    expect(faults).toEqual([]);
  });

  it('knows every room', () => {
    const rooms = new Set(product.map(({ room }) => room));
    expect([...rooms].filter((room) => !(room in MAY_IMPORT))).toEqual([]);
  });

  it('draws the same table in docs/architecture.md', () => {
    const page = readFileSync(join(ROOT, 'docs', 'architecture.md'), 'utf8');
    for (const [room, allowed] of Object.entries(MAY_IMPORT)) {
      expect(page, `the row of ${room}`).toContain(
        `| ${room} | ${allowed.join(', ') || 'nothing of ours'} |`,
      );
    }
  });

  it('enters a room by its named files: no barrels', () => {
    const faults = faultsIn((file) =>
      file.name !== 'index.ts' && /^export \* from/m.test(file.text)
        ? ['re-exports whole files; name what you need where you need it']
        : [],
    );
    expect(faults).toEqual([]);
  });

  it('speaks SQL in the store only', () => {
    const faults = faultsIn((file) =>
      file.room !== 'store' &&
      /['"`][^'"`]*\b(SELECT|INSERT INTO|ALTER TABLE|CREATE TABLE)\b/.test(codeOf(file))
        ? ['holds SQL; give the question a file in store/queries']
        : [],
    );
    expect(faults).toEqual([]);
  });

  it('reads the environment in config only', () => {
    const faults = faultsIn((file) =>
      file.room !== 'config' && /process\.env/.test(codeOf(file))
        ? ['reads process.env; make it a setting in config/schema.ts']
        : [],
    );
    expect(faults).toEqual([]);
  });

  it('keeps clock and chance out of core and stats', () => {
    const faults = faultsIn((file) =>
      ['core', 'stats'].includes(file.room) && /Date\.now\(|Math\.random\(|new Date\(\)/.test(codeOf(file))
        ? ['asks the clock or chance; take them as arguments']
        : [],
    );
    expect(faults).toEqual([]);
  });

  it('prints through a logger', () => {
    const faults = faultsIn((file) =>
      /\bconsole\./.test(codeOf(file)) ? ['uses console; take a Logger'] : [],
    );
    expect(faults).toEqual([]);
  });

  it('ends the process in cli/main.ts and the store process only', () => {
    const faults = faultsIn((file) =>
      !['cli/main.ts', 'store/store-process.ts'].includes(file.name) && /process\.exit\(/.test(codeOf(file))
        ? ['calls process.exit; throw, and let cli/main.ts end']
        : [],
    );
    expect(faults).toEqual([]);
  });

  it('exports by name', () => {
    const faults = faultsIn((file) =>
      /^export default/m.test(file.text) ? ['has a default export; name it'] : [],
    );
    expect(faults).toEqual([]);
  });

  it('keeps files to one idea', () => {
    const faults = faultsIn((file) =>
      file.lines.length > LINES_MAX && !(file.name in LONG_FILES)
        ? [`has ${file.lines.length} lines; ${LINES_MAX} are two ideas: give the second its own file`]
        : [],
    );
    expect(faults).toEqual([]);
  });

  it('keeps functions to one thought', () => {
    const faults = faultsIn((file) =>
      longFunctions(file).filter((fault) => !(`${file.name}:${fault.split(' ')[0]}` in LONG_FUNCTIONS)),
    );
    expect(faults).toEqual([]);
  });

  it('says the unit in the name of a duration, size or amount', () => {
    const bare = /\b(?:readonly )?(\w*(?:[lL]atency|[dD]uration|[tT]imeout|[cC]ost|[dD]elay))\??: number\b/g;
    const faults = faultsIn((file) =>
      [...codeOf(file).matchAll(bare)]
        .map(([, name]) => name ?? '')
        .filter((name) => !PUBLIC_NAMES_OF_THE_ORIGINAL.has(name))
        .map((name) => `${name} has no unit; call it ${name}Ms, ${name}Usd, …`),
    );
    expect(faults).toEqual([]);
  });

  it('ties every TODO to an issue', () => {
    const faults = faultsIn((file) =>
      file.lines
        .filter((line) => /\b(TODO|FIXME|XXX)\b(?!\(#\d+\))/.test(line))
        .map((line) => `open end: ${line.trim()}`),
    );
    expect(faults).toEqual([]);
  });

  it('exports nothing that nobody uses', () => {
    const everything = [...files, ...outsideFiles()];
    const faults = faultsIn((file) =>
      [...file.text.matchAll(/^export (?:async )?(?:const|function\*?|class|interface|type) (\w+)/gm)]
        .map(([, name]) => name ?? '')
        .filter(
          (name) =>
            !everything.some(
              (other) => other.name !== file.name && new RegExp(`\\b${name}\\b`).test(other.text),
            ),
        )
        .filter((name) => !isSignatureType(file, name))
        .map((name) => `exports ${name}, and nobody imports it: drop the export or the code`),
    );
    expect(faults).toEqual([]);
  });
});

/** Names of the original's public answers, mapped in one place each. */
const PUBLIC_NAMES_OF_THE_ORIGINAL: ReadonlySet<string> = new Set(['avgCost', 'cost']);

/** A type that an exported signature of the same file uses must be exported to be named by callers. */
function isSignatureType(file: SourceFile, name: string): boolean {
  const isType = new RegExp(`^export (?:interface|type) ${name}\\b`, 'm').test(file.text);
  return isType && [...file.text.matchAll(new RegExp(`\\b${name}\\b`, 'g'))].length > 1;
}

function outsideFiles(): { name: string; text: string }[] {
  return ['tests', 'bench', 'examples'].flatMap((dir) =>
    readdirSync(join(ROOT, dir), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.m?[tj]s$/.test(name))
      .map((name) => ({ name: `${dir}/${name}`, text: readFileSync(join(ROOT, dir, name), 'utf8') })),
  );
}

/** Named functions and methods that are longer than allowed: a body runs from its opening line to the brace below it. */
function longFunctions(file: SourceFile): string[] {
  const faults: string[] = [];
  file.lines.forEach((line, at) => {
    const head =
      /^(\s*)(?:export )?(?:async )?(?:static )?(?:async )?(?:function\*? )?\*?(#?\w+)\(.*\{$/.exec(line);
    const name = head?.[2] ?? '';
    if (!head || /^(if|for|while|switch|catch|describe|it)$/.test(name)) return;
    const end = file.lines.findIndex((other, n) => n > at && other.startsWith(`${head[1]}}`));
    const lineCount = end - at + 1;
    if (lineCount > FUNCTION_LINES_MAX)
      faults.push(`${name} has ${lineCount} lines; ${FUNCTION_LINES_MAX} are two thoughts`);
  });
  return faults;
}
