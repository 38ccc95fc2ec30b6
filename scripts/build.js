// Builds the package: TypeScript to dist/, and the files beside it that are not TypeScript.
// Runs at `npm ci` in a clone (prepare); a packed package carries dist/ and never runs this.
import { spawnSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const compiler = join(
  dirname(createRequire(import.meta.url).resolve('typescript/package.json')),
  'bin',
  'tsc',
);

rmSync(join(root, 'dist'), { recursive: true, force: true });
const { status, error } = spawnSync(process.execPath, [compiler, '-p', join(root, 'tsconfig.json')], {
  stdio: 'inherit',
});
if (error) throw error;
if (status !== 0) process.exit(status ?? 1);
cpSync(join(root, 'src', 'store', 'migrations'), join(root, 'dist', 'store', 'migrations'), {
  recursive: true,
});
cpSync(join(root, 'src', 'api', 'page'), join(root, 'dist', 'api', 'page'), { recursive: true });
