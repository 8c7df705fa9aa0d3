"""Exercises of ch05, the encoder block. The parts agree with `torch.nn.functional.layer_norm` and
`gelu(approximate="tanh")`, the block with `torch.nn.TransformerEncoderLayer(norm_first=True)`."""

import math

import numpy as np

from autograder.exercise import case, exercise, question
from course.checks.compare import close, exact

TITLE = "The encoder block"

no_torch = {"torch": "this chapter builds the block from NumPy"}
float32_sums = close(1e-4, 2e-5, why="a float32 solution rounds sums of up to 100 terms")


def _standard(x, axis=-1, eps=1e-5):
    return (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + eps)


@exercise(
    parts={"values": 2, "nearly constant rows": 1, "a batch": 1},
    minutes=10,
    source="Ba et al. 2016, equation 4",
    forbids=no_torch,
)
class layer_norm:
    """Layer normalisation: each token's features get mean 0 and variance 1, then a learned gain and bias."""

    tolerance = float32_sums

    def cases(rng):
        def gain_and_bias(d):
            return rng.uniform(0.5, 2, d) * rng.choice([-1, 1], d), rng.uniform(0.5, 1.5, d) * rng.choice([-1, 1], d)

        for n, d in [(1, 5), (3, 4), (6, 3), (4, 4)]:
            x = 6 * rng.permuted(np.tile(np.linspace(-1.5, 1.5, d), (n, 1)), axis=1)  # far from constant: eps is no
            x += rng.uniform(-1, 1, (n, d)) + rng.uniform(2, 6, (n, 1))  # matter here
            yield case(x, *gain_and_bias(d), label=f"{n} token{'s' * (n > 1)} of width {d}")
        small = "nearly constant rows"
        tiny = 0.002 * (rng.permuted(np.tile(np.linspace(-1, 1, 5), (3, 1)), axis=1) + 0.2 * rng.random((3, 5)))
        yield case(tiny, *gain_and_bias(5), label="features that hardly differ", part=small)
        constant = np.repeat(rng.integers(1, 9, (2, 1)).astype(float), 4, axis=1)
        yield case(constant, *gain_and_bias(4), label="all features equal", part=small)
        x = 2 * rng.standard_normal((3, 4)) + np.arange(4)
        yield case(x, *gain_and_bias(4), float(rng.uniform(0.5, 1)), label="a large eps", part=small)
        x = 4 * rng.standard_normal((2, 3, 5)) + 3 * np.arange(5)
        yield case(x, *gain_and_bias(5), label="two sequences at once", part="a batch")
        x = 4 * rng.standard_normal(6) + 3 * np.arange(6)
        yield case(x, *gain_and_bias(6), label="a single vector", part="a batch")

    def reference(x, gain, bias, eps=1e-5):
        out = np.empty(x.shape)
        for place in np.ndindex(x.shape[:-1]):
            row = [float(v) for v in x[place]]
            mean = math.fsum(row) / len(row)
            deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in row) / len(row) + eps)
            out[place] = [g * (v - mean) / deviation + b for v, g, b in zip(row, gain, bias, strict=True)]
        return out

    class misconceptions:
        def unbiased_variance(x, gain, bias, eps=1e-5):
            """You divide the squares by d - 1 (`ddof=1`). The variance here is their plain mean: divide by d."""
            deviation = np.sqrt(x.var(-1, ddof=1, keepdims=True) + eps)
            return gain * (x - x.mean(-1, keepdims=True)) / deviation + bias

        def squares_summed(x, gain, bias, eps=1e-5):
            """You add up the squared distances. The variance is their mean: divide by d_model, under the root."""
            centred = x - x.mean(-1, keepdims=True)
            return gain * centred / np.sqrt((centred**2).sum(-1, keepdims=True) + eps) + bias

        def no_root(x, gain, bias, eps=1e-5):
            """You divide by the variance. Divide by its square root, the standard deviation."""
            return gain * (x - x.mean(-1, keepdims=True)) / (x.var(-1, keepdims=True) + eps) + bias

        def eps_outside_the_root(x, gain, bias, eps=1e-5):
            """You add eps to the standard deviation. It belongs under the root, beside the variance."""
            return gain * (x - x.mean(-1, keepdims=True)) / (x.std(-1, keepdims=True) + eps) + bias

        def no_eps(x, gain, bias, eps=1e-5):
            """There is no eps: where all features are equal you divide 0 by 0. Add eps to the variance, under the root."""
            return gain * (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True) + bias

        def eps_ignored(x, gain, bias, eps=1e-5):
            """You always use 1e-5. The caller may ask for another eps: use the argument."""
            return gain * _standard(x) + bias

        def eps_above_too(x, gain, bias, eps=1e-5):
            """Your eps stands in the numerator too. It only keeps the denominator away from 0."""
            return gain * (x - x.mean(-1, keepdims=True) + eps**0.5) / np.sqrt(x.var(-1, keepdims=True) + eps) + bias

        def over_the_tokens(x, gain, bias, eps=1e-5):
            """Your mean and variance run over the tokens (axis 0). Each token is normalised alone, over its features."""
            return gain * _standard(x, 0, eps) + bias

        def over_everything(x, gain, bias, eps=1e-5):
            """You take one mean and one variance of the whole array. Each row has its own: give `axis` and `keepdims`."""
            return gain * (x - x.mean()) / np.sqrt(x.var() + eps) + bias

        def axis_one(x, gain, bias, eps=1e-5):
            """Axis 1 is the last one only of a matrix. With a batch in front, the features are axis -1."""
            return gain * _standard(x, 1, eps) + bias

        def keepdims_forgotten(x, gain, bias, eps=1e-5):
            """A mean of shape (n,) is not subtracted row by row. Keep it a column, (n, 1): `keepdims=True`."""
            return gain * (x - x.mean(-1)) / np.sqrt(x.var(-1) + eps) + bias

        def gain_and_bias_swapped(x, gain, bias, eps=1e-5):
            """Gain and bias are swapped: multiply by the gain, then add the bias."""
            return bias * _standard(x, -1, eps) + gain

        def gain_and_bias_forgotten(x, gain, bias, eps=1e-5):
            """Gain and bias are missing: multiply the normalised features by the gain and add the bias."""
            return _standard(x, -1, eps)

        def gain_forgotten(x, gain, bias, eps=1e-5):
            """The gain is missing: multiply the normalised features by it before you add the bias."""
            return _standard(x, -1, eps) + bias

        def bias_forgotten(x, gain, bias, eps=1e-5):
            """The bias is missing: add it at the end."""
            return gain * _standard(x, -1, eps)

        def bias_before_gain(x, gain, bias, eps=1e-5):
            """You add the bias first and then multiply. The gain scales the normalised features only."""
            return gain * (_standard(x, -1, eps) + bias)

        def bias_divided_too(x, gain, bias, eps=1e-5):
            """Your division takes in the gain and the bias. Divide the centred features first, then `gain * ... + bias`."""
            return (gain * (x - x.mean(-1, keepdims=True)) + bias) / np.sqrt(x.var(-1, keepdims=True) + eps)

        def mean_not_subtracted(x, gain, bias, eps=1e-5):
            """The mean is not subtracted from the numerator: first centre the features, then divide."""
            return gain * x / np.sqrt(x.var(-1, keepdims=True) + eps) + bias

        def root_mean_square(x, gain, bias, eps=1e-5):
            """You divide by the root of the mean square (RMSNorm). Here the mean is subtracted, before and in the variance."""
            return gain * x / np.sqrt((x**2).mean(-1, keepdims=True) + eps) + bias

        def length_one(x, gain, bias, eps=1e-5):
            """You scale each vector to length 1. Layer norm subtracts the mean and divides by the standard deviation."""
            return gain * x / np.linalg.norm(x, axis=-1, keepdims=True) + bias

        def gain_as_a_matrix(x, gain, bias, eps=1e-5):
            """`@` makes a matrix product. The gain belongs to the features one by one: multiply with `*`."""
            return gain @ _standard(x, -1, eps) + bias

        def mean_over_the_tokens(x, gain, bias, eps=1e-5):
            """The mean that you subtract runs over the tokens (axis 0). It belongs to one token: axis -1, as in the variance."""
            centred = x - x.mean(0, keepdims=True)
            return gain * centred / np.sqrt((centred**2).mean(-1, keepdims=True) + eps) + bias

        def variance_over_the_tokens(x, gain, bias, eps=1e-5):
            """The variance runs over the tokens (axis 0). It belongs to one token: axis -1, as in the mean."""
            centred = x - x.mean(-1, keepdims=True)
            return gain * centred / np.sqrt((centred**2).mean(0, keepdims=True) + eps) + bias

        def variance_of_everything(x, gain, bias, eps=1e-5):
            """You take one variance for the whole array. Each row has its own: give `axis` and `keepdims` there too."""
            centred = x - x.mean(-1, keepdims=True)
            return gain * centred / np.sqrt((centred**2).mean() + eps) + bias

        def squares_not_averaged(x, gain, bias, eps=1e-5):
            """You divide each distance by its own size. The variance is the mean of the squared distances of the row."""
            centred = x - x.mean(-1, keepdims=True)
            return gain * centred / np.sqrt(centred**2 + eps) + bias

        def gain_added(x, gain, bias, eps=1e-5):
            """You add the gain. It multiplies the normalised features."""
            deviation = np.sqrt(x.var(-1, keepdims=True) + eps)
            return (gain + x - x.mean(-1, keepdims=True)) / deviation + bias

        def bias_multiplied(x, gain, bias, eps=1e-5):
            """You multiply by the bias. It is added, after the gain."""
            return gain * _standard(x, -1, eps) * bias

        def multiplied_by_the_deviation(x, gain, bias, eps=1e-5):
            """You multiply by the standard deviation. Divide: large features should become smaller."""
            return gain * (x - x.mean(-1, keepdims=True)) * np.sqrt(x.var(-1, keepdims=True) + eps) + bias

        def only_centred(x, gain, bias, eps=1e-5):
            """You subtract the mean but do not divide by the standard deviation."""
            return gain * (x - x.mean(-1, keepdims=True)) + bias

        def precedence(x, gain, bias, eps=1e-5):
            """Brackets are missing: in `x - mean / deviation` only the mean is divided. Write `(x - mean) / deviation`."""
            return gain * (x - x.mean(-1, keepdims=True) / np.sqrt(x.var(-1, keepdims=True) + eps)) + bias


def _gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


@exercise(points=2, minutes=6, source="Hendrycks and Gimpel 2016, section 2, the tanh form", forbids=no_torch)
class gelu:
    """GELU, the smooth gate between the two layers of a feed-forward network, in its tanh form."""

    tolerance = close(2e-5, 2e-6, why="a float32 solution rounds a cube and 1 + tanh, which cancel for negative x")

    def cases(rng):
        yield case(np.linspace(-3, 3, 7) + rng.uniform(-0.1, 0.1), label="a row of 7 numbers")
        yield case(2 * rng.standard_normal((4, 3)) + np.array([-1, 0, 1]), label="a matrix")
        yield case(rng.uniform(0.5, 2.5, (2, 1, 3)) * np.array([-1.0, 1, -1]), label="three axes")
        yield case(np.array([-50.0, -8, 8, 50]) * rng.uniform(1, 2), label="large numbers")

    def reference(x):
        u = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
        return x * np.exp(-np.logaddexp(0, -2 * u))  # 1 + tanh(u) is 2 / (1 + exp(-2 u))

    class misconceptions:
        def relu(x):
            """This is ReLU, which cuts off at 0. GELU bends smoothly and is a little negative left of 0."""
            return np.maximum(x, 0)

        def sigmoid_form(x):
            """This is the short form x * sigmoid(1.702 x). It is near GELU, but here the tanh form is asked for."""
            return x / (1 + np.exp(-1.702 * x))

        def silu(x):
            """This is SiLU, x * sigmoid(x): a relative of GELU, but another function."""
            return x / (1 + np.exp(-x))

        def exact_form(x):
            """This is the exact GELU with erf. It differs from the tanh form in the fourth digit; use tanh here, as GPT-2."""
            return 0.5 * x * (1 + np.vectorize(math.erf)(x / np.sqrt(2)))

        def no_half(x):
            """The factor 0.5 is missing: 1 + tanh runs from 0 to 2, and half of it from 0 to 1."""
            return x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))

        def only_the_gate(x):
            """You return the gate alone, a number from 0 to 1. GELU is x times the gate."""
            return 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))

        def no_one(x):
            """The 1 before tanh is missing: without it the gate runs from -1 to 1, and negative inputs come out positive."""
            return 0.5 * x * np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))

        def no_cube(x):
            """The cubic term is missing inside tanh: x + 0.044715 x^3."""
            return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * x))

        def square_for_cube(x):
            """You square x inside tanh; the term is 0.044715 x^3."""
            return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**2)))

        def root_over_the_first_term_only(x):
            """Brackets are missing: sqrt(2 / pi) multiplies both terms, x + 0.044715 x^3."""
            return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * x + 0.044715 * x**3))

        def root_of_two_only(x):
            """The root takes in the whole fraction: sqrt(2 / pi), about 0.8. Yours is sqrt(2) / pi."""
            return 0.5 * x * (1 + np.tanh(np.sqrt(2) / np.pi * (x + 0.044715 * x**3)))

        def tanh_outside(x):
            """Brackets are missing: 0.5 x multiplies the whole of 1 + tanh(...)."""
            return 0.5 * x * 1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))

        def root_of_two_pi(x):
            """You take sqrt(2 * pi). The factor inside tanh is sqrt(2 / pi), about 0.8."""
            return 0.5 * x * (1 + np.tanh(np.sqrt(2 * np.pi) * (x + 0.044715 * x**3)))

        def no_root(x):
            """The factor inside tanh is the square root of 2 / pi, about 0.8; you took 2 / pi itself."""
            return 0.5 * x * (1 + np.tanh(2 / np.pi * (x + 0.044715 * x**3)))

        def slipped_digit(x):
            """A digit slipped: the coefficient of the cube is 0.044715."""
            return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.44715 * x**3)))

        def half_inside(x):
            """0.5 and 1 are in each other's way: the gate is 0.5 * (1 + tanh(...)), not 0.5 + tanh(...)."""
            return x * (0.5 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))

        def cube_subtracted(x):
            """The cube is subtracted inside tanh; it is added: x + 0.044715 x^3."""
            return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x - 0.044715 * x**3)))

        def times_three(x):
            """You multiply by 3. x^3 is a power: `x**3`."""
            return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x * 3)))

        def no_power(x):
            """The power is missing: 0.044715 multiplies the cube of x, not x."""
            return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x)))

        def fourth_power(x):
            """The power inside tanh is 3; with an even one, negative inputs lose their sign."""
            return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**4)))

        def coefficient_forgotten(x):
            """The cube has a coefficient, 0.044715."""
            return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + x**3)))

        def coefficient_doubled(x):
            """The coefficient of the cube is 0.044715; you have twice that."""
            return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 2 * 0.044715 * x**3)))

        def only_the_cube(x):
            """Inside tanh only the cube is left. It is a small correction to x: x + 0.044715 x^3."""
            return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * 0.044715 * x**3))

        def cube_of_nothing(x):
            """The coefficient stands alone inside tanh. It multiplies x^3."""
            return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715)))

        def no_factor(x):
            """The factor sqrt(2 / pi), about 0.8, is missing inside tanh."""
            return 0.5 * x * (1 + np.tanh(x + 0.044715 * x**3))

        def factor_added(x):
            """You add sqrt(2 / pi) inside tanh. It multiplies what stands in the brackets."""
            return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) + x + 0.044715 * x**3))

        def root_upside_down(x):
            """The fraction under the root is upside down: 2 / pi."""
            return 0.5 * x * (1 + np.tanh(np.sqrt(np.pi / 2) * (x + 0.044715 * x**3)))

        def root_of_two(x):
            """You take sqrt(2), which belongs to the exact form with erf. The factor inside tanh is sqrt(2 / pi)."""
            return 0.5 * x * (1 + np.tanh(np.sqrt(2) * (x + 0.044715 * x**3)))

        def slope_of_erf(x):
            """Your factor inside tanh is 2 / sqrt(pi), which belongs to erf. Here it is sqrt(2 / pi)."""
            return 0.5 * x * (1 + np.tanh(2 / np.sqrt(np.pi) * (x + 0.044715 * x**3)))

        def doubled_inside(x):
            """What stands inside tanh is doubled. The 2 belongs to the form with a sigmoid."""
            return 0.5 * x * (1 + np.tanh(2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))

        def no_tanh(x):
            """There is no tanh: without it the gate is no number from 0 to 1."""
            return 0.5 * x * (1 + np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))

        def half_added(x):
            """You add 0.5. Half of 1 + tanh(...) is taken: multiply."""
            return x * (0.5 + (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))))

        def half_of_x(x):
            """You return half of x. The gate depends on x: 0.5 * (1 + tanh(...))."""
            return 0.5 * x

        def gate_from_one_half(x):
            """You add 2, not 1, to tanh: then the gate runs from 0.5 to 1.5."""
            return 0.5 * x * (2 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))

        def gate_added(x):
            """You add the gate to x. GELU is x times the gate."""
            return x + 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))

        def plain_math(x):
            """`math.tanh` takes one number. `np.tanh` takes a whole array."""
            return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _ffn(x, p):
    return _gelu(x @ p["w_1"] + p["b_1"]) @ p["w_2"] + p["b_2"]


def _ffn_weights(rng, d, d_ff):
    shapes = {"w_1": (d, d_ff), "b_1": (d_ff,), "w_2": (d_ff, d), "b_2": (d,)}
    weights = {name: rng.standard_normal(shape) / np.sqrt(shape[0]) for name, shape in shapes.items()}
    for bias in ("b_1", "b_2"):  # surely not near 0
        weights[bias] = rng.uniform(0.4, 1, shapes[bias]) * rng.choice([-1, 1], shapes[bias])
    return weights


@exercise(points=2, minutes=6, source="Vaswani et al. 2017, section 3.3", uses=("ch05.gelu",))
class feed_forward:
    """The feed-forward network: widen each token's vector, bend it with GELU, narrow it again."""

    tolerance = float32_sums

    def cases(rng):
        for n, d, d_ff in [(1, 3, 5), (4, 3, 8), (3, 6, 2), (5, 4, 4)]:
            x = 1.5 * rng.standard_normal((n, d))
            label = f"{n} token{'s' * (n > 1)}, d_model = {d}, d_ff = {d_ff}"
            yield case(x, _ffn_weights(rng, d, d_ff), label=label)

    def reference(x, p):
        out = np.zeros(x.shape)
        for t, token in enumerate(x):
            for j, column in enumerate(p["w_1"].T):
                z = float(np.dot(token, column)) + float(p["b_1"][j])
                gate = (1 + math.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))) / 2
                out[t] += z * gate * p["w_2"][j]
            out[t] += p["b_2"]
        return out

    class misconceptions:
        def relu_for_gelu(x, p):
            """You use ReLU between the layers; this network uses GELU."""
            return np.maximum(x @ p["w_1"] + p["b_1"], 0) @ p["w_2"] + p["b_2"]

        def no_activation(x, p):
            """There is nothing between the two layers. Two linear maps in a row are one linear map: put gelu between."""
            return (x @ p["w_1"] + p["b_1"]) @ p["w_2"] + p["b_2"]

        def activation_at_the_end_too(x, p):
            """You apply gelu to the result as well. It stands only between the two layers."""
            return _gelu(_ffn(x, p))

        def activation_at_the_end_only(x, p):
            """The gelu comes after the second layer. It belongs between the two."""
            return _gelu((x @ p["w_1"] + p["b_1"]) @ p["w_2"] + p["b_2"])

        def activation_first(x, p):
            """You apply gelu to x itself. It bends what comes out of the first layer."""
            return (_gelu(x) @ p["w_1"] + p["b_1"]) @ p["w_2"] + p["b_2"]

        def first_bias_after_the_activation(x, p):
            """You add b_1 after gelu. It belongs to the first layer: gelu(x @ w_1 + b_1)."""
            return (_gelu(x @ p["w_1"]) + p["b_1"]) @ p["w_2"] + p["b_2"]

        def second_layer_on_the_bias_only(x, p):
            """Brackets are missing: `@` comes before `+`. The second layer takes the whole of gelu(x @ w_1 + b_1)."""
            return _gelu(x @ p["w_1"]) + p["b_1"] @ p["w_2"] + p["b_2"]

        def no_first_bias(x, p):
            """The bias b_1 is missing: each layer is a product plus a bias."""
            return _gelu(x @ p["w_1"]) @ p["w_2"] + p["b_2"]

        def no_second_bias(x, p):
            """The bias b_2 is missing: each layer is a product plus a bias."""
            return _gelu(x @ p["w_1"] + p["b_1"]) @ p["w_2"]

        def no_biases(x, p):
            """Both biases are missing: each layer is a product plus a bias."""
            return _gelu(x @ p["w_1"]) @ p["w_2"]

        def first_bias_subtracted(x, p):
            """You subtract b_1. It is added."""
            return _gelu(x @ p["w_1"] - p["b_1"]) @ p["w_2"] + p["b_2"]

        def first_bias_multiplied(x, p):
            """You multiply by b_1. A bias is added."""
            return _gelu(x @ p["w_1"] * p["b_1"]) @ p["w_2"] + p["b_2"]

        def second_bias_multiplied(x, p):
            """You multiply by b_2. A bias is added."""
            return _gelu(x @ p["w_1"] + p["b_1"]) @ p["w_2"] * p["b_2"]

        def residual_included(x, p):
            """You add x. The residual connection belongs to the block, not to the feed-forward network."""
            return x + _ffn(x, p)

        def weights_transposed(x, p):
            """You transpose the weights. Here the input's axis comes first: `x @ w_1`."""
            return _gelu(x @ p["w_1"].T + p["b_1"]) @ p["w_2"].T + p["b_2"]

        def weights_first(x, p):
            """You put the matrices on the left. Tokens are rows of x, so each is mapped by `x @ w_1`."""
            return p["w_2"] @ _gelu(p["w_1"] @ x + p["b_1"]) + p["b_2"]

        def layers_swapped(x, p):
            """The layers are swapped: w_1 widens to d_ff and comes first, w_2 brings back d_model."""
            return _gelu(x @ p["w_2"] + p["b_2"]) @ p["w_1"] + p["b_1"]

        def hidden_layer_returned(x, p):
            """You return the hidden layer. The second layer is missing: it brings the width back to d_model."""
            return _gelu(x @ p["w_1"] + p["b_1"])


def _softmax(x):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _norm(x, p):
    return p["gain"] * _standard(x) + p["bias"]


def _attend(x, p, heads, mask=None):
    q, k, v = (np.moveaxis((x @ p[w]).reshape(len(x), heads, -1), 1, 0) for w in ("w_q", "w_k", "w_v"))
    scores = np.einsum("hnd,hmd->hnm", q, k) / np.sqrt(q.shape[-1])
    weights = _softmax(scores if mask is None else np.where(mask, scores, -np.inf))
    return np.moveaxis(weights @ v, 0, 1).reshape(x.shape) @ p["w_o"], weights


def _block_weights(rng, d, d_ff):
    def norm():
        return {
            "gain": rng.uniform(0.5, 1.6, d) * rng.choice([-1, 1], d),
            "bias": rng.uniform(0.3, 0.9, d) * rng.choice([-1, 1], d),
        }

    attention = {w: 1.2 * rng.standard_normal((d, d)) / np.sqrt(d) for w in ("w_q", "w_k", "w_v", "w_o")}
    return {"norm_1": norm(), "attention": attention, "norm_2": norm(), "ffn": _ffn_weights(rng, d, d_ff)}


def _random_mask(rng, n):
    """In each row at least one key is allowed and one is hidden."""
    mask = rng.random((n, n)) < 0.5
    allowed = rng.integers(0, n, n)
    mask[np.arange(n), allowed] = True
    mask[np.arange(n), (allowed + rng.integers(1, n, n)) % n] = False
    return mask


@exercise(
    parts={"values": 4, "a mask": 1},
    minutes=15,
    source="Vaswani et al. 2017, section 3.1, with the norms placed as in Xiong et al. 2020, section 3",
    uses=("ch05.layer_norm", "ch05.feed_forward"),
)
class encoder_block:
    """A pre-norm encoder block: multi-head self-attention and feed-forward, each with its norm and its residual."""

    tolerance = close(
        1e-4, 3e-5, why="a float32 solution rounds through two sublayers and two divisions by a deviation"
    )

    def cases(rng):
        for n, d, heads, d_ff in [(1, 4, 2, 6), (5, 4, 2, 7), (3, 6, 3, 8), (4, 4, 1, 4)]:
            x = 2 * rng.standard_normal((n, d)) + np.linspace(-1, 2, d)
            label = f"{n} token{'s' * (n > 1)}, {heads} head{'s' * (heads > 1)}, d_model = {d}"
            yield case(x, _block_weights(rng, d, d_ff), heads, label=label)
        for n, d, heads, d_ff in [(4, 6, 2, 5), (5, 4, 4, 8)]:
            x = 2 * rng.standard_normal((n, d)) + np.linspace(-1, 2, d)
            yield case(
                x, _block_weights(rng, d, d_ff), heads, _random_mask(rng, n), label=f"{n} tokens, a random mask",
                part="a mask",
            )  # fmt: skip

    def reference(x, p, heads, mask=None):
        n, d = x.shape
        z, a, d_head = layer_norm.reference(x, **p["norm_1"]), p["attention"], d // heads
        out = np.array(x, np.float64)
        for first in range(0, d, d_head):
            one = slice(first, first + d_head)
            for i in range(n):
                seen = [j for j in range(n) if mask is None or mask[i, j]]
                scores = [z[i] @ a["w_q"][:, one] @ (z[j] @ a["w_k"][:, one]) / math.sqrt(d_head) for j in seen]
                powers = [math.exp(s - max(scores)) for s in scores]
                mixed = sum(e * (z[j] @ a["w_v"][:, one]) for e, j in zip(powers, seen, strict=True)) / sum(powers)
                out[i] += mixed @ a["w_o"][one]
        return out + feed_forward.reference(layer_norm.reference(out, **p["norm_2"]), p["ffn"])

    class misconceptions:
        def post_norm(x, p, heads, mask=None):
            """You normalise after adding (post-norm). Here the norm stands inside the branch: x + sublayer(norm(x))."""
            x = _norm(x + _attend(x, p["attention"], heads, mask)[0], p["norm_1"])
            return _norm(x + _ffn(x, p["ffn"]), p["norm_2"])

        def no_residuals(x, p, heads, mask=None):
            """Both residual connections are missing: each sublayer's output is added to its input."""
            x = _attend(_norm(x, p["norm_1"]), p["attention"], heads, mask)[0]
            return _ffn(_norm(x, p["norm_2"]), p["ffn"])

        def first_residual_missing(x, p, heads, mask=None):
            """What attention gives replaces x in your block. Add it to x."""
            x = _attend(_norm(x, p["norm_1"]), p["attention"], heads, mask)[0]
            return x + _ffn(_norm(x, p["norm_2"]), p["ffn"])

        def second_residual_missing(x, p, heads, mask=None):
            """You return what the feed-forward network gives. Add it to the x that went into its norm."""
            x = x + _attend(_norm(x, p["norm_1"]), p["attention"], heads, mask)[0]
            return _ffn(_norm(x, p["norm_2"]), p["ffn"])

        def second_residual_from_the_input(x, p, heads, mask=None):
            """The second residual starts from the block's input, so what attention added is lost. Start from the x after it."""
            y = x + _attend(_norm(x, p["norm_1"]), p["attention"], heads, mask)[0]
            return x + _ffn(_norm(y, p["norm_2"]), p["ffn"])

        def side_by_side(x, p, heads, mask=None):
            """Both sublayers read the block's input. The feed-forward network reads what came out of the first addition."""
            y = x + _attend(_norm(x, p["norm_1"]), p["attention"], heads, mask)[0]
            return y + _ffn(_norm(x, p["norm_2"]), p["ffn"])

        def stream_normalised(x, p, heads, mask=None):
            """You overwrite x with its norm. Only the branch is normalised; the residual carries x as it was."""
            x = _norm(x, p["norm_1"])
            x = x + _attend(x, p["attention"], heads, mask)[0]
            x = _norm(x, p["norm_2"])
            return x + _ffn(x, p["ffn"])

        def norm_shared(x, p, heads, mask=None):
            """You use norm_1 twice. Each sublayer has a norm of its own: norm_2 stands before the feed-forward network."""
            x = x + _attend(_norm(x, p["norm_1"]), p["attention"], heads, mask)[0]
            return x + _ffn(_norm(x, p["norm_1"]), p["ffn"])

        def norms_swapped(x, p, heads, mask=None):
            """The norms are swapped: norm_1 stands before attention, norm_2 before the feed-forward network."""
            x = x + _attend(_norm(x, p["norm_2"]), p["attention"], heads, mask)[0]
            return x + _ffn(_norm(x, p["norm_1"]), p["ffn"])

        def norm_of_the_norm(x, p, heads, mask=None):
            """You normalise what was normalised before. norm_2 starts from the x after the first addition."""
            z = _norm(x, p["norm_1"])
            x = x + _attend(z, p["attention"], heads, mask)[0]
            return x + _ffn(_norm(z, p["norm_2"]), p["ffn"])

        def branch_normalised_after(x, p, heads, mask=None):
            """You normalise what a sublayer gives. The norm comes before the sublayer: x + sublayer(norm(x))."""
            x = x + _norm(_attend(x, p["attention"], heads, mask)[0], p["norm_1"])
            return x + _norm(_ffn(x, p["ffn"]), p["norm_2"])

        def no_norms(x, p, heads, mask=None):
            """There are no norms: attention and the feed-forward network both read a normalised x."""
            x = x + _attend(x, p["attention"], heads, mask)[0]
            return x + _ffn(x, p["ffn"])

        def first_norm_missing(x, p, heads, mask=None):
            """Attention reads x as it is. It should read layer_norm(x) with norm_1."""
            x = x + _attend(x, p["attention"], heads, mask)[0]
            return x + _ffn(_norm(x, p["norm_2"]), p["ffn"])

        def second_norm_missing(x, p, heads, mask=None):
            """The feed-forward network reads x as it is. It should read layer_norm(x) with norm_2."""
            x = x + _attend(_norm(x, p["norm_1"]), p["attention"], heads, mask)[0]
            return x + _ffn(x, p["ffn"])

        def feed_forward_first(x, p, heads, mask=None):
            """The order is turned round: first attention, then the feed-forward network."""
            x = x + _ffn(_norm(x, p["norm_2"]), p["ffn"])
            return x + _attend(_norm(x, p["norm_1"]), p["attention"], heads, mask)[0]

        def attention_only(x, p, heads, mask=None):
            """The second half is missing: after attention comes the feed-forward network, with norm and residual."""
            return x + _attend(_norm(x, p["norm_1"]), p["attention"], heads, mask)[0]

        def no_attention(x, p, heads, mask=None):
            """The first half is missing: attention comes before the feed-forward network."""
            return x + _ffn(_norm(x, p["norm_2"]), p["ffn"])

        def one_head(x, p, heads, mask=None):
            """You always use one head. Pass `heads` on to multi_head_attention."""
            x = x + _attend(_norm(x, p["norm_1"]), p["attention"], 1, mask)[0]
            return x + _ffn(_norm(x, p["norm_2"]), p["ffn"])

        def attention_subtracted(x, p, heads, mask=None):
            """You subtract what attention gives. A residual connection adds it."""
            x = x - _attend(_norm(x, p["norm_1"]), p["attention"], heads, mask)[0]
            return x + _ffn(_norm(x, p["norm_2"]), p["ffn"])

        def network_subtracted(x, p, heads, mask=None):
            """You subtract what the feed-forward network gives. A residual connection adds it."""
            x = x + _attend(_norm(x, p["norm_1"]), p["attention"], heads, mask)[0]
            return x - _ffn(_norm(x, p["norm_2"]), p["ffn"])

        def attention_multiplied(x, p, heads, mask=None):
            """You multiply x by what attention gives. A residual connection adds it."""
            x = x * _attend(_norm(x, p["norm_1"]), p["attention"], heads, mask)[0]
            return x + _ffn(_norm(x, p["norm_2"]), p["ffn"])

        def network_multiplied(x, p, heads, mask=None):
            """You multiply x by what the feed-forward network gives. A residual connection adds it."""
            x = x + _attend(_norm(x, p["norm_1"]), p["attention"], heads, mask)[0]
            return x * _ffn(_norm(x, p["norm_2"]), p["ffn"])

        def attention_added_twice(x, p, heads, mask=None):
            """You add what attention gives to itself, and x is gone. Add it to x."""
            x = 2 * _attend(_norm(x, p["norm_1"]), p["attention"], heads, mask)[0]
            return x + _ffn(_norm(x, p["norm_2"]), p["ffn"])

        def network_reads_attention(x, p, heads, mask=None):
            """The feed-forward network reads only what attention gave. It reads the sum, x + attended."""
            attended = _attend(_norm(x, p["norm_1"]), p["attention"], heads, mask)[0]
            return x + attended + _ffn(_norm(attended, p["norm_2"]), p["ffn"])

        def always_causal(x, p, heads, mask=None):
            """You hide later tokens although no mask was given. An encoder's tokens see each other in both directions."""
            x = x + _attend(_norm(x, p["norm_1"]), p["attention"], heads, np.tri(len(x), dtype=bool))[0]
            return x + _ffn(_norm(x, p["norm_2"]), p["ffn"])

        def mask_ignored(x, p, heads, mask=None):
            """The mask has no effect. Pass it on to multi_head_attention."""
            x = x + _attend(_norm(x, p["norm_1"]), p["attention"], heads)[0]
            return x + _ffn(_norm(x, p["norm_2"]), p["ffn"])

        def mask_inverted(x, p, heads, mask=None):
            """Your mask is inverted. True means may attend, here and in multi_head_attention: pass it on as it is."""
            x = x + _attend(_norm(x, p["norm_1"]), p["attention"], heads, None if mask is None else ~mask)[0]
            return x + _ffn(_norm(x, p["norm_2"]), p["ffn"])

        def all_weights_passed(x, p, heads, mask=None):
            """You pass the whole of p to multi_head_attention. Its weights are p["attention"]."""
            x = x + _attend(_norm(x, p["norm_1"]), p, heads, mask)[0]
            return x + _ffn(_norm(x, p["norm_2"]), p["ffn"])

        def attention_weights_added_too(x, p, heads, mask=None):
            """`multi_head_attention` returns a pair, (output, weights). Take the output alone: `attended, _ = ...`."""
            x = x + _attend(_norm(x, p["norm_1"]), p["attention"], heads, mask)
            return x + _ffn(_norm(x, p["norm_2"]), p["ffn"])

        def weights_returned(x, p, heads, mask=None):
            """You return a pair. Only the refined tokens are asked for."""
            attended, weights = _attend(_norm(x, p["norm_1"]), p["attention"], heads, mask)
            x = x + attended
            return x + _ffn(_norm(x, p["norm_2"]), p["ffn"]), weights

        def residual_added_twice(x, p, heads, mask=None):
            """You add x twice around attention. One residual for each sublayer: x + attended."""
            x = x + (x + _attend(_norm(x, p["norm_1"]), p["attention"], heads, mask)[0])
            return x + _ffn(_norm(x, p["norm_2"]), p["ffn"])


@exercise(points=2, minutes=6, source="the shapes of Vaswani et al. 2017, table 3, and of BERT and GPT-2")
class count_parameters:
    """How many numbers a block learns, by part: in its norms, its attention, its feed-forward network."""

    tolerance = exact

    def cases(rng):
        sizes = [(1, 1), (512, 2048), (768, 3072)]
        sizes += [(d, d_ff) for d, d_ff in rng.integers([2, 40], [39, 200], (3, 2)).tolist() if d_ff != 4 * d]
        for d_model, d_ff in sizes:
            yield case(d_model, d_ff, label=f"d_model = {d_model}, d_ff = {d_ff}")

    def reference(d_model, d_ff):
        shapes = {
            "norms": [(d_model,)] * 4,
            "attention": [(d_model, d_model)] * 4,
            "ffn": [(d_model, d_ff), (d_ff,), (d_ff, d_model), (d_model,)],
        }
        return {part: sum(math.prod(shape) for shape in arrays) for part, arrays in shapes.items()}

    class misconceptions:
        def no_output_projection(d_model, d_ff):
            """You count three matrices in attention. There are four: w_q, w_k, w_v and w_o."""
            return {"norms": 4 * d_model, "attention": 3 * d_model**2, "ffn": 2 * d_model * d_ff + d_ff + d_model}

        def one_matrix_in_attention(d_model, d_ff):
            """You count one matrix in attention. There are four: w_q, w_k, w_v and w_o."""
            return {"norms": 4 * d_model, "attention": d_model**2, "ffn": 2 * d_model * d_ff + d_ff + d_model}

        def biases_in_attention(d_model, d_ff):
            """You count biases in attention. In this course its four matrices have none."""
            attention = 4 * d_model**2 + 4 * d_model
            return {"norms": 4 * d_model, "attention": attention, "ffn": 2 * d_model * d_ff + d_ff + d_model}

        def one_norm(d_model, d_ff):
            """You count one norm. A block has two, each with a gain and a bias of width d_model."""
            return {"norms": 2 * d_model, "attention": 4 * d_model**2, "ffn": 2 * d_model * d_ff + d_ff + d_model}

        def one_gain_for_all(d_model, d_ff):
            """A gain is not a single number: each norm has one gain and one bias for every feature."""
            return {"norms": 4, "attention": 4 * d_model**2, "ffn": 2 * d_model * d_ff + d_ff + d_model}

        def no_biases(d_model, d_ff):
            """The feed-forward network's biases are missing: b_1 has d_ff numbers and b_2 has d_model."""
            return {"norms": 4 * d_model, "attention": 4 * d_model**2, "ffn": 2 * d_model * d_ff}

        def first_bias_only(d_model, d_ff):
            """The bias b_2 is missing in the feed-forward network: it has d_model numbers."""
            return {"norms": 4 * d_model, "attention": 4 * d_model**2, "ffn": 2 * d_model * d_ff + d_ff}

        def second_bias_only(d_model, d_ff):
            """The bias b_1 is missing in the feed-forward network: it has d_ff numbers."""
            return {"norms": 4 * d_model, "attention": 4 * d_model**2, "ffn": 2 * d_model * d_ff + d_model}

        def biases_as_wide_as_the_model(d_model, d_ff):
            """Both biases have d_model numbers in your count. b_1 is added to the hidden layer, so it has d_ff."""
            return {"norms": 4 * d_model, "attention": 4 * d_model**2, "ffn": 2 * d_model * d_ff + 2 * d_model}

        def biases_as_wide_as_the_hidden_layer(d_model, d_ff):
            """Both biases have d_ff numbers in your count. b_2 is added to the result, so it has d_model."""
            return {"norms": 4 * d_model, "attention": 4 * d_model**2, "ffn": 2 * d_model * d_ff + 2 * d_ff}

        def no_matrices(d_model, d_ff):
            """You count only the biases of the feed-forward network: w_1 and w_2 have d_model * d_ff numbers each."""
            return {"norms": 4 * d_model, "attention": 4 * d_model**2, "ffn": d_ff + d_model}

        def three_matrices(d_model, d_ff):
            """You count three matrices in the feed-forward network, as in a gated one. This one has two: w_1 and w_2."""
            ffn = 3 * d_model * d_ff + d_ff + d_model
            return {"norms": 4 * d_model, "attention": 4 * d_model**2, "ffn": ffn}

        def four_matrices(d_model, d_ff):
            """You count the feed-forward network's matrices twice: w_1 and w_2 have d_model * d_ff numbers each."""
            ffn = 4 * d_model * d_ff + d_ff + d_model
            return {"norms": 4 * d_model, "attention": 4 * d_model**2, "ffn": ffn}

        def square_of_the_hidden_width(d_model, d_ff):
            """The feed-forward network's matrices are not square: w_1 leads from d_model to d_ff, w_2 back."""
            ffn = 2 * d_ff**2 + d_ff + d_model
            return {"norms": 4 * d_model, "attention": 4 * d_model**2, "ffn": ffn}

        def square_of_the_models_width(d_model, d_ff):
            """The feed-forward network's inner width is d_ff: its matrices have d_model * d_ff numbers, not d_model squared."""
            ffn = 2 * d_model**2 + d_ff + d_model
            return {"norms": 4 * d_model, "attention": 4 * d_model**2, "ffn": ffn}

        def everything_doubled(d_model, d_ff):
            """You count b_1 twice, and the matrices too: w_1 and w_2 together have 2 * d_model * d_ff numbers."""
            ffn = 2 * (2 * d_model * d_ff + d_ff) + d_model
            return {"norms": 4 * d_model, "attention": 4 * d_model**2, "ffn": ffn}

        def sides_added(d_model, d_ff):
            """You add the sides of the feed-forward network's matrices. A matrix of shape (a, b) has a * b numbers."""
            ffn = 2 * (d_model + d_ff) + d_ff + d_model
            return {"norms": 4 * d_model, "attention": 4 * d_model**2, "ffn": ffn}

        def matrices_without_d_ff(d_model, d_ff):
            """The width d_ff is missing in the matrices of the feed-forward network: each has d_model * d_ff numbers."""
            ffn = 2 * d_model + d_ff + d_model
            return {"norms": 4 * d_model, "attention": 4 * d_model**2, "ffn": ffn}

        def matrices_without_d_model(d_model, d_ff):
            """The width d_model is missing in the matrices of the feed-forward network: each has d_model * d_ff numbers."""
            ffn = 2 * d_ff + d_ff + d_model
            return {"norms": 4 * d_model, "attention": 4 * d_model**2, "ffn": ffn}

        def sides_of_attention_added(d_model, d_ff):
            """You add the sides of attention's matrices. A matrix of shape (d_model, d_model) has d_model squared numbers."""
            ffn = 2 * d_model * d_ff + d_ff + d_model
            return {"norms": 4 * d_model, "attention": 8 * d_model, "ffn": ffn}

        def attention_of_the_hidden_width(d_model, d_ff):
            """Attention knows nothing of d_ff: its four matrices are (d_model, d_model)."""
            ffn = 2 * d_model * d_ff + d_ff + d_model
            return {"norms": 4 * d_model, "attention": 4 * d_ff**2, "ffn": ffn}

        def cubed(d_model, d_ff):
            """A matrix has two sides: four times d_model squared, not cubed."""
            ffn = 2 * d_model * d_ff + d_ff + d_model
            return {"norms": 4 * d_model, "attention": 4 * d_model**3, "ffn": ffn}

        def norms_of_the_hidden_width(d_model, d_ff):
            """The norms are as wide as a token, d_model. Nothing of width d_ff is normalised."""
            ffn = 2 * d_model * d_ff + d_ff + d_model
            return {"norms": 4 * d_ff, "attention": 4 * d_model**2, "ffn": ffn}

        def four_added(d_model, d_ff):
            """You add 4. Four vectors of d_model numbers make 4 * d_model."""
            ffn = 2 * d_model * d_ff + d_ff + d_model
            return {"norms": 4 + d_model, "attention": 4 * d_model**2, "ffn": ffn}

        def four_added_in_attention(d_model, d_ff):
            """You add 4 in attention. Four matrices of d_model squared numbers make 4 * d_model**2."""
            ffn = 2 * d_model * d_ff + d_ff + d_model
            return {"norms": 4 * d_model, "attention": 4 + d_model**2, "ffn": ffn}

        def one_layer(d_model, d_ff):
            """You count one matrix in the feed-forward network. There are two: w_1 widens, w_2 narrows."""
            return {"norms": 4 * d_model, "attention": 4 * d_model**2, "ffn": d_model * d_ff + d_ff + d_model}

        def always_four_times(d_model, d_ff):
            """You take d_ff to be 4 * d_model. That is usual, but here d_ff is an argument."""
            return {"norms": 4 * d_model, "attention": 4 * d_model**2, "ffn": 8 * d_model**2 + 5 * d_model}

        def one_number(d_model, d_ff):
            """You return the sum. The three parts are asked for, in a dictionary."""
            return 4 * d_model + 4 * d_model**2 + 2 * d_model * d_ff + d_ff + d_model


@question(answer=["b", "d"])
class what_norm_forgets:
    """A token's features vary widely. Which changes leave `layer_norm` of it the same (but for eps)? Choose all that do."""

    a = (
        "All features are multiplied by -1.",
        "No: the deviation stays the same, but every distance from the mean changes its sign, and so does the result.",
    )
    b = (
        "5 is added to all features.",
        "Right: the mean grows by 5 too, so every distance from the mean stays as it was.",
    )
    c = (
        "5 is added to one feature.",
        "No: this feature moves away from the others. Mean and variance change, and with them every feature's result.",
    )
    d = (
        "All features are multiplied by 3.",
        "Right: distances from the mean and the standard deviation both grow threefold, and the quotient stays.",
    )


@question(answer="c")
class who_talks:
    """You change one token's input vector. Through which part of the block do the outputs of *other* tokens change?"""

    a = (
        "Layer norm: it compares the tokens with each other.",
        "Layer norm looks at the features of one token only. Another token's mean and variance do not enter.",
    )
    b = (
        "The feed-forward network: it mixes everything it gets.",
        "It mixes the features of one token. The same weights serve all tokens, but each is handled by itself.",
    )
    c = (
        "Attention.",
        "Right: it is the only place where tokens meet. All other parts treat every row by itself.",
    )
    d = (
        "The residual connections: they carry the change along.",
        "They carry each token's own vector past a sublayer. What they carry stays in its row.",
    )


@question(answer="a")
class why_residuals:
    """Why does a gradient get through many blocks with residual connections?"""

    a = (
        "Each block hands on the gradient unchanged, plus what comes through its sublayers.",
        "Right: the derivative of x + f(x) is the identity plus that of f. Small f's leave the identity in charge.",
    )
    b = (
        "The additions normalise the gradient to length 1.",
        "Nothing normalises it on its way back; the residual path copies it.",
    )
    c = (
        "The blocks have more parameters to learn with.",
        "A residual connection is an addition: it has no parameters.",
    )
    d = (
        "The sublayers' own derivatives become larger.",
        "These stay what they are. The path beside them is what is new.",
    )
