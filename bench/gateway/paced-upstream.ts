import { createServer, type ServerResponse } from 'node:http';

/*
 * A provider whose streams come piece by piece, as nginx cannot send them. Arguments: port. A request is answered with
 * as many pieces and pauses as its model says: "paced-<pieces>-<pause in ms>".
 */

const chunk = (delta: object, finishReason: string | null): string =>
  `data: ${JSON.stringify({
    id: 'chatcmpl-bench',
    object: 'chat.completion.chunk',
    created: 1_700_000_000,
    model: 'paced',
    choices: [{ index: 0, delta, finish_reason: finishReason }],
  })}\n\n`;

const FIRST = chunk({ role: 'assistant', content: '' }, null);
const PIECE = chunk({ content: 'word ' }, null);
const LAST =
  chunk({}, 'stop') +
  `data: ${JSON.stringify({
    id: 'chatcmpl-bench',
    object: 'chat.completion.chunk',
    created: 1_700_000_000,
    model: 'paced',
    choices: [],
    usage: { prompt_tokens: 250, completion_tokens: 50, total_tokens: 300 },
  })}\n\n` +
  'data: [DONE]\n\n';

function send(response: ServerResponse, pieceCount: number, pauseMs: number): void {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  response.write(FIRST + PIECE);
  let sent = 1;
  const timer = setInterval(() => {
    if (sent < pieceCount) {
      sent++;
      response.write(PIECE);
      return;
    }
    clearInterval(timer);
    response.end(LAST);
  }, pauseMs);
  response.on('close', () => clearInterval(timer));
}

const server = createServer((request, response) => {
  if (request.method === 'GET') {
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({
        object: 'list',
        data: [
          { id: 'paced-50-100', object: 'model' },
          { id: 'paced-3-5', object: 'model' },
        ],
      }),
    );
    return;
  }
  const chunks: Buffer[] = [];
  request.on('data', (bytes: Buffer) => chunks.push(bytes));
  request.on('end', () => {
    const { model } = JSON.parse(Buffer.concat(chunks).toString()) as { model: string };
    const [, pieceCount, pauseMs] = /^paced-(\d+)-(\d+)$/.exec(model) ?? [];
    send(response, Number(pieceCount ?? 10), Number(pauseMs ?? 50));
  });
});
server.listen(Number(process.argv[2]), '127.0.0.1');
