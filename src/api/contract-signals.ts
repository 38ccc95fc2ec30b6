import { z } from 'zod';

/* What the endpoint about signals takes and answers, beside contract.ts. */

const interval = z.tuple([z.number(), z.number()]);

const figure = z.object({
  value: z.number().nullable(),
  interval: interval.nullable().describe('95 %'),
  sampleCount: z.number().int().min(0),
});

export const signalsQuery = z.object({
  useCase: z.string().min(1).max(200).optional().describe('Slug; all of them when left out'),
  modelId: z.string().min(1).max(300).optional().describe('One model; all of them when left out'),
  timeframe: z.string().max(40).optional().describe('"30 days" when left out; a window that ends now'),
  from: z.string().max(40).optional().describe('Begin of the window, ISO 8601; instead of timeframe'),
  to: z.string().max(40).optional(),
});

export const signalsAnswer = z.object({
  useCase: z.string().nullable(),
  modelId: z.string().nullable(),
  window: z.object({ from: z.string(), to: z.string(), label: z.string() }),
  requestCount: z.number(),
  sessionCount: z.number().describe('Requests in a session: the only ones in which an event can be seen'),
  signals: z.array(
    z.object({
      kind: z.enum([
        'feedback',
        'imported_score',
        'judge_score',
        'follow_up',
        're_ask',
        'correction',
        'abandonment',
        'thanks',
      ]),
      count: z.number().describe('Requests with the signal, in a session or not'),
      rate: figure.describe('Share of the requests in sessions'),
      ratingWith: figure
        .nullable()
        .describe('Mean rating 0..1 of requests in sessions with the event; null for scores'),
      ratingWithout: figure.nullable().describe('The same of those without it'),
      correlation: figure.describe('With the rating, -1..1'),
      agreement: figure.describe('Its square: the share of the variance of ratings that the signal explains'),
      note: z.string().nullable().describe('What is missing to judge by'),
    }),
  ),
});
