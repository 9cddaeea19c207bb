"""How good are poems? Each figure beside that of real poems, and of their lines recombined.

Human verse doesn't score 100 % either, so a figure alone misleads. Every figure is taken by form,
three times: of the poems asked about; of real poems of that form, from a split which the model was
not trained on; and of those with their lines recombined, each line at its own place but among lines
of other poems. What hangs on one line (tones of a line, diction, copied lines) is the same in the
last two; what hangs on the poem (rhyme, 粘對, sense) is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from yinshi.corpus import script
from yinshi.corpus.dataset import Dataset
from yinshi.corpus.poem import OTHER_FORM, PUNCTUATION, lines_of
from yinshi.errors import DataError, UsageError
from yinshi.evaluation.evaluate import token_nats
from yinshi.evaluation.perplexity import character_ids
from yinshi.model_file import ModelFile
from yinshi.prosody.characters import character_of
from yinshi.prosody.forms import form_of
from yinshi.prosody.readings import is_simplified
from yinshi.prosody.rhyme import shared_rhyme
from yinshi.prosody.scan import FORBIDDEN, Scan, scan, split_lines
from yinshi.writing.novelty import NoveltyIndex

#: Real poems of a form that are looked at, at most.
REAL = 500

_LINE = re.compile(f"[^{PUNCTUATION}]+[{PUNCTUATION}]*")


@dataclass(frozen=True)
class Figures:
    """Of poems of one form.

    poems      how many there are
    regulated  share that the scan finds regulated, not 古體
    rhyme      share whose even lines end in different words of one level rhyme
    strict     share that is regulated, with no fault of strict tones; `loose`: of loose ones
    repeated   share of the characters that stood in the same poem before
    distinct   for n = 1, 2, 3: different n-grams over all n-grams, within lines, in the first
               `compared` poems; it falls with their number, which is why that is the same for all
    copied     share of the lines that stand in the training split as lines
    span       mean characters of the longest span known from the training split, 0 if under five
    longest    the greatest of these
    nats       per Chinese character under the model
    """

    poems: int
    regulated: float
    rhyme: float
    strict: float
    loose: float
    repeated: float
    distinct: tuple[float, float, float]
    compared: int
    copied: float
    span: float
    longest: int
    nats: float


@dataclass(frozen=True)
class Comparison:
    """Of one form: its share among the poems asked about and in the split of real ones, and the
    figures. `real` and `recombined` are None where that split has no poem of the form."""

    share: float
    share_of_real: float
    asked: Figures
    real: Figures | None
    recombined: Figures | None


class Critic:
    """Judges poems by one model, and by the poems it was trained on and those it was not."""

    def __init__(self, model: ModelFile, dataset: Dataset, split: str = "test") -> None:
        """Raises DataError where `dataset` lacks `split`, or that has no poems, and UsageError for
        a model that expects titles before them."""
        if model.recipe.corpus.layout != "text":
            raise UsageError(
                "judging poems: found a model of poems with their titles, expected one of poems "
                "alone; train it on layout text"
            )
        self._model = model
        self._script = dataset.options.script
        train = dataset.verses("train")
        self._lines = {line for text in train for line in lines_of(text)}
        trained_on_it = model.facts.get("data_hash") == dataset.hash
        self._index = (
            NoveltyIndex.from_arrays(model.novelty)
            if model.novelty and trained_on_it
            else NoveltyIndex.from_texts(train)
        )
        self._real = _by_form(dataset.verses(split))
        if not self._real:
            raise DataError(f"{dataset.folder}: split {split!r} holds no poems; prepare more")

    def compare(self, texts: Sequence[str], seed: int = 0) -> dict[str, Comparison]:
        """Form → its figures, for each regulated form whose shape some of `texts` have, the most
        frequent first.

        The texts may be in either script, with the corpus's punctuation or a line a line. `seed`
        draws the real poems, at most `REAL` of a form.
        """
        plain = [self._plain(text) for text in texts]
        total = sum(map(len, self._real.values()))
        by_form = _by_form(plain)
        by_form.pop(OTHER_FORM, None)
        found = {}
        for form, asked in sorted(by_form.items(), key=lambda item: -len(item[1])):
            real = self._real.get(form, [])
            drawn = np.random.default_rng(seed).permutation(len(real))[:REAL]
            sample = [real[k] for k in drawn]
            compared = min(len(asked), len(sample)) or len(asked)
            found[form] = Comparison(
                len(asked) / len(plain),
                len(real) / total,
                self.measure(asked, compared),
                self.measure(sample, compared) if sample else None,
                self.measure(recombined(sample), compared) if sample else None,
            )
        return found

    def measure(self, poems: Sequence[str], compared: int) -> Figures:
        """The figures of `poems` of one form, in the script and punctuation of the data."""
        scans = [scan(poem) for poem in poems]
        lines = [lines_of(poem) for poem in poems]
        flat = [line for poem in lines for line in poem]
        bare = ["".join(poem) for poem in lines]
        spans = [sum(map(len, lines_of(self._index.longest_known_span(poem)))) for poem in poems]
        return Figures(
            poems=len(poems),
            regulated=_share(found.is_regulated for found in scans),
            rhyme=_share(rhymes(poem) for poem in lines),
            strict=_share(keeps_tones(found, "strict") for found in scans),
            loose=_share(keeps_tones(found, "loose") for found in scans),
            repeated=1 - sum(len(set(text)) for text in bare) / sum(map(len, bare)),
            distinct=distinct([line for poem in lines[:compared] for line in poem]),
            compared=compared,
            copied=_share(line in self._lines for line in flat),
            span=float(np.mean(spans)),
            longest=max(spans),
            nats=self._nats(poems),
        )

    def _nats(self, poems: Sequence[str]) -> float:
        vocabulary = self._model.vocabulary
        nats = token_nats(self._model, [vocabulary.encode(poem) for poem in poems])
        return float(np.log(nats.per_character(character_ids(vocabulary))))

    def _plain(self, text: str) -> str:
        """The poem in the data's script, as one string with its punctuation."""
        if is_simplified(text) and self._script == "traditional":
            text = script.to_traditional(text)
        elif self._script == "simplified" and not is_simplified(text):
            text = script.to_simplified(text)
        if set(text) & set(PUNCTUATION):
            return re.sub(r"\s", "", text)
        return "".join(line + ("，。"[i % 2]) for i, line in enumerate(split_lines(text)))


def recombined(poems: Sequence[str]) -> list[str]:
    """As many poems, and all lines of `poems` once: the n-th line of each stays an n-th line, but
    goes to the poem n − 1 further on that has so many lines."""
    lines = [_LINE.findall(poem) for poem in poems]
    found = [list(poem) for poem in lines]
    for place in range(max(map(len, lines), default=0)):
        having = [k for k, poem in enumerate(lines) if len(poem) > place]
        for i, k in enumerate(having):
            found[having[(i + place) % len(having)]][place] = lines[k][place]
    return ["".join(poem) for poem in found]


def rhymes(lines: Sequence[str]) -> bool:
    """Whether the even lines end in different words of one level rhyme, whatever the tones."""
    simplified = is_simplified("".join(lines))
    ends = [character_of(line[-1], simplified) for line in lines]
    rhyme, even = shared_rhyme(ends), ends[1::2]
    return (
        rhyme is not None
        and all(rhyme in end.level_rhymes or not end.is_known for end in even)
        and len({end.text for end in even}) == len(even)
    )


def keeps_tones(found: Scan, tones: str) -> bool:
    """Whether a poem is regulated without a fault of `tones`, "strict" or "loose"; its rhyme is
    not asked."""
    return found.is_regulated and not any(
        fault.severity in FORBIDDEN[tones] for fault in found.faults if not fault.is_of_rhyme
    )


def distinct(lines: Sequence[str]) -> tuple[float, float, float]:
    """For n = 1, 2, 3: different n-grams over all n-grams, none across two lines.

    Li et al. 2016, "A diversity-promoting objective function for neural conversation models".

    >>> distinct(["春風春雨", "春山"])
    (0.6666666666666666, 1.0, 1.0)
    """
    shares = []
    for n in (1, 2, 3):
        grams = [line[i : i + n] for line in lines for i in range(len(line) - n + 1)]
        shares.append(len(set(grams)) / max(1, len(grams)))
    return shares[0], shares[1], shares[2]


def _by_form(texts: Sequence[str]) -> dict[str, list[str]]:
    """Form by the shape alone → its poems; `OTHER_FORM` → those of no regulated shape."""
    found: dict[str, list[str]] = {}
    for text in texts:
        lines = lines_of(text)
        lengths = {len(line) for line in lines}
        form = form_of(lengths.pop(), len(lines)) if len(lengths) == 1 else None
        found.setdefault(form.name if form else OTHER_FORM, []).append(text)
    return found


def _share(each: Iterable[bool]) -> float:
    return float(np.mean(list(each)))
