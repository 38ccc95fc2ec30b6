// The thread's own entry: the one file of this room whose loading does work. `ANSWERING_THREAD` names it.
import { parentPort, workerData } from 'node:worker_threads';
import { UseCaseAnalyzer } from '../discovery/use-case-analyzer.ts';
import { ModelRanker } from '../ranking/model-ranker.ts';
import { type QuestionDesk, serveRankings, type ThreadRooms } from '../ranking/serve-thread.ts';
import type { RankingWorkerData } from '../ranking/worker.ts';
import { answerQuestion, type QuestionName } from './questions.ts';

function openDesk({ db, logger, config, place }: ThreadRooms): QuestionDesk {
  const analyzer = new UseCaseAnalyzer({ db, logger, policies: config.policies });
  const slugNow = (slug: string): Promise<string | null> => analyzer.directory.slugNow(slug);
  const ranker = new ModelRanker({ db, logger, config, slugNow }, place);
  const rooms = { db, analyzer, ranker, clock: Date.now };
  return async (question, task) => {
    // The gateway may have published or released since: an answer shows what its asker did before.
    await ranker.follow();
    return await answerQuestion(rooms, question as QuestionName, task as never);
  };
}

if (parentPort !== null) serveRankings(parentPort, workerData as RankingWorkerData, openDesk);
