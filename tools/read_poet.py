"""Read the shipped poet: what headers bring, how poems without constraints are, twenty of a form.

    python tools/read_poet.py --data data/poet

writes reports/poet/reading.md. `--data` is what the model was trained on. Seeds are 0, 1, 2, … and
nothing is left out. The last section, what is wrong with the poems, is written by hand and kept.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from yinshi.atomic import write_atomically
from yinshi.corpus.dataset import Dataset
from yinshi.corpus.header import TANG, Headers, Heading
from yinshi.corpus.poem import form_of
from yinshi.evaluation.evaluate import evaluate
from yinshi.evaluation.poems import Critic, Figures
from yinshi.model_file import ModelFile, resolve_model
from yinshi.prosody.forms import form_named, patterns
from yinshi.prosody.readings import RHYMES
from yinshi.writing.conditioned import Conditioned
from yinshi.writing.constraints import Rules
from yinshi.writing.poet import Poet
from yinshi.writing.sampling import Sampling
from yinshi.writing.search import Drawing, drawn
from yinshi.writing.telling import with_pattern, with_rhyme

OUT = Path(__file__).parents[1] / "reports" / "poet" / "reading.md"
CRITICISM = "## What is wrong with them\n"
FORMS = ("五绝", "七绝", "五律", "七律")
#: What a header may say, told together.
GIVEN = ("none", "dynasty", "form", "pattern", "rhyme", "author", "title", "form+pattern+rhyme")
ALL = "dynasty+form+pattern+rhyme+author+title"
FREE_POEMS = 1000
TEMPERATURES = (0.7, 0.8, 0.9, 1.0)
#: Titles of our own, of what many poems are about; poems under each.
TITLES = ("春雨", "秋夜", "江雪", "山寺", "送別", "塞上", "採蓮", "登樓")
UNDER = 50
#: Neighbours of a title's character: those whose vectors are nearest.
NEIGHBOURS = 10
PRINTED = 20


def headers(model: ModelFile, dataset: Dataset) -> Iterator[str]:
    yield "## What it is told, and what that brings\n"
    yield "Perplexity per token of Tang's test poems. A header is read and never asked for.\n"
    yield "| told | perplexity | |\n|---|---:|---:|"
    untold = 0.0
    for given in (*GIVEN, ALL):
        parts = () if given == "none" else tuple(given.split("+"))
        found = evaluate(model, dataset, baseline=False, given=parts).perplexity
        untold = untold or found
        yield f"| {given} | {found:.2f} | {found / untold - 1:+.1%} |"


def only_told(
    model: ModelFile, form: str, temperature: float, has_more: bool, count: int
) -> list[str]:
    """Poems of the seeds 0, 1, …, drawn with no constraint by a network that is told `form`, and
    with `has_more` a pattern and a rhyme too."""
    names, found = Headers(model.header_names, model.vocabulary), form_named(form)
    cell = model.recipe.network.cell
    network = Conditioned(model.weights, cell, len(model.vocabulary))
    rules, drawings = Rules(model.vocabulary, 128), []
    for seed in range(count):
        heading = Heading(TANG, (found.length,) * found.lines)
        if has_more:
            rng = np.random.default_rng(seed)
            heading = with_pattern(heading, names, {p.name for p in patterns(found)}, rng)
            heading = with_rhyme(heading, names, RHYMES, rng)
        start = network.told(names.encode(heading).ids)
        drawings.append(Drawing(rules, (), start, Sampling(temperature), seed))
    return [
        model.vocabulary.decode(d.tokens).removesuffix("<eos>") for d in drawn(network, drawings)
    ]


def free_poems(model: ModelFile, critic: Critic) -> Iterator[str]:
    yield f"\n## {FREE_POEMS:,} poems of each form that were only told their form\n"
    yield (
        "Drawn without any constraint: *form* is the share that has it, and the rest is of these, "
        "beside real Tang poems of the form (test split). With *more* the network is told a "
        "pattern and a rhyme as well, which the seed chooses.\n"
    )
    yield (
        "| form | told | temperature | form | rhyme | tones strict | distinct-1 | distinct-2 | "
        "distinct-3 | copied lines | nats a character |"
    )
    yield "|---|---|---:|" + "---:|" * 8
    for form in FORMS:
        for k, (temperature, more) in enumerate([(0.8, False), *((t, True) for t in TEMPERATURES)]):
            texts = only_told(model, form, temperature, more, FREE_POEMS)
            right = [text for text in texts if form_of(text) == form]
            found = critic.compare(right)[form]
            assert found.real
            if k == 0:
                yield _row(form, "*real*", "", "", found.real)
            share = f"{len(right) / len(texts):.1%}"
            yield _row(form, "more" if more else "form", f"{temperature}", share, found.asked)


def _row(form: str, told: str, temperature: str, share: str, figures: Figures) -> str:
    cells = [form, told, temperature, share, f"{figures.rhyme:.1%}", f"{figures.strict:.1%}"]
    cells += [f"{d:.3f}" for d in figures.distinct]
    cells += [f"{figures.copied:.2%}", f"{figures.nats:.2f}"]
    return f"| {' | '.join(cells)} |"


def titles(model: ModelFile, poet: Poet) -> Iterator[str]:
    yield "\n## Whether a title is heard\n"
    yield (
        f"{UNDER} poems 七绝 under each of {len(TITLES)} titles: how often a poem has a character "
        f"of its title, and one of the {NEIGHBOURS} nearest neighbours of each (by the cosine of "
        "the network's own vectors), beside the same characters in the poems under the other "
        "titles.\n"
    )
    yield "| title | its characters: under it | under others | neighbours: under | under others |"
    yield "|---|---:|---:|---:|---:|"
    poems = {
        title: [p.text for p in poet.write(count=UNDER, seed=0, title=title, form="七绝")]
        for title in TITLES
    }
    for title in TITLES:
        others = [text for other in TITLES if other != title for text in poems[other]]
        row = []
        for group in (set(title), neighbours(model, title)):
            row += [_share(poems[title], group), _share(others, group)]
        yield f"| {title} | " + " | ".join(f"{share:.0%}" for share in row) + " |"


def neighbours(model: ModelFile, characters: str) -> set[str]:
    """The characters nearest to each of `characters`, without these."""
    first = len(model.vocabulary) - len(model.vocabulary.characters)
    vectors = np.asarray(model.weights["embedding.weight"], np.float32)[
        first : len(model.vocabulary)
    ]
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found = set[str]()
    for character in characters:
        alike = vectors @ vectors[model.vocabulary.id(character) - first]
        nearest = np.argsort(-alike)[1 : 1 + NEIGHBOURS]
        found |= {model.vocabulary.characters[i] for i in nearest}
    return found - set(characters)


def _share(texts: Sequence[str], group: set[str]) -> float:
    return sum(bool(group & set(text)) for text in texts) / len(texts)


def twenty(poet: Poet) -> Iterator[str]:
    yield f"\n## {PRINTED} poems of each form, seeds 0 to {PRINTED - 1}\n"
    yield f"As `yinshi write --form 五绝 --count {PRINTED} --seed 0` prints them.\n"
    for form in FORMS:
        poems = poet.write(count=PRINTED, seed=0, form=form, max_length=128)
        firsts = Counter(poem.text[:2] for poem in poems).most_common(1)[0][1]
        yield f"### {form}\n"
        yield f"{PRINTED} poems; the most frequent beginning stands in {firsts}.\n"
        yield "\n".join(f"{poem.seed}. {poem.text}" for poem in poems) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    arguments = parser.parse_args()
    model = ModelFile.load(resolve_model(arguments.model))
    dataset, poet = Dataset.load(arguments.data), Poet(model, "")
    critic = Critic(model, dataset)
    kept = OUT.read_text(encoding="utf-8").partition(CRITICISM)[2] if OUT.exists() else ""
    sections = [
        headers(model, dataset),
        free_poems(model, critic),
        titles(model, poet),
        twenty(poet),
    ]
    lines = ["# The poet, read\n", "By `python tools/read_poet.py --data data/poet`.\n"]
    for section in sections:
        for line in section:
            print(line, flush=True)
            lines.append(line)
    write_atomically(OUT, ("\n".join(lines) + "\n" + CRITICISM + kept).encode())
