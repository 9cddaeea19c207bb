"""Dropout from 16 bits a unit: its share, its mean, its seed, and its gradient."""

from __future__ import annotations

import pytest
import torch

from yinshi.nets.dropout import dropout, variational_dropout


@pytest.mark.parametrize("probability", [0.0, 0.5])
@pytest.mark.parametrize("training", [True, False])
def test_off(probability: float, training: bool) -> None:
    x = torch.randn(3, 5)
    assert (dropout(x, probability, training) is x) == (not training or probability == 0)


@pytest.mark.parametrize("probability", [0.05, 0.2, 0.5, 0.95])
def test_share_and_mean(probability: float) -> None:
    """Five standard deviations of n = 10⁶ draws."""
    torch.manual_seed(0)
    n = 1_000_000
    dropped = dropout(torch.ones(1000, n // 1000), probability, training=True)
    deviation = (probability * (1 - probability) / n) ** 0.5
    assert (dropped == 0).double().mean().item() == pytest.approx(probability, abs=5 * deviation)
    kept = 1 / (1 - probability)
    assert dropped.double().mean().item() == pytest.approx(1, abs=5 * deviation * kept)
    assert dropped.unique().tolist() == pytest.approx([0, kept])


@pytest.mark.parametrize(("probability", "dropped"), [(2**-16, 1), (0.25, 2**14), (0.5, 2**15)])
def test_the_probability_is_exact(
    probability: float, dropped: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all 2¹⁶ numbers that a unit can draw, as many as the probability says drop it."""
    every = torch.arange(-(2**15), 2**15).to(torch.int16).view(torch.int64)
    monkeypatch.setattr(torch.Tensor, "random_", lambda self, *_: self.copy_(every))
    found = dropout(torch.ones(2**16), probability, training=True)
    assert (found == 0).sum().item() == dropped


def test_units_and_calls_are_independent() -> None:
    """Of 10⁵ pairs each: neighbours, such as share one draw of 64 bits; the same unit again."""
    torch.manual_seed(0)
    first, again = (dropout(torch.ones(100_000), 0.3, training=True) == 0 for _ in range(2))
    pairs = [(first, first.roll(distance)) for distance in (1, 2, 3, 4)] + [(first, again)]
    for one, other in pairs:
        assert (one & other).double().mean().item() == pytest.approx(0.09, abs=0.005)


def test_the_seed_decides() -> None:
    def draw() -> torch.Tensor:
        torch.manual_seed(7)
        return dropout(torch.ones(13, 3), 0.5, training=True)

    assert torch.equal(draw(), draw())
    assert not torch.equal(draw(), dropout(torch.ones(13, 3), 0.5, training=True))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", [(), (1,), (3,), (5, 7), (0, 4)])
def test_any_shape_and_dtype(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x = torch.ones(shape, dtype=dtype)
    found = dropout(x, 0.5, training=True)
    assert (found.shape, found.dtype) == (x.shape, dtype)
    assert set(found.flatten().tolist()) <= {0.0, 2.0}
    assert torch.equal(x, torch.ones(shape, dtype=dtype))


def test_gradient_has_the_mask_of_the_forward() -> None:
    x = torch.randn(40, 50).T.requires_grad_()
    found = dropout(x, 0.3, training=True)
    found.sum().backward()
    assert torch.equal(found, x * x.grad)
    assert 0 < (x.grad == 0).sum() < x.numel()


# ---- one mask for all steps ---------------------------------------------------------------------

ALIVE = [4, 4, 3, 1]  # of four sequences so many reach each step: 12 packed rows
SEQUENCES = torch.cat([torch.arange(n) for n in ALIVE])


@pytest.mark.parametrize("probability", [0.0, 0.5])
@pytest.mark.parametrize("training", [True, False])
def test_variational_off(probability: float, training: bool) -> None:
    rows = torch.randn(12, 5)
    found = variational_dropout(rows, ALIVE, probability, training)
    assert (found is rows) == (not training or probability == 0)


def test_a_sequence_keeps_its_mask() -> None:
    torch.manual_seed(0)
    found = variational_dropout(torch.ones(12, 64), ALIVE, 0.5, training=True)
    masks = found[:4]  # the first step's
    assert torch.equal(found, masks[SEQUENCES])
    assert len(masks.unique(dim=0)) == 4  # each its own
    assert set(found.unique().tolist()) == {0.0, 2.0}
    anew = dropout(torch.ones(12, 64), 0.5, training=True)
    assert not torch.equal(anew, anew[:4][SEQUENCES])  # what this test would say of the other


def test_variational_mean() -> None:
    """Five standard deviations: of 10⁶ masks, whatever the number of steps."""
    torch.manual_seed(0)
    found = variational_dropout(torch.ones(2000, 1000), [1000, 1000], 0.3, training=True)
    assert found.double().mean().item() == pytest.approx(1, abs=5 * (0.3 / 0.7 / 1e6) ** 0.5)


def test_variational_gradient_has_the_mask_of_the_forward() -> None:
    rows = torch.randn(12, 7, dtype=torch.float64).requires_grad_()
    found = variational_dropout(rows, ALIVE, 0.4, training=True)
    found.sum().backward()
    assert rows.grad is not None
    torch.testing.assert_close(found, rows * rows.grad, rtol=0, atol=0)
    assert torch.equal(rows.grad, rows.grad[:4][SEQUENCES])
