import { z } from 'zod';

/* What the endpoints about use cases take and answer, beside contract.ts. */

export const slugParams = z.object({
  slug: z.string().min(1).max(200).describe('Slug; an old one answers with what it has become'),
});

export const historyQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1000).default(100).describe('Rows, newest first'),
});

const dryRun = z.boolean().optional().describe('Check and answer what would be written, and write nothing');

export const renameBody = z
  .strictObject({
    name: z.string().min(1).max(200).optional().describe('Name for people'),
    slug: z.string().min(1).max(200).optional().describe('New slug; the old one leads to it'),
    isPinned: z.boolean().optional().describe('Pinned use cases never die and keep slug and name'),
    dryRun,
  })
  .refine(({ name, slug, isPinned }) => name !== undefined || slug !== undefined || isPinned !== undefined, {
    message: 'give name, slug or isPinned',
  });

export const mergeBody = z.strictObject({
  into: z.string().min(1).max(200).describe('Slug of the use case that takes over its prompts'),
  dryRun,
});

export const splitBody = z
  .strictObject({
    name: z.string().min(1).max(200).describe('Name of the new use case'),
    slug: z.string().min(1).max(200).optional().describe('Its slug; made from the name when left out'),
    keywords: z
      .array(z.string().min(1).max(100))
      .min(1)
      .max(20)
      .optional()
      .describe('A prompt with any of these words or phrases goes to it'),
    pattern: z
      .string()
      .min(1)
      .max(1000)
      .optional()
      .describe('A prompt that matches goes to it; JavaScript, without regard to case'),
    dryRun,
  })
  .refine(({ keywords, pattern }) => (keywords === undefined) !== (pattern === undefined), {
    message: 'give either keywords or pattern',
  });

export const undoBody = z.strictObject({ dryRun }).nullish();

const edit = z.object({
  editId: z.string(),
  at: z.string(),
  kind: z.enum(['rename', 'merge', 'split', 'pin', 'unpin', 'undo']),
  slug: z.string().describe('The use case as it was called then'),
  toSlug: z.string().nullable(),
  name: z.string().nullable(),
  pattern: z.string().nullable(),
  undoes: z.string().nullable().describe('Edit that no longer holds'),
  changedBy: z.string(),
});

const event = z.object({
  runId: z.string(),
  at: z.string(),
  kind: z.enum(['birth', 'death', 'merge', 'split']),
  fromSlugs: z.array(z.string()),
  toSlugs: z.array(z.string()),
  share: z.number().nullable().describe('Of the prompts known to both runs; null when none is'),
});

export const useCaseAnswer = z.object({
  slug: z.string(),
  name: z.string(),
  description: z.string().nullable().describe('null where its words may not be shown'),
  theme: z.string().nullable(),
  isPinned: z.boolean(),
  keywords: z.array(z.string()),
  examplePrompts: z.array(z.string()).describe('Empty below five prompts, or two users'),
  sampleCount: z.number().describe('Requests of the run’s window'),
  distinctPromptCount: z.number(),
  typicalLength: z.number().nullable(),
  runId: z.string(),
  redirectedFrom: z.string().nullable(),
  trend: z.array(z.object({ at: z.string(), requestCount: z.number(), share: z.number() })),
  events: z.array(event),
  edits: z.array(edit),
});

export const editAnswer = z.object({
  edits: z.array(edit).describe('What was written; with dryRun, what would be'),
  job: z
    .looseObject({ id: z.string(), status: z.string() })
    .nullable()
    .describe('The relabelling: ask GET /api/jobs/{id}; null for a dry run'),
});

export const editsAnswer = z.object({ edits: z.array(edit) });
export const eventsAnswer = z.object({ events: z.array(event) });

export const runsAnswer = z.object({
  runs: z.array(
    z.object({
      runId: z.string(),
      createdAt: z.string(),
      status: z.enum(['building', 'active', 'failed']),
      isCurrent: z.boolean(),
      windowFrom: z.string(),
      windowTo: z.string(),
      embedder: z.string(),
      requestCount: z.number(),
      distinctPromptCount: z.number(),
      useCaseCount: z.number(),
      report: z.looseObject({}).nullable().describe('Stability curve, accuracy, seconds, kept share, …'),
    }),
  ),
});

const window = z.object({ from: z.string(), to: z.string() });

export const driftAnswer = z.object({
  runId: z.string(),
  window: z.looseObject({ from: z.string(), to: z.string(), label: z.string() }),
  previousWindow: window,
  isAlarm: z.boolean().nullable().describe('null: too little to say'),
  pValue: z.number().nullable().describe('Of the whole mix'),
  falseAlarmRate: z.number(),
  requestCount: z.number(),
  previousRequestCount: z.number(),
  useCases: z.array(
    z.object({
      useCase: z.string(),
      requestCount: z.number(),
      previousRequestCount: z.number(),
      share: z.number(),
      previousShare: z.number(),
      pValue: z.number().describe('Adjusted for all use cases (Holm)'),
      isSignificant: z.boolean(),
    }),
  ),
  note: z.string().nullable(),
});
