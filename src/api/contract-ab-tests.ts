import { z } from 'zod';
import { AB_METRICS, AB_UNITS } from '../core/ab-test.ts';

/* What the endpoints about A/B tests take and answer. */

const count = z.number().int().min(0);
const metric = z.enum(AB_METRICS);

export const abTestParams = z.object({ name: z.string().min(1).max(200) });

export const abTestBody = z.strictObject({
  name: z.string().max(200).describe('1 to 60 of a-z, 0-9, - and _'),
  useCases: z.array(z.string().min(1).max(200)).max(1_000).optional().describe('Slugs; all when left out'),
  arms: z
    .array(
      z.strictObject({
        name: z.string().max(200),
        model: z.string().min(1).max(300).optional().describe('By any of its names'),
        policy: z.string().min(1).max(60).optional().describe('auto, auto:cheap …; instead of a model'),
        weight: z.number().optional().describe('1 when left out; only the ratios count'),
      }),
    )
    .max(100)
    .describe('2 to 8; the first is the control'),
  share: z
    .number()
    .optional()
    .describe('Part of the matching units that is in the test, above 0 to 1; default 1'),
  startsAt: z.string().max(40).optional().describe('ISO 8601; now when left out'),
  endsAt: z.string().max(40).nullish().describe('ISO 8601; until it is stopped when left out'),
  metric: metric.optional().describe('What decides; success when left out'),
  margin: z
    .number()
    .nullish()
    .describe('A difference that does not matter: 0..1, of cost and latency a part of the control’s mean'),
  stickyBy: z.enum(AB_UNITS).optional().describe('Who keeps an arm once given; user when left out'),
});

const testFields = {
  name: z.string(),
  useCases: z.array(z.string()),
  arms: z.array(
    z.object({
      name: z.string(),
      model: z.string().nullable(),
      policy: z.string().nullable(),
      weight: z.number().describe('Part of the units of the test'),
    }),
  ),
  share: z.number(),
  startsAt: z.string(),
  endsAt: z.string().nullable(),
  metric,
  margin: z.number().nullable(),
  stickyBy: z.enum(AB_UNITS),
  stoppedAt: z.string().nullable(),
  createdAt: z.string(),
  createdBy: z.string(),
  status: z.enum(['scheduled', 'running', 'ended', 'stopped']),
};

const figure = z.object({ value: z.number().nullable(), unitCount: count, requestCount: count });

const comparison = z.object({
  arm: z.string(),
  metric,
  difference: z.number().nullable().describe('Arm less control; of latency the part of the control’s'),
  interval: z.tuple([z.number(), z.number()]).nullable().describe('Holds at all looks together'),
  error: z.number().describe('Greatest probability that the interval ever misses'),
  outcome: z.enum(['better', 'worse', 'no_difference', 'early']),
});

export const abTestAnswer = z.strictObject(testFields);

export const abTestsAnswer = z.strictObject({ tests: z.array(abTestAnswer) });

export const abReportAnswer = z.strictObject({
  ...testFields,
  verdict: z.object({
    sentence: z.string(),
    winner: z.string().nullable().describe('The best of the arms that are better than the control'),
    comparisons: z.array(comparison).describe('By the metric of the test'),
    guardRails: z.array(comparison).describe('By the other metrics, each for itself'),
    split: z.object({
      pValue: z.number().nullable().describe('Of the units against the weights, valid at all looks'),
      isMismatched: z.boolean().describe('At or below 0.001: do not trust the test'),
    }),
    arms: z.array(
      z.object({
        name: z.string(),
        model: z.string().nullable(),
        policy: z.string().nullable(),
        weight: z.number(),
        isControl: z.boolean(),
        unitCount: count,
        requestCount: count,
        fallbackCount: count.describe('Answered by another model; they count for the arm'),
        ratedCount: count,
        figures: z.object({ success: figure, satisfaction: figure, cost: figure, latency: figure }),
      }),
    ),
  }),
});
