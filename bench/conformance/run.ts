import { parseArgs } from 'node:util';
import type { Check } from './answers.ts';
import { checkAnswer } from './answers.ts';
import { checkEmbeddings } from './embeddings.ts';
import { checkError, expectedErrorOf } from './errors.ts';
import { factsOfRecording } from './facts.ts';
import { checkPrices } from './prices.ts';
import type { Recording } from './recordings.ts';
import { DataMissing, readRecordings, readRows } from './recordings.ts';
import type { Tested } from './report.ts';
import { printAnswers, printFaults, printPrices, printRequests, printSkipped } from './report.ts';
import { checkRequest } from './requests.ts';

/*
 * Recorded answers, errors and requests of real providers through every conversion of the gateway, read back by the
 * official SDKs, and recorded usage through the price book.
 */

const HELP = `npm run conformance -- --data FOLDER [--only TEXT]
  --data FOLDER   folder of fixtures_provider_streams, fixtures_http_cassettes and price_usage_cases (.jsonl.gz)
  --only TEXT     only recordings whose provider or name holds the text`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      only: { type: 'string', default: '' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help || values.data === undefined) {
    console.log(HELP);
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  const { recordings, skipped } = readRecordings(values.data);
  const chosen = recordings.filter(({ provider, name }) => `${provider} ${name}`.includes(values.only));
  const answers: Tested[] = [];
  const requests: Tested[] = [];
  for (const recording of chosen) {
    answers.push({ recording, checks: await checksOf(recording), refusals: [] });
    // A request that its own provider refused need not be right.
    if (recording.request !== null && recording.statusCode === 200) {
      requests.push({ recording, ...(await checkRequest(recording)) });
    }
  }
  if (values.only === '') answers.push(...(await checkEmbeddings(values.data)));
  const prices = checkPrices(readRows(values.data, 'price_usage_cases'));
  printAnswers(answers);
  printSkipped(skipped);
  printRequests(requests);
  printPrices(prices);
  if (printFaults([...answers, ...requests], prices) > 0) process.exitCode = 1;
}

async function checksOf(recording: Recording): Promise<readonly Check[]> {
  const error = expectedErrorOf(recording);
  return error === null
    ? await checkAnswer(recording, factsOfRecording(recording))
    : await checkError(recording, error);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof DataMissing)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
