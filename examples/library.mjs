// The library without the server: track, discover, rank, route, save. Run it in a clone:
//
//   node examples/library.mjs
//
// It keeps its store in ./data-library and asks no model: `askModel` stands for your own call.
import {
  ModelCatalog,
  ModelRanker,
  openDatabase,
  PriceBook,
  RoutingEngine,
  UsageTracker,
  UseCaseAnalyzer,
} from 'tallyrank';

const db = await openDatabase({ dataDir: './data-library' });

// 1. Track requests. logRequest and logResponse return at once; rows reach the store in batches.
const tracker = new UsageTracker({ db });

async function ask(model, prompt) {
  const requestId = tracker.logRequest({
    model,
    prompt,
    userId: 'ann',
    sessionId: 's-1',
    roomId: 'general',
    priority: 50,
  });
  try {
    const response = await askModel(model, prompt);
    tracker.logResponse(requestId, response);
  } catch (error) {
    tracker.logResponse(requestId, null, error);
  }
  return requestId;
}

async function askModel(model, prompt) {
  return { text: `${model} about: ${prompt}`, promptTokens: 20, completionTokens: 40 };
}

const questions = [
  'What time does Starbucks open?',
  'What is python?',
  'Debug this function: it returns undefined',
];
for (let at = 0; at < 240; at++) {
  const requestId = await ask(at % 2 === 0 ? 'ollama:mistral:7b' : 'gpt-4o', questions[at % 3]);
  tracker.markSatisfied(requestId, 5);
}
await tracker.flush();

// 2. Discover what people ask. Below fifty distinct prompts these are the starter use cases, by keywords.
const analyzer = new UseCaseAnalyzer({ db });
const { categories, routingPatterns } = await analyzer.analyze('1 week');
for (const category of categories) console.log(`${category.categoryName}: ${category.sampleCount} requests`);
for (const { message, suggestion } of routingPatterns.inefficiencies)
  console.log(`${message}. ${suggestion}.`);

// 3. Rank the models per use case.
const ranker = new ModelRanker({ db });
await ranker.refreshAll();
const useCase = await analyzer.classifyPrompt('When does Starbucks close?');
const { best, alternatives, note } = await ranker.getRankings(useCase);
console.log(`Best model for ${useCase}: ${best?.modelId ?? note}`);
for (const { modelId, score, notCandidateReason } of alternatives)
  console.log(`  ${modelId} ${score}: ${notCandidateReason ?? 'a candidate too'}`);

// 4. Route by it. A rule above 95 wins over the data-driven one that ships.
const prices = new PriceBook();
const router = new RoutingEngine(
  {
    catalog: new ModelCatalog([modelOf('ollama', 'mistral:7b'), modelOf('openai', 'gpt-4o')]),
    isPriced: (modelId) => prices.isPriced(modelId),
    typicalCostUsd: (modelId) => prices.typicalCostUsd(modelId),
  },
  { snapshots: { current: await db.latestSnapshot() } },
);
router.addRule(
  'best-of-ranking',
  96,
  (message) => message.routing.explicit === false,
  async (message) => ranker.getBestModel(await analyzer.classifyPrompt(message.content)),
);
const decision = await router.route({ content: 'When does Starbucks close?' });
console.log(`Chosen: ${decision.modelIds[0]} (${decision.reason})`);

// 5. What the best models would save.
const savings = await ranker.analyzeSavings();
console.log(savings.message);
console.log(`$${savings.actualCost} now, $${savings.optimalCost} then (${savings.savingsPercent})`);

await tracker.close();
await db.close();

function modelOf(provider, name) {
  return {
    modelId: `${provider}:${name}`,
    provider,
    name,
    aliases: [],
    isLocal: provider === 'ollama',
    family: null,
    parameterBillions: null,
    contextTokens: null,
    hasTools: null,
    hasImages: null,
    isAutoAllowed: true,
    isChat: true,
  };
}
