"""Recipes as TOML: those shipped in the package, and the user's own."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

from yinshi.errors import RecipeError, UsageError
from yinshi.recipe.poems import Recipe
from yinshi.recipe.sections import build, nearest


def recipe_names() -> list[str]:
    """The recipes shipped in the package."""
    folder = resources.files("yinshi") / "recipes"
    return sorted(
        p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml")
    )


def load_recipe(name_or_path: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """A shipped recipe by name, or one from a path; then `section.key=value` overrides (TOML)."""
    name = str(name_or_path)
    values = _parse(name, _read(name))
    faults: list[str] = []
    for override in overrides:
        _override(values, override, faults)
    recipe = build(Recipe, values, faults)
    if faults:
        raise RecipeError(name, faults)
    assert isinstance(recipe, Recipe)
    return recipe


def _read(name: str) -> str:
    if name in recipe_names():
        return (resources.files("yinshi") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
    path = Path(name)
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        hint = nearest(name, recipe_names())
        raise UsageError(f"no recipe {name!r}{hint}; `yinshi recipes` lists them") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"recipe {name}: not a readable TOML file ({error})") from None


def _parse(name: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(name, [f"not TOML: {error}"]) from None


def _override(values: dict[str, Any], override: str, faults: list[str]) -> None:
    key, equals, text = override.partition("=")
    path = key.strip().split(".")
    if not equals or not all(path):
        faults.append(f"{override!r}: expected section.key=value, e.g. training.epochs=3")
        return
    try:
        value = tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        word = text.strip()  # a bare word is a string: training.optimizer=sgd
        value = None if word == "none" else word
    target = values
    for part in path[:-1]:
        target = target.setdefault(part, {})
        if not isinstance(target, dict):
            faults.append(f"{key}: {part} is a value, not a section")
            return
    target[path[-1]] = value
