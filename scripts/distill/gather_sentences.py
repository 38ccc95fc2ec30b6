"""Gathers the openly licensed sentences that the embedder is distilled from: one a line, no two alike.

Sources, all of them free to copy and adapt (see NOTICE): the glosses and examples of WordNet as Debian's
`wordnet-base` ships it, clones of the public repositories named in REPOSITORIES, and questions and
requests that this script makes itself from its own templates and WordNet's nouns.

Texts of benchmark sets on which the embedder is measured must stay out: give their files with --exclude
(JSON lines, plain or gzip; every string in them counts) and no sentence of them is kept.

  python3 gather_sentences.py --wordnet /usr/share/wordnet --clones ~/clones --exclude bench/*.jsonl.gz \
      --out sentences.txt
"""

import argparse
import gzip
import json
import random
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

from request_templates import request_sentences

# Sentences of one source beyond this would drown the others: most of the corpus is definitions then.
SOURCE_MAX = 60_000
LENGTH_MIN = 8
# The teacher reads 256 word pieces; what stands beyond 400 characters adds time and no meaning.
LENGTH_MAX = 400

# Folder names under --clones: owner+name or owner/name, bare or with a work tree.
REPOSITORIES = {
    "google-research-datasets/Taskmaster": "CC BY 4.0",
    "google-research-datasets/Disfl-QA": "CC BY 4.0",
    "xliuhw/NLU-Evaluation-Data": "CC BY 4.0",
    "brmson/dataset-factoid-webquestions": "CC BY 4.0",
    "snipsco/nlu-benchmark": "CC0 1.0",
    "teknium1/GPTeacher": "MIT",
    "anthropics/hh-rlhf": "MIT",
}

TEMPLATES = {
    "noun.food": [
        "How do I cook {}?", "recipe for {}", "where can I buy {} near me", "Is {} healthy?",
        "how many calories are in {}", "I'd like to order {}", "what goes well with {}?",
        "Which restaurant serves good {}?",
    ],
    "noun.location": [
        "plan a trip to {}", "What is the capital of {}?", "weather in {} tomorrow", "flights to {}",
        "what time is it in {}", "Best hotels in {}", "Translate the following into the language of {}",
        "What happened in {} today?", "things to do in {}",
    ],
    "noun.artifact": [
        "how does a {} work?", "How much does a {} cost?", "my {} is broken, what should I do?",
        "where can I buy a cheap {}", "turn on the {}", "compare the best {} under 200 dollars",
        "Write a product description for a {}",
    ],
    "noun.person": [
        "what does a {} do?", "act as a {}", "Write an email to my {}", "how do I become a {}",
        "You are a {}. Answer in character.", "average salary of a {}",
    ],
    "noun.animal": ["what do {}s eat?", "how long does a {} live?", "Write a poem about a {}", "tell me a joke about a {}"],
    "noun.body": ["why does my {} hurt?", "exercises for the {}", "what is the function of the {}?"],
    "noun.state": ["what are the symptoms of {}?", "How is {} treated?", "I have {}, should I see a doctor?"],
    "noun.possession": ["how does {} work in banking?", "what is my {}?", "explain {} for a beginner investor"],
    "noun.communication": [
        "what does {} mean?", "Summarize this {} in three sentences.", "write a short {} about friendship",
        "Proofread my {} and correct the grammar", "translate this {} into French", "Rewrite this {} in a formal tone",
    ],
    "noun.cognition": ["explain {} like I'm five", "what is {}?", "give me an example of {}", "write an essay about {}", "help me with my {} homework"],
    "noun.act": ["how do I start {}?", "give me tips for {}", "remind me about {} tomorrow", "plan a week of {}", "what are the rules of {}?"],
    "noun.event": ["when is the next {}?", "invite my friends to the {}", "who won the {}?", "buy tickets for the {}"],
    "noun.phenomenon": ["what causes {}?", "Why does {} happen?"],
    "noun.quantity": ["how many {}s are in a mile", "convert {} to metric", "solve for x and give the answer in {}s"],
    "noun.attribute": ["how do I improve my {}?", "what is the opposite of {}?", "a word that means {}"],
    "noun.time": ["what happened in {}?", "schedule a meeting for {}", "set an alarm for {}", "how many days until {}"],
}

# Requests about code: WordNet has no words for them.
CODE_LANGUAGES = "Python,JavaScript,TypeScript,Java,C++,C#,Go,Rust,Ruby,PHP,SQL,bash,HTML,CSS,Kotlin,Swift,R,Perl".split(",")
CODE_THINGS = (
    "function,class,regular expression,for loop,unit test,REST API,database query,linked list,binary search,"
    "recursive function,null pointer exception,stack trace,syntax error,memory leak,type error,async function,"
    "web scraper,docker container,git merge conflict,sorting algorithm,hash map,JSON parser,thread,array index"
).split(",")
CODE_TEMPLATES = [
    "write a {thing} in {language}", "debug this {language} {thing}", "Why do I get this error with a {thing} in {language}?",
    "explain what this {language} code does", "refactor this {thing}", "how do I fix a {thing} in {language}?",
    "convert this {thing} from {language} to Python", "what is a {thing} in {language}?", "optimise this {language} {thing}",
]


def wordnet_sentences(folder: Path):
    for part in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"data.{part}").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("  ") or "|" not in line:
                continue
            for piece in re.split(r";\s*(?=\")|\"\s*;", line.split("|", 1)[1]):
                yield piece.strip().strip('";').strip()


def lexicographer_nouns(folder: Path):
    """Everyday nouns by lexicographer file: the first word of the synsets that WordNet's counts know."""
    names = [
        "adj.all", "adj.pert", "adv.all", "noun.Tops", "noun.act", "noun.animal", "noun.artifact", "noun.attribute",
        "noun.body", "noun.cognition", "noun.communication", "noun.event", "noun.feeling", "noun.food", "noun.group",
        "noun.location", "noun.motive", "noun.object", "noun.person", "noun.phenomenon", "noun.plant",
        "noun.possession", "noun.process", "noun.quantity", "noun.relation", "noun.shape", "noun.state",
        "noun.substance", "noun.time",
    ]
    nouns: dict[str, list[str]] = {}
    for line in (folder / "data.noun").read_text(encoding="utf-8", errors="replace").splitlines():
        fields = line.split(" ")
        if line.startswith("  ") or len(fields) < 5:
            continue
        lexicographer = int(fields[1])
        if lexicographer < len(names):
            nouns.setdefault(names[lexicographer], []).append(fields[4].replace("_", " "))
    return nouns


def template_sentences(folder: Path, draw: random.Random):
    nouns = lexicographer_nouns(folder)
    for name, templates in TEMPLATES.items():
        words = nouns.get(name, [])
        for word in draw.sample(words, min(1_500, len(words))):
            yield draw.choice(templates).format(word)
    for language in CODE_LANGUAGES:
        for thing in CODE_THINGS:
            for template in draw.sample(CODE_TEMPLATES, 3):
                yield template.format(thing=thing, language=language)


def strings_of(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings_of(inner)


class Clone:
    """Files of a clone, read through git, so that a bare clone serves too."""

    def __init__(self, root: Path, name: str):
        owner, repository = name.split("/")
        for folder in (root / owner / repository, root / f"{owner}+{repository}" / "repo", root / f"{owner}+{repository}" / "repo" / ".git"):
            if subprocess.run(["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True).returncode == 0:
                self.folder = folder
                return
        raise FileNotFoundError(f"no clone of {name} under {root}")

    def paths(self, pattern: str):
        listed = subprocess.run(["git", "-C", str(self.folder), "ls-tree", "-r", "-z", "--name-only", "HEAD"], capture_output=True, check=True)
        return [path for path in listed.stdout.decode().split("\0") if re.search(pattern, path)]

    def read(self, path: str) -> bytes | None:
        shown = subprocess.run(["git", "-C", str(self.folder), "show", f"HEAD:{path}"], capture_output=True)
        return shown.stdout if shown.returncode == 0 else None

    def json_files(self, pattern: str):
        for path in self.paths(pattern):
            raw = self.read(path)
            if raw is None:
                continue  # a partial mirror lacks its largest files
            try:
                yield json.loads(raw.decode("utf-8", errors="replace"))
            except ValueError:
                print(f"skipped {path}: not JSON", file=sys.stderr)


def repository_sentences(name: str, clone: Clone):
    if name.endswith("Taskmaster"):
        for dialogs in clone.json_files(r"^TM-(1-2019/(self|woz)-dialogs|[234]-20\d\d/data/.*)\.json$"):
            for dialog in dialogs:
                for turn in dialog.get("utterances", []):
                    yield turn.get("text", "")
        for split in clone.paths(r"^TM-3-2020/splits/train/.*\.tsv$"):
            for turn in re.findall(r"<[UA]>([^<\t]+)", (clone.read(split) or b"").decode("utf-8", errors="replace")):
                yield turn
    elif name.endswith("Disfl-QA"):
        for table in clone.json_files(r"\.json$"):
            for row in table.values():
                yield row.get("original", "")
    elif name.endswith("NLU-Evaluation-Data"):
        for table in clone.json_files(r"out4RasaReal/.*KFold_\d+\.json$|RasaNlu_Merged_KFold_[1-5]_.*\.json$"):
            for row in table.get("rasa_nlu_data", {}).get("common_examples", []):
                yield row.get("text", "")
    elif name.endswith("webquestions"):
        for table in clone.json_files(r"^main/.*\.json$"):
            for row in table:
                yield row.get("qText", "")
    elif name.endswith("nlu-benchmark"):
        for table in clone.json_files(r"^2017-06-.*/(train_\w+_full|validate_\w+)\.json$"):
            for rows in table.values():
                for row in rows:
                    yield "".join(part.get("text", "") for part in row.get("data", []))
    elif name.endswith("GPTeacher"):
        for rows in clone.json_files(r"^(Codegen|Roleplay|Toolformer)/.*(codegen-instruct|deduped-roleplay-instruct|dedupe-only-dataset)\.json$"):
            for row in rows:
                asked = re.sub(r"^toolformer: enabled\n.*\n(?=[^\n]*$)", "", row.get("instruction", ""), flags=re.S)
                yield f"{asked} {row.get('input', '')}".strip()
                yield asked
    elif name.endswith("hh-rlhf"):
        for path in clone.paths(r"test\.jsonl\.gz$"):
            raw = clone.read(path) or b""
            if raw[:2] != b"\x1f\x8b":
                continue
            for line in gzip.decompress(raw).decode("utf-8", errors="replace").splitlines():
                for turn in re.findall(r"\n\nHuman: (.*?)(?=\n\nAssistant:|$)", json.loads(line)["chosen"], flags=re.S):
                    yield turn


def normal(text: str) -> str:
    return re.sub(r"\W+", " ", unicodedata.normalize("NFKC", text).lower()).strip()


def excluded_texts(paths: list[str]) -> set[str]:
    texts: set[str] = set()
    for path in paths:
        opened = gzip.open(path, "rt", encoding="utf-8") if path.endswith(".gz") else open(path, encoding="utf-8")
        with opened as lines:
            for line in lines:
                texts.update(normal(text) for text in strings_of(json.loads(line)))
    return texts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    parser.add_argument("--clones", type=Path, required=True)
    parser.add_argument("--exclude", nargs="*", default=[])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    excluded = excluded_texts(options.exclude)
    sources = {
        "wordnet": wordnet_sentences(options.wordnet),
        "templates": template_sentences(options.wordnet, draw),
        "requests": request_sentences(draw, per_domain=6_000),
    }
    for name in REPOSITORIES:
        try:
            sources[name] = repository_sentences(name, Clone(options.clones, name))
        except FileNotFoundError as error:
            print(f"left out: {error}", file=sys.stderr)
    seen: set[str] = set()
    kept: list[str] = []
    for name, sentences in sources.items():
        texts: list[str] = []
        for sentence in sentences:
            text = " ".join(sentence.split())[:LENGTH_MAX]
            key = normal(text)
            if len(text) < LENGTH_MIN or key in seen or key in excluded:
                continue
            seen.add(key)
            texts.append(text)
        if len(texts) > SOURCE_MAX:
            texts = draw.sample(texts, SOURCE_MAX)
        print(f"{name}: {len(texts)} sentences", file=sys.stderr)
        kept.extend(texts)
    draw.shuffle(kept)
    options.out.write_text("\n".join(kept) + "\n", encoding="utf-8")
    print(f"{len(kept)} sentences in {options.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
