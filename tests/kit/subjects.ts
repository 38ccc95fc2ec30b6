/** Prompts of six clearly different subjects, made from templates: the same number gives the same prompt. */

export type Subject = keyof typeof TEMPLATES;

const TEMPLATES = {
  food: {
    forms: [
      'What time does the {a} {b} open on {c}?',
      'Is there a {a} item on the menu of the {b}, and what does it cost on {c}?',
      'Can I book a table for dinner at the {a} {b} this {c}?',
      'Which {b} near me serves {a} lunch on {c}?',
    ],
    a: [
      'vegan',
      'Italian',
      'Thai',
      'gluten-free',
      'Mexican',
      'cheap',
      'cosy',
      'rooftop',
      'Indian',
      'seafood',
    ],
    b: ['restaurant', 'coffee shop', 'bakery', 'pizza place', 'steak house', 'noodle bar', 'breakfast cafe'],
    c: ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'],
  },
  code: {
    forms: [
      'Write a {a} function that {b} a {c}.',
      'My {a} code throws an exception when it {b} a {c}; help me debug it.',
      'Refactor this {a} method which {b} a {c} so that the unit test passes.',
      'How do I write a unit test in {a} for a class that {b} a {c}?',
    ],
    a: ['Python', 'Rust', 'TypeScript', 'Java', 'Go', 'Kotlin', 'C++', 'Ruby', 'Swift', 'Haskell'],
    b: ['parses', 'sorts', 'serializes', 'iterates over', 'copies', 'validates', 'compiles'],
    c: ['JSON array', 'linked list', 'binary tree', 'hash map', 'string buffer', 'null pointer', 'SQL query'],
  },
  translation: {
    forms: [
      'Translate "{a} {b}" into {c}.',
      'How do you say "{a} {b}" in {c}?',
      'What is the {c} translation of the phrase "{a} {b}"?',
      'Give me a literal {c} translation of "{a} {b}".',
    ],
    a: [
      'good morning',
      'thank you',
      'see you soon',
      'happy birthday',
      'excuse me',
      'welcome',
      'goodbye',
      'please',
    ],
    b: ['my friend', 'grandmother', 'dear teacher', 'everybody', 'my love', 'little brother', 'neighbour'],
    c: ['Spanish', 'French', 'German', 'Portuguese', 'Japanese', 'Polish', 'Italian'],
  },
  health: {
    forms: [
      'I have had a {a} in my {b} {c}; should I see a doctor?',
      'Which medicine helps against a {a} in the {b} {c}?',
      'What are the symptoms of a {a} in the {b} {c}?',
      'Is it dangerous to have a {a} in the {b} {c} while taking ibuprofen?',
    ],
    a: ['pain', 'rash', 'swelling', 'cramp', 'numbness', 'burning', 'infection', 'bruise'],
    b: ['left knee', 'lower back', 'throat', 'stomach', 'right shoulder', 'chest', 'ankle'],
    c: [
      'at night',
      'after running',
      'since yesterday',
      'for two weeks',
      'every morning',
      'with a fever',
      'after surgery',
    ],
  },
  travel: {
    forms: [
      'Find a cheap flight from {a} to {b} in {c}.',
      'Plan a three day itinerary with hotels from {a} to {b} in {c}.',
      'Do I need a visa to fly from {a} to {b} in {c}?',
      'How long is the train journey from {a} to {b} in {c}?',
    ],
    a: ['Berlin', 'Madrid', 'Oslo', 'Vienna', 'Dublin', 'Prague', 'Athens', 'Zurich', 'Lisbon', 'Warsaw'],
    b: ['Tokyo', 'Bangkok', 'New York', 'Sydney', 'Nairobi', 'Istanbul', 'Lima'],
    c: ['January', 'March', 'May', 'July', 'August', 'October', 'December'],
  },
  money: {
    forms: [
      'What is the interest rate on a {a} of {b} dollars over {c}?',
      'How much tax do I pay on a {a} worth {b} dollars after {c}?',
      'Should I refinance my {a} of {b} dollars, with {c} to go?',
      'Calculate the monthly payment for a {a} of {b} dollars over {c}.',
    ],
    a: [
      'mortgage',
      'car loan',
      'savings account',
      'pension fund',
      'bank deposit',
      'credit card debt',
      'student loan',
    ],
    b: ['5,000', '10,000', '25,000', '50,000', '120,000', '250,000', '400,000', '1,000'],
    c: [
      'two years',
      'five years',
      'ten years',
      'fifteen years',
      'thirty years',
      'eighteen months',
      'six months',
    ],
  },
} as const;

export const SUBJECTS = Object.keys(TEMPLATES) as Subject[];

/** Prompt number `at` of a subject; some hundred different ones before they repeat. */
export function promptOf(subject: Subject, at: number): string {
  const { forms, a, b, c } = TEMPLATES[subject];
  // Steps that have no common divisor with the lengths walk through all combinations.
  const pick = (list: readonly string[], step: number): string => list[(at * step) % list.length] ?? '';
  const form = forms[Math.floor(at / 3) % forms.length] ?? forms[0];
  return form
    .replace('{a}', pick(a, 1))
    .replace('{b}', pick(b, 1))
    .replace('{c}', pick(c, Math.floor(at / 7) + 1));
}
