"""The product by either library, of arguments laid out in any way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from yinshi.nets import products
from yinshi.nets.products import product

DTYPES = [torch.float64, torch.float32, torch.bfloat16]

#: What the layer multiplies: whole arrays, their transposes, and parts of each.
LAYOUTS = {
    "contiguous": lambda n, k: draw(n, k),
    "transposed": lambda n, k: draw(k, n).T,
    "rows of a longer one": lambda n, k: draw(n + 5, k)[2 : n + 2],
    "columns of a wider one": lambda n, k: draw(n, k + 5)[:, 3 : k + 3],
    "transposed rows": lambda n, k: draw(k + 4, n)[1 : k + 1].T,
    "one row, repeated": lambda n, k: draw(1, k).expand(n, k),
}


def draw(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.fixture(params=["as installed", "without oneDNN"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    products._onednn_linear.cache_clear()
    if request.param == "without oneDNN":
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    yield
    products._onednn_linear.cache_clear()


def assert_product(a: Tensor, b: Tensor, bias: Tensor | None) -> None:
    found = product(a, b, bias)
    expected = a.double() @ b.double() + (0 if bias is None else bias.double())
    assert (found.shape, found.dtype) == (expected.shape, a.dtype)
    assert found.is_contiguous()
    digits = {torch.float64: 1e-14, torch.float32: 1e-6, torch.bfloat16: 2**-8}[a.dtype]
    torch.testing.assert_close(found.double(), expected, rtol=digits, atol=20 * digits)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("left", LAYOUTS)
@pytest.mark.parametrize("right", LAYOUTS)
@pytest.mark.usefixtures("library")
def test_layouts(left: str, right: str, dtype: torch.dtype) -> None:
    a, b, bias = LAYOUTS[left](7, 12).to(dtype), LAYOUTS[right](12, 9).to(dtype), draw(9).to(dtype)
    assert_product(a, b, None)
    assert_product(a, b, bias)
    assert_product(a, b, bias.expand(2, 9).T[:, 0])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    ("n", "k", "m"), [(1, 1, 1), (1, 40, 3), (33, 1, 5), (6, 3, 1), (0, 3, 4), (3, 0, 4), (0, 0, 2)]
)
@pytest.mark.usefixtures("library")
def test_sizes(n: int, k: int, m: int, dtype: torch.dtype) -> None:
    """Also of nothing: a step that no sequence reaches, weights from no rows."""
    a, b = draw(n, k).to(dtype), draw(k, m).to(dtype)
    assert_product(a, b, None)
    assert_product(a, b, draw(m).to(dtype))


def test_it_leaves_its_arguments_alone() -> None:
    a, b, bias = draw(4, 5), draw(5, 6), draw(6)
    before = [x.clone() for x in (a, b, bias)]
    product(a, b, bias).zero_()
    assert all(torch.equal(x, y) for x, y in zip(before, (a, b, bias), strict=True))


def test_float32_goes_to_onednn_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    original = products._onednn_linear()
    if original is None:
        pytest.skip("PyTorch comes without oneDNN here")

    def linear(*arguments: object) -> Tensor:
        called.append(arguments)
        found: Tensor = original(*arguments)
        return found

    monkeypatch.setattr(products, "_onednn_linear", lambda: linear)
    for dtype in DTYPES:
        product(draw(2, 3).to(dtype), draw(3, 2).to(dtype))
    assert len(called) == 1


def test_a_pytorch_without_the_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    products._onednn_linear.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(torch.ops, "mkldnn", object())
        assert products._onednn_linear() is None
        assert_product(draw(4, 5), draw(5, 6), draw(6))
    products._onednn_linear.cache_clear()
