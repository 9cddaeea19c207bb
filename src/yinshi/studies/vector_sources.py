"""Word vectors for an embedding to begin with: learnt on poems, in disorder, or of the user's."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yinshi.corpus.dataset import Dataset
from yinshi.corpus.poem import HAN
from yinshi.corpus.vectors import WordVectors, read_vectors, train_vectors
from yinshi.errors import UsageError

#: The name of having none.
RANDOM = "random"
#: A line of verse, without its mark.
_LINE = re.compile(f"[{HAN}]{{5,}}")


@dataclass(frozen=True)
class Source:
    """What an embedding begins with.

    file              for the recipe's network.vectors
    vectors           those of the characters that are wanted
    poems, left_out   what they were learnt on, and what was there besides
    control           whether they are another source's, changed in one respect
    """

    name: str
    file: Path
    vectors: WordVectors
    poems: int | None = None
    left_out: int | None = None
    control: bool = False


@dataclass(frozen=True)
class SourceFolder:
    """Makes sources for the characters of `sample`, and keeps their files in `folder`.

    What is learnt has `dimension` numbers, and reads at most `poems` poems.
    """

    folder: Path
    sample: Dataset
    dimension: int
    poems: int
    say: Callable[[str], None]

    def collect(self, data: Dataset, also: Sequence[Path]) -> list[Source]:
        """Word2vec on `data`, with two controls, and what the user has given: files of vectors,
        and prepared folders to learn vectors from."""
        uncentred = self.learn(data)
        learnt = self.centre(uncentred)
        control = replace(uncentred, name=f"{learnt.name}, uncentred", control=True)
        sources = [learnt, control, self.shuffle(learnt)]
        for path in also:
            found = self.learn_elsewhere(path) if path.is_dir() else self.read(path)
            if found.name in [RANDOM, *(source.name for source in sources)]:
                raise UsageError(
                    f"--also {path}: found other vectors named {found.name!r}, expected a name of "
                    "its own; rename the file or folder"
                )
            sources.append(self.centre(found))
        return sources

    def learn(self, data: Dataset) -> Source:
        """By word2vec, on the training split."""
        return self._word2vec(data, data.texts("train"))

    def learn_elsewhere(self, folder: Path) -> Source:
        """The same on a prepared folder with other poems than the sample's, which may be ones that
        the sample validates on: of those and whatever shares a line with them nothing is read."""
        data, ours = Dataset.load(folder), self.sample.options.script
        if data.options.script != ours:
            raise UsageError(
                f"{folder}: found {data.options.script} characters, expected {ours} ones like the "
                f"data's; prepare it with --script {ours}"
            )
        texts = data.texts("train")
        kept = without_lines_of(self.sample.texts("validation"), texts)
        return replace(self._word2vec(data, kept), left_out=len(texts) - len(kept))

    def _word2vec(self, data: Dataset, texts: Sequence[str]) -> Source:
        """Kept under a name that says what was read, so that it need not be learnt again."""
        texts, name = texts[: self.poems], f"word2vec on {name_of(data)}"
        path = self.folder / f"{name}, {data.hash[:8]}, {self.sample.hash[:8]}.vec"
        if not path.exists():
            self.say(f"{name}: {len(texts):,} poems")
            train_vectors(texts, self.dimension).save(path)
        return replace(self.read(path), name=name, poems=len(texts))

    def read(self, path: Path) -> Source:
        """Of a file, what is wanted."""
        vectors = read_vectors(path, frozenset(self.sample.vocabulary.characters))
        if not len(vectors):
            raise UsageError(
                f"{path}: found no character of the data there, expected vectors of characters; "
                "is it a file of another script, or of words?"
            )
        return Source(path.name, path, vectors)

    def centre(self, source: Source) -> Source:
        """Without the mean of all vectors, which word2vec's share, and with a mean length of 1,
        which drawn ones have: (Mu & Viswanath 2018, "All-but-the-Top", arXiv 1702.01417)."""
        matrix = source.vectors.matrix - source.vectors.matrix.mean(axis=0)
        return self._changed(source, source.name, matrix / (mean_length(matrix) or 1))

    def shuffle(self, source: Source) -> Source:
        """The same vectors, each at another character: as long and as spread, without meaning."""
        matrix = source.vectors.matrix
        order = np.random.default_rng(0).permutation(len(matrix))
        return self._changed(source, f"{source.name}, shuffled", matrix[order], control=True)

    def _changed(
        self, source: Source, name: str, matrix: NDArray[np.float32], control: bool = False
    ) -> Source:
        """With other numbers, in a file whose name tells them from any others: a trial is known
        again by its recipe."""
        vectors = WordVectors(source.vectors.words, matrix)
        content = "".join(vectors.words).encode() + matrix.tobytes()
        path = self.folder / f"{name}, {hashlib.sha256(content).hexdigest()[:8]}.vec"
        vectors.save(path)
        return replace(source, name=name, file=path, vectors=vectors, control=control)


def mean_length(matrix: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(matrix, axis=1).mean())


def name_of(data: Dataset) -> str:
    return data.folder.absolute().name


def lines_of(text: str) -> set[str]:
    """Its lines of five and more characters, or where it has none, the whole."""
    return set(_LINE.findall(text) or [text])


def without_lines_of(held_out: Sequence[str], texts: Sequence[str]) -> list[str]:
    """The `texts` that share no line with any of `held_out`."""
    known = set().union(*map(lines_of, held_out))
    return [text for text in texts if known.isdisjoint(lines_of(text))]
