"""`yinshi classify`: train a classifier of texts, measure it, use it; and the bar to beat."""

from __future__ import annotations

import click

from yinshi.apps.cli.classify.answers import evaluate_command, predict_command
from yinshi.apps.cli.classify.baseline import baseline_command
from yinshi.apps.cli.classify.dynasties import dynasties_command
from yinshi.apps.cli.classify.pretraining import pretrain_command
from yinshi.apps.cli.classify.training import train_command


@click.group("classify")
def command() -> None:
    """Classify Chinese texts.

    \b
    yinshi classify pretrain train.csv --out runs/language
    yinshi classify train --train train.csv --dev dev.csv --test test.csv --out runs/shop
    yinshi classify evaluate --model runs/shop --data test.csv --confusion confusion.svg
    yinshi classify predict --model runs/shop 物流很快 "屏幕坏了, 退货"
    yinshi classify baseline --train train.csv --test test.csv
    yinshi classify dynasties --data data/all --out data/dynasties

    A table is a .csv, .tsv, .txt or a .zip with one in it, UTF-8: a text and its label a row.
    """


for subcommand in (
    pretrain_command,
    train_command,
    evaluate_command,
    predict_command,
    baseline_command,
    dynasties_command,
):
    command.add_command(subcommand)
