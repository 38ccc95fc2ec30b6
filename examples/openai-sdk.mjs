// The OpenAI SDK with Tallyrank in between. Start the product (npm start), then:
//
//   node examples/openai-sdk.mjs
//
// Any client of OpenAI's protocol works the same way: another base URL, and the model "auto".
import OpenAI from 'openai';

const address = process.env.TALLYRANK_URL ?? 'http://localhost:5001';
const key = process.env.TALLYRANK_ADMIN_KEY ?? 'not-needed-on-localhost';
const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: key });

// Plain, with the headers that say what was chosen and why.
const { data, response } = await client.chat.completions
  .create(
    { model: 'auto', messages: [{ role: 'user', content: 'What time does Starbucks open?' }] },
    { headers: { 'x-session-id': 'example', 'x-user-id': 'ann' } },
  )
  .withResponse();
const requestId = response.headers.get('x-request-id');
console.log(data.choices[0]?.message.content);
console.log(`${response.headers.get('x-tallyrank-model')}: ${response.headers.get('x-tallyrank-reason')}`);

// Streamed; the last chunk has the usage, with the cost in dollars.
const stream = await client.chat.completions.create({
  model: 'auto:best',
  stream: true,
  stream_options: { include_usage: true },
  messages: [{ role: 'user', content: 'Debug this function: it returns undefined' }],
});
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta.content ?? '');
  if (chunk.usage) console.log(`\n${chunk.usage.total_tokens} tokens, $${chunk.usage.cost}`);
}

// How well the first answer served, 1 to 5: this is what the rankings learn from.
const feedback = await fetch(`${address}/api/feedback`, {
  method: 'POST',
  headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
  body: JSON.stringify({ requestId, score: 5 }),
});
console.log(await feedback.json());
