"""∂h_T/∂h_t of a language model with one recurrent layer, on an encoded poem.

`w` is name → float64 weight as in a model file, a poem is its ids (T,).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from yinshi.corpus.vocabulary import SOS
from yinshi.engine.cells import Array
from yinshi.engine.jacobians import LSTMSequence, RNNSequence, products

Ids = NDArray[np.int32]

#: The Jacobian which all networks have, and the two more of an LSTM.
H, STATE, HOMEWORK = "∂h_T/∂h_t", "∂(h_T, c_T)/∂(h_t, c_t)", "∂h_T/∂h_t without the cell path"


def jacobian_norms(cell: str, w: Mapping[str, Array], tokens: Ids) -> dict[str, Array]:
    """Jacobian → its spectral norm at the distances 0 … T, (T + 1,), on one poem."""
    if cell != "lstm":
        rnn = rnn_on(cell, w, tokens)
        return {H: _norms(products([rnn.dh_dh_prev(t) for t in range(1, rnn.T + 1)]))}
    lstm = lstm_on(w, tokens)
    size = len(lstm.steps[0].h)
    of_state = list(products([step.dstate_dstate_prev() for step in lstm.steps]))
    return {
        H: _norms(jacobian[:size, :size] for jacobian in of_state),
        STATE: _norms(of_state),
        HOMEWORK: _norms(products([step.dh_dh_prev() for step in lstm.steps])),
    }


def _norms(jacobians: Iterable[Array]) -> Array:
    return np.array([np.linalg.norm(jacobian, 2) for jacobian in jacobians])


def rnn_on(cell: str, w: Mapping[str, Array], tokens: Ids) -> RNNSequence:
    """The network `cell` having read the poem."""
    parameters = {
        "U": w["rnn.weight_ih_l0"],
        "W": w["rnn.weight_hh_l0"],
        "b": w["rnn.bias_ih_l0"] + w["rnn.bias_hh_l0"],
        "V": w["output.weight"],
        "c": w["output.bias"],
    }
    h_0 = np.zeros(len(parameters["W"]))
    return RNNSequence.forward(parameters, _read(w, tokens), tokens, h_0, cell.split("-")[1])


def lstm_on(w: Mapping[str, Array], tokens: Ids) -> LSTMSequence:
    """The LSTM having read the poem."""
    layer = {k: w[f"lstm.{k}_l0"] for k in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    zero = np.zeros(layer["weight_hh"].shape[1])
    return LSTMSequence.forward(layer, _read(w, tokens), zero, zero)


def _read(w: Mapping[str, Array], tokens: Ids) -> Array:
    """(T, E): `<sos>` and all characters but the last, as in training."""
    vectors: Array = w["embedding.weight"][[SOS, *tokens[:-1]]]
    return vectors
