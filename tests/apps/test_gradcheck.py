from __future__ import annotations

import json
from typing import Any

import pytest

from yinshi.apps.cli.main import main
from yinshi.engine import sequence
from yinshi.engine.cells import CELLS

Capture = pytest.CaptureFixture[str]

SMALL = ("--time", 3, "--batch", 2, "--hidden", 2, "--input", 2)


def gradcheck(capsys: Capture, *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["gradcheck", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return int(stopped.value.code or 0), out, err


@pytest.fixture
def without_cell_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The backward of the usual homework answer: no error runs back through the cell."""
    right = sequence.lstm_step_backward

    def wrong(*arguments: Any) -> Any:
        dh_prev, dc_prev = right(*arguments)
        return dh_prev, 0 * dc_prev

    monkeypatch.setattr(sequence, "lstm_step_backward", wrong)


def test_checks_every_cell_and_activation(capsys: Capture) -> None:
    code, out, err = gradcheck(capsys)
    assert (code, err) == (0, "")
    for cell in CELLS:
        assert f"\n{cell:<12} passed: largest relative error of" in out
    for name in ("weight_ih_l0", "weight_hh_l1", "bias_ih_l1", "inputs", "h0", "c0"):
        assert f"\n  {name} " in out


def test_table_fits_a_terminal_of_80_columns(capsys: Capture) -> None:
    _, out, _ = gradcheck(capsys, "--cell", "lstm")
    assert "…" not in out
    assert max(map(len, out.splitlines()[:-2])) <= 80


def test_shows_expected_and_actual_derivatives(capsys: Capture) -> None:
    _, out, _ = gradcheck(capsys, "--cell", "rnn", "--activation", "tanh", *SMALL, "--layers", 1)
    rows = [line.split() for line in out.splitlines() if line.startswith("  weight_hh_l0")]
    assert len(rows) == 1
    name, shape, _, expected, actual, error = rows[0]
    assert (name, shape) == ("weight_hh_l0", "2×2")
    assert float(expected) == pytest.approx(float(actual), abs=1e-7)
    assert float(error) <= 1e-6


@pytest.mark.parametrize(
    ("asked", "cells"),
    [
        ((), list(CELLS)),
        (("--cell", "lstm"), ["lstm"]),
        (("--cell", "rnn"), ["rnn-tanh", "rnn-sigmoid", "rnn-relu"]),
        (("--cell", "rnn", "--activation", "relu"), ["rnn-relu"]),
        (("--activation", "sigmoid"), ["rnn-sigmoid"]),
    ],
)
def test_json_of_what_was_asked_for(
    asked: tuple[str, ...], cells: list[str], capsys: Capture
) -> None:
    code, out, _ = gradcheck(capsys, *asked, *SMALL, "--seed", 5, "--json")
    told = json.loads(out)
    assert code == 0
    assert sorted(told["cells"]) == sorted(cells)
    assert {name: told[name] for name in ("time", "batch", "inputs", "hidden", "seed")} == {
        "time": 3,
        "batch": 2,
        "inputs": 2,
        "hidden": 2,
        "seed": 5,
    }
    assert told["passed"]
    assert (told["epsilon"], told["tolerance"]) == (1e-4, 1e-6)
    for checks in told["cells"].values():
        assert all(check["largest_error"] <= 1e-6 for check in checks)
        weight = next(check for check in checks if check["name"] == "weight_hh_l0")
        assert weight["shape"][1] == 2
        assert len(weight["entries"]) == 3
        assert weight["entries"][0].keys() == {"index", "expected", "actual"}


def test_layers(capsys: Capture) -> None:
    _, out, _ = gradcheck(capsys, "--cell", "lstm", "--layers", 3, *SMALL, "--json")
    names = [check["name"] for check in json.loads(out)["cells"]["lstm"]]
    assert "weight_ih_l2" in names
    assert "weight_ih_l3" not in names


@pytest.mark.usefixtures("without_cell_path")
def test_broken_backward_exits_with_1(capsys: Capture) -> None:
    code, out, err = gradcheck(capsys)
    assert (code, err) == (1, "")
    assert "\nlstm         FAILED: largest relative error of" in out
    assert "✗" in out
    assert "\nrnn-tanh     passed" in out


@pytest.mark.usefixtures("without_cell_path")
def test_broken_backward_exits_with_1_as_json_too(capsys: Capture) -> None:
    code, out, _ = gradcheck(capsys, "--json")
    told = json.loads(out)
    assert code == 1
    assert not told["passed"]
    assert not all(check["passed"] for check in told["cells"]["lstm"])
    assert all(check["passed"] for check in told["cells"]["rnn-tanh"])


def test_an_lstm_has_no_activation_to_choose(capsys: Capture) -> None:
    code, out, err = gradcheck(capsys, "--cell", "lstm", "--activation", "relu")
    assert (code, out) == (2, "")
    assert err == (
        "error: found --activation relu for an LSTM, whose gates are sigmoid and tanh; "
        "leave it out, or ask for --cell rnn\n"
    )


@pytest.mark.parametrize("option", ["--time", "--batch", "--hidden", "--input", "--layers"])
def test_sizes_are_at_least_1(option: str, capsys: Capture) -> None:
    code, _, err = gradcheck(capsys, option, 0)
    assert code == 2
    assert option in err
