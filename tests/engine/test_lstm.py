"""`backward(k, delta)` is autograd's gradient of Σ delta ⊙ h_k."""

from __future__ import annotations

import numpy as np
import pytest

from yinshi.engine.lstm import LSTM

torch = pytest.importorskip("torch")

T, B, E, H = 5, 3, 4, 6


def pytorch_layer(lstm: LSTM) -> torch.nn.LSTM:
    layer = torch.nn.LSTM(E, H, dtype=torch.float64)
    for name, weight in lstm.weights.items():
        getattr(layer, f"{name}_l0").data = torch.tensor(weight)
    return layer


@pytest.mark.parametrize("batch", [(), (B,)], ids=["one-sequence", "batch"])
@pytest.mark.parametrize("k", [0, 2, 4, -1])
def test_backward_at_one_time_equals_autograd(batch: tuple[int, ...], k: int) -> None:
    rng = np.random.default_rng(0)
    lstm = LSTM(E, H, rng)
    layer = pytorch_layer(lstm)
    delta = rng.normal(size=(*batch, H))
    arrays = [rng.normal(size=shape) for shape in ((T, *batch, E), (*batch, H), (*batch, H))]
    leaves = [torch.tensor(array, requires_grad=True) for array in arrays]
    x, h0, c0 = leaves
    expected, (h, c) = layer(x, (h0[None], c0[None]))
    (torch.tensor(delta) * expected[k]).sum().backward()

    outputs, state = lstm.forward(arrays[0], (arrays[1], arrays[2]))
    np.testing.assert_allclose(outputs, expected.detach(), rtol=0, atol=1e-14)
    np.testing.assert_allclose(state, (h[0].detach(), c[0].detach()), rtol=0, atol=1e-14)
    found = lstm.backward(k, delta)
    for name, gradient in found.layers[0].items():
        theirs = getattr(layer, f"{name}_l0").grad
        np.testing.assert_allclose(gradient, theirs, rtol=0, atol=1e-13)
    for gradient, leaf in zip((found.inputs, *found.state), leaves, strict=True):
        np.testing.assert_allclose(gradient.reshape(leaf.shape), leaf.grad, rtol=0, atol=1e-13)
    assert not found.inputs[k % T + 1 :].any()


def test_gradients_of_a_sum_over_time_are_sums_of_those_at_each_time() -> None:
    rng = np.random.default_rng(1)
    lstm = LSTM(E, H, rng)
    x = torch.tensor(rng.normal(size=(T, E)))
    layer = pytorch_layer(lstm)
    layer(x)[0].sum().backward()
    lstm.forward(x.numpy())
    total = sum(lstm.backward(k, np.ones(H)).layers[0]["weight_hh"] for k in range(T))
    np.testing.assert_allclose(total, layer.weight_hh_l0.grad, rtol=0, atol=1e-13)


def test_weights_come_from_the_generator_within_the_bound() -> None:
    first, again = (LSTM(E, H, np.random.default_rng(7)).weights for _ in range(2))
    for name, weight in first.items():
        np.testing.assert_array_equal(weight, again[name])
        assert np.abs(weight).max() <= H**-0.5
    assert np.abs(first["weight_ih"]).max() > 0.9 * H**-0.5
