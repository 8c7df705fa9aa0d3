"""Exercises of ch02, scaled dot-product attention. Agrees with `torch.nn.functional.scaled_dot_product_attention`."""

import numpy as np

from autograder.exercise import case, exercise, question
from course.checks.compare import close

TITLE = "Scaled dot-product attention"

float32_sums = close(1e-5, 1e-6, why="a float32 solution rounds sums of up to 64 terms")


def softmax(x, axis=-1):
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


@exercise(points=2, minutes=5, source="Vaswani et al. 2017, section 3.2.2")
class project_qkv:
    """Queries, keys and values of a sequence: three linear maps of the same input."""

    tolerance = float32_sums

    def cases(rng):
        for n, d_model, d_k, d_v in [(1, 3, 2, 2), (4, 3, 2, 5), (3, 6, 4, 4), (5, 4, 4, 4)]:
            shapes = [(n, d_model), (d_model, d_k), (d_model, d_k), (d_model, d_v)]
            yield case(*(rng.standard_normal(s) for s in shapes), label=f"{n} tokens")

    def reference(x, w_q, w_k, w_v):
        return tuple(np.einsum("nd,dk->nk", x, w) for w in (w_q, w_k, w_v))

    class misconceptions:
        def transposed_weights(x, w_q, w_k, w_v):
            """You multiply by the transposed matrices. Here a weight matrix is (d_model, d_k): the input's axis first."""
            return x @ w_q.T, x @ w_k.T, x @ w_v.T

        def weights_first(x, w_q, w_k, w_v):
            """You put the weight matrix on the left. Tokens are rows of x, so each row is mapped by `x @ w`."""
            return w_q @ x, w_k @ x, w_v @ x

        def queries_and_keys_swapped(x, w_q, w_k, w_v):
            """Queries and keys are swapped: the first result belongs to w_q, the second to w_k."""
            return x @ w_k, x @ w_q, x @ w_v

        def same_matrix_three_times(x, w_q, w_k, w_v):
            """All three results come from w_q. Each role has a matrix of its own."""
            return x @ w_q, x @ w_q, x @ w_q

        def values_not_projected(x, w_q, w_k, w_v):
            """You hand back x itself as the values. Values are projected too, by w_v."""
            return x @ w_q, x @ w_k, x

        def keys_from_queries(x, w_q, w_k, w_v):
            """You project the queries again to get keys. All three projections start from x."""
            return x @ w_q, x @ w_q @ w_k, x @ w_q @ w_v

        def one_stacked_array(x, w_q, w_k, w_v):
            """You joined the three results into one array. Return three: `return q, k, v`."""
            return np.concatenate([x @ w_q, x @ w_k, x @ w_v], axis=-1)


@exercise(
    parts={"values": 4, "large scores": 1},
    minutes=12,
    source="Vaswani et al. 2017, section 3.2.1, equation 1",
    forbids={"torch": "this chapter builds attention from NumPy", "scipy": "this chapter builds attention from NumPy"},
)
class scaled_dot_product_attention:
    """softmax(Q K^T / sqrt(d_k)) V, with the weights returned too."""

    tolerance = float32_sums

    def cases(rng):
        sizes = [(1, 1, 4, 2), (2, 3, 4, 5), (5, 3, 2, 3), (4, 4, 9, 4), (3, 6, 16, 2)]
        for n, m, d_k, d_v in sizes:
            qkv = (rng.standard_normal(s) for s in [(n, d_k), (m, d_k), (m, d_v)])
            yield case(*qkv, label=f"{n} queries, {m} keys, d_k = {d_k}")
        for size in (300.0, 3000.0):
            q, k, v = (rng.standard_normal(s) for s in [(3, 4), (5, 4), (5, 2)])
            q[0] = np.sign(q[0]) * rng.uniform(0.5, 1.5, 4)
            # In the first and the last row one key surely wins by far (near ties would be lost in float32's rounding);
            # the second row lies far below them.
            q[1], q[2] = 1e-3 * q[1], -q[0]
            k[0], k[1], k[2:] = np.sign(q[0]), -np.sign(q[0]), k[2:] / 4
            yield case(size * q, k, v, label=f"scores around {size:g}", part="large scores")

    def reference(q, k, v):
        weights = np.empty((len(q), len(k)))
        for i, query in enumerate(np.asarray(q, np.float64)):
            scores = [float(np.dot(query, key)) / k.shape[-1] ** 0.5 for key in k]
            powers = [np.exp(s - max(scores)) for s in scores]
            weights[i] = [p / sum(powers) for p in powers]
        return weights @ v, weights

    class misconceptions:
        def no_scale(q, k, v):
            """The division is missing: scores are divided by the square root of d_k before the softmax."""
            w = softmax(q @ k.T)
            return w @ v, w

        def divided_by_d_k(q, k, v):
            """You divide by d_k; the scale is its square root."""
            w = softmax(q @ k.T / k.shape[-1])
            return w @ v, w

        def scaled_by_d_v(q, k, v):
            """You take d_v, the width of the values; the scale uses d_k, the width of queries and keys."""
            w = softmax(q @ k.T / np.sqrt(v.shape[-1]))
            return w @ v, w

        def scaled_by_length(q, k, v):
            """You scale by the number of keys (`shape[0]`); d_k is their width (`shape[-1]`)."""
            w = softmax(q @ k.T / np.sqrt(k.shape[0]))
            return w @ v, w

        def multiplied_by_root(q, k, v):
            """You multiply by sqrt(d_k): that makes large scores larger. Divide."""
            w = softmax(q @ k.T * np.sqrt(k.shape[-1]))
            return w @ v, w

        def softmax_over_queries(q, k, v):
            """The softmax runs over the wrong axis: each query's weights (a row) must sum to 1, not each key's column."""
            w = softmax(q @ k.T / np.sqrt(k.shape[-1]), axis=0)
            return w @ v, w

        def scaled_after_softmax(q, k, v):
            """You divide after the softmax, so the weights no longer sum to 1. Scale the scores, then take the softmax."""
            w = softmax(q @ k.T) / np.sqrt(k.shape[-1])
            return w @ v, w

        def scores_returned(q, k, v):
            """The second result is the scores before the softmax; return the weights after it."""
            s = q @ k.T / np.sqrt(k.shape[-1])
            return softmax(s) @ v, s

        def softmax_left_out(q, k, v):
            """There is no softmax: the raw scores are used as weights."""
            s = q @ k.T / np.sqrt(k.shape[-1])
            return s @ v, s

        def swapped_results(q, k, v):
            """The two results are swapped: first the output, then the weights."""
            w = softmax(q @ k.T / np.sqrt(k.shape[-1]))
            return w, w @ v

        def keys_not_transposed(q, k, v):
            """`q @ k` multiplies the wrong axes: entry (i, j) should pair query i with key j, so the keys are transposed."""
            w = softmax(q @ k / np.sqrt(k.shape[-1]))
            return w @ v, w

        def unstable_softmax(q, k, v):
            """exp of a large score overflows. Subtract each row's maximum before exp: the result stays the same."""
            e = np.exp(q @ k.T / np.sqrt(k.shape[-1]))
            w = e / e.sum(axis=-1, keepdims=True)
            return w @ v, w

        def maximum_of_all(q, k, v):
            """You subtract one maximum for the whole matrix: rows that lie far below it underflow. Take each row's own."""
            s = q @ k.T / np.sqrt(k.shape[-1])
            e = np.exp(s - s.max())
            w = e / e.sum(axis=-1, keepdims=True)
            return w @ v, w


@exercise(parts={"values": 2}, minutes=8, source="the Jacobian diag(p) - p p^T of p = softmax(s), by hand")
class softmax_grad_norm:
    """How strongly the softmax reacts to its scores: the Frobenius norm of its Jacobian."""

    tolerance = close(1e-5, 1e-7, why="a float32 solution rounds sums of up to 100 squares")

    def cases(rng):
        yield case(np.zeros(2), label="two equal scores")
        yield case(np.array([0.0, 1.0, 3.0]), label="three scores")
        for n, spread in [(4, 1.0), (7, 3.0), (10, 0.3)]:
            yield case(spread * rng.standard_normal(n), label=f"{n} scores, standard deviation {spread:g}")
        yield case(np.array([1000.0, 999.0, 0.0]), label="large scores")

    def reference(scores):
        p = [float(np.exp(s - max(scores))) for s in scores]
        p = [x / sum(p) for x in p]
        total = 0.0
        for i, a in enumerate(p):
            for j, b in enumerate(p):
                total += ((a if i == j else 0.0) - a * b) ** 2
        return total**0.5

    class misconceptions:
        def diagonal_only(scores):
            """You count only dp_i/ds_i. Raising one score also lowers every other weight: the entries -p_i p_j."""
            p = softmax(scores)
            return float(np.linalg.norm(p * (1 - p)))

        def square_root_left_out(scores):
            """This is the sum of squares; the norm is its square root."""
            p = softmax(scores)
            return float(((np.diag(p) - np.outer(p, p)) ** 2).sum())

        def diagonal_matrix_of_p(scores):
            """The term p p^T is missing: the Jacobian is diag(p) - p p^T."""
            return float(np.linalg.norm(np.diag(softmax(scores))))

        def plus_sign(scores):
            """The sign is wrong: off the diagonal the entries are -p_i p_j (a weight falls when another score rises)."""
            p = softmax(scores)
            return float(np.linalg.norm(np.diag(p) + np.outer(p, p)))

        def largest_singular_value(scores):
            """`np.linalg.norm(J, 2)` is the largest singular value; the Frobenius norm is `np.linalg.norm(J)`."""
            p = softmax(scores)
            return float(np.linalg.norm(np.diag(p) - np.outer(p, p), 2))

        def sum_of_entries(scores):
            """You add up the entries, and their sum is always 0. Square them first, then take the root of the sum."""
            p = softmax(scores)
            return float((np.diag(p) - np.outer(p, p)).sum())

        def dot_product_for_outer(scores):
            """`p @ p` is one number, the dot product. p p^T is the matrix of all products p_i p_j: `np.outer(p, p)`."""
            p = softmax(scores)
            return float(np.linalg.norm(np.diag(p) - p @ p))

        def p_for_its_diagonal(scores):
            """You take p itself, which NumPy then subtracts from in every row. diag(p) is the matrix with p on its diagonal."""
            p = softmax(scores)
            return float(np.linalg.norm(p - np.outer(p, p)))

        def only_the_products(scores):
            """The term diag(p) is missing: the Jacobian is diag(p) - p p^T."""
            p = softmax(scores)
            return float(np.linalg.norm(np.outer(p, p)))

        def of_the_scores(scores):
            """You used the scores where the weights belong: take p = softmax(scores) first."""
            return float(np.linalg.norm(np.diag(scores) - np.outer(scores, scores)))


@question(answer="b")
class why_scale:
    """Queries and keys have independent entries of mean 0 and variance 1. Why are their dot products divided by sqrt(d_k)?"""

    a = (
        "So that the scores lie between -1 and 1.",
        "Nothing bounds a score of Gaussian vectors; the division sets its typical size, not a limit.",
    )
    b = (
        "Because a dot product of d_k such terms has variance d_k, and the division brings it back to 1.",
        "Right: variances of independent terms add up to d_k, so the standard deviation is sqrt(d_k).",
    )
    c = (
        "So that each row of weights sums to 1.",
        "The softmax does that whatever the scale of the scores.",
    )
    d = (
        "To make the softmax sharper for long vectors.",
        "It is the other way round: without the division it becomes too sharp, and its gradient vanishes.",
    )


@question(answer=["a", "d"])
class row_facts:
    """Which statements hold for every matrix of attention weights, whatever the queries and keys? Choose all that do."""

    a = ("Each row sums to 1.", "Right: the softmax runs over the keys of one query, which is a row.")
    b = ("Each column sums to 1.", "No: many queries may look at the same key, and none at another.")
    c = (
        "The matrix is symmetric.",
        "No: entry (i, j) compares query i with key j, entry (j, i) query j with key i. These are different vectors.",
    )
    d = (
        "Every entry is greater than 0 as long as no score is minus infinity and nothing underflows.",
        "Right: exp is positive. Only a mask (score minus infinity) gives an exact 0; a tiny weight is still a weight.",
    )
