import { z } from 'zod';

/* What /api/savings answers, beside contract.ts. Dollars throughout; the five texts are those of the asked window. */

const interval = z.tuple([z.number(), z.number()]).describe('95 %');
const share = z.number().nullable();

const useCaseSavings = z.looseObject({
  useCase: z.string(),
  bestModelId: z.string().nullable().describe('Null: nobody is shown to be not worse, nothing is re-priced'),
  requestCount: z.number(),
  actualCostUsd: z.number(),
  optimalCostUsd: z.number(),
  savingsUsd: z.number(),
  interval,
  observedShare: share.describe('Of the requests; the optimal cost of the others is extrapolated'),
  evidenceCount: z.number().describe('Requests of the best model that the extrapolation rests on'),
  note: z.string().nullable(),
});

const flagshipCost = z.looseObject({
  modelId: z.string(),
  chosenAs: z.enum(['default', 'dearest']).describe('The configured default model, or the dearest in use'),
  costUsd: z.number(),
  costInterval: interval,
  savingsUsd: z.number().describe('Of the best models per use case, against it'),
  interval,
  savedNowUsd: z.number().describe('Of the models used now, against it'),
  savedNowInterval: interval,
  monthlyUsd: z.number(),
  monthlyInterval: interval,
  observedShare: share,
  elsewhereCount: z.number().describe('Requests priced by its requests in other use cases'),
  note: z.string(),
});

const comparedCost = {
  actualCostUsd: z.number().describe('Of the requests that could be compared'),
  otherwiseCostUsd: z.number(),
  savingsUsd: z.number(),
  interval,
  requestCount: z.number(),
  monthlyUsd: z.number(),
  monthlyInterval: interval,
};

const realisedSavings = z.looseObject({
  since: z.string().nullable().describe('First decision of auto; null: there is none'),
  requestCount: z.number().describe('Priced requests since then that asked for auto'),
  actualCostUsd: z.number(),
  scaling: z.number().nullable(),
  againstMixBefore: z
    .looseObject({ ...comparedCost, beforeCount: z.number() })
    .nullable()
    .describe('Against the models of the 30 days before, in their shares; null without a before'),
  againstFlagship: z.looseObject({ modelId: z.string(), ...comparedCost }).nullable(),
  message: z.string(),
});

export const savingsAnswer = z.looseObject({
  actualCost: z.string(),
  optimalCost: z.string(),
  potentialSavings: z.string(),
  savingsPercent: z.string(),
  message: z.string(),
  window: z.object({ from: z.string(), to: z.string(), label: z.string() }),
  sampleCount: z.number().describe('Requests whose price is known'),
  unpricedCount: z.number(),
  interval,
  scaling: z.number().describe('What makes 30 days of the window'),
  monthly: z.looseObject({
    actualCostUsd: z.number(),
    optimalCostUsd: z.number(),
    savingsUsd: z.number(),
    interval,
  }),
  observedShare: share,
  alwaysFlagship: flagshipCost.nullable().describe('Null: no model has enough priced requests'),
  realised: realisedSavings,
  perUseCase: z.array(useCaseSavings),
  version: z.string().nullable(),
});
