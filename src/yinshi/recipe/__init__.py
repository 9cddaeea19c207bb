"""Recipes: what to prepare, which network, how to train. Frozen dataclasses ⇄ TOML.

    recipe = load_recipe("smoke", overrides=["training.epochs=3"])

Every fault of a recipe is reported at once, each with the nearest valid name.
"""

from yinshi.recipe.files import load_recipe, recipe_names
from yinshi.recipe.poems import (
    CONDITIONS,
    CorpusRecipe,
    NetworkRecipe,
    Recipe,
    conditions_in,
)
from yinshi.recipe.sections import MAX_SEED
from yinshi.recipe.texts import ClassificationRecipe, ClassifierRecipe, TextRecipe
from yinshi.recipe.training import TrainingRecipe

__all__ = [
    "CONDITIONS",
    "MAX_SEED",
    "ClassificationRecipe",
    "ClassifierRecipe",
    "CorpusRecipe",
    "NetworkRecipe",
    "Recipe",
    "TextRecipe",
    "TrainingRecipe",
    "conditions_in",
    "load_recipe",
    "recipe_names",
]
