import type { Snapshot } from './snapshot.ts';
import { STARTER_USE_CASES, StarterClassifier } from './starter-taxonomy.ts';
import { STARTER_RUN_ID } from './use-case.ts';

/** What the hot path knows before anything was published: the starter use cases and no ranking. */
export function starterSnapshot(): Snapshot {
  return {
    version: null,
    createdAt: new Date(0).toISOString(),
    runId: STARTER_RUN_ID,
    useCases: STARTER_USE_CASES.map(({ slug, name, keywords }) => ({
      slug,
      name,
      keywords,
      examplePrompts: [],
      sampleCount: 0,
      distinctPromptCount: 0,
      typicalLength: null,
    })),
    rankings: new Map(),
    overall: { useCase: '*', requestCount: 0, models: [] },
    classifier: new StarterClassifier(),
  };
}
