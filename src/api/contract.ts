import { z } from 'zod';
import { hold } from './contract-rankings.ts';
import { savingsAnswer } from './contract-savings.ts';

/*
 * Every endpoint of Tallyrank's own API: what it takes, what it answers. The OpenAPI document is made from
 * this file, and tests parse real answers with it, so it says what is true.
 */

const timeframeFields = {
  timeframe: z
    .string()
    .max(40)
    .optional()
    .describe('"1 hour", "7 days", "1w", "P7D"; a window that ends now'),
  from: z.string().max(40).optional().describe('Begin of the window, ISO 8601; instead of timeframe'),
  to: z.string().max(40).optional().describe('End of the window, ISO 8601; now when left out'),
};

export const timeframeQuery = z.object(timeframeFields);

export const commonPromptsQuery = z.object({
  ...timeframeFields,
  limit: z.coerce.number().int().min(1).max(1000).default(20).describe('Number of prompts'),
});

export const useCaseParams = z.object({
  useCase: z.string().min(1).max(200).describe('Slug, e.g. casual_chat'),
});

export const compareQuery = z.object({
  useCase: z.string().min(1).max(200),
  modelA: z.string().min(1).max(300).describe('Canonical id, or a bare name where it is unambiguous'),
  modelB: z.string().min(1).max(300),
});

export const rankingHistoryQuery = z.object({
  ...timeframeFields,
  useCase: z.string().min(1).max(200).optional(),
  modelId: z.string().min(1).max(300).optional(),
});

export const requestsQuery = z.object({
  ...timeframeFields,
  model: z.string().max(300).optional(),
  useCase: z.string().max(200).optional(),
  user: z.string().max(512).optional(),
  session: z.string().max(512).optional(),
  status: z.enum(['success', 'failure', 'abandoned']).optional(),
  text: z
    .string()
    .min(2)
    .max(200)
    .optional()
    .describe('Part of the prompt; reads the raw rows of the window'),
  limit: z.coerce.number().int().min(1).max(500).default(50),
  cursor: z.string().max(200).optional().describe('nextCursor of the answer before'),
});

export const idParams = z.object({ id: z.string().min(1).max(200) });

export const feedbackBody = z
  .strictObject({
    requestId: z.uuid().optional().describe('Id that the gateway answered in x-request-id'),
    responseId: z.string().min(1).max(200).optional().describe('Id of the answer, e.g. chatcmpl-…'),
    externalId: z.string().min(1).max(200).optional().describe('Id that the client sent in x-request-id'),
    score: z.number().min(1).max(5).optional().describe('1 (bad) to 5 (good)'),
    thumbs: z.enum(['up', 'down']).optional(),
    comment: z.string().max(4000).optional(),
  })
  .refine(
    (body) =>
      [body.requestId, body.responseId, body.externalId].filter((id) => id !== undefined).length === 1,
    {
      message: 'give exactly one of requestId, responseId and externalId',
    },
  )
  .refine((body) => (body.score === undefined) !== (body.thumbs === undefined), {
    message: 'give either score or thumbs',
  });

export const explainBody = z
  .strictObject({
    prompt: z.string().max(1_000_000).optional(),
    messages: z
      .array(z.looseObject({ role: z.string() }))
      .min(1)
      .max(10_000)
      .optional(),
    model: z.string().max(300).optional().describe('auto, a preset of it, or a model'),
    userId: z.string().max(512).optional(),
    sessionId: z.string().max(512).optional(),
    roomId: z.string().max(512).optional(),
    priority: z.number().int().optional(),
    explore: z.boolean().optional().describe('false: as with x-tallyrank-explore: off'),
  })
  .refine((body) => (body.prompt === undefined) !== (body.messages === undefined), {
    message: 'give either prompt or messages',
  });

export const analyzeBody = z
  .strictObject({ timeframe: z.string().max(40).optional() })
  .nullish()
  .describe('Window of the prompts; the configured one when left out');

export const explorationBody = z
  .strictObject({
    method: z.enum(['thompson', 'best-arm', 'uniform']).describe('How explored requests are shared out'),
    share: z
      .number()
      .min(0)
      .max(1)
      .describe('Share of auto requests that may take another model than the best, 0..1'),
    budgetUsdPerDay: z.number().min(0).nullable().describe('Dollars beyond the best models on one day (UTC)'),
    newModelRequests: z.int().min(0).max(100_000).describe('Requests here after which a model is not new'),
    shadow: z
      .boolean()
      .describe('The caller gets the best model’s answer; what is drawn answers in the background'),
    excludedUseCases: z.array(z.string().min(1).max(200)).max(1_000).describe('Nothing is explored there'),
  })
  .partial()
  .refine((body) => Object.keys(body).length > 0, {
    message: 'give share, method, budgetUsdPerDay, newModelRequests, shadow or excludedUseCases',
  });

export const errorAnswer = z.object({
  error: z.object({ message: z.string(), type: z.string(), param: z.string().nullable(), code: z.string() }),
});

const interval = z.tuple([z.number(), z.number()]);
const window = z.object({ from: z.string(), to: z.string(), label: z.string() });

/** Figures of a group of requests; null where nothing was counted or nobody knows. */
const usageFigures = {
  requestCount: z.number(),
  successCount: z.number(),
  failureCount: z.number().describe('Failures that count against the model: the provider’s and its own'),
  abandonedCount: z.number(),
  successRate: z.number().nullable(),
  pricedCount: z.number(),
  costSumUsd: z.number().nullable().describe('Over the priced requests'),
  latencyMeanMs: z.number().nullable(),
  latencyP50Ms: z.number().nullable(),
  latencyP95Ms: z.number().nullable(),
  tokenCount: z.number().describe('Requests whose tokens are known'),
  promptTokenSum: z.number().nullable(),
  completionTokenSum: z.number().nullable(),
};

export const usageStatsAnswer = z.object({
  window,
  runId: z.string().describe('Discovery run whose use cases these are'),
  total: z.object({
    ...usageFigures,
    userCount: z.number().describe('Different users; estimated beyond some thousands'),
    distinctPromptCount: z.number().describe('Different prompts; estimated beyond some thousands'),
  }),
  shadow: z
    .object({ requestCount: z.number(), pricedCount: z.number(), costSumUsd: z.number().nullable() })
    .describe('Shadow calls: paid, but asked for by nobody, so in no other figure'),
  embedding: z
    .object({
      requestCount: z.number(),
      pricedCount: z.number(),
      costSumUsd: z.number().nullable(),
      promptTokenSum: z.number().nullable(),
    })
    .describe('Requests for vectors: no questions, so in no other figure'),
  cached: z
    .object({ requestCount: z.number(), pricedCount: z.number(), avoidedUsd: z.number().nullable() })
    .describe('Answered from the cache: at no cost and by no model, so in no other figure'),
  byModel: z.array(z.object({ modelId: z.string(), ...usageFigures })),
  byUseCase: z.array(z.object({ useCase: z.string(), ...usageFigures })),
  bucketMs: z.number(),
  series: z.array(z.object({ at: z.string(), ...usageFigures })),
});

const category = z.looseObject({
  categoryName: z.string(),
  categorySlug: z.string(),
  sampleCount: z.number(),
  examplePrompts: z.array(z.string()),
  keywords: z.array(z.string()),
  modelsUsed: z.array(z.string()),
});

const inefficiency = z.looseObject({
  type: z.string(),
  modelId: z.string().nullable(),
  message: z.string(),
  suggestion: z.string(),
});

export const patternsAnswer = z.looseObject({
  runId: z.string().nullable(),
  categories: z.array(category),
  routingPatterns: z.looseObject({ byModel: z.unknown(), inefficiencies: z.array(inefficiency) }),
});

export const categoriesAnswer = z.object({ runId: z.string().nullable(), categories: z.array(category) });

export const commonPromptsAnswer = z.object({
  window,
  prompts: z.array(z.looseObject({ prompt: z.string().nullable(), requestCount: z.number() })),
});

const part = z.object({
  value: z.number(),
  interval,
  sampleCount: z.number(),
  isAssumed: z.boolean(),
});

const rankedModel = z.looseObject({
  modelId: z.string(),
  score: z.number().nullable().describe('0..100; null when no price is known'),
  scoreInterval: interval.nullable(),
  places: interval.nullable().describe('Best and worst place that the established orders leave it, from 1'),
  probabilityBest: z.number().nullable().describe('That no other model’s score is greater'),
  successRate: z.number().nullable(),
  avgTimeMs: z.number().nullable().describe('As people waited: loading and queueing are in it'),
  timing: z.object({
    firstTokenMeanMs: z.number().nullable().describe('Of streams, without loading and queueing'),
    firstTokenCount: z.number(),
    tokensPerSecond: z.number().nullable(),
    generationCount: z.number(),
    loadMeanMs: z.number().nullable().describe('Loading the model, as the provider says; not part of speed'),
    loadCount: z.number(),
    queueMeanMs: z.number().nullable(),
    queueCount: z.number(),
  }),
  avgCost: z.number().nullable().describe('Dollars per request'),
  totalRequests: z.number(),
  parts: z.object({ success: part, speed: part, cost: part.nullable(), quality: part }),
  hasEnoughEvidence: z.boolean(),
  isCandidate: z.boolean(),
  notCandidateReason: z.string().nullable(),
  warnings: z.array(
    z.looseObject({
      kind: z.string(),
      message: z.string(),
      value: z.number(),
      interval: interval.nullable(),
      sampleCount: z.number(),
      isWithholding: z.boolean().describe('True: the model is no candidate for auto'),
    }),
  ),
});

export const rankingsAnswer = z.object({
  useCase: z.string(),
  best: rankedModel.nullable(),
  alternatives: z.array(rankedModel),
  version: z.string().nullable(),
  liveRequestCount: z.number().describe('Requests counted here that the published version does not have yet'),
  hold: hold.nullable().describe('The version that refreshes do not replace; null in the usual case'),
  redirectedFrom: z.string().nullable().describe('The slug that was asked for, when it is another one now'),
  note: z.string().nullable(),
});

export const allRankingsAnswer = z.looseObject({
  version: z.string().nullable(),
  liveRequestCount: z.number(),
  hold: hold.nullable(),
  rankings: z.array(rankingsAnswer),
});

export const refreshAnswer = z.looseObject({
  version: z.string(),
  hold: hold.nullable().describe('Not null: nothing was published, because this version is held'),
});

export const compareAnswer = z.looseObject({
  useCase: z.string(),
  modelA: rankedModel,
  modelB: rankedModel,
  ahead: z.string().nullable().describe('Higher score now'),
  winner: z.string().nullable().describe('Higher score, established at all looks together'),
  verdict: z.string(),
});

export const performanceAnswer = z.looseObject({
  modelId: z.string(),
  useCase: z.string(),
  window: z.looseObject({}),
});

export const storageAnswer = z.object({
  configured: z.boolean().describe('False until a bucket is configured'),
  models: z.array(z.looseObject({ modelId: z.string() })),
});

export const feedbackAnswer = z.object({
  status: z
    .enum(['stored', 'waiting'])
    .describe('waiting: the request is not in the log yet; kept until it is'),
  requestId: z.string().nullable(),
});

export const requestsAnswer = z.object({
  requests: z.array(z.looseObject({ requestId: z.string() })),
  nextCursor: z.string().nullable(),
});

export const requestAnswer = z.looseObject({
  requestId: z.string(),
  decision: z
    .looseObject({ cause: z.string(), modelId: z.string(), propensity: z.number(), reason: z.string() })
    .nullable()
    .describe('Why its model was chosen; null for a model by name'),
  signals: z
    .array(z.looseObject({ kind: z.string(), value: z.number(), at: z.string() }))
    .describe('What was learnt later: feedback, re-ask, abandonment, …'),
});

export const explainAnswer = z.looseObject({
  useCase: z.string(),
  modelIds: z.array(z.string()),
  cause: z.string(),
  reason: z.string(),
  propensity: z.number(),
});

export const jobAnswer = z.looseObject({ id: z.string(), kind: z.string(), status: z.string() });

const explored = z.object({
  decisionCount: z.number(),
  exploredCount: z.number(),
  spentUsd: z.number().describe('Beyond what the models not taken would have cost'),
});

export const explorationAnswer = z.object({
  method: z.enum(['thompson', 'best-arm', 'uniform']),
  share: z.number(),
  budgetUsdPerDay: z.number().nullable(),
  newModelRequests: z.number(),
  shadow: z.boolean(),
  excludedUseCases: z.array(z.string()),
  today: explored.extend({ day: z.string(), leftUsd: z.number().nullable() }),
  useCases: z.array(
    z.object({
      useCase: z.string(),
      modelId: z.string().describe('Chosen without exploration'),
      rate: z.number().describe('Probability that such a request takes another, 0..1'),
      gainPoints: z.number().nullable().describe('Points of the score that a better choice could gain'),
      reason: z.string(),
      models: z
        .array(z.looseObject({ modelId: z.string(), probability: z.number(), reason: z.string() }))
        .describe('What is explored, and what is not, with the reason'),
      today: explored.describe('Of this gateway'),
    }),
  ),
});

export const modelsAnswer = z.object({
  providers: z.array(z.looseObject({ id: z.string(), isUp: z.boolean().nullable() })),
  models: z.array(z.looseObject({ modelId: z.string(), isPriced: z.boolean() })),
});

export const rankingHistoryAnswer = z.object({
  window,
  points: z.array(z.looseObject({ modelId: z.string() })),
});

export const dashboardAnswer = z.object({
  stats: usageStatsAnswer,
  patterns: patternsAnswer,
  commonPrompts: z.array(z.looseObject({ prompt: z.string().nullable(), requestCount: z.number() })),
  rankings: allRankingsAnswer,
  savings: savingsAnswer,
  recentRequests: z.array(z.looseObject({ requestId: z.string() })),
});

export type FeedbackBody = z.infer<typeof feedbackBody>;
export type RequestsQuery = z.infer<typeof requestsQuery>;
