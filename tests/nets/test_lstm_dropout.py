"""What is dropped in our LSTM: recurrent weights, and outputs between layers with one mask."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from yinshi.nets import lstm
from yinshi.nets.lstm import LSTM

INPUT, H = 3, 5


def pair(layers: int = 1, **dropout: float) -> tuple[LSTM, LSTM]:
    """(with dropout, without), of the same weights, float64."""
    torch.manual_seed(0)
    dropping = LSTM(INPUT, H, layers, **dropout).double()
    plain = LSTM(INPUT, H, layers).double()
    plain.load_state_dict(dropping.state_dict())
    return dropping, plain


def inputs(T: int = 6, B: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(T, B, INPUT, dtype=torch.float64, generator=generator)


def masks_of(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """What is multiplied by, of each call to `dropout`: where nothing is 0, the quotient."""
    found = []
    true_dropout = lstm.dropout

    def watched(x: Tensor, probability: float, training: bool) -> Tensor:
        dropped = true_dropout(x, probability, training)
        if dropped is not x:
            found.append((dropped / x).detach())
        return dropped

    monkeypatch.setattr(lstm, "dropout", watched)
    return found


def test_dropconnect_is_the_layer_with_its_recurrent_weights_masked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One mask for all steps and sequences; gradients are 0 where it is, and scaled as it is."""
    dropping, plain = pair(weight_dropout=0.5)
    masks = masks_of(monkeypatch)
    outputs, _ = dropping(inputs())
    [mask] = masks
    assert mask.shape == (4 * H, H)
    assert set(mask.unique().tolist()) == {0.0, 2.0}
    with torch.no_grad():
        plain.weight_hh_l0.mul_(mask)
    expected, _ = plain(inputs())
    torch.testing.assert_close(outputs, expected, rtol=1e-13, atol=1e-13)

    outputs.square().sum().backward()
    expected.square().sum().backward()
    for name, weight in dropping.named_parameters():
        gradient = dict(plain.named_parameters())[name].grad
        scale = mask if name == "weight_hh_l0" else 1
        torch.testing.assert_close(weight.grad, gradient * scale, rtol=1e-12, atol=1e-12)
    assert not (dropping.weight_hh_l0.grad[mask == 0]).any()
    assert (plain.weight_hh_l0.grad[mask == 0] != 0).any()  # unmasked, it wouldn't be


def test_every_batch_and_layer_has_a_mask_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    dropping, _ = pair(layers=2, weight_dropout=0.5)
    masks = masks_of(monkeypatch)
    for _ in range(2):
        dropping(inputs())
    assert len(masks) == 4
    assert all(not torch.equal(a, b) for i, a in enumerate(masks) for b in masks[:i])


@pytest.mark.parametrize("dropout", [{"weight_dropout": 0.5}, {"output_dropout": 0.5}])
def test_nothing_is_dropped_in_evaluation(dropout: dict[str, float]) -> None:
    dropping, plain = pair(layers=2, **dropout)
    expected, _ = plain.eval()(inputs())
    assert not torch.equal(dropping(inputs())[0], expected)
    assert torch.equal(dropping.eval()(inputs())[0], expected)


def test_between_layers_a_sequence_keeps_its_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second layer, given what the first gives it, masked by hand."""
    dropping, plain = pair(layers=2, output_dropout=0.5)
    masks: list[Tensor] = []
    true_dropout = lstm.variational_dropout

    def watched(rows: Tensor, alive: list[int], probability: float, training: bool) -> Tensor:
        dropped = true_dropout(rows, alive, probability, training)
        masks.append((dropped / rows).detach().view(6, 4, H))
        return dropped

    monkeypatch.setattr(lstm, "variational_dropout", watched)
    found, _ = dropping(inputs())
    [mask] = masks
    torch.testing.assert_close(mask, mask[:1].expand(6, 4, H), rtol=1e-13, atol=0)
    assert len(mask[0].unique(dim=0)) > 1

    first, second = LSTM(INPUT, H).double(), LSTM(H, H).double()
    for depth, layer in enumerate((first, second)):
        suffix = f"l{depth}"
        layer.load_state_dict(
            {n[:-1] + "0": w for n, w in plain.state_dict().items() if n.endswith(suffix)}
        )
    expected, _ = second(first(inputs())[0] * mask[0])
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_without_them_no_random_number_is_drawn() -> None:
    """So that a network which has none of it trains as it always did."""
    _, plain = pair(layers=2)
    before = torch.get_rng_state()
    plain(inputs())
    assert torch.equal(torch.get_rng_state(), before)
