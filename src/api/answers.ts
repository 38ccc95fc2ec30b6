import type { FastifyReply } from 'fastify';
import { answerQuestion, type QuestionName, type QuestionRooms, type TaskOf } from './questions.ts';

/** The thread that answers in a gateway; rankings are computed in it as well. */
export const ANSWERING_THREAD = new URL('./thread.js', import.meta.url);

const JSON_TYPE = 'application/json; charset=utf-8';

/**
 * Sends what a question comes to. Where there is a thread, all of it happens there and its bytes go out as they are:
 * reading the rows, computing, and writing the JSON of a page would each hold every request up by milliseconds.
 */
export class Answers {
  readonly #rooms: QuestionRooms;

  constructor(rooms: QuestionRooms) {
    this.#rooms = rooms;
  }

  /**
   * @param beforeSending  awaited between the answer and its sending
   * @throws {TallyrankError} what the question throws; `internal` when the thread died, `shutting_down` once closed
   */
  async send<Name extends QuestionName>(
    reply: Pick<FastifyReply, 'type' | 'send'>,
    question: Name,
    task: TaskOf<Name>,
    beforeSending?: (() => Promise<void>) | undefined,
  ): Promise<unknown> {
    const bytes = await this.#rooms.ranker.ask(question, task);
    const answer = bytes ?? (await answerQuestion(this.#rooms, question, task));
    await beforeSending?.();
    return reply.type(JSON_TYPE).send(answer);
  }
}
