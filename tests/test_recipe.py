from __future__ import annotations

import json
import math
import re
import types
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yinshi.errors import RecipeError, UsageError
from yinshi.recipe import (
    CONDITIONS,
    CorpusRecipe,
    NetworkRecipe,
    Recipe,
    TrainingRecipe,
    conditions_in,
    load_recipe,
    recipe_names,
)


def faults(values: dict[str, Any]) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        Recipe.from_dict(values)
    return caught.value.faults


def override_faults(*overrides: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        load_recipe("smoke", overrides)
    return caught.value.faults


def test_defaults_are_a_whole_recipe() -> None:
    assert Recipe.from_dict({}) == Recipe()


def test_values_arrive_with_their_types() -> None:
    recipe = Recipe.from_dict(
        {
            "name": "mine",
            "corpus": {"form": "五绝", "ratio": [4, 1], "sample": 100},
            "network": {"layers": 3, "dropout": 0, "tie_weights": True},
            "training": {"learning_rate": 1, "clip_norm": 5},
        }
    )
    assert recipe.corpus == CorpusRecipe(form="五绝", ratio=(4, 1), sample=100)
    assert recipe.network == NetworkRecipe(layers=3, dropout=0.0, tie_weights=True)
    assert recipe.training == TrainingRecipe(learning_rate=1.0, clip_norm=5.0)
    assert type(recipe.network.dropout) is type(recipe.training.clip_norm) is float


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_load_and_are_described(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.description
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_optional_fields_are_none_by_default() -> None:
    """Otherwise leaving one out, the only way to say None in TOML, would not say it."""
    for section in (CorpusRecipe, NetworkRecipe, TrainingRecipe):
        hints = get_type_hints(section)
        for field in fields(section):
            assert field.default is not MISSING
            if types.NoneType in get_args(hints[field.name]):
                assert field.default is None, field.name


def test_what_was_added_later_is_absent_unless_it_is_set() -> None:
    """Runs and models of before are the same runs, and readable by what made them."""
    added = {
        "network": ["input_dropout", "output_dropout", "weight_dropout"],
        "training": ["ema_decay"],
    }
    for section, names in added.items():
        assert not set(names) & Recipe().to_dict()[section].keys()
        for name in names:
            given = Recipe.from_dict({section: {name: 0.5}})
            assert given.to_dict()[section][name] == 0.5
    assert faults({"network": {"weight_dropout": 1}, "training": {"ema_decay": 1}}) == [
        "network.weight_dropout: found 1, expected 0 to 0.95",
        "training.ema_decay: found 1, expected 0 to 0.99999",
    ]


@given(
    st.builds(
        Recipe,
        name=st.text(),
        corpus=st.builds(
            CorpusRecipe,
            form=st.sampled_from(["any", "五绝", "七律"]),
            min_length=st.integers(1, 20),
            max_length=st.integers(20, 200),
            sample=st.none() | st.integers(1),
            ratio=st.lists(st.floats(0.1, 99), min_size=2, max_size=3).map(tuple),
        ),
        network=st.builds(NetworkRecipe, layers=st.integers(1, 3), tie_weights=st.booleans()),
        training=st.builds(
            TrainingRecipe,
            optimizer=st.just("sgd"),
            momentum=st.floats(0, 1),
            clip_norm=st.none() | st.floats(0.01, 10),
            patience=st.none() | st.integers(1),
        ),
    )
)
def test_to_dict_and_json_and_back_is_the_same(recipe: Recipe) -> None:
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_all_faults_are_reported_at_once() -> None:
    assert faults(
        {
            "nmae": "x",
            "network": {"hiden": 3, "layers": 4, "tie_weights": 1},
            "training": {"optimizer": "adan", "epochs": 2.5, "learning_rate": 0},
            "corpus": 3,
        }
    ) == [
        "unknown key nmae (nearest valid name: name)",
        "unknown key network.hiden (nearest valid name: network.hidden)",
        "network.layers: found 4, expected 1 to 3",
        "network.tie_weights: found 1, expected true or false",
        "training.optimizer: found 'adan', expected one of "
        "sgd, nesterov, adagrad, adadelta, rmsprop, adam, adamw",
        "training.epochs: found 2.5, expected a whole number",
        "training.learning_rate 0: expected a number above 0",
        "corpus: found 3, expected a section",
    ]


@pytest.mark.parametrize(
    ("section", "key", "value", "expected"),
    [
        ("network", "hidden", 0, "at least 1"),
        ("network", "hidden", True, "a whole number"),
        ("network", "hidden", "256", "a whole number"),
        ("network", "dropout", 0.96, "0 to 0.95"),
        ("network", "dropout", "half", "a number"),
        ("network", "dropout", math.nan, "a number"),
        ("training", "learning_rate", math.inf, "a number"),
        ("training", "learning_rate", 10**400, "a number"),
        ("training", "learning_rate", -1e-3, "at least 0"),
        ("training", "epochs", None, "a whole number"),
        ("training", "seed", 2**63, "0 to 9.22337e+18"),
        ("corpus", "ratio", [8, "1"], "a list of numbers"),
        ("corpus", "ratio", 8, "a list of numbers"),
        ("corpus", "script", ["traditional"], "one of traditional, simplified"),
    ],
)
def test_a_value_out_of_type_or_range(section: str, key: str, value: Any, expected: str) -> None:
    assert faults({section: {key: value}}) == [
        f"{section}.{key}: found {value!r}, expected {expected}"
    ]


@pytest.mark.parametrize("text", [3, None, []])
def test_a_name_is_a_text(text: Any) -> None:
    assert faults({"name": text}) == [f"name: found {text!r}, expected a text in quotes"]


def test_faults_between_fields() -> None:
    assert faults({"corpus": {"min_length": 30, "max_length": 20}}) == [
        "corpus.min_length 30 is above max_length 20"
    ]
    for ratio in ([1], [1, 1, 1, 1], [1, 0], [1, -1], []):
        assert faults({"corpus": {"ratio": ratio}}) == [
            f"corpus.ratio {ratio}: expected train, validation[, test] as positive numbers"
        ]
    assert faults({"training": {"clip_norm": 0}}) == [
        "training.clip_norm 0: expected a number above 0; leave it out for no clipping"
    ]
    assert faults({"training": {"optimizer": "adam", "momentum": 0.9}}) == [
        "training.momentum is not used by adam, only by sgd, nesterov and rmsprop"
    ]
    assert faults({"training": {"optimizer": "nesterov"}}) == [
        "training.momentum 0: nesterov needs a number above 0, usually 0.9"
    ]
    assert faults({"network": {"cell": "rnn-relu", "forget_bias": 1}}) == [
        "network.forget_bias is not used by rnn-relu, only by lstm"
    ]


def test_a_frozen_embedding_is_not_the_output_layer() -> None:
    values = {"network": {"tie_weights": True}, "training": {"freeze_embedding": True}}
    with pytest.raises(RecipeError, match="makes the embedding the output"):
        Recipe.from_dict(values)


def test_nearest_name_finds_a_key_in_its_section() -> None:
    assert faults({"epochs": 3}) == ["unknown key epochs (nearest valid name: training.epochs)"]
    assert faults({"xyz": 3}) == ["unknown key xyz"]


def test_overrides() -> None:
    recipe = load_recipe(
        "smoke",
        [
            "training.epochs=3",
            "training.optimizer=sgd",
            'training.schedule = "cosine"',
            "corpus.ratio=[9, 1]",
            "network.tie_weights=false",
            "corpus.max_vocabulary=none",
            "training.clip_norm=none",
        ],
    )
    assert recipe.training.epochs == 3
    assert recipe.training.optimizer == "sgd"
    assert recipe.training.schedule == "cosine"
    assert recipe.corpus.ratio == (9, 1)
    assert not recipe.network.tie_weights
    assert recipe.corpus.max_vocabulary is None is recipe.training.clip_norm
    assert recipe.network.hidden == load_recipe("smoke").network.hidden


def test_the_last_override_of_a_key_wins() -> None:
    assert load_recipe("smoke", ["training.epochs=3", "training.epochs=4"]).training.epochs == 4


def test_all_faults_of_overrides_are_reported_at_once() -> None:
    assert override_faults(
        "training.epoch=3",
        "training.optimizer=adan",
        "nonsense",
        "=3",
        "training.epochs.x=1",
        "training.patience=",
        "corpus.seed=none",
        "network_.hidden=none",
    ) == [
        "'nonsense': expected section.key=value, e.g. training.epochs=3",
        "'=3': expected section.key=value, e.g. training.epochs=3",
        "training.epochs.x: epochs is a value, not a section",
        "corpus.seed: found None, expected a whole number",
        "training.optimizer: found 'adan', expected one of "
        "sgd, nesterov, adagrad, adadelta, rmsprop, adam, adamw",
        "unknown key training.epoch (nearest valid name: training.epochs)",
        "training.patience: found '', expected a whole number",
        "unknown key network_ (nearest valid name: network)",
    ]


def test_a_recipe_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\n[network]\nhidden = 7\n', encoding="utf-8")
    assert load_recipe(path).network.hidden == 7
    assert load_recipe(str(path), ["network.hidden=8"]).network.hidden == 8


def test_files_that_are_no_recipes(tmp_path: Path) -> None:
    broken, binary = tmp_path / "broken.toml", tmp_path / "binary.toml"
    broken.write_text("[network\n", encoding="utf-8")
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match=r"broken\.toml: not TOML: "):
        load_recipe(broken)
    with pytest.raises(UsageError, match=r"binary\.toml: not a readable TOML file"):
        load_recipe(binary)
    with pytest.raises(UsageError, match="not a readable TOML file"):
        load_recipe(tmp_path)


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no recipe 'smok' \(nearest valid name: smoke\)"):
        load_recipe("smok")


def test_weight_shapes_untied() -> None:
    network = NetworkRecipe(embedding=3, hidden=5, layers=2)
    assert network.weight_shapes(11) == {
        "embedding.weight": (11, 3),
        "lstm.weight_ih_l0": (20, 3),
        "lstm.weight_hh_l0": (20, 5),
        "lstm.bias_ih_l0": (20,),
        "lstm.bias_hh_l0": (20,),
        "lstm.weight_ih_l1": (20, 5),
        "lstm.weight_hh_l1": (20, 5),
        "lstm.bias_ih_l1": (20,),
        "lstm.bias_hh_l1": (20,),
        "output.weight": (11, 5),
        "output.bias": (11,),
    }


@pytest.mark.parametrize("cell", ["rnn-tanh", "rnn-sigmoid", "rnn-relu"])
def test_weight_shapes_of_a_simple_network(cell: Any) -> None:
    assert NetworkRecipe(cell, embedding=3, hidden=5).weight_shapes(11) == {
        "embedding.weight": (11, 3),
        "rnn.weight_ih_l0": (5, 3),
        "rnn.weight_hh_l0": (5, 5),
        "rnn.bias_ih_l0": (5,),
        "rnn.bias_hh_l0": (5,),
        "output.weight": (11, 5),
        "output.bias": (11,),
    }


def test_weight_shapes_tied_need_a_projection_only_between_different_sizes() -> None:
    tied = NetworkRecipe(embedding=3, hidden=5, tie_weights=True).weight_shapes(11)
    assert tied["projection.weight"] == (3, 5)
    assert "output.weight" not in tied
    equal = NetworkRecipe(embedding=5, hidden=5, tie_weights=True).weight_shapes(11)
    assert "projection.weight" not in equal
    assert "output.weight" not in equal


def test_conditions_have_one_order() -> None:
    assert conditions_in("title+form") == ("form", "title")
    assert conditions_in("dynasty+form+pattern+rhyme+author+title") == CONDITIONS
    assert conditions_in(None) == conditions_in("none") == ()
    recipe = load_recipe("smoke", ["network.conditions=author+form"])
    assert Recipe.from_dict(recipe.to_dict()).network.conditions == "author+form"
    assert load_recipe("smoke", ["network.conditions=none"]) == load_recipe("smoke")
    assert "conditions" not in load_recipe("smoke").to_dict()["network"]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("titel", r" \(nearest valid name: title\)"),
        ("form+titel", r" \(nearest valid name: title\)"),
        ("form+form", ""),
        ("", ""),
        ("form+", ""),
        ("none+form", ""),
    ],
)
def test_conditions_that_are_none(text: str, hint: str) -> None:
    told = f"network.conditions '{re.escape(text)}': expected none, or some of dynasty, form, "
    with pytest.raises(
        RecipeError, match=told + rf"pattern, rhyme, author, title, joined by \+{hint}"
    ):
        Recipe.from_dict({"network": {"conditions": text}})
