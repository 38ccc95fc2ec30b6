import { mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { storePaths } from './socket-path.ts';

describe('storePaths', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await realpath(await mkdtemp(join(tmpdir(), 'tr-')));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('puts the socket into the data directory', () => {
    expect(storePaths(dir).socketPath).toBe(join(dir, 'store', 'engine.sock'));
  });

  it('makes a short path for a long directory, another for every directory and always the same', () => {
    const long = join(dir, 'x'.repeat(120));
    const { socketPath } = storePaths(long);
    expect(Buffer.byteLength(socketPath)).toBeLessThanOrEqual(100);
    expect(storePaths(long).socketPath).toBe(socketPath);
    expect(storePaths(join(dir, 'y'.repeat(120))).socketPath).not.toBe(socketPath);
  });

  it('finds one socket for two spellings of a directory', async () => {
    await symlink(dir, `${dir}-link`);
    expect(storePaths(`${dir}-link`).socketPath).toBe(storePaths(dir).socketPath);
    await rm(`${dir}-link`);
  });

  it('says which directory cannot be used', async () => {
    const file = join(dir, 'file');
    await writeFile(file, '');
    expect(() => storePaths(file)).toThrow(`${file} cannot be used (ENOTDIR)`);
  });
});
