"""docs/rnn.md and docs/lstm.md: every equation names code that exists, and every figure is true."""

from __future__ import annotations

import contextlib
import inspect
import io
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from yinshi.engine import jacobians, optimizers, sequence
from yinshi.engine.jacobians import (
    LSTMSequence,
    LSTMStep,
    RNNSequence,
    norm_bound,
    relu_lower_bound,
)
from yinshi.errors import ModelFileError
from yinshi.model_file import resolve_model

ROOT = Path(__file__).parents[1]
DOCUMENTS = {"rnn": "1", "lstm": "2"}  # name → first part of its equations' numbers
TEXTS = {name: (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in DOCUMENTS}
ENGINE = sorted((ROOT / "src" / "yinshi" / "engine").glob("*.py"))

CODE = re.compile(r"`(yinshi(?:\.\w+)+)`")
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]\d+)?")

Array = NDArray[Any]


def fences(text: str) -> list[tuple[str, str, str]]:
    """(language, content, the line right below) of each fenced block."""
    pattern = re.compile(r"^```(\w+)\n(.*?)\n```\n(.*)$", re.MULTILINE | re.DOTALL)
    found: list[Any] = []
    while match := pattern.search(text):
        language, content, rest = match.groups()
        found.append((language, content, rest.split("\n", 1)[0]))
        text = rest
    return found


def equations(text: str) -> list[tuple[str, str]]:
    """(number, the line right below) of each numbered equation."""
    return [
        (tag, below)
        for language, content, below in fences(text)
        if language == "math"
        for tag in re.findall(r"\\tag\{(.*?)\}", content)
    ]


def prose(text: str) -> str:
    """`text` without its fenced blocks and its `code`."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S))


def exists(name: str) -> bool:
    """Whether the dotted name is a module, or what a module or a class of one holds."""
    module, *rest = name.split(".")
    found: Any = import_module(module)
    for part in rest:
        module += f".{part}"
        if not hasattr(found, part):
            try:
                import_module(module)
            except ModuleNotFoundError:
                return False
        found = getattr(found, part)
    return True


@pytest.mark.parametrize("name", DOCUMENTS)
def test_equations_are_numbered_one_after_the_other(name: str) -> None:
    numbers = [number for number, _ in equations(TEXTS[name])]
    assert numbers == [f"{DOCUMENTS[name]}.{n}" for n in range(1, len(numbers) + 1)]
    assert len(numbers) >= 30


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_equation_names_the_code_that_computes_it(name: str) -> None:
    for number, below in equations(TEXTS[name]):
        assert below.startswith("代码 / code: "), f"({number}) names no code"
        assert CODE.findall(below), f"({number}) names no code"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_all_code_that_is_named_exists(name: str) -> None:
    missing = {code for code in CODE.findall(TEXTS[name]) if not exists(code)}
    assert not missing


def test_a_name_that_is_nowhere_is_noticed() -> None:
    assert exists("yinshi.engine.jacobians.LSTMStep.dh_do")
    assert not exists("yinshi.engine.jacobians.LSTMStep.dh_dq")
    assert not exists("yinshi.engine.absent.lstm_step")
    assert equations("```math\nx \\tag{1.1}\n```\nnothing\n") == [("1.1", "nothing")]


def test_every_equation_that_is_cited_exists() -> None:
    """In the documents, and in the comments and docstrings of the engine."""
    known = {number for text in TEXTS.values() for number, _ in equations(text)}
    sources = [prose(text) for text in TEXTS.values()]
    sources += [path.read_text(encoding="utf-8") for path in ENGINE]
    cited = {n for source in sources for n in re.findall(r"\(([12]\.[1-9]\d*)\)", source)}
    assert cited - known == set()


def test_jacobians_and_equations_name_each_other() -> None:
    """A docstring that begins with (2.14) belongs to code which equation (2.14) names."""
    named = {number: below for text in TEXTS.values() for number, below in equations(text)}
    found = 0
    for owner in (jacobians, RNNSequence, LSTMStep, LSTMSequence):
        for name, member in inspect.getmembers(owner, inspect.isfunction):
            number = re.match(r"\((\d\.\d+)\)", member.__doc__ or "")
            if number and not name.startswith("_"):
                found += 1
                code = f"`{member.__module__}.{member.__qualname__}`"
                assert code in named[number[1]], f"({number[1]}) does not name {code}"
    assert found >= 30


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_maths_is_such_as_github_renders(name: str) -> None:
    """Markdown comes first there: what it would take for its own must not stand in inline maths."""
    for language, content, _ in fences(TEXTS[name]):
        if language == "math":
            assert not re.search(r"\\(label|eqref|operatorname|newcommand)\b", content)
    for paragraph in prose(TEXTS[name]).split("\n\n"):
        assert faults(paragraph) == [], paragraph


def faults(paragraph: str) -> list[str]:
    found = ["odd number of $"] if paragraph.count("$") % 2 else []
    for match in re.finditer(r"\$([^$]+)\$", paragraph):
        maths, before = match[1], paragraph[: match.start()][-1:]
        after = paragraph[match.end() :][:1]
        if re.search(r"(?<![A-Za-z0-9])_", maths):
            found.append(f"_ may begin emphasis: {maths}")
        if re.search(r"\\[^A-Za-z ]|[*<\n]", maths):
            found.append(f"Markdown would take a character: {maths}")
        if not re.fullmatch(r"[\s(\"|]?", before) or not re.fullmatch(r"[\s.,;:)|\-*]?", after):
            found.append(f"no space around: {before}${maths}${after}")
    return found


@pytest.mark.parametrize(
    "wrong", ["$a", "设 $x$为", r"$\{a\}$", r"$[d]_i h_{k}$", "$a * b$", "$a <b$", "于是，$a$ "]
)
def test_maths_that_github_would_spoil_is_noticed(wrong: str) -> None:
    assert faults(wrong)


def snippets() -> list[Any]:
    found: list[Any] = []
    for name, text in TEXTS.items():
        blocks = fences(text)
        for k, (language, code, _) in enumerate(blocks):
            if language == "python":
                assert blocks[k + 1][0] == "text"
                found.append(pytest.param(code, blocks[k + 1][1], id=f"{name}-{len(found)}"))
    return found


@pytest.mark.parametrize(("code", "stated"), snippets())
def test_the_snippets_print_what_is_stated(code: str, stated: str) -> None:
    if "resolve_model" in code:
        try:
            resolve_model(None)
        except ModelFileError:
            pytest.skip("needs the shipped model")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {})
    words, stated_words = (NUMBER.sub("#", t).split() for t in (printed.getvalue(), stated))
    assert words == stated_words, printed.getvalue()
    figures, stated_figures = (
        [float(n) for n in NUMBER.findall(t)] for t in (printed.getvalue(), stated)
    )
    assert figures == pytest.approx(stated_figures, rel=0.02), printed.getvalue()


def test_the_table_of_forget_biases() -> None:
    rows = re.findall(r"^\| (\d) \| (.*) \|$", TEXTS["lstm"], re.MULTILINE)
    assert len(rows) == 3
    for bias, cells in rows:
        f = 1 / (1 + np.exp(-float(bias)))
        true = [f, -1 / np.log(f), f**10, f**48, 1 / (1 - f**2)]
        assert [float(cell) for cell in cells.split(" | ")] == pytest.approx(true, rel=0.02)


# ---- docs/rnn.md ---------------------------------------------------------------------------------

PHI: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda h: h * (1 - h)),
    "tanh": (np.tanh, lambda h: 1 - h**2),
    "relu": (lambda z: np.maximum(z, 0), lambda h: (h > 0).astype(float)),
}


def central_differences(objective: Callable[[], float], array: Array) -> Array:
    """∂objective/∂array, entry by entry."""
    derivative, epsilon = np.empty_like(array), 1e-5
    for index in np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + epsilon
        above = objective()
        array[index] = kept - epsilon
        derivative[index] = (above - objective()) / (2 * epsilon)
        array[index] = kept
    return derivative


@pytest.mark.parametrize("activation", PHI)
def test_the_update_written_out_for_three_steps(activation: str) -> None:
    """(1.7) to (1.12) as they stand, beside central differences, `jacobians` and `sequence`."""
    rng = np.random.default_rng(0)
    H, I, N = 4, 3, 5  # noqa: E741
    U, W, b = rng.normal(size=(H, I)), rng.normal(size=(H, H)), rng.normal(size=H)
    V, c = rng.normal(size=(N, H)), rng.normal(size=N)
    x, h0, targets = rng.normal(size=(3, I)), rng.normal(size=H), np.array([1, 4, 0])
    phi, dphi = PHI[activation]

    def run() -> tuple[list[Array], list[Array], float]:
        h, p, nats = [h0], [], 0.0
        for x_t, target in zip(x, targets, strict=True):
            h.append(phi(U @ x_t + W @ h[-1] + b))
            exponentials = np.exp(V @ h[-1] + c)
            p.append(exponentials / exponentials.sum())
            nats -= np.log(p[-1][target])
        return h, p, nats

    h, p, _ = run()
    y1, y2, y3 = np.eye(N)[targets]
    p1, p2, p3 = p
    D1, D2, D3 = (np.diag(dphi(h_t)) for h_t in h[1:])
    a11 = D1 @ V.T @ (p1 - y1)
    a22, a21 = D2 @ V.T @ (p2 - y2), D1 @ W.T @ D2 @ V.T @ (p2 - y2)
    a33, a32 = D3 @ V.T @ (p3 - y3), D2 @ W.T @ D3 @ V.T @ (p3 - y3)
    a31 = D1 @ W.T @ D2 @ W.T @ D3 @ V.T @ (p3 - y3)
    terms = [(a11, 1), (a22, 2), (a21, 1), (a33, 3), (a32, 2), (a31, 1)]  # (vector, k)

    gradients = {
        "U": sum(np.outer(a, x[k - 1]) for a, k in terms),
        "W": sum(np.outer(a, h[k - 1]) for a, k in terms),
        "b": sum(a for a, _ in terms),
        "V": np.outer(p1 - y1, h[1]) + np.outer(p2 - y2, h[2]) + np.outer(p3 - y3, h[3]),
        "c": (p1 - y1) + (p2 - y2) + (p3 - y3),
    }
    parameters = {"U": U, "W": W, "b": b, "V": V, "c": c}
    rnn = RNNSequence.forward(parameters, x, targets, h0, activation)
    for name, array in parameters.items():
        numeric = central_differences(lambda: run()[2], array)
        np.testing.assert_allclose(gradients[name], numeric, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(getattr(rnn, f"dL_d{name}")(), gradients[name], atol=1e-12)

    layer = {"weight_ih": U, "weight_hh": W, "bias_ih": b, "bias_hh": np.zeros(H)}
    trace = sequence.forward(f"rnn-{activation}", [layer], x[:, None], (h0[None, None],))
    doutputs = np.stack([V.T @ (p1 - y1), V.T @ (p2 - y2), V.T @ (p3 - y3)])[:, None]
    swept = sequence.backward(trace, doutputs).layers[0]
    names = {"weight_ih": "U", "weight_hh": "W", "bias_ih": "b", "bias_hh": "b"}
    for ours, name in names.items():
        np.testing.assert_allclose(swept[ours], gradients[name], atol=1e-12)

    before = {name: array.copy() for name, array in parameters.items()}
    optimizers.SGD(parameters).step({n: np.asarray(g) for n, g in gradients.items()}, 0.1)
    for name, array in parameters.items():
        np.testing.assert_allclose(array, before[name] - 0.1 * gradients[name], atol=1e-15)


def rnn_without_input(
    W: Array, h0: Array, steps: int, activation: str, b: Array | None = None
) -> RNNSequence:
    H = len(h0)
    bias = np.zeros(H) if b is None else b
    parameters = {"U": np.zeros((H, 1)), "W": W, "b": bias, "V": np.zeros((2, H)), "c": np.zeros(2)}
    return RNNSequence.forward(
        parameters, np.zeros((steps, 1)), np.zeros(steps, int), h0, activation
    )


@pytest.mark.parametrize(("scale", "stated"), [(1.1, 117), (0.9, 0.0052), (1.0, 1.0)])
def test_relu_under_a_scaled_permutation_grows_exactly(scale: float, stated: float) -> None:
    W = scale * np.eye(6)[np.random.default_rng(0).permutation(6)]
    norm = np.linalg.norm(rnn_without_input(W, np.ones(6), 50, "relu").dh_dh(50, 0), 2)
    assert norm == pytest.approx(scale**50)
    assert norm == pytest.approx(stated, rel=0.01)
    assert norm == pytest.approx(norm_bound("relu", W, 50)) == relu_lower_bound(W, 50)


def test_relu_can_explode_though_the_spectral_radius_is_below_one() -> None:
    W, b = np.array([[1.1, -1.0], [1.0, -0.5]]), np.array([0.0, -1000.0])
    assert np.abs(np.linalg.eigvals(W)) == pytest.approx(0.671, abs=1e-3)
    jacobian = rnn_without_input(W, np.array([1.0, 0.0]), 50, "relu", b).dh_dh(50, 0)
    np.testing.assert_allclose(jacobian, 1.1**49 * np.array([[1.1, -1.0], [0.0, 0.0]]))


def test_tanh_can_vanish_though_the_largest_singular_value_is_two() -> None:
    rnn = rnn_without_input(np.array([[2.0]]), np.array([0.1]), 100, "tanh")
    assert rnn.h[-1, 0] == pytest.approx(0.9575, abs=1e-4)
    assert rnn.dh_dh_prev(100)[0, 0] == pytest.approx(0.166, abs=1e-3)


# ---- docs/lstm.md --------------------------------------------------------------------------------


def lstm_layer(rng: np.random.Generator, H: int, inputs: int) -> dict[str, Array]:
    shapes: dict[str, tuple[int, ...]] = {"weight_ih": (4 * H, inputs), "weight_hh": (4 * H, H)}
    shapes |= {"bias_ih": (4 * H,), "bias_hh": (4 * H,)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def test_what_the_homework_drops_at_distance_two() -> None:
    """(2.34)."""
    rng = np.random.default_rng(0)
    x, h0, c0 = rng.normal(size=(2, 3)), rng.normal(size=4), rng.normal(size=4)
    run = LSTMSequence.forward(lstm_layer(rng, 4, 3), x, h0, c0)
    dropped = run.dh_dh(2, 0) - run.dh_dh_without_cell_path(2, 0)
    second, first = run.steps[1], run.steps[0]
    np.testing.assert_allclose(dropped, second.dh_dc_prev() @ first.dc_dh_prev(), atol=1e-14)
    assert np.abs(dropped).max() > 0.01


def permuted(array: Array, P: Array) -> Array:
    """What a renumbering of the hidden units does to a weight of the layer."""
    blocks = np.split(array, 4)
    square = array.ndim == 2 and array.shape[1] == len(P)
    return np.concatenate([P @ block @ P.T if square else P @ block for block in blocks])


def test_renumbered_units_have_renumbered_gradients() -> None:
    """(2.36), for a random permutation of random weights."""
    rng = np.random.default_rng(0)
    T, B, H = 4, 2, 5
    layer, P = lstm_layer(rng, H, 3), np.eye(H)[rng.permutation(H)]
    x, doutputs = rng.normal(size=(T, B, 3)), rng.normal(size=(T, B, H))
    plain = sequence.forward("lstm", [layer], x)
    renumbered = sequence.forward("lstm", [{n: permuted(w, P) for n, w in layer.items()}], x)
    np.testing.assert_allclose(renumbered.outputs, plain.outputs @ P.T, atol=1e-14)
    expected = sequence.backward(plain, doutputs).layers[0]
    found = sequence.backward(renumbered, doutputs @ P.T).layers[0]
    for name in layer:
        np.testing.assert_allclose(found[name], permuted(expected[name], P), atol=1e-12)


@pytest.mark.parametrize("break_symmetry", [False, True])
def test_constant_weights_stay_symmetric(break_symmetry: bool) -> None:
    """Ten updates by Adam leave all units equal, unless the output layer tells them apart."""
    rng = np.random.default_rng(0)
    T, B, H = 6, 3, 5
    layer = {name: np.full_like(w, 0.2) for name, w in lstm_layer(rng, H, 4).items()}
    V = rng.normal(size=(7, H)) if break_symmetry else np.full((7, H), 0.2)
    adam, x = optimizers.Adam(layer), rng.normal(size=(T, B, 4))
    for _ in range(10):
        dlogits = rng.normal(size=(T, B, 7))
        trace = sequence.forward("lstm", [layer], x)
        adam.step(sequence.backward(trace, dlogits @ V).layers[0], 0.01)
    spread = np.ptp(trace.outputs, axis=2).max()
    assert (spread > 1e-3) == break_symmetry
    assert break_symmetry or spread < 1e-12


def test_an_lstm_of_zeros_moves_only_its_candidate() -> None:
    """h = 0 whatever is read; under a random output layer, only W_gx and b_g have a gradient."""
    rng = np.random.default_rng(0)
    T, B, H = 4, 2, 5
    layer = {name: np.zeros_like(w) for name, w in lstm_layer(rng, H, 3).items()}
    trace = sequence.forward("lstm", [layer], rng.normal(size=(T, B, 3)))
    assert not trace.outputs.any()
    dead = sequence.backward(trace, np.zeros((T, B, H))).layers[0]
    assert not any(gradient.any() for gradient in dead.values())
    found = sequence.backward(trace, rng.normal(size=(T, B, H))).layers[0]
    moved = np.repeat([False, False, True, False], H)
    assert not found["weight_hh"].any()
    for name in ("weight_ih", "bias_ih", "bias_hh"):
        assert (found[name].reshape(4 * H, -1).any(axis=1) == moved).all()
