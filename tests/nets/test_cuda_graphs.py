"""Which graph is captured, kept and dropped; that padding is harmless; and what graphs forbid."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from yinshi.nets.kernels.cuda_graphs import GraphedLSTM, Padded, Run
from yinshi.nets.lstm import LSTM

INPUT, H = 3, 4


class Captures:
    """Stands for CUDA: notes what is captured, and runs it without a graph."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, int]] = []
        self.replays = 0

    def __call__(self, layer: LSTM, inputs: Tensor) -> Run:
        self.shapes.append((inputs.shape[0], inputs.shape[1]))
        captured, mode = inputs.shape, layer.training

        def replay(inputs: Tensor) -> Tensor:
            assert (inputs.shape, layer.training) == (captured, mode)
            self.replays += 1
            return Padded(layer)(inputs)

        return replay


def layer_of(num_layers: int = 1) -> LSTM:
    torch.manual_seed(0)
    return LSTM(INPUT, H, num_layers).double()


def zeros(T: int, B: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.zeros(T, B, INPUT, dtype=dtype)


def test_a_shape_is_captured_when_it_comes_again() -> None:
    captures = Captures()
    graphed = GraphedLSTM(layer_of(), capture=captures)
    graphed(zeros(8, 2))
    assert (captures.shapes, captures.replays) == ([], 0)
    graphed(zeros(8, 2))
    graphed(zeros(8, 2))
    assert (captures.shapes, captures.replays) == ([(8, 2)], 2)


def test_lengths_of_one_bucket_share_a_graph() -> None:
    captures = Captures()
    graphed = GraphedLSTM(layer_of(), capture=captures)
    for T in (9, 16, 12, 10, 17):
        assert graphed(zeros(T, 2)).shape == (T, 2, H)
    assert captures.shapes == [(16, 2)]


def test_whatever_a_graph_cannot_change_has_its_own() -> None:
    captures = Captures()
    layer = layer_of()
    graphed = GraphedLSTM(layer, capture=captures)

    def twice(inputs: Tensor) -> int:
        graphed(inputs), graphed(inputs)
        return len(captures.shapes)

    assert twice(zeros(8, 2)) == 1
    assert twice(zeros(8, 3)) == 2
    assert twice(zeros(8, 2).requires_grad_()) == 3
    layer.eval()
    assert twice(zeros(8, 2)) == 4
    with torch.no_grad():
        assert twice(zeros(8, 2)) == 5
    layer.train()
    with torch.autocast("cpu", torch.bfloat16):
        assert twice(zeros(8, 2)) == 6
    layer.float()
    assert twice(zeros(8, 2, torch.float32)) == 7
    assert twice(zeros(8, 2, torch.float32)) == 7


def test_the_graph_unused_for_longest_leaves() -> None:
    captures = Captures()
    graphed = GraphedLSTM(layer_of(), capacity=2, capture=captures)
    for T in (8, 8, 16, 16, 8, 24, 24):  # when 24 is captured, 16 has waited for longest
        graphed(zeros(T, 1))
    assert captures.shapes == [(8, 1), (16, 1), (24, 1)]
    graphed(zeros(8, 1))
    assert len(captures.shapes) == 3, "still there"
    graphed(zeros(16, 1))
    assert len(captures.shapes) == 3, "it has to come twice again"
    graphed(zeros(16, 1))
    assert captures.shapes[3:] == [(16, 1)]


@pytest.mark.parametrize("num_layers", [1, 2])
def test_padding_changes_neither_outputs_nor_gradients(num_layers: int) -> None:
    """Outputs and gradients of real positions, against the layer that packs them exactly."""
    layer, lengths = layer_of(num_layers), [11, 7, 7, 1]
    inputs = torch.randn(11, 4, INPUT, dtype=torch.float64)
    weights = torch.randn(11, 4, H, dtype=torch.float64)
    real = torch.arange(11)[:, None] < torch.tensor(lengths)
    weights[~real] = 0  # the objective doesn't see what is beyond a sequence's end
    graphed = GraphedLSTM(layer, capture=Captures())

    def gradients(outputs: Tensor) -> tuple[Tensor, ...]:
        return torch.autograd.grad((outputs * weights).sum(), [x, *layer.parameters()])

    x = inputs.clone().requires_grad_()
    exact, _ = layer(x, lengths=lengths)
    expected = gradients(exact)
    for _ in range(3):  # first without a graph, then by one
        outputs = graphed(x)
        torch.testing.assert_close(outputs[real], exact[real], rtol=0, atol=1e-14)
        found = gradients(outputs)
        torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)
        assert not found[0][~real].any()


class Capturable(TorchDispatchMode):
    """Refuses copies between host and device, on which a capture fails; "meta" plays the device."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        leaves = torch.utils._pytree.tree_leaves([args, kwargs, result])
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor) and leaf.dim()]
        assert len({tensor.device for tensor in tensors}) <= 1, f"{func} needs host and device"
        return result


def test_nothing_is_copied_between_host_and_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda device: False)  # it knows no "meta"
    layer = LSTM(INPUT, H, num_layers=2, dropout=0.1).to("meta")
    inputs = torch.zeros(8, 2, INPUT, device="meta", requires_grad=True)
    with Capturable():
        Padded(layer)(inputs).sum().backward()


def test_the_check_finds_a_copy() -> None:
    with Capturable(), pytest.raises(AssertionError, match="_to_copy"):
        torch.zeros(3).to("meta")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU; not yet run on one")
def test_replays_equal_the_layer_on_hardware() -> None:
    layer = layer_of(2).cuda()
    graphed = GraphedLSTM(layer)
    for seed in range(4):
        torch.manual_seed(seed)
        inputs = torch.randn(11, 4, INPUT, dtype=torch.float64, device="cuda", requires_grad=True)
        leaves = [inputs, *layer.parameters()]
        outputs = graphed(inputs)
        expected, _ = layer(inputs)
        torch.testing.assert_close(outputs, expected, rtol=0, atol=1e-13)
        found = torch.autograd.grad(outputs.square().sum(), leaves)
        right = torch.autograd.grad(expected.square().sum(), leaves)
        torch.testing.assert_close(found, right, rtol=1e-12, atol=1e-12)
