// Installs the newest majors of the clients that tests/clients runs, beside a copy of the file that imports them, in
// build/newest. They need a newer Node than the product does, so that its own lockfile cannot have them.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const FROM = join(ROOT, 'tests', 'newest');
const TO = join(ROOT, 'build', 'newest');

/**
 * Does nothing where the same lockfile was installed before.
 *
 * @param {{ say: (text: string) => void }} options  hears in words what could not be had
 * @returns {boolean} true when they are there
 */
export function installNewestClients({ say }) {
  const lock = readFileSync(join(FROM, 'package-lock.json'), 'utf8');
  if (tryRead(join(TO, 'installed.json')) === lock) {
    cpSync(join(FROM, 'packages.ts'), join(TO, 'packages.ts'));
    return true;
  }
  rmSync(TO, { recursive: true, force: true });
  mkdirSync(TO, { recursive: true });
  for (const name of ['package.json', 'package-lock.json']) cpSync(join(FROM, name), join(TO, name));
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status } = spawnSync('npm', args, { cwd: TO, stdio: 'inherit' });
  if (status !== 0) {
    say('The newest clients could not be had from npm; the tests ran with the majors of the lockfile only.');
    return false;
  }
  cpSync(join(FROM, 'packages.ts'), join(TO, 'packages.ts'));
  // Last: an installation that was broken off has none.
  writeFileSync(join(TO, 'installed.json'), lock);
  return true;
}

function tryRead(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  if (!installNewestClients({ say: (text) => console.error(text) })) process.exitCode = 1;
}
