"""Word vectors for the words of texts, and how many of them have one."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from yinshi.corpus.vectors import WordVectors, read_vectors


def load_vectors(path: str | Path, words: Collection[str] | None = None) -> WordVectors:
    """The vectors in a file of word2vec's or fastText's text format (.gz, .bz2 too): of `words`
    only, so that a large file needs little memory, or of all.

        texts = load_table("train.tsv").texts
        words = [word for text in texts for word in Tokenizer("char").tokens(text)]
        vectors = load_vectors("vectors.txt", words)
        print(f"{vectors.coverage(set(words)):.0%} of the words have a vector, ", end="")
        print(f"{vectors.coverage(words):.0%} of the text")

    `Encoder.words` are the words that a classifier knows. It begins with the vectors of a file by
    TextClassifier(vectors="vectors.txt", embedding=vectors.dimension). Raises DataError, with the
    number of the line, for whatever is not such a file or not all of it.
    """
    return read_vectors(Path(path), words)
