"""What the documents say of recipes is true of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from yinshi.recipe import load_recipe, recipe_names

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_settings_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for setting in re.findall(r"--set (\w+\.\w+=[\w.]+)", text):
        load_recipe("report-a", [setting])  # RecipeError otherwise
    for key, value in re.findall(r"`((?:network|training|corpus)\.\w+) = ([^`]+)`", text):
        load_recipe("report-a", [f"{key}={value}"])


def test_the_training_page_names_every_recipe_of_a_report() -> None:
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    for name in set(recipe_names()) - {"smoke", "tang", "poet", "four-forms"}:
        assert f"`{name}`" in text


def test_the_old_options_all_have_a_line() -> None:
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    sizes = "hidden_size embed_dim dropout layers batch-size num_epochs"
    for option in f"data name {sizes} gpu API old-model test".split():
        assert re.search(rf"^\| `(source\.py )?--{option}\b.*\| .*`", text, re.MULTILINE), option
