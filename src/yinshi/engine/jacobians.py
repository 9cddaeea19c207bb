# ruff: noqa: N802  (capitals are the symbols of the derivation)
"""Every partial derivative of docs/rnn.md (1.x) and docs/lstm.md (2.x), as a function.

For one sequence, to be read and checked, not to be fast: the engine's backward is `sequence.py`.
Vectors are (H,), a Jacobian ∂a/∂b is a matrix with a row for each of a and a column for each of b,
times are those of the paper, t = 1 … T with the initial state at 0. Everything also works in
complex128, for complex-step differentiation.

    RNNSequence       dL_do, dh_dz, dh_dh_prev, dh_dh, dz_dz, delta; the direct partials
                      dz_du_direct, dz_dw_direct and what they add up to, dz_du, dz_dw, the same
                      recursively; dL_dU, dL_dW, dL_db, dL_dV, dL_dc
    bounds            slope_bound, norm_bound, relu_lower_bound of ∂h_t/∂h_k
    LSTMStep          dh_d· by o, c, i, f, g, c_prev, x, h_prev and the gates' W_·, b_·; dc_d·;
                      dstate_dstate_prev
    LSTMSequence      dstate_dstate, dh_dh; BPTT as deltas, and from them dL_dW, dL_db, dL_dx
    cell_path_error   what BPTT loses without the path through the cell
    products          ∂s_T/∂s_k for every k, from the Jacobians of single steps
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from yinshi.engine.cells import Array, sigmoid

SLOPE_BOUNDS = {"sigmoid": 0.25, "tanh": 1.0, "relu": 1.0}


def products(steps: Sequence[Array]) -> Iterator[Array]:
    """∂s_T/∂s_k for k = T, T−1, …, 0, where steps[t−1] = ∂s_t/∂s_{t-1}: the chain rule."""
    product = np.eye(len(steps[-1]))
    yield product
    for step in reversed(steps):
        product = product @ step
        yield product


def _product(steps: Sequence[Array], size: int) -> Array:
    """steps[-1] ⋯ steps[1] steps[0]; of none, the identity."""
    product = np.eye(size)
    for step in steps:
        product = step @ product
    return product


def _sum(terms: Iterable[Array]) -> Array:
    total: Array = np.sum(list(terms), axis=0)
    return total


# ---- the simple recurrent network ----------------------------------------------------------------


def phi(activation: str, z: Array) -> Array:
    """φ(z) for "sigmoid", "tanh" or "relu"; ReLU of a complex z looks at its real part."""
    if activation == "sigmoid":
        return sigmoid(z)
    result: Array = np.tanh(z) if activation == "tanh" else np.where(z.real > 0, z, 0)
    return result


def dphi(activation: str, h: Array) -> Array:
    """φ′(z) from h = φ(z): h(1−h), 1−h², [h > 0]; at its kink ReLU's is taken to be 0."""
    slopes: Array = (h.real > 0).astype(h.dtype)
    if activation == "sigmoid":
        slopes = h * (1 - h)
    elif activation == "tanh":
        slopes = 1 - h**2
    return slopes


@dataclass(frozen=True)
class RNNSequence:
    """z_t = U x_t + W h_{t-1} + b, h_t = φ(z_t), o_t = V h_t + c, L_t = −log softmax(o_t)[y_t].

    U (H, I), W (H, H), b (H,), V (O, H), c (O,). Row t of `x` (T+1, I), `y` (T+1,) and `h`
    (T+1, H) belongs to time t; x[0] and y[0] are never read, h[0] is the initial state.
    """

    U: Array
    W: Array
    V: Array
    x: Array
    y: Array
    h: Array
    o: Array
    activation: str

    @classmethod
    def forward(
        cls,
        parameters: Mapping[str, Array],
        x: Array,
        y: Array,
        h_0: Array,
        activation: str = "tanh",
    ) -> RNNSequence:
        """Run over x (T, I), y (T,) from h_0 (H,); `parameters` are U, W, b, V, c by name."""
        U, W, b, V, c = (parameters[name] for name in "UWbVc")
        h = [h_0]
        for x_t in x:
            h.append(phi(activation, U @ x_t + W @ h[-1] + b))
        states = np.stack(h)
        x, y = np.concatenate([x[:1], x]), np.concatenate([y[:1], y])
        return cls(U, W, V, x, y, states, states @ V.T + c, activation)

    @property
    def T(self) -> int:
        return len(self.x) - 1

    def loss(self, t: int) -> Array:
        """L_t = log Σ_j exp o_{t,j} − o_{t,y_t}, in nats."""
        top = self.o[t].real.max()
        nats: Array = np.log(np.exp(self.o[t] - top).sum()) + top - self.o[t, self.y[t]]
        return nats

    def dL_do(self, t: int) -> Array:
        """(1.6) ∂L_t/∂o_t = softmax(o_t) − y_t, where y_t is one-hot; (O,)."""
        exponentials = np.exp(self.o[t] - self.o[t].real.max())
        softmax: Array = exponentials / exponentials.sum()
        softmax[self.y[t]] -= 1
        return softmax

    def dh_dz(self, t: int) -> Array:
        """(1.5) ∂h_t/∂z_t = diag(φ′(z_t)); (H, H)."""
        return np.diag(dphi(self.activation, self.h[t]))

    def dh_dh_prev(self, t: int) -> Array:
        """∂h_t/∂h_{t-1} = diag(φ′(z_t)) W; (H, H)."""
        jacobian: Array = self.dh_dz(t) @ self.W
        return jacobian

    def dh_dh(self, t: int, k: int) -> Array:
        """(1.25) ∂h_t/∂h_k = ∏_{j=k+1}^t diag(φ′(z_j)) W, the latest on the left; (H, H)."""
        return _product([self.dh_dh_prev(j) for j in range(k + 1, t + 1)], len(self.W))

    def dz_dz(self, t: int, k: int) -> Array:
        """(1.19) ∂z_t/∂z_k = ∏_{j=k}^{t-1} W diag(φ′(z_j)), the latest on the left; (H, H)."""
        return _product([self.W @ self.dh_dz(j) for j in range(k, t)], len(self.W))

    def delta(self, t: int, k: int) -> Array:
        """(1.13) δ_{t,k} = ∂L_t/∂z_k for k ≤ t; (H,).

        δ_{t,t} = diag(φ′(z_t)) Vᵀ ∂L_t/∂o_t,  δ_{t,k} = diag(φ′(z_k)) Wᵀ δ_{t,k+1}
        """
        dh = self.V.T @ self.dL_do(t) if k == t else self.W.T @ self.delta(t, k + 1)
        delta: Array = self.dh_dz(k) @ dh
        return delta

    def dz_du_direct(self, k: int, i: int, j: int) -> Array:
        """(1.17) ∂⁺z_k/∂u_ij = x_{k,j} e_i: h_{k-1} is held fixed; (H,)."""
        direct: Array = np.eye(len(self.U))[i] * self.x[k, j]
        return direct

    def dz_dw_direct(self, k: int, i: int, j: int) -> Array:
        """(1.17) ∂⁺z_k/∂w_ij = h_{k-1,j} e_i: h_{k-1} is held fixed; (H,)."""
        direct: Array = np.eye(len(self.W))[i] * self.h[k - 1, j]
        return direct

    def dz_du(self, t: int, i: int, j: int) -> Array:
        """(1.19) ∂z_t/∂u_ij = Σ_{k≤t} ∂z_t/∂z_k ∂⁺z_k/∂u_ij; (H,)."""
        return _sum(self.dz_dz(t, k) @ self.dz_du_direct(k, i, j) for k in range(1, t + 1))

    def dz_dw(self, t: int, i: int, j: int) -> Array:
        """(1.19) ∂z_t/∂w_ij = Σ_{k≤t} ∂z_t/∂z_k ∂⁺z_k/∂w_ij; (H,)."""
        return _sum(self.dz_dz(t, k) @ self.dz_dw_direct(k, i, j) for k in range(1, t + 1))

    def dz_du_recursive(self, t: int, i: int, j: int) -> Array:
        """(1.18) ∂z_t/∂u_ij = ∂⁺z_t/∂u_ij + W diag(φ′(z_{t-1})) ∂z_{t-1}/∂u_ij; (H,)."""
        if t == 0:
            return np.zeros(len(self.W))
        earlier: Array = self.W @ self.dh_dz(t - 1) @ self.dz_du_recursive(t - 1, i, j)
        return np.add(self.dz_du_direct(t, i, j), earlier)

    def dz_dw_recursive(self, t: int, i: int, j: int) -> Array:
        """(1.18) ∂z_t/∂w_ij = ∂⁺z_t/∂w_ij + W diag(φ′(z_{t-1})) ∂z_{t-1}/∂w_ij; (H,)."""
        if t == 0:
            return np.zeros(len(self.W))
        earlier: Array = self.W @ self.dh_dz(t - 1) @ self.dz_dw_recursive(t - 1, i, j)
        return np.add(self.dz_dw_direct(t, i, j), earlier)

    def dL_dU(self, t: int | None = None) -> Array:
        """(1.15) ∂L/∂U = Σ_t Σ_{k≤t} δ_{t,k} x_kᵀ, or of L_t alone; (H, I)."""
        return _sum(np.outer(self.delta(s, k), self.x[k]) for s, k in self._pairs(t))

    def dL_dW(self, t: int | None = None) -> Array:
        """(1.14) ∂L/∂W = Σ_t Σ_{k≤t} δ_{t,k} h_{k-1}ᵀ, or of L_t alone; (H, H)."""
        return _sum(np.outer(self.delta(s, k), self.h[k - 1]) for s, k in self._pairs(t))

    def dL_db(self, t: int | None = None) -> Array:
        """(1.16) ∂L/∂b = Σ_t Σ_{k≤t} δ_{t,k}, or of L_t alone; (H,)."""
        return _sum(self.delta(s, k) for s, k in self._pairs(t))

    def dL_dV(self, t: int | None = None) -> Array:
        """(1.7) ∂L/∂V = Σ_t ∂L_t/∂o_t h_tᵀ, or of L_t alone; (O, H)."""
        return _sum(np.outer(self.dL_do(s), self.h[s]) for s in self._times(t))

    def dL_dc(self, t: int | None = None) -> Array:
        """(1.7) ∂L/∂c = Σ_t ∂L_t/∂o_t, or of L_t alone; (O,)."""
        return _sum(self.dL_do(s) for s in self._times(t))

    def _times(self, t: int | None) -> Sequence[int]:
        return range(1, self.T + 1) if t is None else [t]

    def _pairs(self, t: int | None) -> list[tuple[int, int]]:
        return [(s, k) for s in self._times(t) for k in range(1, s + 1)]


def slope_bound(activation: str) -> float:
    """(1.27) to (1.29) max φ′: 1/4 for the sigmoid (at 0), 1 for tanh (at 0) and ReLU (above 0)."""
    return SLOPE_BOUNDS[activation]


def norm_bound(activation: str, W: Array, distance: int) -> float:
    """(1.26) ‖∂h_t/∂h_{t-n}‖₂ ≤ (max φ′ · ‖W‖₂)ⁿ for n = `distance`."""
    return float(slope_bound(activation) * np.linalg.norm(W, 2)) ** distance


def relu_lower_bound(W: Array, distance: int) -> float:
    """(1.30) ρ(W)ⁿ ≤ ‖Wⁿ‖₂ = ‖∂h_t/∂h_{t-n}‖₂ while all units of a ReLU network are active.

    So it explodes wherever the spectral radius ρ(W) exceeds 1: no φ′ < 1 damps it.
    """
    return float(np.abs(np.linalg.eigvals(W)).max()) ** distance


# ---- the LSTM ------------------------------------------------------------------------------------


def fused(weights: Mapping[str, Array]) -> tuple[Array, Array]:
    """W (4H, H+I) = [weight_hh | weight_ih] and b (4H,) = bias_ih + bias_hh of one layer."""
    W = np.concatenate([weights["weight_hh"], weights["weight_ih"]], axis=1)
    return W, np.add(weights["bias_ih"], weights["bias_hh"])


@dataclass(frozen=True)
class LSTMStep:
    """a = W v + b with v = [h_{t-1}; x_t], cut into a_i, a_f, a_g, a_o; i, f, o = σ(a_i), σ(a_f),
    σ(a_o), g = tanh(a_g); c_t = f ⊙ c_{t-1} + i ⊙ g; h_t = o ⊙ tanh c_t.

    What each derivative holds fixed:
    - by o or c_t: the other of the two;
    - by i, f or g: the other gates and c_{t-1};
    - by c_{t-1}: h_{t-1} and x_t, and so every gate;
    - by h_{t-1}, x_t, a weight or a bias: the others of these, and c_{t-1}.
    """

    W: Array
    v: Array
    c_prev: Array
    i: Array
    f: Array
    g: Array
    o: Array
    c: Array
    h: Array

    @classmethod
    def forward(cls, W: Array, b: Array, x: Array, h_prev: Array, c_prev: Array) -> LSTMStep:
        """One step over x (I,), with the W (4H, H+I) and b (4H,) of `fused`."""
        v = np.concatenate([h_prev, x])
        a_i, a_f, a_g, a_o = np.split(W @ v + b, 4)
        i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
        c = f * c_prev + i * g
        return cls(W, v, c_prev, i, f, g, o, c, o * np.tanh(c))

    @property
    def _slope(self) -> Array:
        """The diagonal of ∂h_t/∂c_t."""
        slope: Array = self.o * (1 - np.tanh(self.c) ** 2)
        return slope

    def dh_do(self) -> Array:
        """(2.8) ∂h_t/∂o_t = diag(tanh c_t)."""
        return np.diag(np.tanh(self.c))

    def dh_dc(self) -> Array:
        """(2.9) ∂h_t/∂c_t = diag(o ⊙ (1 − tanh² c_t))."""
        return np.diag(self._slope)

    def dh_di(self) -> Array:
        """(2.12) ∂h_t/∂i_t = ∂h_t/∂c_t diag(g)."""
        return np.diag(self._slope * self.g)

    def dh_df(self) -> Array:
        """(2.13) ∂h_t/∂f_t = ∂h_t/∂c_t diag(c_{t-1})."""
        return np.diag(self._slope * self.c_prev)

    def dh_dg(self) -> Array:
        """(2.11) ∂h_t/∂g_t = ∂h_t/∂c_t diag(i)."""
        return np.diag(self._slope * self.i)

    def dh_dc_prev(self) -> Array:
        """(2.10) ∂h_t/∂c_{t-1} = ∂h_t/∂c_t diag(f)."""
        return np.diag(self._slope * self.f)

    def dh_db_i(self) -> Array:
        """(2.15) ∂h_t/∂b_i = ∂h_t/∂i_t diag(i ⊙ (1 − i))."""
        return np.diag(self._slope * self.g * self.i * (1 - self.i))

    def dh_db_f(self) -> Array:
        """(2.14) ∂h_t/∂b_f = ∂h_t/∂f_t diag(f ⊙ (1 − f))."""
        return np.diag(self._slope * self.c_prev * self.f * (1 - self.f))

    def dh_db_g(self) -> Array:
        """(2.16) ∂h_t/∂b_g = ∂h_t/∂g_t diag(1 − g²)."""
        return np.diag(self._slope * self.i * (1 - self.g**2))

    def dh_db_o(self) -> Array:
        """(2.17) ∂h_t/∂b_o = ∂h_t/∂o_t diag(o ⊙ (1 − o))."""
        return np.diag(np.tanh(self.c) * self.o * (1 - self.o))

    def dh_dW_i(self) -> Array:
        """(2.19) ∂h_{t,a}/∂W_{i,bj} = (∂h_t/∂b_i)_{ab} v_j with v = [h_{t-1}; x_t]; (H, H, H+I)."""
        return np.multiply.outer(self.dh_db_i(), self.v)

    def dh_dW_f(self) -> Array:
        """(2.18) ∂h_{t,a}/∂W_{f,bj} = (∂h_t/∂b_f)_{ab} v_j; (H, H, H+I)."""
        return np.multiply.outer(self.dh_db_f(), self.v)

    def dh_dW_g(self) -> Array:
        """(2.20) ∂h_{t,a}/∂W_{g,bj} = (∂h_t/∂b_g)_{ab} v_j; (H, H, H+I)."""
        return np.multiply.outer(self.dh_db_g(), self.v)

    def dh_dW_o(self) -> Array:
        """(2.21) ∂h_{t,a}/∂W_{o,bj} = (∂h_t/∂b_o)_{ab} v_j; (H, H, H+I)."""
        return np.multiply.outer(self.dh_db_o(), self.v)

    def dc_dc_prev(self) -> Array:
        """(2.24) ∂c_t/∂c_{t-1} = diag(f)."""
        return np.diag(self.f)

    def dc_dv(self) -> Array:
        """(2.24) ∂c_t/∂[h_{t-1}; x_t], c_{t-1} held fixed; (H, H+I):

        diag(g ⊙ i(1−i)) W_i + diag(c_{t-1} ⊙ f(1−f)) W_f + diag(i ⊙ (1−g²)) W_g
        """
        W_i, W_f, W_g, _ = np.split(self.W, 4)
        da_i = self.g * self.i * (1 - self.i)
        da_f = self.c_prev * self.f * (1 - self.f)
        da_g = self.i * (1 - self.g**2)
        dc: Array = da_i[:, None] * W_i + da_f[:, None] * W_f + da_g[:, None] * W_g
        return dc

    def dh_dv(self) -> Array:
        """∂h_t/∂[h_{t-1}; x_t] = ∂h_t/∂c_t ∂c_t/∂[h_{t-1}; x_t] + ∂h_t/∂b_o W_o; (H, H+I)."""
        dh: Array = self.dh_dc() @ self.dc_dv() + self.dh_db_o() @ np.split(self.W, 4)[3]
        return dh

    def dc_dh_prev(self) -> Array:
        """(2.24) ∂c_t/∂h_{t-1}, the left H columns of `dc_dv`; c_{t-1} held fixed."""
        return self.dc_dv()[:, : len(self.h)]

    def dc_dx(self) -> Array:
        """(2.24) ∂c_t/∂x_t, the right I columns of `dc_dv`; (H, I)."""
        return self.dc_dv()[:, len(self.h) :]

    def dh_dh_prev(self) -> Array:
        """(2.23) ∂h_t/∂h_{t-1}, the left H columns of `dh_dv`; c_{t-1} held fixed."""
        return self.dh_dv()[:, : len(self.h)]

    def dh_dx(self) -> Array:
        """(2.22) ∂h_t/∂x_t, the right I columns of `dh_dv`; (H, I)."""
        return self.dh_dv()[:, len(self.h) :]

    def dstate_dstate_prev(self) -> Array:
        """(2.25) ∂(h_t, c_t)/∂(h_{t-1}, c_{t-1}) = [∂h/∂h ∂h/∂c; ∂c/∂h ∂c/∂c]; (2H, 2H)."""
        return np.block(
            [[self.dh_dh_prev(), self.dh_dc_prev()], [self.dc_dh_prev(), self.dc_dc_prev()]]
        )


@dataclass(frozen=True)
class Deltas:
    """∂L/∂h_t (T+1, H), ∂L/∂c_t (T+1, H) and ∂L/∂a_t (T+1, 4H); row t is time t, gates[0] is 0."""

    h: Array
    c: Array
    gates: Array


@dataclass(frozen=True)
class LSTMSequence:
    """The steps 1 … T over one sequence; steps[t−1] is step t."""

    steps: Sequence[LSTMStep]

    @classmethod
    def forward(
        cls, weights: Mapping[str, Array], x: Array, h_0: Array, c_0: Array
    ) -> LSTMSequence:
        """Run over x (T, I) from h_0 and c_0 (H,), with one layer's weights by PyTorch's names."""
        W, b = fused(weights)
        steps: list[LSTMStep] = []
        for x_t in x:
            steps.append(LSTMStep.forward(W, b, x_t, h_0, c_0))
            h_0, c_0 = steps[-1].h, steps[-1].c
        return cls(steps)

    def dstate_dstate(self, t: int, k: int) -> Array:
        """(2.25) ∂(h_t, c_t)/∂(h_k, c_k), the product of the steps' k+1 … t; (2H, 2H)."""
        H = len(self.steps[0].h)
        return _product([step.dstate_dstate_prev() for step in self.steps[k:t]], 2 * H)

    def dh_dh(self, t: int, k: int) -> Array:
        """(2.34) ∂h_t/∂h_k by every path, c_k held fixed: upper left in `dstate_dstate`; (H, H)."""
        H = len(self.steps[0].h)
        return self.dstate_dstate(t, k)[:H, :H]

    def dh_dh_without_cell_path(self, t: int, k: int) -> Array:
        """(2.33) ∏_{j=k+1}^t ∂h_j/∂h_{j-1}: the homework answer, wrong from distance 2 on."""
        return _product([step.dh_dh_prev() for step in self.steps[k:t]], len(self.steps[0].h))

    def deltas(self, dh: Array, cell_path: bool = True) -> Deltas:
        """(2.26), (2.27) BPTT from `dh` (T, H), each time's direct ∂L/∂h_t, back from t = T:

        δh_t = dh_t + W_hᵀ δa_{t+1}
        δc_t = δh_t ⊙ o_t ⊙ (1 − tanh² c_t) + δc_{t+1} ⊙ f_{t+1}
        δa_t = (δc ⊙ g ⊙ i(1−i), δc ⊙ c_{t-1} ⊙ f(1−f), δc ⊙ i ⊙ (1−g²), δh ⊙ tanh c ⊙ o(1−o))

        Without `cell_path` the last term of δc_t is dropped; that is the homework recursion (2.33).
        """
        T, H = dh.shape
        delta_h, delta_c = np.zeros((2, T + 1, H), dh.dtype)
        gates = np.zeros((T + 1, 4 * H), dh.dtype)
        delta_h[1:] = dh
        for t in range(T, 0, -1):
            s = self.steps[t - 1]
            delta_c[t] += delta_h[t] @ s.dh_dc()
            di, df, dg = delta_c[t] * s.g, delta_c[t] * s.c_prev, delta_c[t] * s.i
            do = delta_h[t] * np.tanh(s.c)
            da_i, da_f, da_o = di * s.i * (1 - s.i), df * s.f * (1 - s.f), do * s.o * (1 - s.o)
            gates[t] = np.concatenate([da_i, da_f, dg * (1 - s.g**2), da_o])
            delta_h[t - 1] += gates[t] @ s.W[:, :H]
            if cell_path:
                delta_c[t - 1] = delta_c[t] * s.f
        return Deltas(delta_h, delta_c, gates)

    def dL_dW(self, deltas: Deltas) -> Array:
        """(2.31) ∂L/∂W = Σ_t δa_t [h_{t-1}; x_t]ᵀ; (4H, H+I)."""
        dW: Array = deltas.gates[1:].T @ np.stack([step.v for step in self.steps])
        return dW

    def dL_db(self, deltas: Deltas) -> Array:
        """(2.31) ∂L/∂b = Σ_t δa_t; (4H,), the same for bias_ih and bias_hh."""
        return _sum(deltas.gates)

    def dL_dx(self, deltas: Deltas) -> Array:
        """(2.32) ∂L/∂x_t = W_xᵀ δa_t; (T, I)."""
        dx: Array = deltas.gates[1:] @ self.steps[0].W[:, len(self.steps[0].h) :]
        return dx


@dataclass(frozen=True)
class CellPathError:
    """∂L/∂h_{T-n}, n = 0 … T, right and by the homework recursion, each (T+1, H)."""

    right: Array
    homework: Array

    def relative(self) -> Array:
        """‖homework − right‖₂ / ‖right‖₂ at each distance n; (T+1,)."""
        error = np.linalg.norm(self.homework - self.right, axis=1)
        relative: Array = error / np.linalg.norm(self.right, axis=1)
        return relative


def cell_path_error(sequence: LSTMSequence, dh: Array) -> CellPathError:
    """(2.34) What δ_{t-1} = δ_t ∂h_t/∂h_{t-1} alone loses, for an L of h_T with ∂L/∂h_T = `dh`.

    It is right at distances 0 and 1; from 2 on it lacks every path through the cell state.
    """
    direct = np.zeros((len(sequence.steps), len(dh)), dh.dtype)
    direct[-1] = dh
    right, homework = (sequence.deltas(direct, cell_path).h[::-1] for cell_path in (True, False))
    return CellPathError(right, homework)
