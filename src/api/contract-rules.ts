import { z } from 'zod';

/* What the endpoints of the operator's routing rules take and answer, beside contract.ts. */

const interval = z.tuple([z.number(), z.number()]).describe('95 %');
const count = z.number().int().min(0);

const rules = z
  .array(z.unknown())
  .max(1_000)
  .describe('As routingRules of the configuration: name, priority, when, do, isEnabled');

/** A whole list; what it holds is looked at by the configuration's own schema. */
export const rulesBody = z.strictObject({ rules });

export const dryRunBody = z.strictObject({
  rules: rules.optional().describe('Those in use when left out'),
  timeframe: z.string().max(40).optional().describe('"7 days" when left out; a window that ends now'),
  from: z.string().max(40).optional().describe('Begin of the window, ISO 8601; instead of timeframe'),
  to: z.string().max(40).optional(),
});

export const rulesAnswer = z.object({
  origin: z.enum(['configuration', 'operator']).describe('Where the declared rules come from'),
  rules: z
    .array(
      z.looseObject({
        name: z.string(),
        priority: z.number(),
        kind: z.enum(['built-in', 'code', 'declared']),
        hitCount: count.nullable().describe('Requests that it held for, here, since it was set'),
      }),
    )
    .describe('All that is asked, in its order'),
  declared: z.array(z.looseObject({ name: z.string() })).describe('As PUT takes them, the disabled ones too'),
  warnings: z.array(z.string()),
});

const outcome = z.object({
  changedCount: count,
  refusedCount: count.describe('Of those: no model was left that may answer'),
  undecidedCount: count.describe('Nobody can say, as texts or headers are not in the log'),
  money: z
    .object({
      differenceUsd: z.number().describe('Negative saves'),
      interval,
      actualUsd: z.number(),
      expectedUsd: z.number(),
      sampleCount: count,
    })
    .nullable(),
  success: z
    .object({
      difference: z.number(),
      interval,
      actualRate: z.number(),
      expectedRate: z.number().describe('By the rankings'),
      sampleCount: count,
    })
    .nullable(),
  moves: z.array(
    z.object({ useCase: z.string(), fromModelId: z.string(), toModelId: z.string(), decisionCount: count }),
  ),
  notes: z.array(z.string()),
});

export const dryRunAnswer = z.object({
  message: z.string(),
  window: z.object({ from: z.string(), to: z.string(), label: z.string() }),
  rankingVersion: z.string().nullable(),
  decisionCount: count,
  sampleCount: count.describe('Decisions that were read'),
  together: outcome,
  alone: z.array(
    outcome.extend({
      name: z.string(),
      priority: z.number(),
      isEnabled: z.boolean(),
      heldCount: count.describe('Decisions that its conditions hold for'),
      message: z.string(),
    }),
  ),
  notes: z.array(z.string()),
});

export type DryRunBody = z.infer<typeof dryRunBody>;
