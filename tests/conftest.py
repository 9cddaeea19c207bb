"""Fixtures shared by all tests. The real corpus lies beside the checkout, or its tests skip."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from small_poems import small_poems

from yinshi.corpus.dataset import write_dataset
from yinshi.corpus.vocabulary import Vocabulary
from yinshi.recipe import CorpusRecipe

# Threads that spin while they wait make every test ten times slower on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

SHARED = Path(__file__).resolve().parents[2] / "shared"


def _shared(name: str) -> Path:
    path = SHARED / "corpus" / name
    if not path.exists():
        reason = f"needs ../shared/corpus/{name}"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}; CI must have it")
        pytest.skip(reason)
    return path


@pytest.fixture(scope="session")
def tang_archive() -> Path:
    """全唐詩 and 全宋詩, traditional characters (.tar.xz)."""
    return _shared("chinese-poetry-99ebbef.tar.xz")


@pytest.fixture(scope="session")
def simplified_archive() -> Path:
    """全唐诗, simplified characters (.zip)."""
    return _shared("chinese-poetry-zhCN-61dd34e.zip")


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared folder: 80 quatrains to train on, 12 to validate, 12 to test."""
    poems = small_poems(104)
    splits = {"train": poems[:80], "validation": poems[80:92], "test": poems[92:]}
    vocabulary = Vocabulary.count(poem.text for poem in splits["train"])
    folder = tmp_path_factory.mktemp("data") / "small"
    write_dataset(folder, splits, vocabulary, CorpusRecipe())
    return folder


@pytest.fixture(scope="session")
def tang_dataset(tang_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """全唐詩 prepared with the default recipe: a folder for `Dataset.load`."""
    pytest.importorskip("pyarrow")
    from yinshi.corpus.prepare import prepare
    from yinshi.recipe import CorpusRecipe

    folder = tmp_path_factory.mktemp("tang") / "data"
    prepare([tang_archive], CorpusRecipe(), folder)
    return folder
