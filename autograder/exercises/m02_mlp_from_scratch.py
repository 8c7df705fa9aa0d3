"""Exercises of m02, a network and its backward passes in NumPy. All gradients agree with torch's autograd in float64
(`torch.nn.functional.linear`, `relu`, `gelu`, `embedding`, `cross_entropy`, and the whole network), the optimizers with
`torch.optim.SGD`, `torch.optim.SGD(momentum=...)` and `torch.optim.Adam`."""

import math

import numpy as np

from autograder.exercise import case, exercise, question
from course.checks.compare import close
from course.checks.script import call, given, held

TITLE = "MLP from scratch, backprop by hand"


def _normal(rng, *shape, scale=1.0):
    return np.asarray(scale * rng.standard_normal(shape))


def _away_from_zero(rng, *shape):
    """Numbers of both signs, none of them near 0: which side of a bend they are on is certain."""
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(0.2, 2.0, shape)


# ---- measuring a gradient ----------------------------------------------------------------------------------------


def _quotients(f, x, eps, up=1.0, down=1.0, divisor=2.0):
    """(f(x + up eps) - f(x - down eps)) / (divisor eps) for each entry."""
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        unit = np.zeros(x.shape)
        unit[place] = eps
        gradient[place] = (f(x + up * unit) - f(x - down * unit)) / (divisor * eps)
    return gradient


def _cubic_case(rng, shape, eps, label):
    settings = [] if eps is None else [eps]
    script = [
        given("m02.Cubic", _away_from_zero(rng, *shape), handle="f"),
        call("numeric_gradient", held("f"), _away_from_zero(rng, *shape), *settings),
    ]
    return case(script=script, label=label)


@exercise(points=3, minutes=12, source="Goodfellow et al. 2016, Deep Learning, section 11.5; equation 11.8")
class numeric_gradient:
    """A gradient measured by moving each entry a little to both sides."""

    tolerance = close(1e-5, 1e-5, why="differences of nearly equal numbers are divided by a small one")

    def cases(rng):
        rows, columns = int(rng.integers(2, 5)), int(rng.integers(5, 7))
        yield _cubic_case(rng, (2, 3), 0.1, "x of shape (2, 3)")
        yield _cubic_case(rng, (4,), 0.2, "x of shape (4,)")
        yield _cubic_case(rng, (3, 1, 2), 0.05, "x of shape (3, 1, 2)")
        yield _cubic_case(rng, (2,), None, "x of shape (2,), eps left as it is")
        yield _cubic_case(rng, (rows, columns), 0.15, f"x of shape ({rows}, {columns})")

    def reference(f, x, eps=1e-5):
        directions = np.eye(x.size).reshape(x.size, *x.shape)
        ends = [(f(x + eps * d), f(x - eps * d)) for d in directions]
        return np.array([(high - low) / (2 * eps) for high, low in ends]).reshape(x.shape)

    class misconceptions:
        def forward_difference(f, x, eps=1e-5):
            """You measure on one side only: (f(x + eps) - f(x)) / eps. Go eps to both sides and divide by 2 eps."""
            return _quotients(f, x, eps, down=0.0, divisor=1.0)

        def backward_difference(f, x, eps=1e-5):
            """You measure on the left side only: (f(x) - f(x - eps)) / eps. Go eps to both sides and divide by 2 eps."""
            return _quotients(f, x, eps, up=0.0, divisor=1.0)

        def divided_by_eps(f, x, eps=1e-5):
            """Your numbers are twice too large: from x - eps to x + eps it is 2 eps. Divide by that."""
            return _quotients(f, x, eps, divisor=1.0)

        def one_side_divided_by_two_eps(f, x, eps=1e-5):
            """One end is x itself, but you divide by 2 eps. It is f(x + eps) - f(x - eps): from the upper end, go down by 2 eps."""
            return _quotients(f, x, eps, down=0.0)

        def halved_by_precedence(f, x, eps=1e-5):
            """`a / 2 * eps` divides by 2 and then multiplies by eps. Write `a / (2 * eps)`."""
            return _quotients(f, x, eps) * eps**2

        def not_divided(f, x, eps=1e-5):
            """You return differences of f. Divide each by the way between the two ends, 2 eps."""
            return _quotients(f, x, eps, divisor=1 / eps)

        def sign_turned(f, x, eps=1e-5):
            """Your signs are turned round: it is f(x + eps) minus f(x - eps)."""
            return -_quotients(f, x, eps)

        def half_a_step(f, x, eps=1e-5):
            """You move by eps / 2 to each side. Move by eps to each side, and divide by 2 eps."""
            return _quotients(f, x, eps, up=0.5, down=0.5, divisor=1.0)

        def all_at_once(f, x, eps=1e-5):
            """You move all entries at once, so every place gets the same number. Move one entry at a time."""
            return np.full(x.shape, (f(x + eps) - f(x - eps)) / (2 * eps))

        def whole_rows(f, x, eps=1e-5):
            """You move x[i], which is a whole row if x has two axes. Go over all places: `np.ndindex(x.shape)`."""
            gradient = np.zeros(x.shape)
            for i in range(len(x)):
                unit = np.zeros(x.shape)
                unit[i] = eps
                gradient[i] = (f(x + unit) - f(x - unit)) / (2 * eps)
            return gradient

        def one_number_for_each_row(f, x, eps=1e-5):
            """You return one number for each x[i]. The gradient has x's own shape: go over `np.ndindex(x.shape)`."""
            gradient = np.zeros(len(x))
            for i in range(len(x)):
                unit = np.zeros(x.shape)
                unit[i] = eps
                gradient[i] = (f(x + unit) - f(x - unit)) / (2 * eps)
            return gradient

        def flat(f, x, eps=1e-5):
            """Your gradient is one long row. Give it the shape of x."""
            return _quotients(f, x, eps).ravel()

        def not_put_back(f, x, eps=1e-5):
            """You do not put an entry back before you move the next: by then x is another place. Work on copies."""
            x, gradient = x.copy(), np.zeros(x.shape)
            for place in np.ndindex(x.shape):
                x[place] += eps
                high = f(x)
                x[place] -= 2 * eps
                gradient[place] = (high - f(x)) / (2 * eps)
            return gradient

        def set_to_eps(f, x, eps=1e-5):
            """You set the entry to eps and -eps. Move it from where it is: add eps, and subtract it."""
            gradient = np.zeros(x.shape)
            for place in np.ndindex(x.shape):
                up, down = x.copy(), x.copy()
                up[place], down[place] = eps, -eps
                gradient[place] = (f(up) - f(down)) / (2 * eps)
            return gradient

        def upper_set_to_eps(f, x, eps=1e-5):
            """You set the upper entry to eps. Add eps to it: `+=`."""
            gradient = np.zeros(x.shape)
            for place in np.ndindex(x.shape):
                up, down = x.copy(), x.copy()
                up[place], down[place] = eps, x[place] - eps
                gradient[place] = (f(up) - f(down)) / (2 * eps)
            return gradient

        def lower_set_to_eps(f, x, eps=1e-5):
            """You set the lower entry to eps. Subtract eps from it: `-=`."""
            gradient = np.zeros(x.shape)
            for place in np.ndindex(x.shape):
                up, down = x.copy(), x.copy()
                up[place], down[place] = x[place] + eps, eps
                gradient[place] = (f(up) - f(down)) / (2 * eps)
            return gradient

        def scaled_by_eps(f, x, eps=1e-5):
            """You multiply the entry by eps. Add eps to it."""
            gradient = np.zeros(x.shape)
            for place in np.ndindex(x.shape):
                up, down = x.copy(), x.copy()
                up[place], down[place] = x[place] * eps, x[place] - eps
                gradient[place] = (f(up) - f(down)) / (2 * eps)
            return gradient

        def values_added(f, x, eps=1e-5):
            """You add the values at the two ends. A slope is their difference, divided by the way between them."""
            gradient = np.zeros(x.shape)
            for place in np.ndindex(x.shape):
                unit = np.zeros(x.shape)
                unit[place] = eps
                gradient[place] = (f(x + unit) + f(x - unit)) / (2 * eps)
            return gradient

        def upper_end_only(f, x, eps=1e-5):
            """You divide f(x + eps) alone. What counts is by how much f changes: f(x + eps) - f(x - eps)."""
            gradient = np.zeros(x.shape)
            for place in np.ndindex(x.shape):
                unit = np.zeros(x.shape)
                unit[place] = eps
                gradient[place] = f(x + unit) / (2 * eps)
            return gradient

        def lower_end_only(f, x, eps=1e-5):
            """You divide f(x - eps) alone. What counts is by how much f changes: f(x + eps) - f(x - eps)."""
            gradient = np.zeros(x.shape)
            for place in np.ndindex(x.shape):
                unit = np.zeros(x.shape)
                unit[place] = eps
                gradient[place] = f(x - unit) / (2 * eps)
            return gradient

        def multiplied_by_the_way(f, x, eps=1e-5):
            """You multiply by 2 eps. Divide by it: a slope is a difference per way."""
            return _quotients(f, x, eps) * (2 * eps) ** 2

        def divided_by_two_only(f, x, eps=1e-5):
            """You divide by 2. The way between the two ends is 2 eps: divide by that."""
            return _quotients(f, x, eps) * eps

        def x_moved_up(f, x, eps=1e-5):
            """Your x itself moves up from entry to entry: you add eps to x and not to a copy."""
            x, gradient = x.copy(), np.zeros(x.shape)
            for place in np.ndindex(x.shape):
                down = x.copy()
                x[place] += eps
                down[place] -= eps
                gradient[place] = (f(x) - f(down)) / (2 * eps)
            return gradient

        def no_copy(f, x, eps=1e-5):
            """`up = x` makes no copy: up and down are the same array, so their difference is 0. Use `x.copy()`."""
            return np.zeros(x.shape)

        def one_entry_only(f, x, eps=1e-5):
            """You return while the loop is still running (or keep the last number only). Each entry needs its own."""
            return _quotients(f, x, eps).ravel()[0]

        def last_entry_only(f, x, eps=1e-5):
            """You return the last number only. Keep each in an array of x's shape."""
            return _quotients(f, x, eps).ravel()[-1]

        def only_the_entry(f, x, eps=1e-5):
            """You gave f one entry alone. It takes the whole array, in which one entry has moved."""
            return np.array([(f(v + eps) - f(v - eps)) / (2 * eps) for v in x.ravel()]).reshape(x.shape)


# ---- the linear layer --------------------------------------------------------------------------------------------

SIZES = [(3, 4, 2), (1, 2, 5), (4, 3, 3), (5, 2, 2)]  # B, n_in, n_out: one with n_in = n_out, where a turned w fits


def _sizes(rng):
    return [*SIZES, (int(rng.integers(5, 8)), int(rng.integers(2, 5)), int(rng.integers(5, 8)))]


def _layer(rng, b, n_in, n_out):
    return _normal(rng, b, n_in), _normal(rng, n_in, n_out), _normal(rng, n_out)


@exercise(points=1, minutes=3, source="Goodfellow et al. 2016, Deep Learning, section 6.5.7")
class linear_forward:
    """A linear layer for a whole batch."""

    tolerance = close(1e-5, 1e-5, why="a float32 solution rounds a product of a few terms")

    def cases(rng):
        for b, n_in, n_out in _sizes(rng):
            yield case(*_layer(rng, b, n_in, n_out), label=f"B = {b}, n_in = {n_in}, n_out = {n_out}")

    def reference(x, w, b):
        columns = range(w.shape[1])
        return np.array([[math.fsum(row * w[:, j]) + b[j] for j in columns] for row in x])

    class misconceptions:
        def weights_first(x, w, b):
            """You multiply w @ x. Each row of x is an example, so x comes first."""
            return w @ x + b

        def weights_transposed(x, w, b):
            """You transpose w, as torch's own layers need it. Here w has shape (n_in, n_out) and fits as it is."""
            return x @ w.T + b

        def entry_by_entry(x, w, b):
            """`*` multiplies entry by entry. A linear layer is a matrix product: @."""
            return x * w + b

        def no_bias(x, w, b):
            """The bias is missing: add b to every row."""
            return x @ w

        def bias_subtracted(x, w, b):
            """You subtract the bias. Add it."""
            return x @ w - b

        def bias_as_a_column(x, w, b):
            """`b[:, None]` is a column, one number for each example. b has one for each output: add it as it is."""
            return x @ w + b[:, None]

        def bias_scales(x, w, b):
            """You multiply by the bias. Add it."""
            return x @ w * b

        def summed_bias(x, w, b):
            """You add the sum of b to everything. Output j gets b[j]."""
            return x @ w + b.sum()

        def with_relu(x, w, b):
            """You apply a ReLU. The linear layer is only the product and the bias; the ReLU is a step of its own."""
            return np.maximum(x @ w + b, 0)


def _turned_or_not(first, second):
    """first @ second.T, where the sizes fit."""
    return first @ second.T


@exercise(points=3, minutes=12, source="Goodfellow et al. 2016, Deep Learning, section 6.5.6; Rumelhart et al. 1986")
class linear_backward:
    """The three gradients of a linear layer, each of the shape of what it belongs to."""

    tolerance = close(1e-5, 1e-5, why="a float32 solution rounds products of a few terms")

    def cases(rng):
        for b, n_in, n_out in _sizes(rng):
            x, w, _ = _layer(rng, b, n_in, n_out)
            yield case(_normal(rng, b, n_out), x, w, label=f"B = {b}, n_in = {n_in}, n_out = {n_out}")

    def reference(grad_y, x, w):
        grad_x, grad_w, grad_b = np.zeros(x.shape), np.zeros(w.shape), np.zeros(w.shape[1])
        for n, i in np.ndindex(x.shape):
            for j, g in enumerate(grad_y[n]):  # y[n, j] has the terms x[n, i] * w[i, j], and b[j]
                grad_x[n, i] += g * w[i, j]
                grad_w[i, j] += g * x[n, i]
                grad_b[j] += g / x.shape[1]
        return grad_x, grad_w, grad_b

    class misconceptions:
        def w_not_transposed(grad_y, x, w):
            """For grad_x you multiply by w as it is. grad_y has n_out columns and grad_x needs n_in: multiply by w.T."""
            return grad_y @ w, x.T @ grad_y, grad_y.sum(0)

        def grad_w_transposed(grad_y, x, w):
            """Your grad_w is turned round: (n_out, n_in). It needs the shape of w, (n_in, n_out): x.T comes first."""
            return grad_y @ w.T, grad_y.T @ x, grad_y.sum(0)

        def x_not_transposed(grad_y, x, w):
            """Both x and grad_y have B rows, so x @ grad_y does not fit. The sum over the batch is x.T @ grad_y."""
            return grad_y @ w.T, x @ grad_y, grad_y.sum(0)

        def weights_first(grad_y, x, w):
            """For grad_x you multiply w by grad_y. Each row of grad_y is an example, so it comes first: grad_y @ w.T."""
            return w @ grad_y, x.T @ grad_y, grad_y.sum(0)

        def x_not_transposed_in_dot(grad_y, x, w):
            """For grad_w the two share the batch, the first axis of both: turn x round, np.dot(x.T, grad_y)."""
            return grad_y @ w.T, np.dot(x, grad_y), grad_y.sum(0)

        def grad_w_over_the_features(grad_y, x, w):
            """For grad_w you sum over features, (B, B). Sum over the examples: the axis of length B must be the inner one."""
            return grad_y @ w.T, x @ grad_y.T, grad_y.sum(0)

        def not_summed_over_the_batch(grad_y, x, w):
            """Your grad_w still has an axis for the examples. All examples share one w, so their gradients add up."""
            return grad_y @ w.T, x[:, :, None] * grad_y[:, None, :], grad_y.sum(0)

        def bias_not_summed(grad_y, x, w):
            """Your bias gradient still has a row for each example. b is shared by all of them: sum over the batch."""
            return grad_y @ w.T, x.T @ grad_y, grad_y

        def bias_averaged(grad_y, x, w):
            """You average the bias gradient over the batch. Sum it: dividing by B is the loss's business, once."""
            return grad_y @ w.T, x.T @ grad_y, grad_y.mean(0)

        def bias_over_outputs(grad_y, x, w):
            """Your bias gradient sums over the outputs (axis 1). There is one bias for each output: sum over the batch, axis 0."""
            return grad_y @ w.T, x.T @ grad_y, grad_y.sum(1)

        def bias_one_number(grad_y, x, w):
            """Your bias gradient is a single number. There is one bias for each output: sum over axis 0 only."""
            return grad_y @ w.T, x.T @ grad_y, grad_y.sum()

        def bias_keeps_an_axis(grad_y, x, w):
            """Your bias gradient has shape (1, n_out). b has shape (n_out,), and so has its gradient: no keepdims."""
            return grad_y @ w.T, x.T @ grad_y, grad_y.sum(0, keepdims=True)

        def bias_counts(grad_y, x, w):
            """The derivative of y by b is 1, but the chain rule multiplies it by grad_y: sum grad_y over the batch."""
            return grad_y @ w.T, x.T @ grad_y, np.full(w.shape[1], float(len(x)))

        def averaged_over_the_batch(grad_y, x, w):
            """You divide by the size of the batch here. The loss has done that once: grad_y holds it already."""
            return grad_y @ w.T, x.T @ grad_y / len(x), grad_y.mean(0)

        def grad_w_averaged(grad_y, x, w):
            """You divide grad_w by the size of the batch. The loss has done that once: grad_y holds it already."""
            return grad_y @ w.T, x.T @ grad_y / len(x), grad_y.sum(0)

        def all_averaged(grad_y, x, w):
            """You divide all three by the size of the batch. The loss has done that once: grad_y holds it already."""
            return grad_y @ w.T / len(x), x.T @ grad_y / len(x), grad_y.mean(0)

        def chain_forgotten_for_x(grad_y, x, w):
            """Your grad_x is w summed up, without grad_y. The chain rule multiplies what comes back by the layer's own derivative."""
            return np.ones(grad_y.shape) @ w.T, x.T @ grad_y, grad_y.sum(0)

        def chain_forgotten_for_w(grad_y, x, w):
            """Your grad_w is x summed up, without grad_y. The chain rule multiplies what comes back by the layer's own derivative."""
            return grad_y @ w.T, x.T @ np.ones(grad_y.shape), grad_y.sum(0)

        def w_first(grad_y, x, w):
            """You return the gradients in another order. Asked for is (grad_x, grad_w, grad_b)."""
            return x.T @ grad_y, grad_y @ w.T, grad_y.sum(0)

        def x_last(grad_y, x, w):
            """You return the gradients in another order. Asked for is (grad_x, grad_w, grad_b), as in the forward pass."""
            return x.T @ grad_y, grad_y.sum(0), grad_y @ w.T

        def no_grad_x(grad_y, x, w):
            """You return two gradients. The layer before needs a third one, grad_x: return (grad_x, grad_w, grad_b)."""
            return x.T @ grad_y, grad_y.sum(0)

        def entry_by_entry(grad_y, x, w):
            """`*` multiplies entry by entry; these are matrix products: @."""
            return grad_y * w.T, x.T * grad_y, grad_y.sum(0)


# ---- activations -------------------------------------------------------------------------------------------------


@exercise(points=2, minutes=5, source="Nair and Hinton 2010; Goodfellow et al. 2016, section 6.3.1")
class relu_backward:
    """The way back through max(x, 0)."""

    tolerance = close(1e-6, 1e-7, why="float32 inputs are rounded")

    def cases(rng):
        for shape in [(2, 3), (1, 5), (4,), (int(rng.integers(4, 7)), int(rng.integers(3, 6)))]:
            x, grad_y = _away_from_zero(rng, *shape), _away_from_zero(rng, *shape)
            x.flat[0], grad_y.flat[0] = 0.0, 1.5  # at the bend
            x.flat[1:4], grad_y.flat[1:4] = [1.2, -0.7, 0.6], [-0.8, 0.9, 1.1]  # both signs, whatever the seed
            yield case(grad_y, x, label=f"x of shape {shape}, one entry of it 0")

    def reference(grad_y, x):
        flat = [g if v > 0 else 0.0 for g, v in zip(grad_y.ravel().tolist(), x.ravel().tolist(), strict=True)]
        return np.array(flat).reshape(x.shape)

    class misconceptions:
        def mask_from_the_gradient(grad_y, x):
            """Your mask comes from grad_y: you drop negative gradients. What counts is where x, the input, was above 0."""
            return np.maximum(grad_y, 0)

        def both_masks(grad_y, x):
            """You drop negative gradients, too. Only x decides: where it is above 0, the gradient passes, of either sign."""
            return np.maximum(grad_y, 0) * (x > 0)

        def no_mask(grad_y, x):
            """You let everything pass. Where x was 0 or below, the output did not move, and the gradient is 0."""
            return grad_y.copy()

        def mask_turned_round(grad_y, x):
            """Your mask is turned round: the gradient passes where x is above 0."""
            return grad_y * (x < 0)

        def passes_at_zero(grad_y, x):
            """At exactly 0 you let the gradient pass. By the convention here (and torch's) it is 0 there: x > 0."""
            return grad_y * (x >= 0)

        def half_at_zero(grad_y, x):
            """At exactly 0 you take half of the gradient. By the convention here (and torch's) it is 0 there."""
            return grad_y * np.heaviside(x, 0.5)

        def mask_only(grad_y, x):
            """You return the mask, the ReLU's own derivative. The chain rule multiplies it by grad_y."""
            return (x > 0).astype(float)

        def multiplied_by_the_output(grad_y, x):
            """You multiply by max(x, 0), the output. Multiply by the slope, which is 1 above 0, and 0 else."""
            return grad_y * np.maximum(x, 0)

        def sign_for_slope(grad_y, x):
            """Below 0 your slope is -1, as np.sign gives it. The ReLU is level there: slope 0."""
            return grad_y * np.sign(x)

        def forward_again(grad_y, x):
            """You compute the ReLU itself. Asked for is the way back: grad_y where x was above 0."""
            return np.maximum(x, 0)

        def nan_for_zero(grad_y, x):
            """You divide max(x, 0) by x, which is 0 / 0 at 0. Compare: x > 0."""
            return grad_y * np.maximum(x, 0) / x

        def only_what_passes(grad_y, x):
            """`grad_y[x > 0]` picks entries out and forgets the others' places. Keep the shape: multiply by the mask."""
            return grad_y[x > 0]


ROOT = math.sqrt(2 / math.pi)


def _inside(x, factor=3.0):
    """The tanh inside of GELU, and the derivative of its argument (with another factor than 3, say)."""
    root = math.sqrt(2 / math.pi)
    return np.tanh(root * (x + 0.044715 * x**3)), root * (1 + factor * 0.044715 * x**2)


@exercise(points=2, minutes=10, source="Hendrycks and Gimpel 2016, section 2, the tanh form, differentiated")
class gelu_backward:
    """The way back through GELU: a product rule with a chain rule in it."""

    tolerance = close(2e-5, 2e-5, why="a float32 solution rounds a tanh and cubes")

    def cases(rng):
        for shape in [(2, 3), (1, 4), (3,), (int(rng.integers(4, 7)), int(rng.integers(3, 6)))]:
            x = _away_from_zero(rng, *shape)
            x.flat[:3] = np.array([-1.4, 0.8, 2.1]) + rng.uniform(-0.1, 0.1, 3)
            yield case(_away_from_zero(rng, *shape), x, label=f"x of shape {shape}")
        yield case(np.array([1.5, -2.0, 0.5]), np.array([0.0, 30.0, -30.0]), label="at 0 and far out")

    def reference(grad_y, x):
        def slope(v):
            exponent = 2 * ROOT * (v + 0.044715 * v**3)  # 0.5 (1 + tanh u) is a sigmoid of 2 u
            share = 1 / (1 + math.exp(-exponent)) if exponent > -700 else 0.0
            return share + v * share * (1 - share) * 2 * ROOT * (1 + 0.134145 * v * v)

        return grad_y * np.array([slope(v) for v in x.ravel().tolist()]).reshape(x.shape)

    class misconceptions:
        def first_term_only(grad_y, x):
            """Only one half of the product rule is there: the tanh depends on x too. Add x / 2 times its derivative."""
            return grad_y * 0.5 * (1 + _inside(x)[0])

        def second_term_only(grad_y, x):
            """The first half of the product rule is missing: x's own derivative is 1, which leaves (1 + tanh) / 2."""
            t, inner = _inside(x)
            return grad_y * 0.5 * x * (1 - t**2) * inner

        def inner_derivative_missing(grad_y, x):
            """The derivative of what stands inside of the tanh is missing (chain rule)."""
            t, _ = _inside(x)
            return grad_y * (0.5 * (1 + t) + 0.5 * x * (1 - t**2))

        def inner_root_missing(grad_y, x):
            """The square root of 2 / pi is missing from the derivative of the tanh's argument."""
            t, inner = _inside(x)
            return grad_y * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * inner / math.sqrt(2 / math.pi))

        def inner_root_only(grad_y, x):
            """The tanh's argument has a cube in it: its derivative is sqrt(2 / pi) * (1 + 3 * 0.044715 * x**2)."""
            t, _ = _inside(x)
            return grad_y * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * math.sqrt(2 / math.pi))

        def cube_without_its_three(grad_y, x):
            """The derivative of x**3 is 3 * x**2; the 3 is missing."""
            t, inner = _inside(x, 1.0)
            return grad_y * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * inner)

        def cube_kept(grad_y, x):
            """You use the tanh's argument for its derivative. The derivative of x + 0.044715 x**3 is 1 + 3 * 0.044715 * x**2."""
            t, _ = _inside(x)
            return grad_y * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))

        def tanh_not_squared(grad_y, x):
            """The derivative of tanh is 1 - tanh**2; yours has 1 - tanh."""
            t, inner = _inside(x)
            return grad_y * (0.5 * (1 + t) + 0.5 * x * (1 - t) * inner)

        def tanh_of_the_square(grad_y, x):
            """The derivative of tanh is 1 - tanh**2, with a minus."""
            t, inner = _inside(x)
            return grad_y * (0.5 * (1 + t) + 0.5 * x * (1 + t**2) * inner)

        def halves_missing(grad_y, x):
            """The factor 1/2 is missing from the second term."""
            t, inner = _inside(x)
            return grad_y * (0.5 * (1 + t) + x * (1 - t**2) * inner)

        def both_halves_missing(grad_y, x):
            """The factor 1/2 in front of GELU is missing: your result is twice too large."""
            t, inner = _inside(x)
            return grad_y * ((1 + t) + x * (1 - t**2) * inner)

        def x_missing(grad_y, x):
            """In the second term of the product rule the factor x is missing."""
            t, inner = _inside(x)
            return grad_y * (0.5 * (1 + t) + 0.5 * (1 - t**2) * inner)

        def minus_between_the_terms(grad_y, x):
            """Your second term has the wrong sign. The product rule adds, and the derivative of tanh is 1 - tanh**2, never negative."""
            t, inner = _inside(x)
            return grad_y * (0.5 * (1 + t) - 0.5 * x * (1 - t**2) * inner)

        def minus_in_the_first_term(grad_y, x):
            """Your first term has 1 - tanh. It is (1 + tanh) / 2, as in GELU itself."""
            t, inner = _inside(x)
            return grad_y * (0.5 * (1 - t) + 0.5 * x * (1 - t**2) * inner)

        def one_missing_in_the_first_term(grad_y, x):
            """The 1 is missing from your first term: it is (1 + tanh) / 2."""
            t, inner = _inside(x)
            return grad_y * (0.5 * t + 0.5 * x * (1 - t**2) * inner)

        def tanh_missing_in_the_first_term(grad_y, x):
            """The tanh is missing from your first term: it is (1 + tanh) / 2."""
            t, inner = _inside(x)
            return grad_y * (0.5 + 0.5 * x * (1 - t**2) * inner)

        def slope_of_tanh_missing(grad_y, x):
            """You left out the derivative of tanh itself, 1 - tanh**2: only what stands inside is differentiated."""
            t, inner = _inside(x)
            return grad_y * (0.5 * (1 + t) + 0.5 * x * inner)

        def slope_of_tanh_without_its_one(grad_y, x):
            """Your derivative of tanh is tanh**2. It is 1 - tanh**2."""
            t, inner = _inside(x)
            return grad_y * (0.5 * (1 + t) + 0.5 * x * t**2 * inner)

        def tanh_doubled(grad_y, x):
            """You have 1 - 2 tanh where 1 - tanh**2 belongs: a square, not a double."""
            t, inner = _inside(x)
            return grad_y * (0.5 * (1 + t) + 0.5 * x * (1 - 2 * t) * inner)

        def x_squared_for_tanh(grad_y, x):
            """You have 1 - x**2 where the derivative of tanh belongs: 1 - tanh(u)**2."""
            t, inner = _inside(x)
            return grad_y * (0.5 * (1 + t) + 0.5 * x * (1 - x**2) * inner)

        def inner_divided(grad_y, x):
            """You divide by du/dx. The chain rule multiplies by it."""
            t, inner = _inside(x)
            return grad_y * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) / inner)

        def only_the_slope_of_tanh_kept(grad_y, x):
            """Your second term is du/dx alone: x / 2 and 1 - tanh**2 are missing from it."""
            t, inner = _inside(x)
            return grad_y * (0.5 * (1 + t) + 0.5 * inner)

        def cube_subtracted(grad_y, x):
            """You subtract the cubic term's derivative. u is x plus 0.044715 x**3, so it is added."""
            t, inner = _inside(x)
            return grad_y * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * (2 * math.sqrt(2 / math.pi) - inner))

        def one_missing_inside(grad_y, x):
            """Your du/dx is that of the cubic term alone: the derivative of x, 1, is missing."""
            t, inner = _inside(x)
            return grad_y * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * (inner - math.sqrt(2 / math.pi)))

        def cube_not_lowered(grad_y, x):
            """The derivative of x**3 is 3 * x**2; yours still has x**3."""
            t, _inner = _inside(x)
            return grad_y * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * math.sqrt(2 / math.pi) * (1 + 0.134145 * x**3))

        def cube_lowered_twice(grad_y, x):
            """The derivative of x**3 is 3 * x**2; you have 3 * x."""
            t, _inner = _inside(x)
            return grad_y * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * math.sqrt(2 / math.pi) * (1 + 0.134145 * x))

        def square_missing(grad_y, x):
            """The x**2 is missing from du/dx: the derivative of x**3 is 3 * x**2."""
            t, _inner = _inside(x)
            return grad_y * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * math.sqrt(2 / math.pi) * (1 + 0.134145))

        def doubled_for_squared(grad_y, x):
            """You have 2 x where x**2 belongs: the derivative of x**3 is 3 * x**2."""
            t, _inner = _inside(x)
            return grad_y * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * math.sqrt(2 / math.pi) * (1 + 0.134145 * 2 * x))

        def two_for_three(grad_y, x):
            """The derivative of x**3 is 3 * x**2; you have 2 * x**2."""
            t, _inner = _inside(x)
            return grad_y * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * math.sqrt(2 / math.pi) * (1 + 0.08943 * x**2))

        def six_for_three(grad_y, x):
            """Your cubic term is differentiated with a 6: the derivative of x**3 is 3 * x**2."""
            t, _inner = _inside(x)
            return grad_y * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * math.sqrt(2 / math.pi) * (1 + 0.26829 * x**2))

        def number_missing_inside(grad_y, x):
            """The factor 0.044715 is missing from du/dx."""
            t, _inner = _inside(x)
            return grad_y * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * math.sqrt(2 / math.pi) * (1 + 3 * x**2))

        def number_and_three_missing(grad_y, x):
            """The factor 3 * 0.044715 is missing from du/dx."""
            t, _inner = _inside(x)
            return grad_y * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * math.sqrt(2 / math.pi) * (1 + x**2))

        def root_added(grad_y, x):
            """In du/dx you add the root of 2 / pi. It multiplies the whole bracket."""
            t, _inner = _inside(x)
            return grad_y * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * (math.sqrt(2 / math.pi) + 1 + 0.134145 * x**2))

        def gradient_for_x(grad_y, x):
            """In the second term stands grad_y. The factor is x; grad_y multiplies the whole."""
            t, inner = _inside(x)
            return grad_y * (0.5 * (1 + t) + 0.5 * grad_y * (1 - t**2) * inner)

        def slope_only(grad_y, x):
            """You return GELU's own derivative. The chain rule multiplies it by grad_y."""
            t, inner = _inside(x)
            return 0.5 * (1 + t) + 0.5 * x * (1 - t**2) * inner

        def slope_at_the_gradient(grad_y, x):
            """You take the slope at grad_y. Take it at x, where the function was computed, and multiply it by grad_y."""
            t, inner = _inside(grad_y)
            return grad_y * (0.5 * (1 + t) + 0.5 * grad_y * (1 - t**2) * inner)

        def multiplied_by_the_output(grad_y, x):
            """You multiply grad_y by GELU(x). Multiply it by GELU's derivative at x."""
            return grad_y * 0.5 * x * (1 + _inside(x)[0])

        def gradient_added(grad_y, x):
            """You add grad_y to the slope. The chain rule multiplies them."""
            t, inner = _inside(x)
            return grad_y / 2 + 0.5 * (1 + t) + 0.5 * x * (1 - t**2) * inner

        def of_relu(grad_y, x):
            """That is the ReLU's way back. GELU bends smoothly: differentiate its formula."""
            return grad_y * (x > 0)

        def of_the_exact_form(grad_y, x):
            """That is the derivative of the exact GELU (with erf). Here it is the tanh form, as in ch05."""
            cdf = np.array([0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x.ravel()]).reshape(x.shape)
            return grad_y * (cdf + x * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi))


# ---- softmax and cross-entropy -----------------------------------------------------------------------------------


def _softmax(z, axis=-1):
    powers = np.exp(z - z.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def _one_hot(targets, classes):
    return np.eye(classes)[targets]


@exercise(
    parts={"values": 3, "huge logits": 1},
    minutes=12,
    source="Bridle 1990; Goodfellow et al. 2016, Deep Learning, section 6.2.2.3",
)
class softmax_cross_entropy_backward:
    """The gradient of the mean loss by the logits, softmax and logarithm in one."""

    tolerance = close(2e-5, 2e-6, why="a float32 solution rounds exponentials")

    def cases(rng):
        b, classes = int(rng.integers(5, 8)), int(rng.integers(8, 11))
        for n, v in [(3, 4), (2, 5), (5, 3), (4, 4), (b, classes)]:
            targets = np.resize(rng.permutation(v), n)
            targets[1] = targets[0]  # two examples of one class
            yield case(_normal(rng, n, v), targets, label=f"B = {n}, V = {v}")
        far = np.array([[0.0, 800.0, -3.0, 799.0], [900.0, -900.0, 898.5, 900.5], [-1000.0, -1001.0, -999.0, -1000.5]])
        yield case(far + _normal(rng, 3, 4), np.array([3, 0, 2]), label="logits up to 1000", part="huge logits")

    def reference(logits, targets):
        rows = []
        for row, target in zip(logits.tolist(), targets.tolist(), strict=True):
            shares = [1 / math.fsum(math.exp(min(other - z, 700.0)) for other in row) for z in row]
            rows.append([(share - (i == target)) / len(logits) for i, share in enumerate(shares)])
        return np.array(rows)

    class misconceptions:
        def not_averaged(logits, targets):
            """You forgot to average: the loss is the mean over the batch, so its gradient is divided by B."""
            return _softmax(logits) - _one_hot(targets, logits.shape[1])

        def sign_turned(logits, targets):
            """The sign is wrong: y - p. The gradient points to a larger loss, p - y: a step against it raises the right logit."""
            return (_one_hot(targets, logits.shape[1]) - _softmax(logits)) / len(logits)

        def sign_turned_not_averaged(logits, targets):
            """Two things: the sign is wrong (it is p - y, not y - p), and the mean over the batch is missing (divide by B)."""
            return _one_hot(targets, logits.shape[1]) - _softmax(logits)

        def jacobian_left_out(logits, targets):
            """That is the gradient by the probabilities, -1/p at the target. The way back through the softmax is left out."""
            return -_one_hot(targets, logits.shape[1]) / _softmax(logits) / len(logits)

        def jacobian_diagonal(logits, targets):
            """You use the diagonal of the softmax's Jacobian only. Each logit moves all probabilities: the others get p / B."""
            p, y = _softmax(logits), _one_hot(targets, logits.shape[1])
            return (p - 1) * y / len(logits)

        def probabilities_only(logits, targets):
            """You return probabilities divided by B. Subtract 1 at each target first."""
            return _softmax(logits) / len(logits)

        def one_added(logits, targets):
            """You add 1 at the targets. Subtract it: a step against the gradient must raise the right logit."""
            return (_softmax(logits) + _one_hot(targets, logits.shape[1])) / len(logits)

        def target_set_to_one(logits, targets):
            """You set the target's entry to 1. Subtract 1 from the probability that stands there."""
            p, y = _softmax(logits), _one_hot(targets, logits.shape[1])
            return np.where(y > 0, 1, p) / len(logits)

        def target_set_to_minus_one(logits, targets):
            """You set the target's entry to -1. Subtract 1 from the probability that stands there: `-=`."""
            p, y = _softmax(logits), _one_hot(targets, logits.shape[1])
            return np.where(y > 0, -1, p) / len(logits)

        def logits_only(logits, targets):
            """You return the logits divided by B. What you computed from them got lost."""
            return logits / len(logits)

        def targets_only(logits, targets):
            """You return the one-hot targets with a minus. The probabilities of all classes are part of it: p - y."""
            return -_one_hot(targets, logits.shape[1]) / len(logits)

        def divided_by_classes(logits, targets):
            """You divide by V, the number of classes. The loss is a mean over the B examples: divide by B."""
            return (_softmax(logits) - _one_hot(targets, logits.shape[1])) / logits.shape[1]

        def divided_by_everything(logits, targets):
            """You divide by B times V. The loss is a mean over the B examples only."""
            return (_softmax(logits) - _one_hot(targets, logits.shape[1])) / logits.size

        def softmax_over_the_batch(logits, targets):
            """Your softmax runs over the examples (axis 0). The V classes of one example share out 1: the last axis."""
            return (_softmax(logits, 0) - _one_hot(targets, logits.shape[1])) / len(logits)

        def softmax_over_everything(logits, targets):
            """Your softmax shares out 1 among all examples at once. Each row sums to 1: axis=-1, keepdims=True."""
            p = np.exp(logits) / np.exp(logits).sum()
            return (p - _one_hot(targets, logits.shape[1])) / len(logits)

        def no_softmax(logits, targets):
            """You subtract the targets from the logits. Subtract them from the probabilities: softmax first."""
            return (logits - _one_hot(targets, logits.shape[1])) / len(logits)

        def log_probabilities(logits, targets):
            """You subtract the targets from the log of the softmax. Subtract them from the softmax itself."""
            return (np.log(_softmax(logits)) - _one_hot(targets, logits.shape[1])) / len(logits)

        def whole_columns(logits, targets):
            """`p[:, targets] -= 1` changes these columns in every row. Row i has its own target: p[np.arange(B), targets]."""
            p = _softmax(logits)
            p[:, targets] -= 1
            return p / len(logits)

        def whole_rows(logits, targets):
            """`p[targets]` picks rows, and the targets are columns: p[np.arange(B), targets]."""
            p = _softmax(logits)
            p[targets] -= 1
            return p / len(logits)

        def one_everywhere(logits, targets):
            """You subtract 1 everywhere. Subtract it at each example's target only."""
            return (_softmax(logits) - 1) / len(logits)

        def best_for_target(logits, targets):
            """You subtract 1 where the model is surest. Subtract it at the target, whatever the model believes."""
            return (_softmax(logits) - _one_hot(logits.argmax(1), logits.shape[1])) / len(logits)

        def target_number_subtracted(logits, targets):
            """You subtract the targets' numbers. A target is a place: subtract 1 there (a one-hot row)."""
            return (_softmax(logits) - targets[:, None]) / len(logits)

        def numbers_for_one_hot(logits, targets):
            """`p - targets` subtracts class numbers. What is subtracted is 1, at the place that the number names."""
            return (_softmax(logits) - targets) / len(logits)

        def at_the_target_only(logits, targets):
            """You return one number for each example. Every logit has a gradient: shape (B, V)."""
            rows = np.arange(len(logits))
            return (_softmax(logits)[rows, targets] - 1) / len(logits)

        def doubled(logits, targets):
            """There is a factor 2, as squared errors have it. Cross-entropy has none: (p - y) / B."""
            return 2 * (_softmax(logits) - _one_hot(targets, logits.shape[1])) / len(logits)

        def through_the_softmax_twice(logits, targets):
            """You multiply p - y by p (1 - p) once more. It is already the gradient by the logits: the Jacobian is in it."""
            p = _softmax(logits)
            return (p - _one_hot(targets, logits.shape[1])) * p * (1 - p) / len(logits)

        def the_loss(logits, targets):
            """You return the loss. Asked for is its gradient by the logits, shape (B, V)."""
            return -np.log(_softmax(logits)[np.arange(len(logits)), targets]).mean()

        def exponentials_overflow(logits, targets):
            """exp of a large logit is infinite, and inf / inf is NaN. Subtract each row's maximum first, or use `softmax`."""
            powers = np.exp(logits)
            p = powers / powers.sum(1, keepdims=True)
            return (p - _one_hot(targets, logits.shape[1])) / len(logits)


# ---- the embedding -----------------------------------------------------------------------------------------------


def _added(grad_x, ids, rows):
    gradient = np.zeros((rows, grad_x.shape[-1]))
    np.add.at(gradient, ids, grad_x)
    return gradient


@exercise(points=2, minutes=10, source="the chain rule for table[ids]: what is read twice gets two gradients")
class embedding_backward:
    """The gradient of a table of which some rows were read, some of them more than once."""

    tolerance = close(1e-5, 1e-5, why="a float32 solution rounds sums of a few terms")

    def cases(rng):
        # Some ids repeat, one row at the end is never read.
        yield case(_normal(rng, 5, 3), np.array([2, 0, 2, 4, 2]), 6, label="5 ids, 6 rows")
        yield case(_normal(rng, 3, 2, 4), np.array([[1, 3], [3, 3], [0, 1]]), 5, label="3 pairs, 5 rows")
        yield case(_normal(rng, 1, 2), np.array([1]), 3, label="one id, 3 rows")
        b, rows = int(rng.integers(5, 8)), int(rng.integers(6, 9))
        ids = rng.integers(0, rows - 1, (b, 2))
        ids[1], ids[2, 0] = ids[0, ::-1], ids[0, 0]
        yield case(_normal(rng, b, 2, 3), ids, rows, label=f"{b} pairs, {rows} rows")

    def reference(grad_x, ids, rows):
        width = grad_x.shape[-1]
        read = list(zip(ids.ravel().tolist(), grad_x.reshape(-1, width), strict=True))
        return np.array([sum((g for i, g in read if i == row), np.zeros(width)) for row in range(rows)])

    class misconceptions:
        def last_one_counts(grad_x, ids, rows):
            """A row that is read several times keeps one gradient only: `grad[ids] += g` does not add up repeats. `np.add.at` does."""
            gradient = np.zeros((rows, grad_x.shape[-1]))
            gradient[ids] = grad_x
            return gradient

        def first_one_counts(grad_x, ids, rows):
            """Of a row that is read several times only the first gradient counts. They all add up."""
            gradient = np.zeros((rows, grad_x.shape[-1]))
            width = grad_x.shape[-1]
            gradient[ids.ravel()[::-1]] = grad_x.reshape(-1, width)[::-1]
            return gradient

        def averaged(grad_x, ids, rows):
            """You average over the times that a row was read. They add up: each of them moves the loss."""
            count = np.maximum(np.bincount(ids.ravel(), minlength=rows), 1)
            return _added(grad_x, ids, rows) / count[:, None]

        def divided_by_the_batch(grad_x, ids, rows):
            """You divide by the number of examples. The loss has done that once: grad_x holds it already."""
            return _added(grad_x, ids, rows) / len(ids)

        def only_rows_that_occur(grad_x, ids, rows):
            """Your table ends with the largest id that occurs. Rows that nobody read have a gradient too: 0. Make `rows` of them."""
            return _added(grad_x, ids, ids.max() + 1)

        def only_rows_that_were_read(grad_x, ids, rows):
            """You return the rows that were read only. The gradient has the table's shape, (rows, d), 0 where nobody read."""
            return _added(grad_x, ids, rows)[np.unique(ids)]

        def turned_round(grad_x, ids, rows):
            """Your gradient is turned round: (d, rows). It has the table's shape, (rows, d)."""
            return _added(grad_x, ids, rows).T

        def as_it_came(grad_x, ids, rows):
            """You return what came in. Each row of the table needs the sum of the gradients of those who read it."""
            return grad_x.copy()

        def counts_only(grad_x, ids, rows):
            """You count how often each row was read. Add up the gradients that came back to it."""
            return _added(np.ones(grad_x.shape), ids, rows)

        def everything_to_each(grad_x, ids, rows):
            """Each row that was read gets everything. It gets only what came back to the places where it stood."""
            total = grad_x.reshape(-1, grad_x.shape[-1]).sum(0)
            return np.isin(np.arange(rows), ids)[:, None] * total

        def by_place(grad_x, ids, rows):
            """You write gradient i into row i. The ids say which row was read there."""
            gradient = np.zeros((rows, grad_x.shape[-1]))
            n = min(rows, ids.size)
            gradient[:n] = grad_x.reshape(-1, grad_x.shape[-1])[:n]
            return gradient

        def read_by_id(grad_x, ids, rows):
            """You look the gradient up by the id. It stands at its place in the batch; the id says to which row it goes."""
            gradient = np.zeros((rows, grad_x.shape[-1]))
            for i in ids:
                gradient[i] += grad_x[i]
            return gradient

        def width_from_the_second_axis(grad_x, ids, rows):
            """The width d is the last axis of grad_x, however many axes there are: grad_x.shape[-1], not shape[1]."""
            gradient = np.zeros((rows, grad_x.shape[1]))
            np.add.at(gradient, ids, grad_x)
            return gradient

        def only_two_axes(grad_x, ids, rows):
            """Your loop takes ids for a single row of numbers. It may have more axes: flatten both, or loop over np.ndindex."""
            gradient = np.zeros((rows, grad_x.shape[-1]))
            for i, one in enumerate(ids):
                gradient[one] += grad_x[i]
            return gradient


# ---- the network -------------------------------------------------------------------------------------------------

KEYS = ("embed", "w_1", "b_1", "w_2", "b_2")


def _network(rng, b, rows, d, hidden, classes):
    """Pairs with repeated ids, targets, and parameters for which no hidden unit is near its bend."""
    while True:
        pairs = rng.integers(0, rows, (b, 2))
        pairs[0, 1], pairs[-1] = pairs[0, 0], [pairs[0, 0], (pairs[0, 0] + 1) % rows]
        shapes = {"embed": (rows, d), "w_1": (2 * d, hidden), "b_1": (hidden,), "w_2": (hidden, classes),
                  "b_2": (classes,)}  # fmt: skip
        p = {name: _normal(rng, *shape, scale=0.8) for name, shape in shapes.items()}
        z = p["embed"][pairs].reshape(b, -1) @ p["w_1"] + p["b_1"]
        if np.abs(z).min() > 0.01 and (z > 0).any(1).all() and (z < 0).any(1).all():
            return pairs, rng.integers(0, classes, b), p


NETWORKS = [(3, 4, 2, 5, 6), (2, 3, 3, 4, 3), (4, 5, 2, 4, 7)]  # B, rows, d, hidden, V; once 2 d = hidden


def _networks(rng):
    drawn = (int(rng.integers(5, 8)), 6, 3, int(rng.integers(7, 9)), int(rng.integers(4, 6)))
    for b, rows, d, hidden, classes in [*NETWORKS, drawn]:
        yield f"B = {b}, d = {d}, {hidden} hidden units, V = {classes}", _network(rng, b, rows, d, hidden, classes)


def _forward(pairs, p, look_up=None, activation=None, bias=True):
    x = (look_up or _concatenated)(p["embed"], pairs)
    z = x @ p["w_1"] + (p["b_1"] if bias else 0.0)
    a = activation(z) if activation else np.maximum(z, 0)
    return a @ p["w_2"] + p["b_2"], {"x": x, "z": z, "a": a}


def _concatenated(table, pairs):
    return table[pairs].reshape(len(pairs), -1)


def _gelu(z):
    return 0.5 * z * (1 + _inside(z)[0])


def _saving(**changed):
    """A right forward pass that saves other things; each is given what it should have been."""

    def forward(pairs, p):
        logits, saved = _forward(pairs, p)
        return logits, saved | {name: change(saved) for name, change in changed.items()}

    return forward


@exercise(
    points=2, minutes=8, source="Goodfellow et al. 2016, Deep Learning, algorithm 6.3", uses=("m02.linear_forward",)
)
class network_forward:
    """Embedding, linear, ReLU, linear; what the way back needs is kept."""

    tolerance = close(1e-4, 1e-5, why="a float32 solution rounds two products in a row")

    def cases(rng):
        for label, (pairs, _, p) in _networks(rng):
            yield case(pairs, p, label=label)

    def reference(pairs, p):
        x = np.array([[*p["embed"][a], *p["embed"][b]] for a, b in pairs])
        z = np.einsum("bi,ij->bj", x, p["w_1"]) + p["b_1"]
        a = np.where(z > 0, z, 0.0)
        return np.einsum("bi,ij->bj", a, p["w_2"]) + p["b_2"], {"x": x, "z": z, "a": a}

    class misconceptions:
        def no_relu(pairs, p):
            """The ReLU is missing: two linear layers in a row are only one."""
            return _forward(pairs, p, activation=lambda z: z)

        def gelu_for_relu(pairs, p):
            """Your hidden layer uses GELU; this network uses ReLU."""
            return _forward(pairs, p, activation=_gelu)

        def tanh_for_relu(pairs, p):
            """Your hidden layer uses tanh; this network uses ReLU."""
            return _forward(pairs, p, activation=np.tanh)

        def embeddings_added(pairs, p):
            """`embed[pairs]` is (B, 2, d), and w_1 needs rows of 2 d numbers: the two embeddings side by side (reshape), not their sum."""
            return _forward(pairs, p, look_up=lambda table, ids: table[ids].sum(1))

        def first_factor_twice(pairs, p):
            """You look up the first factor twice. Column 1 of `pairs` is the second factor."""
            return _forward(pairs, p, look_up=lambda table, ids: _concatenated(table, ids[:, [0, 0]]))

        def factors_swapped(pairs, p):
            """The second factor's embedding stands first. The first factor comes first."""
            return _forward(pairs, p, look_up=lambda table, ids: _concatenated(table, ids[:, ::-1]))

        def interleaved(pairs, p):
            """The numbers of the two embeddings are interleaved (a transpose too many). Put one embedding after the other."""
            look_up = lambda table, ids: table[ids].swapaxes(1, 2).reshape(len(ids), -1)  # noqa: E731
            return _forward(pairs, p, look_up=look_up)

        def counted_from_one(pairs, p):
            """You subtract 1 from the ids. Row i of the table belongs to id i as it is."""
            return _forward(pairs, p, look_up=lambda table, ids: _concatenated(table, ids - 1))

        def one_long_row(pairs, p):
            """`reshape(-1)` makes one long row of the whole batch. Keep a row for each example: reshape(len(pairs), -1)."""
            return _forward(pairs, p, look_up=lambda table, ids: table[ids].reshape(-1))

        def factors_for_embeddings(pairs, p):
            """You give the layer the numbers of the pairs themselves. Look them up first: p["embed"][pairs]."""
            return _forward(pairs, p, look_up=lambda table, ids: ids)

        def first_bias_missing(pairs, p):
            """The bias b_1 is missing."""
            return _forward(pairs, p, bias=False)

        def second_bias_missing(pairs, p):
            """The bias b_2 is missing."""
            return _forward(pairs, p | {"b_2": 0.0 * p["b_2"]})

        def relu_at_the_end(pairs, p):
            """You put a ReLU on the logits too. They may have either sign: nothing comes after the second layer."""
            logits, saved = _forward(pairs, p)
            return np.maximum(logits, 0), saved

        def probabilities(pairs, p):
            """You return probabilities. Return the logits: the softmax belongs to the loss."""
            logits, saved = _forward(pairs, p)
            return _softmax(logits), saved

        def logits_only(pairs, p):
            """You return the logits only. The way back needs x, z and a: return (logits, {"x": x, "z": z, "a": a})."""
            return _forward(pairs, p)[0]

        def saved_first(pairs, p):
            """You return the two in the other order: the logits come first."""
            return _forward(pairs, p)[::-1]

        def z_after_the_relu(pairs, p):
            """You saved z after the ReLU. z is what goes into it, with negative numbers (an `out=` or a `z[z < 0] = 0` changes z itself)."""
            return _saving(z=lambda saved: saved["a"])(pairs, p)

        def a_before_the_relu(pairs, p):
            """You saved a before the ReLU. a is what comes out of it."""
            return _saving(a=lambda saved: saved["z"])(pairs, p)

        def ids_for_x(pairs, p):
            """You saved the pairs as x. x is what the first layer was given: the embeddings, (B, 2 d)."""
            return _saving(x=lambda saved: pairs)(pairs, p)

        def x_not_flattened_when_saved(pairs, p):
            """You saved x with three axes. Save what the first layer was given, (B, 2 d)."""
            return _saving(x=lambda saved: saved["x"].reshape(*pairs.shape, -1))(pairs, p)

        def a_list(pairs, p):
            """You saved a list. A dictionary with the keys x, z and a is asked for."""
            logits, saved = _forward(pairs, p)
            return logits, [*saved.values()]


def _loss(logits, targets):
    return float(-np.log(_softmax(logits)[np.arange(len(targets)), targets]).mean())


def _backward(pairs, targets, p, **how):
    """Loss and gradients in the usual way; `how` replaces single quantities."""
    logits, saved = _forward(pairs, p)
    x, z, a = saved["x"], saved["z"], saved["a"]
    g = how.get("g", lambda g: g)((_softmax(logits) - _one_hot(targets, logits.shape[1])) / len(targets))
    grad_a = g @ p["w_2"].T
    grad_z = how.get("grad_z", lambda grad_a, z: grad_a * (z > 0))(grad_a, z)
    grad_x = grad_z @ p["w_1"].T
    embed = how.get("embed", lambda g, ids, rows: _added(g.reshape(*ids.shape, -1), ids, rows))
    gradients = {
        "embed": embed(grad_x, pairs, len(p["embed"])), "w_1": x.T @ grad_z, "b_1": grad_z.sum(0), "w_2": a.T @ g,
        "b_2": g.sum(0),
    }  # fmt: skip
    return _loss(logits, targets), gradients


def _changed(pairs, targets, p, **changes):
    """The right gradients, but for some: each is given the forward pass, the gradient of the logits and that of z."""
    loss, gradients = _backward(pairs, targets, p)
    logits, saved = _forward(pairs, p)
    g = (_softmax(logits) - _one_hot(targets, logits.shape[1])) / len(targets)
    grad_z = (g @ p["w_2"].T) * (saved["z"] > 0)
    return loss, gradients | {name: change(saved, g, grad_z) for name, change in changes.items()}


@exercise(
    points=4,
    minutes=20,
    source="Rumelhart, Hinton and Williams 1986; Goodfellow et al. 2016, Deep Learning, algorithm 6.4",
    uses=("m02.network_forward", "m02.softmax_cross_entropy_backward", "m02.linear_backward", "m02.relu_backward",
          "m02.embedding_backward"),
)  # fmt: skip
class network_backward:
    """Loss and all gradients of the network: your pieces, joined in the opposite order."""

    tolerance = close(2e-4, 1e-5, why="a float32 solution rounds through two layers there and back")

    def cases(rng):
        for label, (pairs, targets, p) in _networks(rng):
            yield case(pairs, targets, p, label=label)

    def reference(pairs, targets, p):
        loss, grads = 0.0, {name: np.zeros(p[name].shape) for name in KEYS}
        for pair, target in zip(pairs, targets, strict=True):  # one example at a time, and outer products
            x = np.concatenate([p["embed"][i] for i in pair])
            z = x @ p["w_1"] + p["b_1"]
            a = np.where(z > 0, z, 0.0)
            logits = a @ p["w_2"] + p["b_2"]
            top = logits.max()
            log_shares = logits - top - math.log(math.fsum(np.exp(logits - top)))
            loss -= log_shares[target] / len(pairs)
            g = np.exp(log_shares) / len(pairs)
            g[target] -= 1 / len(pairs)
            grad_z = np.where(z > 0, p["w_2"] @ g, 0.0)
            grads["w_2"] += np.outer(a, g)
            grads["b_2"] += g
            grads["w_1"] += np.outer(x, grad_z)
            grads["b_1"] += grad_z
            for i, part in zip(pair, np.split(p["w_1"] @ grad_z, 2), strict=True):
                grads["embed"][i] += part
        return loss, grads

    class misconceptions:
        def relu_forgotten(pairs, targets, p):
            """On the way back you forgot the ReLU: the gradient of a becomes that of z by relu_backward."""
            return _backward(pairs, targets, p, grad_z=lambda grad_a, z: grad_a)

        def mask_from_the_gradient(pairs, targets, p):
            """Your ReLU's mask comes from the gradient. It comes from z, what went into the ReLU: saved["z"]."""
            return _backward(pairs, targets, p, grad_z=lambda grad_a, z: np.maximum(grad_a, 0))

        def relu_arguments_swapped(pairs, targets, p):
            """You give relu_backward its arguments in the wrong order: first the gradient, then what went into the ReLU."""
            return _backward(pairs, targets, p, grad_z=lambda grad_a, z: z * (grad_a > 0))

        def masked_by_the_value(pairs, targets, p):
            """You multiply by a itself on the way back through the ReLU. Its slope is 1 or 0."""
            return _backward(pairs, targets, p, grad_z=lambda grad_a, z: grad_a * np.maximum(z, 0))

        def not_averaged(pairs, targets, p):
            """Your gradients are B times too large: the loss is a mean over the batch."""
            return _backward(pairs, targets, p, g=lambda g: g * len(targets))

        def averaged_twice(pairs, targets, p):
            """Your gradients are B times too small: softmax_cross_entropy_backward has divided by B already."""
            return _backward(pairs, targets, p, g=lambda g: g / len(targets))

        def uphill(pairs, targets, p):
            """All your gradients have the wrong sign. It is p - y at the logits, and nothing changes sign on the way."""
            return _backward(pairs, targets, p, g=lambda g: -g)

        def one_hot_left_out(pairs, targets, p):
            """You start with the probabilities. The gradient of the logits is (softmax - one-hot) / B."""
            one_hot = _one_hot(targets, p["b_2"].size)
            return _backward(pairs, targets, p, g=lambda g: g + one_hot / len(targets))

        def second_layer_from_z(pairs, targets, p):
            """The gradient of w_2 uses z. The second layer was given a, what came out of the ReLU."""
            return _changed(pairs, targets, p, w_2=lambda saved, g, grad_z: saved["z"].T @ g)

        def first_layer_before_the_relu(pairs, targets, p):
            """Your w_1 and b_1 get the gradient of a. First go back through the ReLU: they need that of z."""
            return _changed(
                pairs, targets, p, w_1=lambda saved, g, grad_z: saved["x"].T @ (g @ p["w_2"].T),
                b_1=lambda saved, g, grad_z: (g @ p["w_2"].T).sum(0),
            )  # fmt: skip

        def b_1_before_the_relu(pairs, targets, p):
            """Your b_1 gets the gradient of a. It stands before the ReLU: sum that of z."""
            return _changed(pairs, targets, p, b_1=lambda saved, g, grad_z: (g @ p["w_2"].T).sum(0))

        def bias_gradients_averaged(pairs, targets, p):
            """Your bias gradients are means over the batch. Sum them: dividing by B happened at the loss."""
            return _changed(
                pairs, targets, p, b_1=lambda saved, g, grad_z: grad_z.mean(0), b_2=lambda saved, g, grad_z: g.mean(0)
            )

        def bias_gradients_not_summed(pairs, targets, p):
            """Your bias gradients still have a row for each example. Sum them over the batch."""
            return _changed(pairs, targets, p, b_1=lambda saved, g, grad_z: grad_z, b_2=lambda saved, g, grad_z: g)

        def repeats_counted_once(pairs, targets, p):
            """A digit that occurs several times in the batch keeps one gradient only in your table. They add up: embedding_backward."""

            def embed(grad_x, ids, rows):
                gradient = np.zeros((rows, grad_x.shape[1] // 2))
                gradient[ids] = grad_x.reshape(*ids.shape, -1)
                return gradient

            return _backward(pairs, targets, p, embed=embed)

        def first_factor_only(pairs, targets, p):
            """Only the first factor's half of grad_x gets to the table. The second factor was read from it too."""
            half = lambda g, ids, rows: _added(np.split(g, 2, axis=1)[0], ids[:, 0], rows)  # noqa: E731
            return _backward(pairs, targets, p, embed=half)

        def second_factor_only(pairs, targets, p):
            """Only the second factor's half of grad_x gets to the table (one overwrites the other). Add both."""
            half = lambda g, ids, rows: _added(np.split(g, 2, axis=1)[1], ids[:, 1], rows)  # noqa: E731
            return _backward(pairs, targets, p, embed=half)

        def halves_swapped(pairs, targets, p):
            """The two halves of grad_x go to each other's digit. The first d columns belong to the first factor."""
            swapped = lambda g, ids, rows: _added(g.reshape(*ids.shape, -1), ids[:, ::-1], rows)  # noqa: E731
            return _backward(pairs, targets, p, embed=swapped)

        def reshaped_the_wrong_way(pairs, targets, p):
            """`grad_x.reshape(B, d, 2)` mixes the halves. x was (B, 2, d) before you flattened it: go back to that."""
            mixed = lambda g, ids, rows: _added(g.reshape(len(ids), -1, 2).swapaxes(1, 2), ids, rows)  # noqa: E731
            return _backward(pairs, targets, p, embed=mixed)

        def not_reshaped(pairs, targets, p):
            """Your grad_x has 2 d columns, and the table d. Give it back its three axes, (B, 2, d), before embedding_backward."""
            return _backward(pairs, targets, p, embed=_added)

        def embedding_forgotten(pairs, targets, p):
            """The table's gradient is 0, so it would never learn. What came back to x goes on to embedding_backward."""
            return _backward(pairs, targets, p, embed=lambda g, ids, rows: np.zeros((rows, g.shape[1] // 2)))

        def embedding_left_out(pairs, targets, p):
            """A gradient is missing: the dictionary needs every key of p, "embed" too."""
            loss, gradients = _backward(pairs, targets, p)
            return loss, {name: g for name, g in gradients.items() if name != "embed"}

        def summed_loss(pairs, targets, p):
            """Your loss is the sum over the batch. Return the mean, as mean_loss gives it."""
            loss, gradients = _backward(pairs, targets, p)
            return loss * len(targets), gradients

        def gradients_only(pairs, targets, p):
            """You return the gradients only. Return (loss, gradients)."""
            return _backward(pairs, targets, p)[1]

        def gradients_first(pairs, targets, p):
            """You return the two in the other order: the loss comes first."""
            return _backward(pairs, targets, p)[::-1]

        def logits_for_loss(pairs, targets, p):
            """You return the logits first. The loss, a single number, is asked for: mean_loss(logits, targets)."""
            return _forward(pairs, p)[0], _backward(pairs, targets, p)[1]


# ---- optimizers --------------------------------------------------------------------------------------------------


def _shapes(rng):
    return [(2, 3), (4,), (1, 5), (int(rng.integers(2, 5)), int(rng.integers(5, 7)))]


@exercise(points=1, minutes=3, source="Robbins and Monro 1951; Goodfellow et al. 2016, algorithm 8.1")
class sgd_step:
    """One step of gradient descent."""

    tolerance = close(1e-5, 1e-6, why="a float32 solution rounds a difference")

    def cases(rng):
        for shape in _shapes(rng):
            w, grad, lr = _away_from_zero(rng, *shape), _away_from_zero(rng, *shape), float(rng.uniform(0.05, 0.4))
            yield case(w, grad, lr, label=f"an array of shape {shape}")

    def reference(w, grad, lr):
        flat = [a - lr * g for a, g in zip(w.ravel().tolist(), grad.ravel().tolist(), strict=True)]
        return np.array(flat).reshape(w.shape)

    class misconceptions:
        def uphill(w, grad, lr):
            """You go uphill: the gradient points to a larger loss, so lr * grad is subtracted."""
            return w + lr * grad

        def no_rate(w, grad, lr):
            """The learning rate is missing: subtract lr * grad."""
            return w - grad

        def divided_by_the_rate(w, grad, lr):
            """You divide by lr. Multiply the gradient by it."""
            return w - grad / lr

        def rate_subtracted(w, grad, lr):
            """You subtract lr itself. Subtract lr * grad."""
            return w - lr

        def change_only(w, grad, lr):
            """You return the change. Return the new array: w plus the change."""
            return -lr * grad

        def step_only(w, grad, lr):
            """You return lr * grad. Return the new array: w minus that."""
            return lr * grad

        def sign_of_the_gradient(w, grad, lr):
            """You use the gradient's sign only. Subtract lr times the gradient itself."""
            return w - lr * np.sign(grad)

        def shrunk(w, grad, lr):
            """You multiply w by the gradient. The step does not depend on w: subtract lr * grad."""
            return w - lr * grad * w

        def rate_added(w, grad, lr):
            """You add lr and the gradient. Multiply them: w - lr * grad."""
            return w - (lr + grad)

        def doubled_step(w, grad, lr):
            """Your step is twice as long. Subtract lr * grad once."""
            return w - 2 * lr * grad

        def step_multiplied(w, grad, lr):
            """You multiply w by the step. Subtract the step from it."""
            return w * lr * grad

        def rate_divided(w, grad, lr):
            """You divide lr by the gradient. Multiply them."""
            return w - lr / grad

        def averaged_once_more(w, grad, lr):
            """You divide by the number of rows. The gradient is finished: the loss was a mean already."""
            return w - lr * grad / len(w)

        def returns_nothing(w, grad, lr):
            """You changed w and returned nothing. Make a new array and return it: the old one may still be needed."""
            return None


@exercise(
    points=2, minutes=6, source="Polyak 1964; Sutskever et al. 2013, section 2, with the rate outside as in torch"
)
class momentum_step:
    """One step of descent with momentum: a velocity gathers the gradients."""

    tolerance = close(1e-5, 1e-6, why="a float32 solution rounds sums and differences")

    def cases(rng):
        for shape in _shapes(rng):
            w, grad, velocity = (_away_from_zero(rng, *shape) for _ in range(3))
            lr, beta = float(rng.uniform(0.1, 0.3)), float(rng.uniform(0.5, 0.8))
            yield case(w, grad, velocity, lr, beta, label=f"an array of shape {shape}")
        w, grad = _away_from_zero(rng, 3), _away_from_zero(rng, 3)
        yield case(w, grad, _away_from_zero(rng, 3), 0.2, label="beta left as it is")

    def reference(w, grad, velocity, lr, beta=0.9):
        pairs = [
            (a - lr * (beta * u + g), beta * u + g)
            for a, g, u in zip(w.ravel().tolist(), grad.ravel().tolist(), velocity.ravel().tolist(), strict=True)
        ]
        new, moved = np.array(pairs).T
        return new.reshape(w.shape), moved.reshape(w.shape)

    class misconceptions:
        def wrong_sign(w, grad, velocity, lr, beta=0.9):
            """The gradient enters your velocity with a minus, and you subtract the velocity: uphill. One minus is enough."""
            velocity = beta * velocity - grad
            return w - lr * velocity, velocity

        def old_velocity_subtracted(w, grad, velocity, lr, beta=0.9):
            """The old velocity enters with a minus, so each step undoes the last. It keeps going: beta * velocity + grad."""
            velocity = grad - beta * velocity
            return w - lr * velocity, velocity

        def uphill(w, grad, velocity, lr, beta=0.9):
            """You add lr * velocity. The velocity points where the gradients point, uphill: subtract it."""
            velocity = beta * velocity + grad
            return w + lr * velocity, velocity

        def rate_inside(w, grad, velocity, lr, beta=0.9):
            """Your velocity holds the learning rate. Here it gathers plain gradients, and lr is applied when w moves."""
            velocity = beta * velocity + lr * grad
            return w - velocity, velocity

        def rate_inside_downwards(w, grad, velocity, lr, beta=0.9):
            """Your velocity holds -lr (as some books write it). Here it gathers plain gradients: w - lr * velocity."""
            velocity = beta * velocity - lr * grad
            return w + velocity, velocity

        def negative_velocity(w, grad, velocity, lr, beta=0.9):
            """Your velocity points downhill. Here it is beta * velocity + grad, and w loses lr times it."""
            velocity = beta * velocity - grad
            return w + lr * velocity, velocity

        def running_mean(w, grad, velocity, lr, beta=0.9):
            """You multiply the new gradient by 1 - beta, as Adam does. In momentum it enters in full."""
            velocity = beta * velocity + (1 - beta) * grad
            return w - lr * velocity, velocity

        def shares_swapped(w, grad, velocity, lr, beta=0.9):
            """Your beta multiplies the gradient. It multiplies the old velocity: what is left of it."""
            velocity = velocity + beta * grad
            return w - lr * velocity, velocity

        def no_friction(w, grad, velocity, lr, beta=0.9):
            """Your velocity never fades: the factor beta is missing before the old one."""
            velocity = velocity + grad
            return w - lr * velocity, velocity

        def no_memory(w, grad, velocity, lr, beta=0.9):
            """The old velocity is forgotten: that is plain gradient descent. Add beta times it."""
            return w - lr * grad, grad.copy()

        def w_by_the_gradient(w, grad, velocity, lr, beta=0.9):
            """Your w moves by the gradient alone. It moves by the new velocity."""
            return w - lr * grad, beta * velocity + grad

        def w_by_the_old_velocity(w, grad, velocity, lr, beta=0.9):
            """Your w moves by the old velocity. Bring the velocity up to date first, then move w."""
            return w - lr * velocity, beta * velocity + grad

        def look_ahead(w, grad, velocity, lr, beta=0.9):
            """That is Nesterov's variant: grad + beta * velocity once more. Here w moves by the new velocity itself."""
            velocity = beta * velocity + grad
            return w - lr * (grad + beta * velocity), velocity

        def velocity_not_kept(w, grad, velocity, lr, beta=0.9):
            """You return the old velocity, so the next step starts where this one did. Return the new one."""
            return w - lr * (beta * velocity + grad), velocity.copy()

        def no_rate(w, grad, velocity, lr, beta=0.9):
            """The learning rate is missing: w - lr * velocity."""
            velocity = beta * velocity + grad
            return w - velocity, velocity

        def doubled_step(w, grad, velocity, lr, beta=0.9):
            """Your step is twice as long. w loses lr times the new velocity, once."""
            velocity = beta * velocity + grad
            return w - 2 * lr * velocity, velocity

        def rate_for_beta(w, grad, velocity, lr, beta=0.9):
            """The old velocity is multiplied by lr. What is left of it is beta times it."""
            velocity = lr * velocity + grad
            return w - lr * velocity, velocity

        def beta_added(w, grad, velocity, lr, beta=0.9):
            """You add beta to the velocity. The old velocity is multiplied by it."""
            velocity = beta + velocity + grad
            return w - lr * velocity, velocity

        def gradient_multiplied(w, grad, velocity, lr, beta=0.9):
            """You multiply the old velocity by the gradient. The gradient is added."""
            velocity = beta * velocity * grad
            return w - lr * velocity, velocity

        def step_multiplied(w, grad, velocity, lr, beta=0.9):
            """You multiply w by the step. Subtract the step from it."""
            velocity = beta * velocity + grad
            return w * lr * velocity, velocity

        def rate_added(w, grad, velocity, lr, beta=0.9):
            """You add lr and the velocity. Multiply them: w - lr * velocity."""
            velocity = beta * velocity + grad
            return w - (lr + velocity), velocity

        def rate_alone(w, grad, velocity, lr, beta=0.9):
            """Your w loses lr alone. It loses lr times the velocity."""
            return w - lr, beta * velocity + grad

        def velocity_first(w, grad, velocity, lr, beta=0.9):
            """You return the two in the other order: the new w comes first."""
            velocity = beta * velocity + grad
            return velocity, w - lr * velocity

        def w_only(w, grad, velocity, lr, beta=0.9):
            """You return w only. The next step needs the velocity: return (w, velocity)."""
            return w - lr * (beta * velocity + grad)


def _adam(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, how=None):
    """Adam in one line for each quantity; `how` replaces single ones."""
    how = how or {}
    step = state["step"] + 1
    m = how.get("m", lambda: beta1 * state["m"] + (1 - beta1) * grad)()
    v = how.get("v", lambda: beta2 * state["v"] + (1 - beta2) * grad**2)()
    m_hat = how.get("m_hat", lambda m: m / (1 - beta1**step))(m)
    v_hat = how.get("v_hat", lambda v: v / (1 - beta2**step))(v)
    update = how.get("update", lambda m_hat, v_hat: m_hat / (np.sqrt(v_hat) + eps))(m_hat, v_hat)
    return w - lr * update, {"step": step, "m": m, "v": v}


def _adam_case(rng, step, shape, lr, **settings):
    w, grad = _away_from_zero(rng, *shape), _away_from_zero(rng, *shape)
    m, v = (_away_from_zero(rng, *shape), rng.uniform(0.2, 2.0, shape)) if step else (np.zeros(shape), np.zeros(shape))
    label = f"step {step + 1}, an array of shape {tuple(shape)}"
    return case(w, grad, {"step": step, "m": m, "v": v}, lr, label=label, **settings)


@exercise(points=3, minutes=12, source="Kingma and Ba 2015, algorithm 1")
class adam_step:
    """One step of Adam: running means of gradient and squared gradient, corrected for their start at 0."""

    tolerance = close(2e-5, 5e-6, why="a float32 solution rounds differences of numbers near 1, and a root")

    def cases(rng):
        yield _adam_case(rng, 0, (3,), 0.1, beta1=0.8, beta2=0.95, eps=1e-3)
        yield _adam_case(rng, 3, (2, 3), 0.2, beta1=0.7, beta2=0.9, eps=0.1)
        yield _adam_case(rng, int(rng.integers(5, 30)), (4, 1, 2), float(rng.uniform(0.1, 0.3)), eps=0.05)
        zero = {"step": 0, "m": np.zeros(2), "v": np.zeros(2)}
        yield case(np.array([1.0, -2.0]), np.zeros(2), zero, 0.1, eps=1e-3, label="a gradient of zero: nothing moves")
        yield _adam_case(rng, 1, (4,), 0.15)
        w, tiny = _away_from_zero(rng, 3), 1e-8 * _away_from_zero(rng, 3)
        zero = {"step": 0, "m": np.zeros(3), "v": np.zeros(3)}
        yield case(w, tiny, zero, 0.1, label="gradients as small as eps, all settings left as they are")

    def reference(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        step = state["step"] + 1
        m = state["m"] + (1 - beta1) * (grad - state["m"])
        v = state["v"] + (1 - beta2) * (grad * grad - state["v"])
        denominator = np.sqrt(v) / math.sqrt(1 - beta2**step) + eps
        return w - lr / (1 - beta1**step) * m / denominator, {"step": step, "m": m, "v": v}

    class misconceptions:
        def no_correction(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """The bias correction is missing. The means start at 0, so early ones are too small: divide by 1 - beta**step."""
            return _adam(w, grad, state, lr, beta1, beta2, eps, {"m_hat": lambda m: m, "v_hat": lambda v: v})

        def only_m_corrected(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """`v` is not corrected. It starts at 0 like m: divide it by 1 - beta2**step."""
            return _adam(w, grad, state, lr, beta1, beta2, eps, {"v_hat": lambda v: v})

        def only_v_corrected(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """`m` is not corrected. It starts at 0 like v: divide it by 1 - beta1**step."""
            return _adam(w, grad, state, lr, beta1, beta2, eps, {"m_hat": lambda m: m})

        def old_step(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """You correct with the number of steps before this one (1 - beta**0 is 0). Count this step too: step + 1."""
            old = np.float64(state["step"])
            how = {"m_hat": lambda m: m / (1 - beta1**old), "v_hat": lambda v: v / (1 - beta2**old)}
            return _adam(w, grad, state, lr, beta1, beta2, eps, how)

        def step_not_counted(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """The state that you return says the old number of steps. Return step + 1: the next correction needs it."""
            new, after = _adam(w, grad, state, lr, beta1, beta2, eps)
            return new, after | {"step": state["step"]}

        def correction_by_beta(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """The correction is 1 - beta**step, a power. You divide by 1 - beta, whatever the step."""
            how = {"m_hat": lambda m: m / (1 - beta1), "v_hat": lambda v: v / (1 - beta2)}
            return _adam(w, grad, state, lr, beta1, beta2, eps, how)

        def correction_by_a_product(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """You take beta times step. The correction holds a power: 1 - beta**step."""
            step = state["step"] + 1
            how = {"m_hat": lambda m: m / (1 - beta1 * step), "v_hat": lambda v: v / (1 - beta2 * step)}
            return _adam(w, grad, state, lr, beta1, beta2, eps, how)

        def corrected_means_kept(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """You keep the corrected means in the state: the next step would correct them again. Keep m and v as they are."""
            new, after = _adam(w, grad, state, lr, beta1, beta2, eps)
            step = after["step"]
            return new, {"step": step, "m": after["m"] / (1 - beta1**step), "v": after["v"] / (1 - beta2**step)}

        def eps_inside_the_root(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """`eps` stands inside of your root. It is added to the root: sqrt(v_hat) + eps."""
            return _adam(w, grad, state, lr, beta1, beta2, eps, {"update": lambda m, v: m / np.sqrt(v + eps)})

        def no_eps(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """`eps` is missing: without it a gradient of 0 gives 0 / 0. Divide by sqrt(v_hat) + eps."""
            return _adam(w, grad, state, lr, beta1, beta2, 0.0)

        def no_root(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """You divide by v_hat. Divide by its square root (plus eps), which has the gradient's own unit."""
            return _adam(w, grad, state, lr, beta1, beta2, eps, {"update": lambda m, v: m / (v + eps)})

        def uphill(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """You go uphill: the update is subtracted."""
            return _adam(w, grad, state, -lr, beta1, beta2, eps)

        def betas_swapped(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """The betas are swapped: beta1 belongs to m, beta2 to v."""
            return _adam(w, grad, state, lr, beta2, beta1, eps)

        def shares_swapped(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """The shares are swapped: beta is what the old mean keeps, 1 - beta what the new gradient adds."""
            how = {
                "m": lambda: (1 - beta1) * state["m"] + beta1 * grad,
                "v": lambda: (1 - beta2) * state["v"] + beta2 * grad**2,
            }
            return _adam(w, grad, state, lr, beta1, beta2, eps, how)

        def in_full(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """The new gradient enters in full, as in momentum. In a running mean its share is 1 - beta."""
            how = {"m": lambda: beta1 * state["m"] + grad, "v": lambda: beta2 * state["v"] + grad**2}
            return _adam(w, grad, state, lr, beta1, beta2, eps, how)

        def gradient_not_squared(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """`v` is the mean of the squared gradient; the square is missing."""
            how = {"v": lambda: beta2 * state["v"] + (1 - beta2) * grad}
            return _adam(w, grad, state, lr, beta1, beta2, eps, how)

        def old_m(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """Your w moves by the means from before this step. Bring m and v up to date first."""
            step = state["step"] + 1
            how = {
                "m_hat": lambda m: state["m"] / (1 - beta1**step),
                "v_hat": lambda v: state["v"] / (1 - beta2**step),
            }
            return _adam(w, grad, state, lr, beta1, beta2, eps, how)

        def gradient_for_m(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """Your w moves by this gradient alone. Adam moves by its running mean, m_hat."""
            return _adam(w, grad, state, lr, beta1, beta2, eps, {"m_hat": lambda m: grad})

        def gradient_subtracted_from_m(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """The gradient enters m with a minus. Both parts of a running mean are added."""
            how = {"m": lambda: beta1 * state["m"] - (1 - beta1) * grad}
            return _adam(w, grad, state, lr, beta1, beta2, eps, how)

        def m_never_fades(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """Your m keeps all of its old value: the factor beta1 is missing."""
            how = {"m": lambda: state["m"] + (1 - beta1) * grad}
            return _adam(w, grad, state, lr, beta1, beta2, eps, how)

        def v_never_fades(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """Your v keeps all of its old value: the factor beta2 is missing."""
            how = {"v": lambda: state["v"] + (1 - beta2) * grad**2}
            return _adam(w, grad, state, lr, beta1, beta2, eps, how)

        def m_in_full(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """The new gradient enters m in full. In a running mean its share is 1 - beta1."""
            how = {"m": lambda: beta1 * state["m"] + grad}
            return _adam(w, grad, state, lr, beta1, beta2, eps, how)

        def v_in_full(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """The squared gradient enters v in full. In a running mean its share is 1 - beta2."""
            how = {"v": lambda: beta2 * state["v"] + grad**2}
            return _adam(w, grad, state, lr, beta1, beta2, eps, how)

        def old_v_by_beta1(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """The old v is multiplied by beta1. To v belongs beta2."""
            how = {"v": lambda: beta1 * state["v"] + (1 - beta2) * grad**2}
            return _adam(w, grad, state, lr, beta1, beta2, eps, how)

        def new_m_by_beta2(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """The new gradient's share in m is 1 - beta2. It is 1 - beta1."""
            how = {"m": lambda: beta1 * state["m"] + (1 - beta2) * grad}
            return _adam(w, grad, state, lr, beta1, beta2, eps, how)

        def new_v_by_beta1(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """The squared gradient's share in v is 1 - beta1. It is 1 - beta2."""
            how = {"v": lambda: beta2 * state["v"] + (1 - beta1) * grad**2}
            return _adam(w, grad, state, lr, beta1, beta2, eps, how)

        def doubled_for_squared(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """You have 2 * grad in v where grad**2 belongs."""
            how = {"v": lambda: beta2 * state["v"] + (1 - beta2) * 2 * grad}
            return _adam(w, grad, state, lr, beta1, beta2, eps, how)

        def m_multiplied_by_the_correction(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """You multiply m by 1 - beta1**step. It is too small at first: divide."""
            step = state["step"] + 1
            how = {"m_hat": lambda m: m * (1 - beta1**step)}
            return _adam(w, grad, state, lr, beta1, beta2, eps, how)

        def v_multiplied_by_the_correction(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """You multiply v by 1 - beta2**step. It is too small at first: divide."""
            step = state["step"] + 1
            how = {"v_hat": lambda v: v * (1 - beta2**step)}
            return _adam(w, grad, state, lr, beta1, beta2, eps, how)

        def m_corrected_by_beta2(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """You correct m with beta2. To m belongs beta1."""
            step = state["step"] + 1
            how = {"m_hat": lambda m: m / (1 - beta2**step)}
            return _adam(w, grad, state, lr, beta1, beta2, eps, how)

        def v_corrected_by_beta1(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """You correct v with beta1. To v belongs beta2."""
            step = state["step"] + 1
            how = {"v_hat": lambda v: v / (1 - beta1**step)}
            return _adam(w, grad, state, lr, beta1, beta2, eps, how)

        def m_corrected_without_the_power(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """You divide m by 1 - beta1, whatever the step: the power is missing."""
            how = {"m_hat": lambda m: m / (1 - beta1)}
            return _adam(w, grad, state, lr, beta1, beta2, eps, how)

        def v_corrected_without_the_power(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """You divide v by 1 - beta2, whatever the step: the power is missing."""
            how = {"v_hat": lambda v: v / (1 - beta2)}
            return _adam(w, grad, state, lr, beta1, beta2, eps, how)

        def not_divided(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """You do not divide by the root of v_hat: that is descent by m alone."""
            how = {"update": lambda m_hat, v_hat: m_hat}
            return _adam(w, grad, state, lr, beta1, beta2, eps, how)

        def multiplied_by_the_root(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """You multiply by the root of v_hat. Divide by it: large gradients get small factors."""
            how = {"update": lambda m_hat, v_hat: m_hat * (np.sqrt(v_hat) + eps)}
            return _adam(w, grad, state, lr, beta1, beta2, eps, how)

        def corrected_m_kept(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """You keep the corrected m in the state: the next step would correct it again. Keep m as it is."""
            new, after = _adam(w, grad, state, lr, beta1, beta2, eps)
            return new, after | {"m": after["m"] / (1 - beta1 ** after["step"])}

        def corrected_v_kept(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """You keep the corrected v in the state: the next step would correct it again. Keep v as it is."""
            new, after = _adam(w, grad, state, lr, beta1, beta2, eps)
            return new, after | {"v": after["v"] / (1 - beta2 ** after["step"])}

        def no_rate(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """The learning rate is missing: subtract lr * m_hat / (sqrt(v_hat) + eps)."""
            return _adam(w, grad, state, 1.0, beta1, beta2, eps)

        def state_first(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """You return the two in the other order: the new w comes first."""
            return _adam(w, grad, state, lr, beta1, beta2, eps)[::-1]

        def w_only(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
            """You return w only. The next step needs the state: return (w, {"step", "m", "v"})."""
            return _adam(w, grad, state, lr, beta1, beta2, eps)[0]


# ---- one step of training ----------------------------------------------------------------------------------------


def _states(rng, p, step):
    """Adam's states in the middle of a training, or before its first step."""
    if not step:
        return {name: {"step": 0, "m": np.zeros(w.shape), "v": np.zeros(w.shape)} for name, w in p.items()}
    return {
        name: {"step": step, "m": _normal(rng, *w.shape, scale=0.1), "v": rng.uniform(0.05, 0.2, w.shape)}
        for name, w in p.items()
    }


def _stepped(p, gradients, states, lr, names=None):
    """Adam for the arrays named, the others as they were."""
    new = {name: _adam(p[name], gradients[name], states[name], lr) for name in names or p}
    new_p = {name: new[name][0] if name in new else p[name] for name in p}
    return new_p, {name: new[name][1] if name in new else states[name] for name in p}


def _layer_by_layer(pairs, targets, p, states, lr):
    """Each layer is updated as soon as its gradient is known, and the gradient goes on through what is updated."""
    logits, saved = _forward(pairs, p)
    g = (_softmax(logits) - _one_hot(targets, logits.shape[1])) / len(targets)
    new_p, new_states = dict(p), dict(states)

    def update(name, gradient):
        new_p[name], new_states[name] = _adam(p[name], gradient, states[name], lr)

    update("w_2", saved["a"].T @ g)
    update("b_2", g.sum(0))
    grad_z = (g @ new_p["w_2"].T) * (saved["z"] > 0)
    update("w_1", saved["x"].T @ grad_z)
    update("b_1", grad_z.sum(0))
    grad_x = (grad_z @ new_p["w_1"].T).reshape(*pairs.shape, -1)
    update("embed", _added(grad_x, pairs, len(p["embed"])))
    return new_p, new_states, _loss(logits, targets)


@exercise(
    points=2, minutes=8, source="Kingma and Ba 2015, algorithm 1, for every parameter of a network",
    uses=("m02.network_backward", "m02.adam_step"),
)  # fmt: skip
class train_step:
    """One step of training: all gradients first, then Adam for every array."""

    tolerance = close(1e-3, 1e-4, why="a float32 solution rounds the way back, and Adam divides by small numbers")

    def cases(rng):
        for (label, (pairs, targets, p)), step in zip(_networks(rng), (4, 7, 0, 11), strict=True):
            lr = float(rng.uniform(0.1, 0.3))
            yield case(pairs, targets, p, _states(rng, p, step), lr, label=f"{label}, step {step + 1}")

    def reference(pairs, targets, p, states, lr):
        loss, gradients = _backward(pairs, targets, p)
        new_p, new_states = {}, {}
        for name, gradient in gradients.items():
            step = states[name]["step"] + 1
            m = states[name]["m"] + 0.1 * (gradient - states[name]["m"])
            v = states[name]["v"] + 0.001 * (gradient * gradient - states[name]["v"])
            root = np.sqrt(v / (1 - 0.999**step)) + 1e-8
            new_p[name] = p[name] - lr * m / (1 - 0.9**step) / root
            new_states[name] = {"step": step, "m": m, "v": v}
        return new_p, new_states, loss

    class misconceptions:
        def updated_too_early(pairs, targets, p, states, lr):
            """You update a layer while gradients still have to go back through it. Take all gradients first, with the old weights."""
            return _layer_by_layer(pairs, targets, p, states, lr)

        def loss_after_the_step(pairs, targets, p, states, lr):
            """Your loss is that of the new weights. Return the one that network_backward gave, before the step."""
            _, gradients = _backward(pairs, targets, p)
            new_p, new_states = _stepped(p, gradients, states, lr)
            return new_p, new_states, _loss(_forward(pairs, new_p)[0], targets)

        def uphill(pairs, targets, p, states, lr):
            """Your step goes uphill. adam_step subtracts already: give it the gradient and lr as they are."""
            loss, gradients = _backward(pairs, targets, p)
            return *_stepped(p, gradients, states, -lr), loss

        def plain_descent(pairs, targets, p, states, lr):
            """That is plain gradient descent. Use adam_step for each array."""
            loss, gradients = _backward(pairs, targets, p)
            return {name: p[name] - lr * gradients[name] for name in p}, states, loss

        def states_not_kept(pairs, targets, p, states, lr):
            """You return the old states, so that Adam would begin anew in each step. Return the new ones."""
            loss, gradients = _backward(pairs, targets, p)
            return _stepped(p, gradients, states, lr)[0], states, loss

        def parameters_not_kept(pairs, targets, p, states, lr):
            """You return the old parameters: the new ones get lost. Collect what adam_step gives in a new dictionary."""
            loss, gradients = _backward(pairs, targets, p)
            return p, _stepped(p, gradients, states, lr)[1], loss

        def embedding_not_trained(pairs, targets, p, states, lr):
            """The embedding stays as it was. It has a gradient too: loop over all names in p."""
            loss, gradients = _backward(pairs, targets, p)
            return *_stepped(p, gradients, states, lr, ("w_1", "b_1", "w_2", "b_2")), loss

        def biases_not_trained(pairs, targets, p, states, lr):
            """The biases stay as they were. They have gradients too: loop over all names in p."""
            loss, gradients = _backward(pairs, targets, p)
            return *_stepped(p, gradients, states, lr, ("embed", "w_1", "w_2")), loss

        def started_anew(pairs, targets, p, states, lr):
            """Adam begins anew in each step: you give it fresh states. Give it those that came in."""
            loss, gradients = _backward(pairs, targets, p)
            return *_stepped(p, gradients, _states(None, p, 0), lr), loss

        def all_arrays_at_once(pairs, targets, p, states, lr):
            """`adam_step` takes one array, its gradient and its state. Call it for each name in p."""
            loss, gradients = _backward(pairs, targets, p)
            return *_adam(p, gradients, states, lr), loss

        def rate_not_passed_on(pairs, targets, p, states, lr):
            """The learning rate that you were given has no effect: pass lr on to adam_step."""
            loss, gradients = _backward(pairs, targets, p)
            return *_stepped(p, gradients, states, 0.001), loss

        def two_steps(pairs, targets, p, states, lr):
            """You step twice with one gradient: adam_step is called twice for each array. Keep both of its results at once."""
            loss, gradients = _backward(pairs, targets, p)
            once = _stepped(p, gradients, states, lr)
            return *_stepped(once[0], gradients, once[1], lr), loss

        def gradients_for_parameters(pairs, targets, p, states, lr):
            """You return the gradients. Return the new parameters, what adam_step makes of them."""
            loss, gradients = _backward(pairs, targets, p)
            return gradients, _stepped(p, gradients, states, lr)[1], loss

        def loss_first(pairs, targets, p, states, lr):
            """You return the three in another order. Asked for is (p, states, loss)."""
            loss, gradients = _backward(pairs, targets, p)
            return loss, *_stepped(p, gradients, states, lr)

        def no_loss(pairs, targets, p, states, lr):
            """The loss is missing from what you return: (p, states, loss)."""
            return _stepped(p, _backward(pairs, targets, p)[1], states, lr)

        def pairs_in_a_dictionary(pairs, targets, p, states, lr):
            """`adam_step` gives two things, and you kept both in the parameters. Take them apart: w and state."""
            loss, gradients = _backward(pairs, targets, p)
            new_p, new_states = _stepped(p, gradients, states, lr)
            return {name: (new_p[name], new_states[name]) for name in p}, new_states, loss


# ---- check questions ---------------------------------------------------------------------------------------------


@question(answer="c")
class tiny_eps:
    """Somebody sets eps = 1e-13 in `numeric_gradient`, to be as exact as possible, and the measured gradients get worse. Why?"""

    a = (
        "The derivative is only defined for larger steps.",
        "It is defined by ever smaller ones. On paper 1e-13 would be better; the trouble is how the computer keeps numbers.",
    )
    b = (
        "Central differences divide by 2 eps, which becomes 0.",
        "2e-13 is a perfectly good float64 number: the smallest is about 1e-308.",
    )
    c = (
        "float64 keeps about 16 digits: f(x + eps) and f(x - eps) agree in nearly all of them, and what is left is rounding.",
        "Right: the rounding, about 1e-16 of f, is divided by 2e-13. Around 1e-5 both errors are small.",
    )
    d = (
        "f has a kink near x.",
        "A kink spoils the measurement whatever eps is, and a smaller eps would make it less likely to be hit.",
    )


@question(answer=["a", "d"])
class what_to_keep:
    """The hidden layer is a = max(z, 0) with z = x w_1 + b_1, and then logits = a w_2 + b_2. Which of these does the way back need from the way forward? Choose all that apply."""

    a = (
        "x, for the gradient of w_1.",
        "Right: grad_w_1 is x.T @ grad_z. That is why training needs more memory than using a net.",
    )
    b = (
        "b_1, for the gradient of b_1.",
        "The gradient of a bias is a sum of what comes back. Its own value does not matter.",
    )
    c = (
        "b_2, for the gradient of a.",
        "No: grad_a is grad_logits @ w_2.T. A bias only shifts, so no derivative depends on it.",
    )
    d = (
        "Where z was above 0, for the gradient of z.",
        "Right: the mask of the ReLU. Its value elsewhere is not needed, only its sign.",
    )


@question(answer="b")
class all_zero:
    """You start with w_1 and w_2 all zero (the embeddings are random, the biases 0) and train with your functions. What can the net learn?"""

    a = (
        "Everything: the gradients push the weights apart.",
        "Compute them: a is 0, so the gradient of w_2 is 0. w_2 is 0, so nothing comes back to w_1.",
    )
    b = (
        "Only b_2: how often each product occurs.",
        "Right: grad_w_2 = a.T @ g with a = 0, and grad_a = g @ w_2.T with w_2 = 0. Only grad_b_2 is not 0.",
    )
    c = (
        "Everything but the embeddings.",
        "The embeddings get nothing, but w_1 and w_2 get nothing either.",
    )
    d = (
        "Nothing at all: all gradients are 0.",
        "One is not: the gradient of b_2 is the sum over the batch of (softmax - one-hot) / B.",
    )


@question(answer="a")
class batch_not_averaged:
    """A forgets to divide by B in `softmax_cross_entropy_backward`, B does not. Both train with `sgd_step`, lr = 0.5, all 81 pairs at once. What does A see?"""

    a = (
        "Steps 81 times as large as B's, as with lr = 40: the loss jumps about.",
        "Right: every gradient is 81 times too large, and sgd_step multiplies it by lr. With smaller batches it would be another factor.",
    )
    b = (
        "The same as B: the factor cancels.",
        "With Adam it nearly would, since it divides by the gradient's own size. sgd_step does not.",
    )
    c = (
        "Steps 81 times smaller, since a sum is shared out.",
        "The other way round: a sum of 81 gradients is 81 times their mean.",
    )
    d = (
        "Only the printed loss is 81 times too large.",
        "The loss is computed elsewhere. It is the gradients that are too large.",
    )


@question(answer="d")
class never_seen:
    """The net gets 100 % of the pairs that it was trained with, 6 x 2 among them, and says that 2 x 6 is 10. Why does it not help that it knows 6 x 2?"""

    a = (
        "It needs more hidden units.",
        "More units let it store more pairs. They give it no reason to answer pairs alike that are not stored.",
    )
    b = (
        "It was not trained for long enough.",
        "The loss of the pairs that it was trained with is almost 0: nothing is left that could pull at the others.",
    )
    c = (
        "The softmax cannot give the class 12 to two pairs.",
        "It can: 3 x 4 and 4 x 3 are both answered by 12 in the table that it learned.",
    )
    d = (
        "Nothing in the net or in the loss says that the order of factors does not matter; it stores answers to inputs.",
        "Right: 2 x 6 is another row of numbers than 6 x 2. To generalise it would have to learn steps, which is what m18 is about.",
    )
