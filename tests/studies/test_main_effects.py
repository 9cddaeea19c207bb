from __future__ import annotations

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yinshi.studies.main_effects import interval, main_effects, student
from yinshi.studies.report import Record

FACTORS = {"soil": ("clay", "sand", "loam"), "light": ("sun", "shade")}


def trials(height: dict[tuple[str, str], float]) -> list[Record]:
    return [{"soil": a, "light": b, "height": height[a, b]} for a, b in height]


def test_computed_by_hand() -> None:
    """Sand − clay: 3 and 5, mean 4, deviation √2, so ± 12.7…·√2/√2; shade − sun: −1, 1, −3."""
    height = {
        ("clay", "sun"): 2.0, ("clay", "shade"): 1.0,
        ("sand", "sun"): 5.0, ("sand", "shade"): 6.0,
        ("loam", "sun"): 4.0, ("loam", "shade"): 1.0,
    }  # fmt: skip
    clay, sand, loam, sun, shade = main_effects(trials(height), FACTORS, ["height"])
    assert [e.level for e in (clay, sand, loam, sun, shade)] == [
        *FACTORS["soil"],
        *FACTORS["light"],
    ]
    assert [e.trials for e in (clay, sand, loam, sun, shade)] == [2, 2, 2, 3, 3]
    assert [e.means["height"] for e in (clay, sand, loam)] == [1.5, 5.5, 2.5]
    assert sun.means["height"] == pytest.approx(11 / 3)
    assert shade.means["height"] == pytest.approx(8 / 3)
    assert clay.differences == sun.differences == {}
    assert sand.differences["height"] == pytest.approx((4.0, student(1)))
    assert loam.differences["height"] == pytest.approx((1.0, student(1)))
    assert shade.differences["height"] == pytest.approx((-1.0, student(2) * 2 / math.sqrt(3)))


@given(st.lists(st.integers(-9, 9), min_size=5, max_size=5))
def test_where_factors_only_add_up_every_difference_is_exact(effects: list[int]) -> None:
    soil = dict(zip(FACTORS["soil"], effects[:3], strict=True))
    light = dict(zip(FACTORS["light"], effects[3:], strict=True))
    height = {pair: float(soil[pair[0]] + light[pair[1]]) for pair in product(soil, light)}
    for effect in main_effects(trials(height), FACTORS, ["height"]):
        of_level = soil if effect.factor == "soil" else light
        first = FACTORS[effect.factor][0]
        for mean, half in effect.differences.values():
            assert (mean, half) == (of_level[effect.level] - of_level[first], 0)


def test_what_is_missing_makes_no_pair() -> None:
    height = {pair: 1.0 for pair in product(*FACTORS.values()) if pair[0] != "loam"}
    del height["sand", "shade"]
    clay, sand, loam, _, shade = main_effects(trials(height), FACTORS, ["height"])
    assert (clay.trials, sand.trials, loam.trials, shade.trials) == (2, 1, 0, 1)
    assert loam.means == loam.differences == sand.differences == shade.differences == {}


def test_an_interval() -> None:
    """1, 2, 3, 4, 5: deviation √2.5; t of four degrees of freedom is 2.776."""
    mean, half = interval([1, 2, 3, 4, 5])
    assert mean == 3
    assert half == pytest.approx(2.776 * math.sqrt(2.5 / 5), rel=0.003)


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(6, 2.447), (11, 2.201), (15, 2.131), (23, 2.069), (30, 2.042), (10**9, 1.96)],
)
def test_students_t_is_that_of_the_tables(freedom: int, quantile: float) -> None:
    assert student(freedom) == pytest.approx(quantile, rel=1e-3)
