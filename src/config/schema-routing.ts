import { z } from 'zod';
import {
  faultsOfRoutingRule,
  faultsOfRoutingRules,
  ROUTING_RULES_MAX,
  RULE_PRIORITY_DEFAULT,
} from '../core/routing-rules.ts';
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

/** What rules look at; see core/request-conditions.ts. */
const conditions = {
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
};

export const useCaseRule = z
  .strictObject({
    name: z.string().min(1).max(80).describe('Name of the rule'),
    useCase: z
      .string()
      .describe('Slug of the use case that it gives; one that no run has found exists by the rule alone'),
    when: z.strictObject(conditions),
  })
  .superRefine((rule, context) => {
    for (const message of faultsOfRule(rule)) context.addIssue({ code: 'custom', message });
  });

const modelNames = z.array(z.string().min(1).max(300)).min(1).max(100);
const promptTokens = z.int().min(0).max(100_000_000);

/** A rule of the operator; see core/routing-rules.ts. The API takes the same. */
export const routingRule = z
  .strictObject({
    name: z.string().min(1).max(80).describe('Name of the rule; no two have the same'),
    priority: z
      .number()
      .min(-1_000_000)
      .max(1_000_000)
      .default(RULE_PRIORITY_DEFAULT)
      .describe('Highest first; above 95 before the rankings, below where they have no answer'),
    when: z.strictObject({
      ...conditions,
      useCase: z
        .union([z.string().min(1).max(80), z.array(z.string().min(1).max(80)).min(1).max(100)])
        .optional()
        .describe('Slug of the use case; of a list, one'),
      policy: z.string().min(1).max(40).optional().describe('The preset that the request asks for'),
      promptTokensMin: promptTokens.optional().describe('Tokens of the prompt at least, by its length'),
      promptTokensMax: promptTokens.optional().describe('Tokens of the prompt at most, by its length'),
    }),
    do: z.strictObject({
      models: modelNames.optional().describe('These answer, in the order of fallback, and no others'),
      policy: z.string().min(1).max(40).optional().describe('The preset that chooses'),
      deny: modelNames.optional().describe('Models that do not answer'),
      allow: modelNames.optional().describe('The only models that may answer'),
      localOnly: z.literal(true).optional().describe('Only local models answer'),
      explore: z
        .literal(false)
        .optional()
        .describe('Nothing is left to chance; alone, or beside one of these'),
    }),
    isEnabled: z.boolean().default(true).describe('False: kept, and not asked'),
  })
  .superRefine((rule, context) => {
    for (const message of faultsOfRoutingRule(rule)) context.addIssue({ code: 'custom', message });
  });

export const routingRules = z
  .array(routingRule)
  .max(ROUTING_RULES_MAX)
  .superRefine((rules, context) => {
    for (const message of faultsOfRoutingRules(rules)) context.addIssue({ code: 'custom', message });
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
    shadow: z
      .boolean()
      .default(false)
      .describe(
        'The caller always gets the best model’s answer; the model drawn answers the same request in the background',
      ),
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
