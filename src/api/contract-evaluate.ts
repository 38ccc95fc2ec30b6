import { z } from 'zod';

/* What the endpoint that evaluates a policy takes and answers, beside contract.ts. */

const interval = z.tuple([z.number(), z.number()]);
const count = z.number().int().min(0);

export const evaluateBody = z.strictObject({
  policy: z.string().min(1).max(300).default('auto').describe('auto, a preset of it, or a model'),
  useCases: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('In place of ranking.useCases of the configuration'),
  rankingVersion: z
    .string()
    .min(1)
    .max(100)
    .optional()
    .describe('Version of the rankings that it chooses by; the one in use when left out'),
  timeframe: z.string().max(40).optional().describe('"30 days" when left out; a window that ends now'),
  from: z.string().max(40).optional().describe('Begin of the window, ISO 8601; instead of timeframe'),
  to: z.string().max(40).optional(),
});

const estimate = z.object({
  value: z.number(),
  interval: interval.describe('95 %'),
  difference: z.number().describe('From what was logged'),
  differenceInterval: interval,
});

const reward = z.object({
  sampleCount: count.describe('Decisions of which it is known'),
  effectiveCount: z.number().describe('What they are worth as if the policy itself had taken them'),
  logged: z.object({ value: z.number(), interval }).nullable(),
  snips: estimate.nullable(),
  doublyRobust: estimate.nullable(),
  refusal: z.string().nullable().describe('Why there is no estimate'),
});

export const evaluateAnswer = z.object({
  policy: z.string(),
  window: z.object({ from: z.string(), to: z.string(), label: z.string() }),
  runId: z.string(),
  rankingVersion: z.string().nullable(),
  decisionCount: count.describe('Decisions of auto in the window'),
  sampleCount: count.describe('Those that the estimates are of'),
  followingCount: count.describe('Turns that stay with the model of their session; left out'),
  otherCount: count.describe('Named models, rules, sessions: they stay as they are'),
  clusteredBy: z.enum(['user', 'session', 'request']),
  overlap: z.object({
    effectiveCount: z.number(),
    matchedCount: count,
    weightMax: z.number(),
    weightMean: z.number().describe('Near 1 where the propensities are right and all was explored'),
    weightMeanError: z.number(),
    uncoveredShare: z.number().describe('Share of the decisions that the log says nothing of'),
    uncovered: z.array(
      z.object({ useCase: z.string(), modelId: z.string().nullable(), decisionCount: count }),
    ),
  }),
  refusal: z.string().nullable().describe('Why there are no estimates; null where there are'),
  rewards: z.object({ success: reward, quality: reward, costUsd: reward, latencyMs: reward }),
  choices: z.array(
    z.object({
      useCase: z.string(),
      modelId: z.string().nullable(),
      decisionCount: count,
      matchedCount: count.describe('Of them, those in which the same was chosen'),
    }),
  ),
  notes: z.array(z.string()),
});

export type EvaluateBody = z.infer<typeof evaluateBody>;
