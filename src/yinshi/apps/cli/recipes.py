"""`yinshi recipes`"""

from __future__ import annotations

import click

from yinshi.recipe import load_recipe, recipe_names


@click.command("recipes")
def command() -> None:
    """List the recipes shipped in the package; `yinshi train NAME` runs one."""
    width = max(map(len, recipe_names()))
    for name in recipe_names():
        click.echo(f"{name:<{width}}  {load_recipe(name).description}")
