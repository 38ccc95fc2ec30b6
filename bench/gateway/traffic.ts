/** What is asked and answered in the benches. */

/** Models that nginx lists: the same answer from all, at different prices. */
export const MODELS: readonly { readonly name: string; readonly outputUsdPerMtok: number }[] = [
  { name: 'large', outputUsdPerMtok: 10 },
  { name: 'middle', outputUsdPerMtok: 2 },
  { name: 'small', outputUsdPerMtok: 0.4 },
  { name: 'tiny', outputUsdPerMtok: 0.1 },
];

const SUBJECTS = [
  'Write a function in Python that merges two sorted lists and explain how it works',
  'Translate this letter to a customer into polite German and keep the names as they are',
  'Summarise the meeting notes below in five points for somebody who was not there',
  'When does the coffee shop at the station open on Sundays, and is there another one near',
  'Explain to a child why the sky is blue and why it turns red in the evening',
  'Find the error in this SQL statement, which returns every row twice since the last change',
  'Plan a week of dinners for four people, one of whom eats no meat and one no nuts',
  'What is the probability that two of thirty people have their birthday on the same day',
] as const;

const FILLING =
  'The details matter here: there are several parts, each with its own history, and the people who read the answer know ' +
  'some of them but not all. Please keep to what is asked, say where you are not sure, and give the steps in order. ' +
  'Numbers should carry their units, names should be spelt as given, and nothing that was decided before should be changed ' +
  'without saying so. ';

const PROMPT_LENGTH = 1_000;
export const PROMPTS_COUNT = 512;

/**
 * Prompts of 1 kB, without the number that makes each request's its own; deterministic. A request's text is
 * one of these and its number.
 */
export function prompts(): string[] {
  return Array.from({ length: PROMPTS_COUNT }, (_, at) => {
    const subject = SUBJECTS[at % SUBJECTS.length] ?? '';
    const start = (at * 37) % FILLING.length;
    const filling = (FILLING + FILLING).slice(start) + FILLING + FILLING;
    return `${subject}. Part ${at}: ${filling}`.slice(0, PROMPT_LENGTH - 10);
  });
}

export function requestBody(model: string, prompt: string, isStream: boolean): string {
  return JSON.stringify({
    model,
    messages: [{ role: 'user', content: prompt }],
    ...(isStream ? { stream: true } : {}),
  });
}

const ANSWER =
  'Here is what I would do. First look at the parts one by one and write down what each of them needs; then put them ' +
  'in order, so that nothing has to wait for something that comes later. Where two orders are possible, take the one ' +
  'that can be undone more easily. At the end compare the result with what was asked for, and say what is left open.';

/** A whole answer as a provider sends it. */
export function completionBody(): string {
  return JSON.stringify({
    id: 'chatcmpl-bench',
    object: 'chat.completion',
    created: 1_700_000_000,
    model: 'bench',
    choices: [{ index: 0, message: { role: 'assistant', content: ANSWER }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 230, completion_tokens: 75, total_tokens: 305 },
  });
}

/** The same answer as a stream of some sixty events, with its usage at the end. */
export function streamBody(): string {
  const event = (choices: readonly object[], usage: object | null): string =>
    `data: ${JSON.stringify({
      id: 'chatcmpl-bench',
      object: 'chat.completion.chunk',
      created: 1_700_000_000,
      model: 'bench',
      choices,
      ...(usage === null ? {} : { usage }),
    })}\n\n`;
  const words = ANSWER.split(/(?<= )/);
  const choice = (delta: object, finish: string | null): object => ({
    index: 0,
    delta,
    finish_reason: finish,
  });
  return [
    event([choice({ role: 'assistant', content: '' }, null)], null),
    ...words.map((word) => event([choice({ content: word }, null)], null)),
    event([choice({}, 'stop')], null),
    event([], { prompt_tokens: 230, completion_tokens: 75, total_tokens: 305 }),
    'data: [DONE]\n\n',
  ].join('');
}
