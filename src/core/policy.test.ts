import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isAutoName, POLICIES, policyOf } from './policy.ts';

describe('POLICIES', () => {
  it('has weights that add up to 1', () => {
    for (const { weights } of Object.values(POLICIES)) {
      expect(Object.values(weights).reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
    }
  });

  it('is the table of docs/ranking.md', () => {
    const page = readFileSync(new URL('../../docs/ranking.md', import.meta.url), 'utf8');
    for (const policy of Object.values(POLICIES)) {
      const { weights: w, successMargin, qualityMargin, certainty, evidenceMin } = policy;
      const cells = [
        `\`${policy.name}\``,
        ...[w.success, w.speed, w.cost, w.quality].map((weight) => `${Math.round(weight * 100)} %`),
        successMargin,
        qualityMargin,
        certainty,
        evidenceMin,
      ];
      expect(page).toContain(`| ${cells.join(' | ')} |`);
    }
  });
});

describe('policyOf', () => {
  it('takes the name with or without "auto:"', () => {
    expect(policyOf('auto')).toBe(POLICIES.auto);
    expect(policyOf('cheap')).toBe(POLICIES['auto:cheap']);
    expect(policyOf('auto:best')).toBe(POLICIES['auto:best']);
  });

  it('takes the tag that Ollama’s clients add', () => {
    expect(policyOf('auto:latest')).toBe(POLICIES.auto);
    expect(policyOf('auto:cheap:latest')).toBe(POLICIES['auto:cheap']);
    expect(() => policyOf('latest')).toThrow(/not a policy/);
  });

  it('lists the presets when the name is none of them', () => {
    expect(() => policyOf('auto:free')).toThrow(/auto, auto:cheap, auto:fast, auto:best/);
    expect(() => policyOf('constructor')).toThrow(/not a policy/);
  });

  it('tells a policy from a model', () => {
    expect(isAutoName('auto:whatever')).toBe(true);
    expect(isAutoName('autogpt')).toBe(false);
  });
});
