import { z } from 'zod';

/* What the endpoints about published versions of the rankings and about trends take and answer, beside contract.ts. */

const versionName = z
  .string()
  .min(1)
  .max(80)
  .describe('A version, "latest", "previous", "1 day ago", or an ISO 8601 moment');

export const hold = z.object({
  version: z.string(),
  rolledBackTo: z.string().describe('The version whose content it is'),
  heldAt: z.string(),
  heldBy: z.string(),
});

export const versionsQuery = z.object({
  limit: z.coerce.number().int().min(1).max(5000).default(100).describe('Versions, newest first'),
});

export const diffQuery = z.object({
  a: versionName.default('previous'),
  b: versionName.default('latest'),
});

export const rollbackBody = z.strictObject({
  version: versionName,
  dryRun: z.boolean().optional().describe('Answer what would change, and change nothing'),
});

export const versionsAnswer = z.object({
  hold: hold.nullable().describe('The version that refreshes do not replace; null in the usual case'),
  versions: z.array(
    z.object({
      version: z.string(),
      createdAt: z.string(),
      runId: z.string(),
      rolledBackTo: z.string().nullable(),
      useCaseCount: z.number(),
      requestCount: z.number(),
      isCurrent: z.boolean(),
    }),
  ),
});

const namedVersion = z.object({
  version: z.string(),
  createdAt: z.string(),
  runId: z.string(),
  rolledBackTo: z.string().nullable(),
});

const standing = z.object({
  place: z.number().describe('1 is first'),
  score: z.number().nullable(),
  scoreInterval: z.tuple([z.number(), z.number()]).nullable(),
  isCandidate: z.boolean(),
  notCandidateReason: z.string().nullable(),
  totalRequests: z.number(),
});

export const diffAnswer = z.object({
  a: namedVersion,
  b: namedVersion,
  addedUseCases: z.array(z.string()),
  removedUseCases: z.array(z.string()),
  changedUseCases: z.array(
    z.object({
      useCase: z.string(),
      bestA: z.string().nullable(),
      bestB: z.string().nullable(),
      models: z.array(
        z.object({
          modelId: z.string(),
          a: standing.nullable().describe('null: not ranked there'),
          b: standing.nullable(),
          hasMoved: z.boolean(),
          isOtherCandidate: z.boolean(),
          isScoreShifted: z.boolean().describe('Each score lies outside the other’s interval'),
        }),
      ),
    }),
  ),
  unchangedCount: z.number(),
  note: z.string().nullable(),
});

export const rollbackAnswer = z.object({
  version: z.string().nullable().describe('The new version; null for a dry run'),
  rolledBackTo: z.string(),
  hold: hold.nullable(),
  isDryRun: z.boolean(),
  diff: diffAnswer,
});

export const releaseAnswer = z.object({
  released: hold.nullable().describe('null: nothing was held'),
  version: z.string().describe('What was published since'),
});

export const trendsQuery = z.object({
  useCase: z.string().min(1).max(200),
  modelId: z.string().min(1).max(300).optional().describe('One model; all of the use case when left out'),
  timeframe: z.string().max(40).optional().describe('"30 days" when left out; a window that ends now'),
  from: z.string().max(40).optional().describe('Begin of the window, ISO 8601; instead of timeframe'),
  to: z.string().max(40).optional(),
});

const level = {
  value: z.number(),
  interval: z
    .tuple([z.number(), z.number()])
    .nullable()
    .describe('95 % at one look; null for a single value of unknown spread'),
  sampleCount: z.number(),
};

const trend = z.object({
  points: z.array(z.object({ at: z.string().describe('Start of the step'), ...level })),
  changePoints: z
    .array(
      z.object({
        at: z.string().describe('Start of the first hour of the new level, as estimated'),
        detectedAt: z.string().describe('When enough had been seen to say so'),
        before: z.object(level),
        after: z.object(level),
        difference: z.number(),
        pValue: z.number(),
      }),
    )
    .nullable()
    .describe('null: too little to say'),
});

export const trendsAnswer = z.object({
  useCase: z.string(),
  redirectedFrom: z.string().nullable(),
  window: z.object({ from: z.string(), to: z.string(), label: z.string() }),
  stepMs: z.number(),
  falseAlarmsPerYear: z
    .number()
    .describe('Expected in a year of one series that does not change; series add up'),
  seriesCount: z.number(),
  models: z.array(
    z.object({
      modelId: z.string(),
      success: trend,
      latencyMs: trend.describe('Geometric mean, without loading and queueing'),
      costUsd: trend,
      quality: trend.nullable().describe('Of explicit feedback; null where nobody said anything'),
    }),
  ),
});

export type RollbackBody = z.infer<typeof rollbackBody>;
