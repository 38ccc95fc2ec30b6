import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'tests/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // The engine wants memory and both cores: two files at a time is what a two-core machine carries.
    maxWorkers: 2,
    pool: 'forks',
  },
});
