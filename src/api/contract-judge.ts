import { z } from 'zod';

/* What the judge's endpoints take and answer. */

const interval = z.tuple([z.number(), z.number()]);
const count = z.number().int().min(0);

const rate = z.object({
  value: z.number().nullable(),
  interval: interval.nullable(),
  sampleCount: count,
});

export const judgeBody = z
  .strictObject({
    limit: z
      .number()
      .int()
      .min(1)
      .max(10_000)
      .optional()
      .describe('Judgements at most; default: the rest of the day'),
    dryRun: z.boolean().optional().describe('Say what would be judged, and ask nobody'),
    pairs: z
      .array(z.tuple([z.uuid(), z.uuid()]))
      .min(1)
      .max(200)
      .optional()
      .describe('Compare these answers to the same prompt by request id, and score nothing'),
  })
  .nullish();

export const judgeAnswer = z.object({
  judge: z.string().nullable().describe('Model that judges; null: none is configured'),
  isLocal: z.boolean().nullable().describe('False: texts are redacted before they go to it'),
  schedule: z.string().nullable(),
  today: z.object({
    judgementCount: count,
    samplesPerDay: count,
    callCount: count,
    costUsd: z.number().describe('Of judgements with a known price'),
    budgetUsdPerDay: z.number(),
    unpricedCount: count,
    promptTokens: count,
    completionTokens: count,
  }),
  window: z.object({ from: z.string(), to: z.string() }),
  agreement: z.array(
    z.object({
      judge: z.string(),
      weight: z.number().min(0).max(1).describe('What a judged request counts against one explicit feedback'),
      agreementMeasured: z
        .number()
        .nullable()
        .describe('Squared correlation less chance, before it is shrunk'),
      correlation: z.number().nullable(),
      correlationInterval: interval.nullable(),
      pairCount: count.describe('Requests that have a score and explicit feedback'),
      expected: z.array(z.object({ score: z.number(), quality: z.number() })),
      perUseCase: z.array(
        z.object({
          useCase: z.string(),
          pairCount: count,
          correlation: z.number().nullable(),
          correlationInterval: interval.nullable(),
        }),
      ),
    }),
  ),
  scores: z.array(
    z.object({
      useCase: z.string(),
      modelId: z.string(),
      judge: z.string(),
      isOwnModel: z.boolean().describe('The judge scored its own model’s answers: models prefer their own'),
      scoredCount: count,
      ratedCount: count,
      scoreMean: z.number().describe('1..5, as the judge gave it'),
    }),
  ),
  comparisons: z.object({
    pairCount: count,
    flipRate: rate.describe('Verdicts that changed with the order of the answers; they count as ties'),
    agreementRate: rate.describe('Of decided pairs whose feedback differs: those whose verdict is people’s'),
    models: z.array(
      z.object({
        useCase: z.string(),
        judge: z.string(),
        modelId: z.string(),
        otherModelId: z.string(),
        winCount: count,
        tieCount: count,
        lossCount: count,
        flipCount: count,
      }),
    ),
  }),
  unjudged: z.array(z.object({ outcome: z.enum(['malformed', 'suspect']), modelId: z.string(), count })),
});
