"""Mutants that compute the same as the answer, so that no test can reject them: each with the argument why.

The audit counts them apart. It fails if one of them does not exist any more, or is rejected: then the argument is
wrong, or out of date.
"""

from __future__ import annotations

SAME_WIDTH = "q and k have the same width: otherwise their product, which stands before, raises an error"
LAST_OF_TWO = "the array has two axes, so axis 1 is the last one"
DEFAULT_AXIS = "-1 is the default of `softmax`"
CLEARED = "a blind row needs finite scores, whichever: its weights are made 0 by `* mask`"
ONES = "the mask is all ones: `np.where`, `any` and a product take 1 for True"
ONE_AXIS = "an array of one axis is its own transpose"

_RNN_STEP = "return np.tanh(h @ w_h + x @ w_x + b)"
_ATTENTION = "weights = softmax(q @ k.T / np.sqrt(k.shape[-1]), axis=-1)"
_SCORES = "scores = np.where(mask, q @ k.T / np.sqrt(k.shape[-1]), -np.inf)"
_BLIND = "blind = ~mask.any(axis=-1, keepdims=True)"
_WEIGHTS = "weights = softmax(np.where(blind, 0.0, scores), axis=-1) * mask"
_NORM = "return float(np.linalg.norm(np.diag(p) - np.outer(p, p)))"
_EVERYTHING = "everything = np.ones((len(x), len(memory)), dtype=bool)"
_MASKED = "attended, _ = masked_attention(z @ s['w_q'], z @ s['w_k'], z @ s['w_v'], causal_mask(len(x)))"
_CROSS = "x = x + cross_attention(z, memory, c['w_q'], c['w_k'], c['w_v']) @ c['w_o']"

# Exercise -> the statement in the answer, the part of it that is changed, what stands there instead, and why.
_LISTED: dict[str, list[tuple[str, str, str, str]]] = {
    "ch00.rnn_step": [(_RNN_STEP, "h @", "h.T @", ONE_AXIS), (_RNN_STEP, "x @", "x.T @", ONE_AXIS)],
    "ch02.scaled_dot_product_attention": [
        (_ATTENTION, ", axis=-1", "", DEFAULT_AXIS),
        (_ATTENTION, "axis=-1", "axis=1", LAST_OF_TWO),
        (_ATTENTION, "k.shape[-1]", "k.shape[1]", LAST_OF_TWO),
        (_ATTENTION, "k.shape", "q.shape", SAME_WIDTH),
    ],
    "ch02.softmax_grad_norm": [
        (_NORM, _NORM, "return np.linalg.norm(np.diag(p) - np.outer(p, p))", "NumPy's float64 is a float"),
        (_NORM, "np.diag(p) - np.outer(p, p)", "np.outer(p, p) - np.diag(p)", "a norm forgets the sign"),
        (_NORM, "np.diag(p) - np.outer(p, p)", "-(np.diag(p) - np.outer(p, p))", "a norm forgets the sign"),
    ],
    "ch06.masked_attention": [
        (_SCORES, "k.shape[-1]", "k.shape[1]", LAST_OF_TWO),
        (_SCORES, "k.shape", "q.shape", SAME_WIDTH),
        (_SCORES, "np.inf", "1000000000.0", "exp(s - max) is 0 for s = -1e9 as for -inf, unless scores come near "
         "-1e9; many libraries use it, and blind rows are cleared either way, so no case goes there on purpose"),
        (_BLIND, "axis=-1", "axis=1", LAST_OF_TWO),
        (_WEIGHTS, ", axis=-1", "", DEFAULT_AXIS),
        (_WEIGHTS, "axis=-1", "axis=1", LAST_OF_TWO),
        (_WEIGHTS, "0.0", "1.0", CLEARED),
        (_WEIGHTS, "0.0", "-1.0", CLEARED),
        (_WEIGHTS, "0.0", "blind", CLEARED),
    ],
    "ch06.cross_attention": [
        (_EVERYTHING, ", dtype=bool", "", ONES),
        (_EVERYTHING, "dtype=bool", "dtype=int", ONES),
        (_EVERYTHING, "dtype=bool", "dtype=float", ONES),
    ],
    "ch06.decoder_block": [
        (_MASKED, "len(x)", "len(z)", "z is the norm of x and has its shape"),
        (_CROSS, "x = x +", "x +=", "x is by now an array of the function's own, which nobody else sees"),
    ],
}  # fmt: skip

# Exercise -> name of the mutant (`Mutant.name`) -> why.
EQUIVALENTS: dict[str, dict[str, str]] = {
    exercise_id: {f"{line} => {line.replace(part, instead)}": why for line, part, instead, why in listed}
    for exercise_id, listed in _LISTED.items()
}
