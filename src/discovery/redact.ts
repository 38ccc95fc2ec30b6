/*
 * Personal data and secrets by their form, before a prompt is shown as an example or sent to a model that names
 * use cases. Own patterns and not a library: those on offer know American forms only, or are as large as this
 * program, and none promises linear time. It finds what has a form; names and addresses of people have none.
 *
 * Every pattern is linear: it starts at a sign that ends what came before it, and each of its repetitions is
 * bounded or cannot read what follows it.
 */

/** What was taken out; its name stands in the text in its place, as "[email]". */
export type RedactedKind =
  | 'private key'
  | 'token'
  | 'secret'
  | 'email'
  | 'iban'
  | 'card'
  | 'ip'
  | 'phone'
  | 'number';

/** Longer texts are cut before: an example is a few hundred signs. */
const TEXT_LENGTH_MAX = 20_000;

interface Rule {
  readonly kind: RedactedKind;
  readonly pattern: RegExp;
  /** What a match becomes; a form alone would take any number for an account. Default: its kind in brackets. */
  readonly replace?: ((found: string) => string) | undefined;
}

/** RFC 7468 section 2: armour lines around base64. Without its end it runs to the end of the text. */
const PEM = /-----BEGIN [^-\n]{0,80}-----(?:[^-]|-(?!-{4}))*(?:-----END [^-\n]{0,80}-----)?/g;

/**
 * Keys by the prefixes that their issuers document: OpenAI and Anthropic (sk-), Stripe (sk_live_, rk_, whsec_),
 * GitHub (ghp_, gho_, ghu_, ghs_, ghr_, github_pat_), GitLab (glpat-), AWS (AKIA, ASIA), Google (AIza, ya29.),
 * Slack (xox.-, xapp-), Hugging Face (hf_), npm (npm_), SendGrid (SG.), Telegram bots, DigitalOcean (dop_v1_).
 */
const TOKEN =
  /(?<![A-Za-z0-9])(?:sk-[A-Za-z0-9_-]{16,}|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,}|xox[a-z]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}|hf_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{30,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|\d{8,10}:AA[A-Za-z0-9_-]{30,}|dop_v1_[a-f0-9]{40,})/g;

/** RFC 7519: three base64url parts; the first two are JSON objects, whose base64 begins with "eyJ". */
const JWT = /(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g;

/** "password: hunter2", "api_key=…", "Authorization: Bearer …": the word stays, what follows it goes. */
const NAMED_SECRET =
  /(?<![\p{L}\p{N}])(?:pass(?:word|wd|phrase|code)|passwort|contraseña|mot de passe|пароль|密码|パスワード|secret|(?:api|access|auth|private|secret)[_ -]?(?:key|token)|token|bearer)["']?(?:\s{0,3}(?:[:=：]|\bis\b)\s{0,3}|\s)["']?[^\s"',;]{4,200}/giu;

/** RFC 3986 section 3.2.1: user information before the host. */
const URL_CREDENTIALS = /(?<=:\/\/)[^\s/@:]{1,200}(?::[^\s/@]{0,200})?(?=@)/g;
/** Query values whose names say that they open something. */
const URL_SECRET =
  /(?<=[?&](?:key|api_?key|token|access_token|auth|sig|signature|password|secret|code)=)[^\s&#"']{4,}/gi;

/** Before the one below: next to Chinese or Thai, which have no spaces, that one would take whole sentences. */
const EMAIL =
  /(?<![A-Za-z0-9._%+\-\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}])[A-Za-z0-9._%+-]{1,200}@(?:[A-Za-z0-9][A-Za-z0-9-]{0,62}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9])/gu;

/** RFC 5321 and 6531 (letters of any script), without quoted local parts and comments, which nobody writes. */
const EMAIL_OF_ANY_SCRIPT =
  /(?<![\p{L}\p{N}._%+-])[\p{L}\p{N}._%+-]{1,200}[@＠](?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,62})\.){1,8}[\p{L}]{2,24}(?![\p{L}\p{N}])/gu;

/** ISO 13616: country, two check digits, up to 30 letters and digits, in groups of four as they are printed. */
const IBAN =
  /(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[A-Za-z0-9]{11,30}|(?:[ -][A-Za-z0-9]{4}){2,7}(?:[ -][A-Za-z0-9]{1,3})?)(?![A-Za-z0-9])/g;

/** Runs of digits with the separators that people write; which kind they are is decided by their digits. */
const DIGITS =
  /(?<![\p{L}\p{N}.,])(?:\+|\(\+?)?\p{Nd}{1,40}\)?(?:[ \u00a0./()–-]{1,2}\p{Nd}{1,12}){0,8}(?![\p{L}\p{N}])/gu;
/** What is left of long numbers: inside words, or longer than any of the above. */
const LONG_NUMBER = /\p{Nd}{12,}/gu;

const IPV4 =
  /(?<![\p{L}\p{N}.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\p{L}\p{N}]|\.\d)/gu;
/** RFC 4291 section 2.2: eight groups, or fewer with one "::". */
const IPV6 = /(?<![\p{L}\p{N}:.])[0-9a-f]{0,4}:[0-9a-f:]{1,38}(?![\p{L}\p{N}:])/giu;

const RULES: readonly Rule[] = [
  { kind: 'private key', pattern: PEM },
  { kind: 'token', pattern: JWT },
  { kind: 'token', pattern: TOKEN },
  { kind: 'secret', pattern: URL_CREDENTIALS },
  { kind: 'secret', pattern: URL_SECRET },
  { kind: 'secret', pattern: NAMED_SECRET, replace: withoutSecretValue },
  { kind: 'email', pattern: EMAIL },
  { kind: 'email', pattern: EMAIL_OF_ANY_SCRIPT },
  { kind: 'iban', pattern: IBAN, replace: withoutIban },
  { kind: 'ip', pattern: IPV4 },
  { kind: 'ip', pattern: IPV6, replace: (found) => (isIpv6(found) ? bracketed('ip') : found) },
  { kind: 'number', pattern: DIGITS, replace: withoutDigits },
  { kind: 'number', pattern: LONG_NUMBER },
];

/**
 * `text` without what looks personal or secret; each find is replaced by its kind in brackets. Linear in the
 * length; at most 20,000 characters of it are read and come back.
 */
export function redact(text: string): string {
  let left = text.length > TEXT_LENGTH_MAX ? text.slice(0, TEXT_LENGTH_MAX) : text;
  for (const { kind, pattern, replace } of RULES) {
    left = left.replace(pattern, replace ?? (() => bracketed(kind)));
  }
  return left;
}

function bracketed(kind: RedactedKind): string {
  return `[${kind}]`;
}

/** True when nothing in `text` looks personal or secret: what a keyword must be. */
export function isFreeOfPersonalData(text: string): boolean {
  return redact(text) === text;
}

const SECRET_NAME = /^.*?(?:[:=：]|\bis\b|\s)\s{0,3}["']?(?=[^\s"']+$)/isu;

/** "password reset" and "token is expired" are questions; a value holds a digit, or follows ":" or "=". */
function withoutSecretValue(found: string): string {
  const name = SECRET_NAME.exec(found)?.[0] ?? '';
  const value = found.slice(name.length);
  const isValue =
    /[:=：]\s*["']?$/.test(name) || (/\d/.test(value) && /\p{L}/u.test(value) && value.length >= 6);
  return isValue && !value.startsWith('[') ? name + bracketed('secret') : found;
}

/** In groups, the words behind the number have its form too: the longest start that is one counts. */
function withoutIban(found: string): string {
  for (
    let end = found.length;
    end > 0;
    end = Math.max(found.lastIndexOf(' ', end - 1), found.lastIndexOf('-', end - 1))
  ) {
    if (isIban(found.slice(0, end))) return bracketed('iban') + found.slice(end);
  }
  return found;
}

/** ISO 7064 MOD 97-10 over the number with its first four signs moved to the end. */
function isIban(found: string): boolean {
  const compact = found.replace(/[ -]/g, '').toUpperCase();
  if (compact.length < 15 || compact.length > 34) return false;
  let rest = 0;
  for (const sign of compact.slice(4) + compact.slice(0, 4)) {
    const value = Number.parseInt(sign, 36);
    rest = (value > 9 ? rest * 100 + value : rest * 10 + value) % 97;
  }
  return rest === 1;
}

function isIpv6(found: string): boolean {
  const groups = found.split(':').filter((group) => group !== '');
  const isShortened = found.includes('::') && found.indexOf('::') === found.lastIndexOf('::');
  // "std::vector" and "a::b" are code, "10:30:00" is a time of day.
  if (!/\d/.test(found)) return false;
  return isShortened ? groups.length >= 2 && groups.length <= 7 : groups.length === 8;
}

/** Shorter runs are amounts, years, and the numbers of sums; a phone number of seven digits has separators. */
const PLAIN_NUMBER_MIN = 9;
const PHONE_DIGITS_MIN = 7;
/** ITU-T E.164. */
const PHONE_DIGITS_MAX = 15;

function withoutDigits(found: string): string {
  const kind = kindOfDigits(found);
  return kind === null ? found : bracketed(kind);
}

function kindOfDigits(found: string): RedactedKind | null {
  const digits = asciiDigits(found);
  if (isDateOrAmount(found)) return null;
  if (digits.length >= 13 && digits.length <= 19 && hasLuhnSum(digits)) return 'card';
  const isInternational = /^(?:\+|\(\+|00)/.test(found);
  const hasGroups = /\p{Nd}[ \u00a0./()–-]+\p{Nd}/u.test(found);
  const isPhoneLong = digits.length >= PHONE_DIGITS_MIN && digits.length <= PHONE_DIGITS_MAX;
  if (isPhoneLong && (isInternational || hasPhoneShape(found, digits))) return 'phone';
  return digits.length >= PLAIN_NUMBER_MIN && (!hasGroups || digits.length > PHONE_DIGITS_MIN)
    ? 'number'
    : null;
}

/** Groups as phone numbers are written: a leading 0 or bracket, or three and four digits with dashes. */
function hasPhoneShape(found: string, digits: string): boolean {
  if (/^\(?0\d/.test(found) && /[ \u00a0/()–-]/.test(found)) return true;
  if (/^\(\d{3}\)/.test(found)) return true;
  return digits.length <= 11 && /^(?:1[ .-])?\d{3}[ .–-]\d{3}[ .–-]?\d{4}$|^\d{3}[–-]\d{4}$/.test(found);
}

/** Days, spans of years, and thousands written in groups are what is asked about, not who asks. */
function isDateOrAmount(found: string): boolean {
  if (/^\d{4}[-./]\d{1,2}[-./]\d{1,2}(?:[ T]\d{1,2})?$|^\d{1,2}[-./]\d{1,2}[-./]\d{2,4}$/.test(found))
    return true;
  if (/^\d{4} ?[–-] ?\d{4}$/.test(found)) return true;
  return (
    /^\d{1,3}(?:[ \u00a0.]\d{3}){1,4}$/.test(found) &&
    !/^0/.test(found) &&
    !/^\d{3}[ .]\d{3}[ .]\d{3}$/.test(found)
  );
}

/** ISO/IEC 7812-1 annex B: from the right, each second digit doubled, digit sums added, divisible by ten. */
function hasLuhnSum(digits: string): boolean {
  let sum = 0;
  for (let at = 0; at < digits.length; at++) {
    const digit = Number(digits[digits.length - 1 - at]);
    const doubled = at % 2 === 1 ? 2 * digit : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0 && /[1-9]/.test(digits);
}

/** Digits of any script as ASCII: the ten digits of a script stand in a row, the zero first. */
function asciiDigits(text: string): string {
  let digits = '';
  for (const sign of text.normalize('NFKC')) {
    if (sign >= '0' && sign <= '9') digits += sign;
    else if (/\p{Nd}/u.test(sign)) {
      let value = 0;
      const code = sign.codePointAt(0) as number;
      while (value < 9 && /\p{Nd}/u.test(String.fromCodePoint(code - value - 1))) value++;
      digits += String(value);
    }
  }
  return digits;
}
