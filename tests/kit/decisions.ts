import type { Decision } from '../../src/core/decision.ts';

/** A decision by the ranking with defaults for all that a test does not care about. */
export function decisionOf(given: Partial<Decision> = {}): Decision {
  return {
    cause: 'ranking',
    ruleName: null,
    policy: 'auto',
    useCase: 'food_dining',
    useCaseConfidence: null,
    useCaseRule: null,
    modelIds: ['ollama:mistral:7b'],
    candidates: [],
    propensity: 1,
    isExploration: false,
    shadowModelId: null,
    runId: 'starter',
    snapshotVersion: null,
    reason: 'test',
    ...given,
  };
}
