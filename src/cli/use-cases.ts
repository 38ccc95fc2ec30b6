import type { Command } from 'commander';
import type { Workbench } from '../workbench.ts';
import type { CommandContext, GlobalOptions } from './context.ts';
import { withWorkbench } from './context.ts';
import { percent, table } from './output.ts';

type Directory = Workbench['analyzer']['directory'];
type Change = Parameters<Directory['plan']>[0];
type Edit = Awaited<ReturnType<Directory['plan']>>;
type Detail = Awaited<ReturnType<Directory['get']>>;
type Patterns = Awaited<ReturnType<Workbench['analyzer']['patterns']>>;

interface EditOptions extends GlobalOptions {
  readonly dryRun?: boolean;
  readonly name?: string;
  readonly slug?: string;
  readonly keyword?: readonly string[];
  readonly pattern?: string;
}

const DRY_RUN = ['--dry-run', 'say what would be done, and do nothing'] as const;

/** `tallyrank use-cases [slug]` shows them; its sub-commands change them, for this run and all later ones. */
export function addUseCases(program: Command, context: CommandContext): void {
  const group = program.command('use-cases').description('look at the use cases, and change them');
  group
    .command('show', { isDefault: true })
    .description('show all use cases, or one with its trend, events and edits')
    .argument('[slug]', 'slug of one use case')
    .action(async (slug: string | undefined, options: GlobalOptions) => {
      await withWorkbench(context, options, async ({ analyzer }) => {
        if (slug === undefined) {
          const patterns = await analyzer.patterns('1 week');
          const { runId, categories } = patterns;
          context.output.answer({ runId, categories }, () => listText(patterns));
        } else {
          const detail = await analyzer.directory.get(slug);
          context.output.answer(detail, () => detailText(detail));
        }
      });
    });
  addRenaming(group, context);
  addRegrouping(group, context);
  group
    .command('undo')
    .description('undo the last edit that holds')
    .option(...DRY_RUN)
    .action((options: EditOptions) => change(context, options, { kind: 'undo' }));
}

function addRenaming(group: Command, context: CommandContext): void {
  group
    .command('rename')
    .description('give a use case another name, another slug, or both')
    .argument('<slug>', 'the use case')
    .option('--name <name>', 'name for people')
    .option('--slug <new-slug>', 'name in URLs and rules; the old one leads to it')
    .option(...DRY_RUN)
    .action((slug: string, options: EditOptions) =>
      change(context, options, { kind: 'rename', slug, name: options.name, toSlug: options.slug }),
    );
  group
    .command('pin')
    .description('keep a use case alive, with slug and name, whatever discovery finds')
    .argument('<slug>', 'the use case')
    .action((slug: string, options: EditOptions) => change(context, options, { kind: 'pin', slug }));
  group
    .command('unpin')
    .description('let a pinned use case go its way again')
    .argument('<slug>', 'the use case')
    .action((slug: string, options: EditOptions) => change(context, options, { kind: 'unpin', slug }));
}

function addRegrouping(group: Command, context: CommandContext): void {
  group
    .command('merge')
    .description('merge a use case into another, which takes over its prompts')
    .argument('<slug>', 'the use case that goes')
    .argument('<into>', 'the use case that stays')
    .option(...DRY_RUN)
    .action((slug: string, into: string, options: EditOptions) =>
      change(context, options, { kind: 'merge', slug, into }),
    );
  group
    .command('split')
    .description('split the prompts with certain words off a use case')
    .argument('<slug>', 'the use case that is split')
    .requiredOption('--name <name>', 'name of the new use case')
    .option('--slug <new-slug>', 'its slug (default: made from the name)')
    .option('--keyword <words...>', 'words or phrases, any of which sends a prompt to it')
    .option('--pattern <regex>', 'regular expression that does, instead of keywords')
    .option(...DRY_RUN)
    .action((slug: string, options: EditOptions) =>
      change(context, options, {
        kind: 'split',
        slug,
        name: options.name ?? '',
        toSlug: options.slug,
        keywords: options.keyword,
        pattern: options.pattern,
      }),
    );
}

async function change(context: CommandContext, options: EditOptions, wanted: Change): Promise<void> {
  const { output, signal } = context;
  const isDryRun = options.dryRun === true;
  const bar = output.progress();
  const answer = await withWorkbench(context, options, async ({ analyzer, ranker }) => {
    const { directory } = analyzer;
    const edit = await directory.plan(wanted, 'cli');
    if (isDryRun) return { edit, isDryRun, runId: null, version: null };
    const run = await directory.apply([edit], { signal, onProgress: bar.report });
    const { version } = await ranker.refreshAll();
    return { edit, isDryRun, runId: run?.runId ?? null, version };
  }).finally(() => bar.end());
  output.answer(answer, () =>
    isDryRun
      ? `Would ${editText(answer.edit)}.`
      : `Done: ${editText(answer.edit)}. Published as ${answer.version}; every later run honours it.`,
  );
}

function editText({ kind, slug, toSlug, name, pattern, undoes }: Edit): string {
  const named = name === null ? '' : ` "${name}"`;
  switch (kind) {
    case 'rename':
      return `rename ${slug} to${toSlug === null ? '' : ` ${toSlug}`}${named}`;
    case 'merge':
      return `merge ${slug} into ${toSlug}`;
    case 'split':
      return `split ${toSlug}${named} off ${slug} by /${pattern}/i`;
    case 'undo':
      return `undo edit ${undoes}`;
    default:
      return `${kind} ${slug}`;
  }
}

function listText({ categories }: Patterns): string {
  const rows = categories.map((category) => [
    category.isPinned ? `${category.categorySlug} (pinned)` : category.categorySlug,
    category.categoryName,
    category.theme ?? '',
    String(category.sampleCount),
    percent(category.share),
    category.keywords.slice(0, 5).join(', '),
  ]);
  return table(['use case', 'name', 'theme', 'requests', 'share', 'keywords'], rows);
}

function detailText(detail: Detail): string {
  const { slug, name, description, theme, isPinned, redirectedFrom, keywords, examplePrompts, trend } =
    detail;
  const dayOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 10);
  const pin = isPinned ? ', pinned' : '';
  return [
    `${slug}: ${name}${theme === undefined ? '' : ` (${theme})`}${pin}`,
    ...(redirectedFrom === null ? [] : [`  ${redirectedFrom} is called ${slug} now.`]),
    ...(description === undefined ? [] : [`  ${description}`]),
    `  keywords: ${keywords.join(', ') || '–'}`,
    ...examplePrompts.map((prompt) => `  e.g. ${prompt.replace(/\s+/g, ' ').slice(0, 100)}`),
    '',
    table(
      ['day', 'requests', 'share'],
      trend.map(({ at, requestCount, share }) => [at.slice(0, 10), String(requestCount), percent(share)]),
    ),
    ...detail.events.map(
      ({ kind, atMs, fromSlugs, toSlugs }) =>
        `  ${dayOf(atMs)} ${kind}: ${[fromSlugs, toSlugs].map((slugs) => slugs.join(', ') || '–').join(' -> ')}`,
    ),
    ...detail.edits.map((edit) => `  ${dayOf(edit.atMs)} by ${edit.changedBy}: ${editText(edit)}`),
  ].join('\n');
}
