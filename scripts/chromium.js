// Finds a Chromium for the browser tests; installs one where it may.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** Path of a Chromium, or null after saying why there is none. */
export function findChromium({ mayInstall, say }) {
  const found = find();
  if (found !== null || !mayInstall) return found;
  const isDebianRoot = process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
  if (isDebianRoot) {
    console.log('== installing Chromium by apt-get');
    const quiet = { stdio: 'ignore', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
    spawnSync('apt-get', ['update', '-qq'], quiet);
    spawnSync('apt-get', ['install', '-y', '-qq', 'chromium'], quiet);
  } else {
    console.log('== installing Chromium by Playwright');
    spawnSync('npx', ['playwright-core', 'install', 'chromium'], { stdio: 'inherit' });
  }
  const installed = find();
  if (installed === null) say('No Chromium could be found or installed: the browser tests were skipped.');
  return installed;
}

function find() {
  const named = process.env.TALLYRANK_TEST_CHROMIUM;
  if (named && existsSync(named)) return named;
  const own = chromium.executablePath();
  return [...PLACES, own].find((path) => path && existsSync(path)) ?? null;
}
