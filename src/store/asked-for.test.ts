import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, it } from 'vitest';

/** Queries that read shadows on purpose, or that no shadow can come into. */
const WITH_SHADOWS: Readonly<Record<string, string>> = {
  'ab-tests.ts': 'joined with decisions, and shadows have none',
  'assignments.ts': 'by prompt: a shadow has the prompt and the use case of its request',
  'existing-requests.ts': 'asks for ids',
  'explored.ts': 'counts what they cost',
  'feedback.ts': 'by ids that a caller has seen',
  'gaming-evidence.ts': 'what answers of a model are like',
  'judge-sample.ts': 'answers to judge, and two to the same prompt',
  'logged-decisions.ts': 'joined with decisions, and shadows have none; sessions have no shadows',
  'ranking-trends.ts': 'how a model did, as in the ranking',
  'failed-attempts.ts': 'nobody stands in for a shadow',
  'retries.ts': 'by user or session, and a shadow has neither',
  'usage-stats.ts': 'by their source, for money',
  'token-costs.ts': 'what a model costs per token',
};

const READS_ROWS = /\b(FROM|JOIN) usage_(log|hourly)\b/;

function* files(folder: string): Generator<string> {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* files(file);
    else if (entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts')) yield file;
  }
}

describe('queries of the log', () => {
  it('say whether they want shadows, which nobody asked for', () => {
    const folder = path.join(import.meta.dirname, 'queries');
    const silent = [...files(folder)].filter((file) => {
      const text = fs.readFileSync(file, 'utf8');
      return READS_ROWS.test(text) && !text.includes('ASKED_FOR') && !(path.basename(file) in WITH_SHADOWS);
    });
    expect(
      silent.map((file) => path.relative(folder, file)),
      'Use ASKED_FOR, or say here why not',
    ).toEqual([]);
  });

  it('have no stale reasons', () => {
    const names = new Set(
      [...files(path.join(import.meta.dirname, 'queries'))].map((file) => path.basename(file)),
    );
    expect(Object.keys(WITH_SHADOWS).filter((name) => !names.has(name))).toEqual([]);
  });
});
