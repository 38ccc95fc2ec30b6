// The first page: plain, live, and fed by the public API alone. Everything is set as text, never as HTML.

const KEY = 'tallyrank-key';
const REFRESH_MS = 5_000;

const element = (id) => document.getElementById(id);

class Unauthorized extends Error {}

async function ask(path, options = {}) {
  const key = sessionStorage.getItem(KEY);
  const headers = { ...options.headers, ...(key ? { authorization: `Bearer ${key}` } : {}) };
  const response = await fetch(path, { ...options, headers });
  const answer = await response.json();
  if (response.status === 401) throw new Unauthorized(answer.error.message);
  if (!response.ok) throw new Error(answer.error?.message ?? `${path} answered ${response.status}`);
  return answer;
}

function node(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** columns: [title, cell(row), className?]; a cell is text or a node. */
function fillTable(table, columns, rows, emptyText) {
  const head = node(
    'tr',
    {},
    ...columns.map(([title, , className = '']) => node('th', { scope: 'col', className }, title)),
  );
  const body = rows.map((row) =>
    node(
      'tr',
      {},
      ...columns.map(([, cell, className = '']) => {
        const content = cell(row);
        return content instanceof HTMLTableCellElement ? content : node('td', { className }, content);
      }),
    ),
  );
  if (rows.length === 0) body.push(node('tr', {}, node('td', { colSpan: columns.length }, emptyText)));
  table.replaceChildren(node('thead', {}, head), node('tbody', {}, ...body));
}

const count = (value) => value.toLocaleString('en').replaceAll(',', '\u2009');
const percent = (share) => (share === null ? '–' : `${Math.round(share * 100)} %`);
const time = (ms) => (ms === null ? '–' : ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
const dollars = (value) =>
  value === null
    ? 'unknown'
    : value === 0
      ? '$0'
      : Math.abs(value) < 0.01
        ? `$${value.toPrecision(2)}`
        : `$${value.toFixed(2)}`;

function sentenceOf({ stats, patterns }) {
  const { total } = stats;
  if (total.requestCount === 0) {
    return 'Nothing was asked in this window. Point a client here (below), or import what you have.';
  }
  const top = patterns.categories[0];
  const share = top ? ` ${percent(top.sampleCount / total.requestCount)} were ${top.categoryName}.` : '';
  const cost = total.costSumUsd === null ? 'Their cost is unknown' : `They cost ${dollars(total.costSumUsd)}`;
  const unpriced = total.requestCount - total.pricedCount;
  return `People asked ${count(total.requestCount)} things.${share} ${cost}${unpriced > 0 && total.costSumUsd !== null ? ` (${count(unpriced)} without a known price)` : ''}.`;
}

function showUseCases({ stats, patterns }) {
  const figures = new Map(stats.byUseCase.map((row) => [row.useCase, row]));
  const total = patterns.categories.reduce((sum, category) => sum + category.sampleCount, 0);
  const shareCell = ({ sampleCount }) => {
    const cell = node('td', { className: 'number share' }, percent(total ? sampleCount / total : null));
    cell.style.setProperty('--share', `${total ? (100 * sampleCount) / total : 0}%`);
    return cell;
  };
  fillTable(
    element('use-cases'),
    [
      ['Use case', (row) => node('span', { title: row.categorySlug }, row.categoryName)],
      ['Requests', (row) => count(row.sampleCount), 'number'],
      ['Share', shareCell, 'number'],
      ['Cost', (row) => dollars(figures.get(row.categorySlug)?.costSumUsd ?? null), 'number'],
      ['Keywords', (row) => row.keywords.slice(0, 5).join(', '), 'words'],
      ['Example', (row) => row.examplePrompts[0] ?? '', 'example'],
      ['Models', (row) => row.modelsUsed.join(', '), 'words'],
    ],
    patterns.categories,
    'No use case was seen in this window.',
  );
}

function showRankings({ rankings, patterns }) {
  const names = new Map(patterns.categories.map((row) => [row.categorySlug, row.categoryName]));
  const parts = rankings.rankings.map(({ useCase, best, alternatives, note }) => {
    const table = node('table');
    const models = best ? [best, ...alternatives] : alternatives;
    fillTable(
      table,
      [
        ['Model', (row) => (row.isCandidate ? row.modelId : node('small', {}, row.modelId))],
        ['Score', (row) => row.score?.toFixed(0) ?? '–', 'number'],
        ['95 %', (row) => row.scoreInterval?.map((limit) => limit.toFixed(0)).join('–') ?? '–', 'number'],
        ['Success', (row) => percent(row.successRate), 'number'],
        ['Time', (row) => time(row.avgTimeMs), 'number'],
        ['Cost', (row) => dollars(row.avgCost), 'number'],
        ['Requests', (row) => count(row.totalRequests), 'number'],
        ['', (row) => (row === best ? 'auto takes this' : (row.notCandidateReason ?? 'also not worse'))],
      ],
      models,
      'No model yet.',
    );
    return node(
      'div',
      {},
      node('h3', {}, names.get(useCase) ?? useCase, ' ', node('small', { className: 'slug' }, useCase)),
      note ? node('small', {}, note) : null,
      node('div', { className: 'scroll' }, table),
    );
  });
  if (parts.length === 0)
    parts.push(node('p', {}, 'No ranking yet: it comes by itself a minute after the first requests.'));
  element('rankings').replaceChildren(...parts);
}

function showCost({ stats, savings }) {
  element('savings').textContent = `${savings.message} (${count(savings.sampleCount)} priced requests)`;
  fillTable(
    element('models'),
    [
      ['Model', (row) => row.modelId],
      ['Requests', (row) => count(row.requestCount), 'number'],
      ['Success', (row) => percent(row.successRate), 'number'],
      ['Median', (row) => time(row.latencyP50Ms), 'number'],
      ['p95', (row) => time(row.latencyP95Ms), 'number'],
      ['Cost', (row) => dollars(row.costSumUsd), 'number'],
    ],
    stats.byModel,
    'No model was used in this window.',
  );
}

function showRequests({ recentRequests }) {
  fillTable(
    element('requests'),
    [
      [
        'When',
        (row) =>
          node(
            'time',
            { dateTime: row.startedAt, title: row.startedAt },
            new Date(row.startedAt).toLocaleTimeString(),
          ),
        'when',
      ],
      ['Prompt', (row) => row.prompt ?? '(not kept)', 'example'],
      ['Use case', (row) => row.useCase],
      [
        'Model',
        (row) => (row.modelAsked === row.modelId ? row.modelId : `${row.modelId} (asked: ${row.modelAsked})`),
      ],
      ['', (row) => (row.isSuccess ? 'ok' : (row.errorCode ?? 'failed'))],
      ['Time', (row) => time(row.latencyMs), 'number'],
      ['Cost', (row) => dollars(row.costUsd), 'number'],
    ],
    recentRequests,
    'No request yet.',
  );
}

function showClient() {
  element('client').textContent = [
    `curl ${location.origin}/v1/chat/completions -H 'content-type: application/json' \\`,
    `  -d '{"model": "auto", "messages": [{"role": "user", "content": "What time does Starbucks open?"}]}'`,
    '',
    `# Any OpenAI client: base URL ${location.origin}/v1, model "auto"`,
  ].join('\n');
}

async function refresh() {
  const timeframe = encodeURIComponent(element('timeframe').value);
  try {
    const dashboard = await ask(`/api/usage/dashboard?timeframe=${timeframe}`);
    element('sentence').textContent = sentenceOf(dashboard);
    showUseCases(dashboard);
    showRankings(dashboard);
    showCost(dashboard);
    showRequests(dashboard);
    element('fault').hidden = true;
    element('key-form').hidden = true;
  } catch (error) {
    element('fault').hidden = false;
    element('fault').textContent = error.message;
    element('key-form').hidden = !(error instanceof Unauthorized);
  }
}

async function analyze() {
  const button = element('analyze');
  button.disabled = true;
  try {
    let job = await ask('/api/analyze', { method: 'POST' });
    while (job.status === 'running') {
      element('job').textContent =
        `${job.step ?? 'starting'} ${job.totalCount ? `${job.doneCount}/${job.totalCount}` : ''}`;
      await new Promise((resolve) => setTimeout(resolve, 500));
      job = await ask(`/api/jobs/${job.id}`);
    }
    element('job').textContent = job.status === 'done' ? 'Analyzed.' : (job.error?.message ?? job.status);
  } catch (error) {
    element('job').textContent = error.message;
  }
  button.disabled = false;
  await refresh();
}

element('timeframe').addEventListener('change', refresh);
element('analyze').addEventListener('click', analyze);
element('key-form').addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, element('key').value);
  void refresh();
});
showClient();
await refresh();
setInterval(() => {
  if (!document.hidden) void refresh();
}, REFRESH_MS);
