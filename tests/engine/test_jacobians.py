"""Each derivative of the derivations against three others: differences, complex steps, autograd.

Every case says what is differentiated by what as a forward computation of its own, in terms of a
module `xp` that is NumPy (real or complex) or PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from yinshi.engine import sequence
from yinshi.engine.jacobians import (
    LSTMSequence,
    LSTMStep,
    RNNSequence,
    cell_path_error,
    fused,
    norm_bound,
    products,
    relu_lower_bound,
    slope_bound,
)

torch = pytest.importorskip("torch")

Array = NDArray[Any]
H, I, O, T = 4, 3, 5, 4  # noqa: E741
ACTIVATIONS = ("sigmoid", "tanh", "relu")


@dataclass(frozen=True)
class Case:
    """The derivative of `function` by the variable called `by`, everything else held fixed."""

    name: str
    by: str
    function: Callable[[Any, Any], Any]
    derivative: Array  # shape of the output + shape of the variable
    values: dict[str, Array]

    def at(self, value: Array) -> Array:
        result: Array = np.asarray(
            self.function(np, SimpleNamespace(**{**self.values, self.by: value}))
        )
        return result

    def differences(self) -> Array:
        """Central differences, those of ε and ε/2 extrapolated: the error is of the order ε⁴."""

        def central(step: Array) -> Array:
            above, below = self.at(value + step), self.at(value - step)
            return (above - below) / (2 * np.abs(step).max())

        value, epsilon = self.values[self.by], 2e-3
        return self._by_entry(
            lambda unit: (4 * central(unit * epsilon / 2) - central(unit * epsilon)) / 3
        )

    def complex_step(self) -> Array:
        """Im f(x + iε)/ε, which subtracts nothing: exact to rounding for ε = 1e-30."""
        value = self.values[self.by]
        return self._by_entry(lambda unit: self.at(value + 1e-30j * unit).imag / 1e-30)

    def autograd(self) -> Array:
        def function(variable: Any) -> Any:
            others = {
                name: torch.asarray(value) for name, value in self.values.items() if name != self.by
            }
            return self.function(torch, SimpleNamespace(**others, **{self.by: variable}))

        value = torch.asarray(self.values[self.by])
        jacobian: Array = torch.autograd.functional.jacobian(function, value).numpy()
        return jacobian

    def _by_entry(self, derivative: Callable[[Array], Array]) -> Array:
        shape = self.values[self.by].shape
        units = np.eye(int(np.prod(shape))).reshape(-1, *shape)
        columns = np.stack([derivative(unit) for unit in units], axis=-1)
        return columns.reshape(*columns.shape[:-1], *shape)


METHODS = (Case.differences, Case.complex_step, Case.autograd)


def sigmoid(xp: Any, z: Any) -> Any:
    return 1 / (1 + xp.exp(-z))


def phi(xp: Any, activation: str, z: Any) -> Any:
    if activation == "relu":
        return xp.where(z.real > 0, z, 0 * z)
    return xp.tanh(z) if activation == "tanh" else sigmoid(xp, z)


# ---- the simple recurrent network ----------------------------------------------------------------


def rnn_values(activation: str) -> dict[str, Array]:
    """Parameters, inputs, classes; no pre-activation is within 0.01 of ReLU's kink."""
    rng = np.random.default_rng({"sigmoid": 0, "tanh": 1, "relu": 2}[activation])
    while True:
        values = {
            "U": rng.normal(size=(H, I)),
            "W": rng.normal(size=(H, H)) * 0.6,
            "b": rng.normal(size=H),
            "V": rng.normal(size=(O, H)),
            "c": rng.normal(size=O),
            "x": rng.normal(size=(T, I)),
            "h_0": rng.normal(size=H),
        }
        run = rnn(activation, values)
        z = values["x"] @ values["U"].T + run.h[:-1] @ values["W"].T + values["b"]
        if np.abs(z).min() > 0.01:
            return values


def rnn(activation: str, values: dict[str, Array]) -> RNNSequence:
    return RNNSequence.forward(values, values["x"], CLASSES, values["h_0"], activation)


CLASSES = np.array([4, 0, 2, 2])


def rnn_cases(activation: str) -> list[Case]:
    values = rnn_values(activation)
    run = rnn(activation, values)

    def state(xp: Any, v: Any, t: int, k: int, h: Any) -> Any:
        """h_t from h_k = h."""
        for j in range(k, t):
            h = phi(xp, activation, v.U @ v.x[j] + v.W @ h + v.b)
        return h

    def loss(xp: Any, v: Any, t: int, k: int, h: Any) -> Any:
        """L_t from h_k = h."""
        o = v.V @ state(xp, v, t, k, h) + v.c
        return nats(xp, o, t)

    def nats(xp: Any, o: Any, t: int) -> Any:
        return xp.log(xp.exp(o).sum()) - o[CLASSES[t - 1]]

    def total(xp: Any, v: Any) -> Any:
        return sum(loss(xp, v, t, 0, v.h_0) for t in range(1, T + 1))

    def z_from_z(xp: Any, v: Any, t: int, k: int) -> Any:
        """z_t from z_k = v.z."""
        if t == k:
            return v.z
        return v.U @ v.x[t - 1] + v.W @ state(xp, v, t - 1, k, phi(xp, activation, v.z)) + v.b

    def z(xp: Any, v: Any, t: int) -> Any:
        return v.U @ v.x[t - 1] + v.W @ state(xp, v, t - 1, 0, v.h_0) + v.b

    def case(
        name: str, by: str, function: Callable[[Any, Any], Any], derivative: Array, **fixed: Array
    ) -> Case:
        return Case(name, by, function, derivative, values | fixed)

    def entries(derivative: Callable[[int, int], Array], columns: int) -> Array:
        """derivative(i, j) (H,) of every entry of a matrix → (H, H, columns)."""
        return np.stack(
            [np.stack([derivative(i, j) for j in range(columns)], -1) for i in range(H)], 1
        )

    pre = values["x"] @ values["U"].T + run.h[:-1] @ values["W"].T + values["b"]
    cases = [
        case("dL_do", "o", lambda xp, v: nats(xp, v.o, 2), run.dL_do(2), o=run.o[2]),
        case("dh_dz", "z", lambda xp, v: phi(xp, activation, v.z), run.dh_dz(3), z=pre[2]),
        case(
            "dh_dh_prev",
            "h",
            lambda xp, v: state(xp, v, 3, 2, v.h),
            run.dh_dh_prev(3),
            h=run.h[2],
        ),
        case(
            "dz_du_direct",
            "U",
            lambda xp, v: v.U @ v.x[2] + v.W @ v.h + v.b,
            entries(lambda i, j: run.dz_du_direct(3, i, j), I),
            h=run.h[2],
        ),
        case(
            "dz_dw_direct",
            "W",
            lambda xp, v: v.U @ v.x[2] + v.W @ v.h + v.b,
            entries(lambda i, j: run.dz_dw_direct(3, i, j), H),
            h=run.h[2],
        ),
    ]
    for name, by, columns in (("dz_du", "U", I), ("dz_dw", "W", H)):
        for suffix in ("", "_recursive"):
            method = getattr(run, name + suffix)
            cases += [
                case(
                    name + suffix,
                    by,
                    lambda xp, v, t=t: z(xp, v, t),
                    entries(lambda i, j, t=t, m=method: m(t, i, j), columns),
                )
                for t in (1, 2, T)
            ]
    for t, k in ((1, 1), (T, T), (T, T - 1), (T, 1)):
        z_k, h_k = pre[k - 1], run.h[k]
        cases += [
            case(
                "dh_dh",
                "h",
                lambda xp, v, t=t, k=k: state(xp, v, t, k, v.h),
                run.dh_dh(t, k),
                h=h_k,
            ),
            case(
                "dz_dz", "z", lambda xp, v, t=t, k=k: z_from_z(xp, v, t, k), run.dz_dz(t, k), z=z_k
            ),
            case(
                "delta",
                "z",
                lambda xp, v, t=t, k=k: loss(xp, v, t, k, phi(xp, activation, v.z)),
                run.delta(t, k),
                z=z_k,
            ),
        ]
    for by in "UWbVc":
        method = getattr(run, f"dL_d{by}")
        cases.append(case(f"dL_d{by}", by, total, method()))
        cases += [
            case(f"dL_d{by}", by, lambda xp, v, t=t: loss(xp, v, t, 0, v.h_0), method(t))
            for t in (1, 3)
        ]
    return cases


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_rnn(activation: str, method: Callable[[Case], Array]) -> None:
    for case in rnn_cases(activation):
        np.testing.assert_allclose(
            case.derivative, method(case), rtol=0, atol=1e-9, err_msg=f"{case.name} by {case.by}"
        )


def test_no_rnn_derivative_escapes() -> None:
    tested = {case.name for case in rnn_cases("tanh")}
    assert tested == {name for name in vars(RNNSequence) if name.startswith(("d", "dL_"))}


def test_loss_is_the_cross_entropy() -> None:
    run = rnn("tanh", rnn_values("tanh"))
    for t in range(1, T + 1):
        expected = torch.nn.functional.cross_entropy(
            torch.asarray(run.o[t]), torch.asarray(CLASSES[t - 1])
        )
        assert float(run.loss(t)) == pytest.approx(float(expected), abs=1e-12)


def test_three_steps_written_out() -> None:
    """∂L_3/∂W and ∂L_3/∂U term by term, for one unit, one input, one class beside another."""
    u, w, v, x, h_0 = 0.5, -2.0, 1.5, (1.0, 3.0, -1.0), 0.3
    h = [h_0]
    for x_t in x:
        h.append(np.tanh(u * x_t + w * h[-1]))
    parameters = {
        "U": np.array([[u]]),
        "W": np.array([[w]]),
        "b": np.zeros(1),
        "V": np.array([[v], [0.0]]),
        "c": np.zeros(2),
    }
    run = RNNSequence.forward(
        parameters, np.array(x)[:, None], np.array([0, 0, 0]), np.array([h_0])
    )
    d1, d2, d3 = (1 - h_t**2 for h_t in h[1:])
    error = v * (np.exp(v * h[3]) / (np.exp(v * h[3]) + 1) - 1)  # Vᵀ(softmax(o_3) − y_3)
    dW = error * (d3 * h[2] + d3 * w * d2 * h[1] + d3 * w * d2 * w * d1 * h[0])
    dU = error * (d3 * x[2] + d3 * w * d2 * x[1] + d3 * w * d2 * w * d1 * x[0])
    np.testing.assert_allclose(run.dL_dW(3), [[dW]], rtol=1e-14)
    np.testing.assert_allclose(run.dL_dU(3), [[dU]], rtol=1e-14)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_double_sum_equals_the_engines_one_pass(activation: str) -> None:
    """Σ_t Σ_{k≤t} δ_{t,k} h_{k-1}ᵀ is what BPTT finds going back once."""
    values = rnn_values(activation)
    run = rnn(activation, values)
    layer = {
        "weight_ih": values["U"],
        "weight_hh": values["W"],
        "bias_ih": values["b"],
        "bias_hh": np.zeros(H),
    }
    state = (values["h_0"][None, None],)
    trace = sequence.forward(f"rnn-{activation}", [layer], values["x"][:, None], state)
    dh = np.stack([values["V"].T @ run.dL_do(t) for t in range(1, T + 1)])
    (found,) = sequence.backward(trace, dh[:, None]).layers
    np.testing.assert_allclose(run.dL_dU(), found["weight_ih"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(run.dL_dW(), found["weight_hh"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(run.dL_db(), found["bias_ih"], rtol=0, atol=1e-12)


# ---- bounds --------------------------------------------------------------------------------------


def free_running(activation: str, W: Array, h_0: Array, steps: int, b: Array) -> RNNSequence:
    size = len(W)
    parameters = {"U": np.zeros((size, 1)), "W": W, "b": b, "V": np.eye(size), "c": np.zeros(size)}
    zeros = np.zeros(steps, dtype=int)
    return RNNSequence.forward(parameters, np.zeros((steps, 1)), zeros, h_0, activation)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_norm_is_within_its_bound(activation: str) -> None:
    rng = np.random.default_rng(5)
    for scale in (0.2, 1.0, 3.0):
        W = rng.normal(size=(H, H)) * scale
        run = free_running(activation, W, rng.normal(size=H), 6, rng.normal(size=H))
        for t, k in ((6, 6), (6, 5), (6, 2), (4, 0)):
            norm = np.linalg.norm(run.dh_dh(t, k), 2)
            assert norm <= norm_bound(activation, W, t - k) * (1 + 1e-12)


@pytest.mark.parametrize(("activation", "slope"), [("sigmoid", 0.25), ("tanh", 1), ("relu", 1)])
def test_bound_is_reached_where_the_slope_is_greatest(activation: str, slope: float) -> None:
    """z = 0 at every step (above 0 for ReLU), W a multiple of an orthogonal matrix."""
    W = 3 * np.linalg.qr(np.random.default_rng(0).normal(size=(H, H)))[0]
    h_0 = np.zeros(H) if activation == "tanh" else np.full(H, 0.5)
    b = -W @ h_0 + (0.5 if activation == "relu" else 0.0)
    run = free_running(activation, W, h_0, 5, b)
    assert slope_bound(activation) == slope
    assert norm_bound(activation, W, 5) == pytest.approx((3 * slope) ** 5)
    assert np.linalg.norm(run.dh_dh(5, 0), 2) == pytest.approx((3 * slope) ** 5)


def test_active_relu_network_explodes_with_the_spectral_radius() -> None:
    W = np.array([[1.1, 0.5], [0.0, 1.2]])
    run = free_running("relu", W, np.ones(2), 20, np.zeros(2))
    norm = np.linalg.norm(run.dh_dh(20, 0), 2)
    assert relu_lower_bound(W, 20) == pytest.approx(1.2**20)
    assert relu_lower_bound(W, 20) <= norm <= norm_bound("relu", W, 20)
    np.testing.assert_allclose(run.dh_dh(20, 0), np.linalg.matrix_power(W, 20), rtol=1e-12)


# ---- the LSTM ------------------------------------------------------------------------------------


def lstm_weights(seed: int = 3) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    shapes = {"weight_ih": (4 * H, I), "weight_hh": (4 * H, H)}
    shapes |= {"bias_ih": (4 * H,), "bias_hh": (4 * H,)}
    return {name: rng.normal(size=shape) * 0.7 for name, shape in shapes.items()}


def lstm_data() -> tuple[Array, Array, Array]:
    """x (T, I), h_0 and c_0 (H,)."""
    rng = np.random.default_rng(4)
    return rng.normal(size=(T, I)), rng.normal(size=H), rng.normal(size=H)


def h_of_cell(xp: Any, v: Any) -> Any:
    return v.o * xp.tanh(v.c)


def h_of_gates(xp: Any, v: Any) -> Any:
    return v.o * xp.tanh(v.f * v.c_prev + v.i * v.g)


def state_of_all(xp: Any, v: Any) -> tuple[Any, Any]:
    both = xp.concatenate([v.h_prev, v.x])
    i, f, o = (
        sigmoid(xp, getattr(v, f"W_{gate}") @ both + getattr(v, f"b_{gate}")) for gate in "ifo"
    )
    c = f * v.c_prev + i * xp.tanh(v.W_g @ both + v.b_g)
    return o * xp.tanh(c), c


def lstm_cases() -> list[Case]:
    weights, (x, h_0, c_0) = lstm_weights(), lstm_data()
    W, b = fused(weights)
    step = LSTMStep.forward(W, b, x[0], h_0, c_0)
    values = {"x": x[0], "h_prev": h_0, "c_prev": c_0, "state": np.concatenate([h_0, c_0])}
    values |= {"v": np.concatenate([h_0, x[0]])}
    values |= {name: getattr(step, name) for name in "ifgoc"}
    for k, gate in enumerate("ifgo"):
        values[f"W_{gate}"] = W[k * H : (k + 1) * H]
        values[f"b_{gate}"] = b[k * H : (k + 1) * H]

    def h(xp: Any, v: Any) -> Any:
        return state_of_all(xp, v)[0]

    def c(xp: Any, v: Any) -> Any:
        return state_of_all(xp, v)[1]

    def of_v(part: int) -> Callable[[Any, Any], Any]:
        return lambda xp, v: state_of_all(
            xp, SimpleNamespace(**{**vars(v), "h_prev": v.v[:H], "x": v.v[H:]})
        )[part]

    def of_state(xp: Any, v: Any) -> Any:
        split = {"h_prev": v.state[:H], "c_prev": v.state[H:]}
        return xp.concatenate(state_of_all(xp, SimpleNamespace(**{**vars(v), **split})))

    by_function = [("dh_dc", "c", h_of_cell)]
    by_function += [(f"dh_d{gate}", gate, h_of_gates) for gate in "ifgo"]
    by_function += [("dh_dc_prev", "c_prev", h_of_gates), ("dh_dc_prev", "c_prev", h)]
    by_function += [("dh_dx", "x", h), ("dh_dh_prev", "h_prev", h)]
    by_function += [(f"dh_dW_{gate}", f"W_{gate}", h) for gate in "ifgo"]
    by_function += [(f"dh_db_{gate}", f"b_{gate}", h) for gate in "ifgo"]
    by_function += [("dc_dx", "x", c), ("dc_dh_prev", "h_prev", c), ("dc_dc_prev", "c_prev", c)]
    by_function += [("dh_dv", "v", of_v(0)), ("dc_dv", "v", of_v(1))]
    by_function += [("dstate_dstate_prev", "state", of_state)]
    return [
        Case(name, by, function, getattr(step, name)(), values)
        for name, by, function in by_function
    ]


@pytest.mark.parametrize("method", METHODS)
def test_lstm_step(method: Callable[[Case], Array]) -> None:
    for case in lstm_cases():
        np.testing.assert_allclose(
            case.derivative, method(case), rtol=0, atol=1e-9, err_msg=f"{case.name} by {case.by}"
        )


def test_no_lstm_derivative_escapes() -> None:
    tested = {case.name for case in lstm_cases()}
    assert tested == {name for name in vars(LSTMStep) if name.startswith("d")}


def sequence_cases() -> list[Case]:
    """∂(h_T, C_T)/∂(h_k, C_k), and the gradients of Σ_t dh_t · h_t by BPTT."""
    weights, (x, h_0, c_0) = lstm_weights(), lstm_data()
    run = LSTMSequence.forward(weights, x, h_0, c_0)
    dh = np.random.default_rng(6).normal(size=(T, H))
    deltas = run.deltas(dh)
    values = {
        "x": x,
        "h_0": h_0,
        "c_0": c_0,
        "W": np.concatenate([weights["weight_hh"], weights["weight_ih"]], axis=1),
        "b": weights["bias_ih"] + weights["bias_hh"],
        "dh": dh,
    }

    def states(xp: Any, v: Any, k: int, h: Any, c: Any) -> list[tuple[Any, Any]]:
        """(h_t, C_t) for t = k+1 … T from (h_k, C_k)."""
        found = []
        for x_t in v.x[k:]:
            a = v.W @ xp.concatenate([h, x_t]) + v.b
            i, f, o = (sigmoid(xp, a[n * H : (n + 1) * H]) for n in (0, 1, 3))
            c = f * c + i * xp.tanh(a[2 * H : 3 * H])
            h = o * xp.tanh(c)
            found.append((h, c))
        return found

    def objective(xp: Any, v: Any) -> Any:
        found = states(xp, v, 0, v.h_0, v.c_0)
        return sum((d * h).sum() for d, (h, _) in zip(v.dh, found, strict=True))

    cases = [
        Case("dL_dW", "W", objective, run.dL_dW(deltas), values),
        Case("dL_db", "b", objective, run.dL_db(deltas), values),
        Case("dL_dx", "x", objective, run.dL_dx(deltas), values),
        Case("deltas.h[0]", "h_0", objective, deltas.h[0], values),
        Case("deltas.c[0]", "c_0", objective, deltas.c[0], values),
    ]
    for k in range(T):
        before = run.steps[k - 1] if k else None
        h_k, c_k = (before.h, before.c) if before else (h_0, c_0)
        cases += [
            Case(
                "dstate_dstate",
                "s",
                lambda xp, v, k=k: xp.concatenate(states(xp, v, k, v.s[:H], v.s[H:])[-1]),
                run.dstate_dstate(T, k),
                values | {"s": np.concatenate([h_k, c_k])},
            ),
            Case(
                "dh_dh",
                "h_k",
                lambda xp, v, k=k: states(xp, v, k, v.h_k, v.c_k)[-1][0],
                run.dh_dh(T, k),
                values | {"h_k": h_k, "c_k": c_k},
            ),
        ]
    return cases


@pytest.mark.parametrize("method", METHODS)
def test_lstm_sequence(method: Callable[[Case], Array]) -> None:
    for case in sequence_cases():
        np.testing.assert_allclose(
            case.derivative, method(case), rtol=0, atol=1e-9, err_msg=f"{case.name} by {case.by}"
        )


def test_deltas_are_the_engines() -> None:
    weights, (x, h_0, c_0) = lstm_weights(), lstm_data()
    run = LSTMSequence.forward(weights, x, h_0, c_0)
    dh = np.random.default_rng(7).normal(size=(T, H))
    trace = sequence.forward("lstm", [weights], x[:, None], (h_0[None, None], c_0[None, None]))
    found = sequence.backward(trace, dh[:, None])
    deltas = run.deltas(dh)
    weight = np.concatenate([found.layers[0]["weight_hh"], found.layers[0]["weight_ih"]], axis=1)
    np.testing.assert_allclose(run.dL_dW(deltas), weight, rtol=0, atol=1e-12)
    np.testing.assert_allclose(run.dL_db(deltas), found.layers[0]["bias_hh"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(run.dL_dx(deltas), found.inputs[:, 0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(deltas.h[0], found.state[0][0, 0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(deltas.c[0], found.state[1][0, 0], rtol=0, atol=1e-12)


def test_products_run_back_over_time() -> None:
    weights, (x, h_0, c_0) = lstm_weights(), lstm_data()
    run = LSTMSequence.forward(weights, x, h_0, c_0)
    found = list(products([step.dstate_dstate_prev() for step in run.steps]))
    assert len(found) == T + 1
    for n, product in enumerate(found):
        np.testing.assert_allclose(product, run.dstate_dstate(T, T - n), rtol=0, atol=1e-13)


# ---- the usual homework error --------------------------------------------------------------------


def test_homework_recursion_is_the_product_of_dh_dh_prev() -> None:
    weights, (x, h_0, c_0) = lstm_weights(), lstm_data()
    run = LSTMSequence.forward(weights, x, h_0, c_0)
    dh = np.random.default_rng(8).normal(size=H)
    found = cell_path_error(run, dh)
    for n in range(T + 1):
        k = T - n
        total = dh @ run.dstate_dstate(T, k)[:H, :H]
        np.testing.assert_allclose(found.right[n], total, rtol=0, atol=1e-13)
        wrong = dh @ run.dh_dh_without_cell_path(T, k)
        np.testing.assert_allclose(found.homework[n], wrong, rtol=0, atol=1e-13)


def test_homework_is_right_for_one_step_only() -> None:
    weights, (x, h_0, c_0) = lstm_weights(), lstm_data()
    relative = cell_path_error(LSTMSequence.forward(weights, x, h_0, c_0), np.ones(H)).relative()
    np.testing.assert_allclose(relative[:2], 0, atol=1e-14)
    assert (relative[2:] > 0.05).all()


def test_open_forget_gate_keeps_what_the_homework_loses() -> None:
    """With f ≈ 1 the right derivative barely shrinks with distance; the homework's dies out."""
    weights = lstm_weights() | {"bias_hh": np.repeat([0.0, 6.0, 0.0, 0.0], H)}
    rng = np.random.default_rng(9)
    weights = {name: value if "bias" in name else value * 0.4 for name, value in weights.items()}
    x = rng.normal(size=(30, I))
    found = cell_path_error(LSTMSequence.forward(weights, x, np.zeros(H), np.zeros(H)), np.ones(H))
    right, homework = (np.linalg.norm(a, axis=1) for a in (found.right, found.homework))
    assert right[30] > 0.01 * right[1]
    assert homework[30] < 1e-9 * right[30]
    assert found.relative()[30] == pytest.approx(1, abs=1e-6)
