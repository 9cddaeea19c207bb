"""Who may import whom, read from the source of every module."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import yinshi

ROOT = Path(yinshi.__file__).parent
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))

#: part of the package → what of the package it may import, besides itself.
ALLOWED = {
    "errors": [],
    "atomic": ["errors"],
    "recipe": ["errors"],
    "corpus": ["errors", "recipe", "atomic", "prosody"],
    "prosody": ["errors", "recipe"],
    "engine": ["errors"],
    "nets": ["errors", "recipe"],
    "model_file": ["errors", "recipe", "atomic", "corpus.vocabulary"],
    "evaluation": [
        "errors",
        "recipe",
        "engine",
        "corpus",
        "model_file",
        "prosody",
        "writing.novelty",
    ],
    "training": [
        "errors",
        "recipe",
        "atomic",
        "engine",
        "nets",
        "corpus",
        "evaluation",
        "model_file",
        "writing.novelty",
    ],
    "writing": [
        "errors",
        "engine",
        "prosody",
        "model_file",
        "corpus.vocabulary",
        "corpus.script",
        "corpus.poem",
        "corpus.header",
        "corpus.cleaning",
    ],
    "classify": [
        "errors",
        "recipe",
        "atomic",
        "corpus",
        "engine",
        "nets",
        "training",
        "model_file",
    ],
    "studies": [
        "errors",
        "recipe",
        "atomic",
        "corpus",
        "engine",
        "training",
        "evaluation",
        "classify",
        "model_file",
    ],
}
#: These may import all of the package.
FREE = {"apps", "__init__", "__main__"}
#: Only these parts may use a heavy or optional package.
ONLY = {
    "torch": {"nets", "training", "classify"},
    "triton": {"nets"},
    "pyarrow": {"corpus"},
    "gensim": {"corpus"},
    "sklearn": {"classify", "studies"},
    "rjieba": {"classify"},
    "stopwordsiso": {"classify"},
    "matplotlib": {"training", "studies", "classify"},
    "tensorboardX": {"training"},
    "tomli_w": {"training"},
    "click": {"apps"},
    "rich": {"apps"},
    "opencc": {"corpus"},
    "safetensors": {"model_file", "training"},
}
#: The engine may use these and NumPy.
STANDARD = {"collections", "dataclasses", "functools", "itertools", "math", "typing"}
NEVER = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def part_of(module: Path) -> str:
    return module.parts[0].removesuffix(".py")


def imports(source: str) -> set[str]:
    """Full dotted names: `from a import b` is a.b, wherever it stands."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def faults(module: Path, source: str) -> list[str]:
    part, found = part_of(module), []
    for name in sorted(imports(source)):
        top, _, rest = name.partition(".")
        if top in NEVER or name == "numpy.load":
            found.append(f"{module} imports {name}: nothing is pickled")
        if part not in ONLY.get(top, {part}):
            found.append(f"{module} imports {name}")
        if part == "engine" and top not in {"__future__", "yinshi", "numpy", *STANDARD}:
            found.append(f"{module} imports {name}: the engine is NumPy alone")
        if top == "yinshi" and rest != "__version__" and part not in FREE:
            within = any(f"{rest}.".startswith(f"{p}.") for p in [part, *ALLOWED[part]])
            if not within:
                found.append(f"{module} imports {name}")
    return found


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_imports(module: Path) -> None:
    assert part_of(module) in {*ALLOWED, *FREE}, "a new part needs a rule here"
    assert faults(module, (ROOT / module).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_no_pickle_by_another_door(module: Path) -> None:
    calls = [
        ast.unparse(node)
        for node in ast.walk(ast.parse((ROOT / module).read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    ]
    assert not {"torch.load", "torch.save", "np.load", "numpy.load"} & set(calls)
    assert not any("allow_pickle" in call for call in calls)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_file_is_a_noun(module: Path) -> None:
    assert module.stem not in {"util", "utils", "common", "helpers", "misc"}


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("engine/cells.py", "import torch"),
        ("engine/cells.py", "import scipy"),
        ("engine/cells.py", "from yinshi.recipe import Recipe"),
        ("writing/poet.py", "def f():\n    import torch.nn"),
        ("writing/poet.py", "from yinshi.corpus.dataset import Dataset"),
        ("writing/poet.py", "from yinshi import corpus"),
        ("nets/language_model.py", "from yinshi.engine import cells"),
        ("corpus/poem.py", "from yinshi.apps.cli import main"),
        ("corpus/poem.py", "from yinshi import errors_of_another_kind"),
        ("training/loop.py", "import pickle"),
    ],
)
def test_a_breach_is_seen(module: str, source: str) -> None:
    assert faults(Path(module), source)


def test_what_is_allowed_is_not_a_breach() -> None:
    source = (
        "import numpy as np\nfrom yinshi.corpus import script\nfrom yinshi.errors import UsageError"
    )
    assert faults(Path("writing/poet.py"), source) == []
