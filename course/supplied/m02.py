"""What lesson m02 builds: every backward pass of a small network, three optimizers, and one step of training."""

from __future__ import annotations

from typing import Any

import numpy as np

from course.supplied.ch01 import softmax

__all__ = [
    "adam_step", "embedding_backward", "gelu_backward", "linear_backward", "linear_forward", "momentum_step",
    "network_backward", "network_forward", "numeric_gradient", "relu_backward", "sgd_step",
    "softmax_cross_entropy_backward", "train_step",
]  # fmt: skip

Parameters = dict[str, np.ndarray]
State = dict[str, Any]


# ---- what the exercises ask for ----------------------------------------------------------------------------------


def numeric_gradient(f: Any, x: np.ndarray, eps: float = 1e-5) -> np.ndarray:
    """Central differences of f, an array of x's shape -> a number, at x; x is left as it was."""
    gradient = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[place] += eps
        down[place] -= eps
        gradient[place] = (f(up) - f(down)) / (2 * eps)
    return gradient


def linear_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    """x (B, n_in) @ w (n_in, n_out) + b (n_out,)."""
    return x @ w + b


def linear_backward(grad_y: np.ndarray, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of x, w and b of `linear_forward`, each of its own shape, from that of its result."""
    return grad_y @ w.T, x.T @ grad_y, grad_y.sum(axis=0)


def relu_backward(grad_y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Gradient of x from that of max(x, 0); 0 where x is 0."""
    return grad_y * (x > 0)


def gelu_backward(grad_y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Gradient of x from that of GELU(x), in its tanh form (ch05)."""
    c = np.sqrt(2 / np.pi)
    t = np.tanh(c * (x + 0.044715 * x**3))
    return grad_y * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * c * (1 + 3 * 0.044715 * x**2))


def softmax_cross_entropy_backward(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Gradient of the mean cross-entropy: softmax minus one-hot, divided by B; logits (B, V), targets (B,) ids."""
    gradient = softmax(logits)
    gradient[np.arange(len(targets)), targets] -= 1.0
    return gradient / len(targets)


def embedding_backward(grad_x: np.ndarray, ids: np.ndarray, rows: int) -> np.ndarray:
    """Gradient of a table (rows, d) from that of table[ids]: ids (...), grad_x (..., d). Repeated ids add up."""
    gradient = np.zeros((rows, grad_x.shape[-1]))
    np.add.at(gradient, ids, grad_x)
    return gradient


def network_forward(pairs: np.ndarray, p: Parameters) -> tuple[np.ndarray, Parameters]:
    """Logits (B, V) of pairs (B, 2), and what the way back needs: {"x" (B, 2 d), "z" (B, h), "a" (B, h)}.

    p holds "embed" (10, d), "w_1" (2 d, h), "b_1" (h,), "w_2" (h, V) and "b_2" (V,).
    """
    x = p["embed"][pairs].reshape(len(pairs), -1)
    z = linear_forward(x, p["w_1"], p["b_1"])
    a = np.maximum(z, 0.0)
    return linear_forward(a, p["w_2"], p["b_2"]), {"x": x, "z": z, "a": a}


def network_backward(pairs: np.ndarray, targets: np.ndarray, p: Parameters) -> tuple[float, Parameters]:
    """The mean loss of a batch, and its gradient by every array of p, under the same names."""
    logits, saved = network_forward(pairs, p)
    grad_logits = softmax_cross_entropy_backward(logits, targets)
    grad_a, grad_w_2, grad_b_2 = linear_backward(grad_logits, saved["a"], p["w_2"])
    grad_z = relu_backward(grad_a, saved["z"])
    grad_x, grad_w_1, grad_b_1 = linear_backward(grad_z, saved["x"], p["w_1"])
    grad_embed = embedding_backward(grad_x.reshape(*pairs.shape, -1), pairs, len(p["embed"]))
    gradients = {"embed": grad_embed, "w_1": grad_w_1, "b_1": grad_b_1, "w_2": grad_w_2, "b_2": grad_b_2}
    return mean_loss(logits, targets), gradients


def sgd_step(w: np.ndarray, grad: np.ndarray, lr: float) -> np.ndarray:
    """Gradient descent: a new array, lr times the gradient further down."""
    return w - lr * grad


def momentum_step(
    w: np.ndarray, grad: np.ndarray, velocity: np.ndarray, lr: float, beta: float = 0.9
) -> tuple[np.ndarray, np.ndarray]:
    """Descent with momentum: velocity = beta * velocity + grad; returns (new w, new velocity)."""
    velocity = beta * velocity + grad
    return w - lr * velocity, velocity


def adam_step(
    w: np.ndarray, grad: np.ndarray, state: State, lr: float, beta1: float = 0.9, beta2: float = 0.999,
    eps: float = 1e-8,
) -> tuple[np.ndarray, State]:  # fmt: skip
    """Adam (Kingma and Ba 2015, algorithm 1); state {"step", "m", "v"}; returns (new w, new state)."""
    step = state["step"] + 1
    m = beta1 * state["m"] + (1 - beta1) * grad
    v = beta2 * state["v"] + (1 - beta2) * grad**2
    m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
    return w - lr * m_hat / (np.sqrt(v_hat) + eps), {"step": step, "m": m, "v": v}


def train_step(
    pairs: np.ndarray, targets: np.ndarray, p: Parameters, states: dict[str, State], lr: float
) -> tuple[Parameters, dict[str, State], float]:
    """One step of Adam for every array of p: (new p, new states, the loss before the step)."""
    loss, gradients = network_backward(pairs, targets, p)
    new_p, new_states = {}, {}
    for name in p:
        new_p[name], new_states[name] = adam_step(p[name], gradients[name], states[name], lr)
    return new_p, new_states, loss


# ---- given to the lesson's cells, exercises and widgets ----------------------------------------------------------

DIGITS, CLASSES = range(1, 10), 82  # a class for each number from 0 to 81


def multiplication_table() -> tuple[np.ndarray, np.ndarray]:
    """All pairs of 1..9, shape (81, 2), and their products, shape (81,), both int64.

    >>> pairs, products = multiplication_table()
    >>> pairs[10].tolist(), products[10].item()
    ([2, 2], 4)
    """
    pairs = np.array([(a, b) for a in DIGITS for b in DIGITS])
    return pairs, pairs.prod(axis=1)


def init_network(d: int, hidden: int, seed: int) -> Parameters:
    """Random parameters for `network_forward`, float64: every sum begins at about the size of what it adds up.

    >>> {name: array.shape for name, array in init_network(d=2, hidden=3, seed=0).items()}
    {'embed': (10, 2), 'w_1': (4, 3), 'b_1': (3,), 'w_2': (3, 82), 'b_2': (82,)}
    """
    rng = np.random.default_rng(seed)
    return {
        "embed": rng.standard_normal((10, d)),
        "w_1": rng.standard_normal((2 * d, hidden)) / np.sqrt(d),
        "b_1": np.zeros(hidden),
        "w_2": rng.standard_normal((hidden, CLASSES)) / np.sqrt(hidden),
        "b_2": np.zeros(CLASSES),
    }


def init_states(p: Parameters) -> dict[str, State]:
    """Adam's state before the first step, for every array of p."""
    return {name: {"step": 0, "m": np.zeros_like(w), "v": np.zeros_like(w)} for name, w in p.items()}


def mean_loss(logits: np.ndarray, targets: np.ndarray) -> float:
    """Mean cross-entropy in nats, as in ch07: logits (B, V), targets (B,) ids.

    >>> round(mean_loss(np.array([[0.0, 0.0]]), np.array([1])), 4)
    0.6931
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(shifted).sum(axis=1))
    return float((log_sums - shifted[np.arange(len(targets)), targets]).mean())


# Pairs that are kept from the net: each product also comes about in another way, so its class can be learned.
HELD_OUT = ((1, 4), (1, 6), (1, 8), (2, 6), (2, 8), (2, 9), (3, 8), (4, 9))


def held_out(both_orders: bool = True) -> np.ndarray:
    """Which rows of the table are kept from the net, booleans (81,): 2 x 6 alone, or 6 x 2 as well."""
    hidden = set(HELD_OUT) | ({(b, a) for a, b in HELD_OUT} if both_orders else set())
    return np.array([tuple(pair) in hidden for pair in multiplication_table()[0].tolist()])


class Cubic:
    """A function to try `numeric_gradient` on: the sum of c x^3, plus the product of each entry with the one before.

    >>> Cubic(np.array([1.0, 0.0]))(np.array([2.0, 5.0]))  # 1 * 8 + 0 * 125 + 2 * 5
    18.0
    """

    def __init__(self, c: np.ndarray) -> None:
        self.c = c

    def __call__(self, x: np.ndarray) -> float:
        """The value at x; raises ValueError for another shape than that of c."""
        if np.shape(x) != self.c.shape:
            raise ValueError(f"f takes an array of shape {self.c.shape}, but it was given one of shape {np.shape(x)}")
        flat = np.ravel(x)
        return float((self.c * x**3).sum() + (flat[1:] * flat[:-1]).sum())
