import { askedBlock, withShortDocuments } from './client-blocks.ts';

/*
 * What somebody pastes into a prompt (a file, a thread of mails, an article) is what the request is about, not
 * what is asked: left in, it decides the vector by its length. A short sample of it stays, so that a question
 * about code stays one.
 */

/** A shorter text is read whole: there is little to gain, and a short quotation is often the question itself. */
const READ_WHOLE_MAX = 600;
/** Fenced code up to this is an example inside a question; beyond it, a file. */
const FENCE_LINES_MAX = 12;
const FENCE_LENGTH_MAX = 500;
const FENCE_SAMPLE_LINES = 6;
const FENCE_SAMPLE_LENGTH = 240;
const DOCUMENT_LENGTH_MAX = 300;
const DOCUMENT_SAMPLE_LENGTH = 160;
/** One or two quoted lines are what an answer is asked to; more is the mail below it. */
const QUOTED_LINES_MAX = 2;
const MAIL_SAMPLE_LENGTH = 160;
/** A closing paragraph after a quoted mail up to this length is taken for the user's own words. */
const CLOSING_LENGTH_MAX = 300;
/** What is left beyond this is a pasted passage: its head and tail say what is to be done with it. */
const PASSAGE_LENGTH_MAX = 1_200;
const HEAD_LENGTH = 500;
const TAIL_LENGTH = 350;
const MIDDLE_LENGTH = 350;
const MIDDLE_SAMPLE_LENGTH = 120;

const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const QUOTED = /^\s{0,3}>/;
const MAIL_SEPARATOR =
  /^\s{0,3}(?:-{2,}\s?(?:Original Message|Forwarded message|Ursprüngliche Nachricht|Weitergeleitete Nachricht|Message d'origine|Mensaje original|Исходное сообщение|原始邮件)|Begin forwarded message:)/i;
/** "On Tue, 3 Mar 2026 at 10:11, Ann <a@b.c> wrote:" in the languages of the usual mail programs. */
const MAIL_LEAD =
  /^\s{0,3}(?:On|Am|Le|El|Il|Op)\s.{5,150}(?:wrote|schrieb.{0,80}|a écrit|escribió|ha scritto|schreef.{0,80})\s?:\s*$/;
const MAIL_HEADER =
  /^\s{0,3}(?:From|Sent|Date|To|Cc|Subject|Von|Gesendet|An|Betreff|De|Enviado|Para|Asunto|Objet)\s?: \S/;
const MAIL_HEADERS_MIN = 3;

/**
 * The words of a turn that say what is asked: pasted code, mails, documents and long passages are cut down to
 * a sample. Linear in the length; texts of up to 600 characters come back as they are.
 */
export function withoutPastedText(whole: string): string {
  const text = askedBlock(whole) ?? whole;
  if (text.length <= READ_WHOLE_MAX) return text;
  const documents = text.includes('<')
    ? withShortDocuments(text, (content) =>
        content.length <= DOCUMENT_LENGTH_MAX ? content : clip(content.trim(), DOCUMENT_SAMPLE_LENGTH),
      )
    : text;
  const lines = documents.split('\n');
  const own = shortenMails(shortenFences(lines)).join('\n').trim();
  return own.length <= PASSAGE_LENGTH_MAX ? own : shortenPassages(own);
}

function shortenFences(lines: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] as string;
    const fence = FENCE.exec(line)?.[1];
    if (fence === undefined) {
      kept.push(line);
      continue;
    }
    let end = at + 1;
    while (end < lines.length && !isFenceEnd(lines[end] as string, fence)) end++;
    // Without an end it may be the end of a fence whose beginning was cut off: words below it are no code.
    if (end === lines.length) end = at + 1 + closingParagraph(lines.slice(at + 1));
    const length = lines.slice(at + 1, end).reduce((sum, other) => sum + other.length + 1, 0);
    const code = lines.slice(at + 1, end);
    const isFile = code.length > FENCE_LINES_MAX || length > FENCE_LENGTH_MAX;
    kept.push(line.slice(0, FENCE_SAMPLE_LENGTH));
    if (isFile) kept.push(clip(code.slice(0, FENCE_SAMPLE_LINES).join('\n'), FENCE_SAMPLE_LENGTH));
    else kept.push(...code);
    kept.push(fence);
    at = isFenceEnd(lines[end] ?? '', fence) ? end : end - 1;
  }
  return kept;
}

function isFenceEnd(line: string, fence: string): boolean {
  return line.trimStart().startsWith(fence) && line.trim().length === countSame(line.trim());
}

/** Length of the run of equal signs at the start. */
function countSame(text: string): number {
  let count = 0;
  while (count < text.length && text[count] === text[0]) count++;
  return count;
}

/** A quoted or forwarded mail is cut to its first words; what stands above it, and a short paragraph below, stay. */
function shortenMails(lines: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] as string;
    if (QUOTED.test(line)) {
      let end = at;
      while (end < lines.length && QUOTED.test(lines[end] as string)) end++;
      const quoted = lines.slice(at, end);
      kept.push(
        ...(quoted.length <= QUOTED_LINES_MAX ? quoted : [clip(quoted.join('\n'), MAIL_SAMPLE_LENGTH)]),
      );
      at = end - 1;
      continue;
    }
    if (!isMailStart(lines, at)) {
      kept.push(line);
      continue;
    }
    const mail = lines.slice(at + 1);
    const closingAt = closingParagraph(mail);
    const body = mail.slice(0, closingAt).filter((other) => !MAIL_HEADER.test(other) && other.trim() !== '');
    const subject = mail.find((other) => /^\s{0,3}(?:Subject|Betreff|Asunto|Objet)\s?:/.test(other));
    if (subject !== undefined) kept.push(clip(subject.trim(), MAIL_SAMPLE_LENGTH));
    kept.push(clip(body.slice(0, FENCE_SAMPLE_LINES).join('\n'), MAIL_SAMPLE_LENGTH), '');
    kept.push(...mail.slice(closingAt));
    break;
  }
  return kept;
}

function isMailStart(lines: readonly string[], at: number): boolean {
  const line = lines[at] as string;
  // Lines of a mail program are short; a longer one is a paragraph.
  if (line.length > 400) return false;
  if (MAIL_SEPARATOR.test(line) || MAIL_LEAD.test(line)) return true;
  if (!MAIL_HEADER.test(line)) return false;
  let count = 0;
  while (count < MAIL_HEADERS_MIN && MAIL_HEADER.test(lines[at + count] ?? '')) count++;
  return count >= MAIL_HEADERS_MIN;
}

/** Where the last paragraph begins when it is short and stands apart; else the end. */
function closingParagraph(lines: readonly string[]): number {
  let end = lines.length;
  while (end > 0 && (lines[end - 1] as string).trim() === '') end--;
  let begin = end;
  let length = 0;
  while (begin > 0 && (lines[begin - 1] as string).trim() !== '') {
    begin--;
    length += (lines[begin] as string).length + 1;
  }
  return begin > 0 && length <= CLOSING_LENGTH_MAX ? begin : lines.length;
}

/** First and last paragraph with more of their words, and a few words of each between, within a bounded length. */
function shortenPassages(text: string): string {
  const paragraphs = text.split(/\n\s*\n/).filter((paragraph) => paragraph.trim() !== '');
  const first = paragraphs[0] ?? '';
  if (paragraphs.length < 2) return clipMiddle(text, HEAD_LENGTH + MIDDLE_LENGTH, TAIL_LENGTH);
  const last = paragraphs[paragraphs.length - 1] as string;
  const middle: string[] = [];
  let left = MIDDLE_LENGTH;
  for (let at = 1; at < paragraphs.length - 1 && left > 0; at++) {
    const sample = clip((paragraphs[at] as string).trim(), Math.min(left, MIDDLE_SAMPLE_LENGTH));
    middle.push(sample);
    left -= sample.length;
  }
  const head = clipMiddle(first, HEAD_LENGTH - 100, 100);
  return [head, ...middle, clipMiddle(last, 100, TAIL_LENGTH - 100)].join('\n');
}

/** Head and tail of a long text. */
export function clipMiddle(text: string, headLength: number, tailLength: number): string {
  if (text.length <= headLength + tailLength) return text;
  return `${text.slice(0, headLength)}\n${text.slice(-tailLength)}`;
}

function clip(text: string, lengthMax: number): string {
  if (text.length <= lengthMax) return text;
  const cut = text.slice(0, lengthMax);
  const space = cut.lastIndexOf(' ');
  // Scripts without spaces, and data: the cut is where it is.
  return space > lengthMax / 2 ? cut.slice(0, space) : cut;
}
