// Prints an invented history, one past request a line, for trying the product out:
//
//   node examples/sample-requests.mjs 4000 > requests.jsonl
//   ./bin/tallyrank.js import requests.jsonl && ./bin/tallyrank.js analyze
//
// Two models answer five kinds of requests. The local one is as good as the paid one but for code. The same
// count gives the same requests; their times lie within the last seven days.

const COUNT = Number(process.argv[2] ?? 4000);
const WEEK_MS = 7 * 24 * 3_600_000;

const PLACES = [
  'Starbucks',
  'the corner bakery',
  'Pizza Roma',
  'the sushi bar',
  'Blue Bottle',
  'the taco truck',
];
const TERMS = [
  'photosynthesis',
  'inflation',
  'a black hole',
  'python',
  'compound interest',
  'entropy',
  'a quorum',
];
const THINGS = [
  'a linked list',
  'a CSV file',
  'a date string',
  'a REST endpoint',
  'a retry loop',
  'an LRU cache',
];
const PEOPLE = ['my landlord', 'the HR department', 'a customer', 'my team', 'the school', 'a supplier'];
const PHRASES = [
  'good morning',
  'where is the station',
  'the meeting is moved',
  'my luggage is lost',
  'the bill please',
];

/** What is asked, how many tokens an answer has, and the share of good answers: paid model, local model. */
const KINDS = [
  {
    share: 0.34,
    tokens: 60,
    good: [0.92, 0.95],
    fillers: PLACES,
    prompts: [
      'What time does # open?',
      'When does # close on Sunday?',
      'Is # open right now?',
      '# menu prices',
      'Does # have vegan food on the menu?',
      'How much is a large latte at #?',
      'What are the opening hours of #?',
      'What is good on the lunch menu at #?',
    ],
  },
  {
    share: 0.24,
    tokens: 80,
    good: [0.92, 0.95],
    fillers: TERMS,
    prompts: [
      'What is #?',
      'Define #',
      'Explain # in one sentence',
      'what does # mean',
      'Short definition of #',
    ],
  },
  {
    share: 0.18,
    tokens: 420,
    good: [0.93, 0.45],
    fillers: THINGS,
    prompts: [
      'Write a TypeScript function that parses #',
      'Why does my Python code for # throw a TypeError?',
      'Debug this function: it should handle # and returns undefined',
      'Refactor this class that implements #',
      'Write unit tests for the code of #',
      'Find the bug in my code that implements #',
    ],
  },
  {
    share: 0.14,
    tokens: 220,
    good: [0.92, 0.93],
    fillers: PEOPLE,
    prompts: [
      'Write a polite email to # about the delay',
      'Draft an apology email to #',
      'Rewrite this email to # so that it sounds friendlier',
      'Draft an email that reminds # of the unpaid invoice',
      'Make this email to # more formal',
    ],
  },
  {
    share: 0.1,
    tokens: 30,
    good: [0.93, 0.94],
    fillers: PHRASES,
    prompts: [
      'Translate "#" into Spanish',
      'Translate "#" to Japanese',
      'Translate to German: #',
      'French translation of "#"',
    ],
  },
];

let state = 7;
/** Lehmer's generator: the same history each time. */
function random() {
  state = (state * 48_271) % 2_147_483_647;
  return state / 2_147_483_647;
}

function pick(list) {
  return list[Math.floor(random() * list.length)];
}

function pickKind() {
  let left = random();
  for (const kind of KINDS) {
    left -= kind.share;
    if (left < 0) return kind;
  }
  return KINDS[0];
}

function makeRequest(at) {
  const kind = pickKind();
  const isPaid = random() < 0.65;
  const prompt = pick(kind.prompts).replace('#', pick(kind.fillers));
  const completionTokens = Math.round(kind.tokens * (0.6 + 0.8 * random()));
  const latencyMs =
    (isPaid ? 500 + completionTokens * 12 : 350 + completionTokens * 20) * (0.8 + 0.5 * random());
  const isFailed = random() < 0.015;
  const isGood = random() < kind.good[isPaid ? 0 : 1];
  const feedback = random() < 0.5 && !isFailed ? { feedback: isGood ? 5 : 1 } : {};
  return {
    id: `sample-${at + 1}`,
    timestamp: new Date(Date.now() - WEEK_MS * (1 - at / COUNT)).toISOString(),
    model: isPaid ? 'gpt-4o' : 'ollama:mistral:7b',
    prompt,
    prompt_tokens: 800 + Math.round(prompt.length / 4),
    completion_tokens: isFailed ? 0 : completionTokens,
    latency_ms: Math.round(latencyMs),
    user_id: `user-${1 + Math.floor(random() * 12)}`,
    ...(isFailed ? { error: 'timeout' } : {}),
    ...feedback,
  };
}

for (let at = 0; at < COUNT; at++) process.stdout.write(`${JSON.stringify(makeRequest(at))}\n`);
