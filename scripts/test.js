// All tests, with all they need set up: lint, types, build, the suite on this Node and on a current one, and
// the package as npm would publish it. Says in words what it could not have.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findChromium } from './chromium.js';
import { installNewestClients } from './newest-clients.js';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const CURRENT_NODE = '24';
const scratch = mkdtempSync(join(tmpdir(), 'tallyrank-test-'));
const started = Date.now();
const notes = [];
const failures = [];
let passedCount = 0;
let failedCount = 0;

function run(title, command, args, options = {}) {
  console.log(`\n== ${title}`);
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: 'inherit', ...options });
  if (error) console.log(error.message);
  if (status !== 0) failures.push(title);
  return status === 0;
}

const bin = (name) => join(ROOT, 'node_modules', '.bin', name);

/** The suite under one Node; the counts come from its own report. */
function suite(title, command, args, env) {
  const report = join(scratch, `${title.replace(/\W+/g, '-')}.json`);
  const vitest = [
    join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'),
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ];
  run(title, command, [...args, ...vitest], { env: { ...process.env, ...env } });
  try {
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8'));
    passedCount += numPassedTests;
    failedCount += numFailedTests;
  } catch (error) {
    failures.push(`${title}: no report (${error.message})`);
  }
}

const chromium = findChromium({ mayInstall: true, say: (text) => notes.push(text) });
const env = chromium === null ? {} : { TALLYRANK_TEST_CHROMIUM: chromium };

/** The suite under a current Node, with the newest majors of the clients beside those of the lockfile. */
function currentSuite(title, command) {
  console.log('\n== newest clients');
  installNewestClients({ say: (text) => notes.push(text) });
  suite(title, command, [], env);
}

run('lint', bin('biome'), ['check', '--error-on-warnings']);
run('types', bin('tsc'), ['-p', 'tsconfig.all.json']);
if (run('build', process.execPath, ['scripts/build.js'])) {
  const major = Number(process.versions.node.split('.')[0]);
  const isCurrent = major >= Number(CURRENT_NODE);
  const title = `tests on Node ${process.versions.node}`;
  if (isCurrent) currentSuite(title, process.execPath);
  else suite(title, process.execPath, [], env);
  if (isCurrent) {
    notes.push(`This Node (${process.versions.node}) is a current one; the suite ran once.`);
  } else {
    const probe = spawnSync('npx', ['-y', '-p', `node@${CURRENT_NODE}`, 'node', '-p', 'process.execPath'], {
      encoding: 'utf8',
      cwd: scratch,
    });
    const node = probe.stdout?.trim().split('\n').at(-1);
    if (probe.status === 0 && node) currentSuite(`tests on Node ${CURRENT_NODE}`, node);
    else
      notes.push(
        `Node ${CURRENT_NODE} could not be had from npm; the suite ran on Node ${process.versions.node} only.`,
      );
  }
  run('package: publint', bin('publint'), []);
  run('package: types as consumers see them', bin('attw'), ['--pack', '.', '--profile', 'esm-only']);
}
rmSync(scratch, { recursive: true, force: true });

console.log(`\n== result after ${Math.round((Date.now() - started) / 1000)} s`);
for (const note of notes) console.log(`note: ${note}`);
for (const failure of failures) console.log(`failed: ${failure}`);
console.log(`${passedCount} passed, ${failedCount} failed`);
process.exit(failures.length > 0 || failedCount > 0 || passedCount === 0 ? 1 : 0);
