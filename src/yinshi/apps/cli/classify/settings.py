"""The settings of a training: options for the fields of its recipe, and --set for all others."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import click

from yinshi.apps.cli.classify.tables import Command
from yinshi.errors import UsageError
from yinshi.recipe import ClassifierRecipe, TextRecipe, TrainingRecipe


def of_recipe(flag: str, field: str, default: object, told: str, **options: Any) -> Command:
    """An option for a recipe's field, None where it is not given."""
    options = {"default": None, **options}
    return click.option(flag, field, help=f"{told}  [default: {default}]", **options)


#: Of every training on texts.
SETTINGS = (
    of_recipe("--tokenizer", "tokenizer", TextRecipe.tokenizer, "char, jieba or a file of words."),
    of_recipe("--stopwords", "stop_words", TextRecipe.stop_words,
              "none, iso or a file of words to leave out."),
    click.option("--keep-negations", is_flag=True, default=None,
                 help="不, 没, 别, … are no stop words."),
    of_recipe("--model", "model", ClassifierRecipe.model, "The network.",
              type=click.Choice(["rnn", "lstm", "bilstm", "bilstm-attention"])),
    of_recipe("--hidden", "hidden", ClassifierRecipe.hidden, "Units of a direction.", type=int),
    of_recipe("--max-length", "max_length", TextRecipe.max_length, "Tokens read of a text.",
              type=int),
    of_recipe("--seed", "seed", TrainingRecipe.seed, "Of all that is drawn.", type=int),
    click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE",
                 help="Any other setting: epochs=5, patience, batch_size, learning_rate, "
                 "embedding, ngrams, dropout, …; may be repeated."),
)  # fmt: skip


def with_settings(command: Command) -> Command:
    """Add the options of `SETTINGS`."""
    for option in reversed(SETTINGS):
        command = option(command)
    return command


def settings_of(given: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """The recipe's fields by their bare names; a value is TOML, or a bare word."""
    from yinshi.classify.classifier import SECTIONS

    settings = {name: value for name, value in given.items() if value is not None}
    for override in overrides:
        key, equals, text = (part.strip() for part in override.partition("="))
        section, _, bare = key.rpartition(".")
        key = bare if section in SECTIONS else key
        if not (key and equals):
            raise UsageError(f"found --set {override!r}: expected KEY=VALUE, such as ngrams=2")
        if key in settings:
            raise UsageError(f"found {key} twice, {settings[key]} and {text}: expected it once")
        try:
            settings[key] = tomllib.loads(f"v = {text}")["v"]
        except tomllib.TOMLDecodeError:
            settings[key] = None if text == "none" else text
    return settings
