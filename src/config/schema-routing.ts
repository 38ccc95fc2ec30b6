import { z } from 'zod';
import { faultsOfRule } from '../core/use-case-rules.ts';

/* Settings of what decides on a model. */

const share = z.number().min(0).max(1);

/** Settings of one use case; see `UseCaseSettings` of core/policy.ts. */
export const useCasePolicy = z
  .strictObject({
    weights: z
      .strictObject({
        success: share.describe('Weight of the success part'),
        speed: share.describe('Weight of the speed part'),
        cost: share.describe('Weight of the cost part'),
        quality: share.describe('Weight of the quality part'),
      })
      .refine(
        ({ success, speed, cost, quality }) => Math.abs(success + speed + cost + quality - 1) < 1e-6,
        'must add up to 1',
      ),
    successMargin: share.describe('How far below the best a candidate of auto may lie in success'),
    qualityMargin: share.describe('The same for quality'),
    certainty: z
      .number()
      .min(0.5)
      .max(0.999)
      .describe('Probability with which it must lie within the margins'),
    evidenceMin: z.int().min(1).max(1_000_000).describe('Requests here before a model is more than explored'),
    latencyMaxMs: z.int().min(1).describe('Models whose 95th percentile lies above are no candidates'),
    costMaxUsd: z.number().min(0).describe('Models whose mean cost per request lies above are no candidates'),
    speedHalfMs: z.int().min(1).describe('Latency that is worth half of the speed part'),
    costHalfUsd: z.number().positive().describe('Cost per request that is worth half of the cost part'),
  })
  .partial();

export const useCaseRule = z
  .strictObject({
    name: z.string().min(1).max(80).describe('Name of the rule'),
    useCase: z
      .string()
      .describe('Slug of the use case that it gives; one that no run has found exists by the rule alone'),
    when: z.strictObject({
      regex: z
        .union([z.string(), z.array(z.string()).min(1).max(10)])
        .optional()
        .describe('Occurs in the prompt, in any case; of a list, all occur. No repetition in a repetition'),
      header: z
        .strictObject({
          name: z.string().min(1).describe('Name of a request header'),
          value: z.string().optional().describe('Its whole value; left out: it is there'),
        })
        .optional()
        .describe('A request header'),
      keyId: z.string().min(1).optional().describe('The key that asks'),
      roomId: z.string().min(1).optional().describe('The room that it comes from'),
      userId: z.string().min(1).optional().describe('The user who asks'),
      tag: z.string().min(1).optional().describe('One of the tags of the request'),
    }),
  })
  .superRefine((rule, context) => {
    for (const message of faultsOfRule(rule)) context.addIssue({ code: 'custom', message });
  });

export const exploration = z
  .strictObject({
    method: z
      .enum(['thompson', 'best-arm', 'uniform'])
      .default('thompson')
      .describe('How explored requests are shared out; best-arm stops when the best is known'),
    share: share
      .default(0.1)
      .describe('Share of auto requests that may take another model than the best to learn, at most'),
    budgetUsdPerDay: z
      .number()
      .min(0)
      .nullable()
      .default(1)
      .describe('Dollars that exploring may cost on one day (UTC) beyond the best models; null: no limit'),
    newModelRequests: z
      .number()
      .int()
      .min(0)
      .max(100_000)
      .default(20)
      .describe('Requests in a use case up to which a model has a share of its own there'),
    excludedUseCases: z
      .array(z.string().min(1))
      .max(1_000)
      .default([])
      .describe('Use cases, by slug, in which nothing is explored'),
  })
  .prefault({});

export const sessions = z
  .strictObject({
    switchMargin: z
      .number()
      .min(0)
      .max(100)
      .default(5)
      .describe('Points of the score by which another model must be better before a session changes over'),
    idleMinutes: z
      .number()
      .min(0)
      .max(1_440)
      .default(10)
      .describe('Minutes without a request after which a session is free again; 0: sessions are not sticky'),
  })
  .prefault({});
