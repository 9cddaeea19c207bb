from __future__ import annotations

import pytest
import torch

from yinshi.recipe import TrainingRecipe
from yinshi.training.schedules import make_schedule

STEPS = 40


def rates_of(scheduler_of: object) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    scheduler = scheduler_of(optimizer)  # type: ignore[operator]
    rates = []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def ours(schedule: str) -> list[float]:
    training = TrainingRecipe(learning_rate=0.5, schedule=schedule, warmup=0.25)  # type: ignore[arg-type]
    rate = make_schedule(training, STEPS)
    return [rate(step) for step in range(STEPS)]


def test_constant() -> None:
    assert ours("constant") == [0.5] * STEPS


def test_cosine_is_torchs() -> None:
    expected = rates_of(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, STEPS))
    assert ours("cosine") == pytest.approx(expected, rel=1e-9)


def test_one_cycle_by_hand() -> None:
    """Rises over the first 10 of 40 steps from 0.5/25 to 0.5, then falls to almost 0."""
    rates = ours("one-cycle")
    assert rates[0] == pytest.approx(0.02)
    assert rates[5] == pytest.approx((0.02 + 0.5) / 2)
    assert rates[10] == 0.5
    assert rates[25] == pytest.approx((0.5 + 0.5e-4) / 2)
    assert rates[39] < 0.002
    assert rates.index(max(rates)) == 10


def test_one_cycle_without_warmup_begins_at_the_peak() -> None:
    training = TrainingRecipe(learning_rate=0.5, schedule="one-cycle", warmup=0.0)
    assert make_schedule(training, STEPS)(0) == 0.5
