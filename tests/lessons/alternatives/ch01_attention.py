"""Other right answers to ch01."""

import math

import numpy as np


class similarity:
    def einsum(x):
        return np.einsum("id,jd->ij", x, x)

    def loops(x):
        table = np.zeros((len(x), len(x)))
        for i in range(len(x)):
            for j in range(len(x)):
                for c in range(x.shape[1]):
                    table[i, j] += x[i, c] * x[j, c]
        return table

    def broadcast(x):
        return (x[:, None, :] * x[None, :, :]).sum(axis=-1)

    def half_and_mirrored(x):
        table = np.empty((len(x), len(x)))
        for i, one in enumerate(x):
            for j in range(i, len(x)):
                table[i, j] = table[j, i] = np.dot(one, x[j])
        return table.T  # a view

    def row_by_row(x):
        return np.array([x @ token for token in x])

    def float32(x):
        x = x.astype(np.float32)
        return np.inner(x, x)


class softmax:
    def logarithms(x, axis=-1):
        return np.exp(x - np.logaddexp.reduce(x, axis=axis, keepdims=True))

    def last_axis_by_moving(x, axis=-1):
        moved = np.moveaxis(np.array(x, dtype=float), axis, -1)
        moved = moved - np.max(moved, axis=-1)[..., None]
        powers = np.exp(moved)
        return np.moveaxis(powers / np.sum(powers, axis=-1)[..., None], -1, axis)  # a view

    def one_row_at_a_time(x, axis=-1):
        def one_row(scores):
            top = max(scores)
            powers = [math.exp(s - top) for s in scores]
            return np.array([p / math.fsum(powers) for p in powers])

        return np.apply_along_axis(one_row, axis, x)

    def in_place_on_a_copy(x, axis=-1):
        out = np.array(x, dtype=np.float64)
        out -= out.max(axis=axis, keepdims=True)
        np.exp(out, out=out)
        out /= out.sum(axis=axis, keepdims=True)
        return out

    def ratios_of_pairs(x, axis=-1):
        x = np.moveaxis(x, axis, -1)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            differences = x[..., None, :] - x[..., :, None]
            ratios = np.exp(np.minimum(differences, 700))  # e^700 is as good as infinite beside 1
        weights = np.where(np.isneginf(x), 0.0, 1 / ratios.sum(axis=-1))
        return np.moveaxis(weights, -1, axis)

    def expanded(x, axis=-1):
        largest = np.expand_dims(np.max(x, axis=axis), axis)
        powers = np.e ** (x - largest)
        return powers * (1 / np.expand_dims(np.sum(powers, axis=axis), axis))

    def float32(x, axis=-1):
        x = x.astype(np.float32)
        powers = np.exp(x - x.max(axis, keepdims=True))
        return powers / powers.sum(axis, keepdims=True)


class weighted_average:
    def einsum(weights, values):
        return np.einsum("nm,md->nd", weights, values)

    def loops(weights, values):
        out = np.zeros((weights.shape[0], values.shape[1]))
        for i in range(weights.shape[0]):
            for j in range(weights.shape[1]):
                out[i] += weights[i, j] * values[j]
        return out

    def numpy_average(weights, values):
        return np.array([np.average(values, axis=0, weights=row) for row in weights])

    def broadcast(weights, values):
        return np.sum(weights[:, :, None] * values, axis=1)

    def transposed_twice(weights, values):
        return (values.T @ weights.T).T

    def float32(weights, values):
        return np.dot(weights.astype(np.float32), values.astype(np.float32))


def shares(scores):
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


class simple_attention:
    def on_its_own(x):
        weights = shares(x @ x.T)
        return weights @ x, weights

    def with_the_earlier_exercises(x):
        weights = softmax(similarity(x), axis=-1)
        return [weighted_average(weights, x), weights]  # a list for a tuple

    def row_by_row(x):
        weights = np.stack([shares(x @ token) for token in x])
        return np.stack([sum(w * token for w, token in zip(row, x, strict=True)) for row in weights]), weights

    def by_columns(x):
        columns = softmax(similarity(x), 0)  # similarity is symmetric, so this is the transposed matrix of weights
        return weighted_average(columns.T, x), columns.T

    def einsum(x):
        weights = shares(np.einsum("id,jd->ij", x, x))
        return np.einsum("ij,jd->id", weights, x), weights

    def float32(x):
        x = x.astype(np.float32)
        weights = shares(x @ x.T)
        return weights @ x, weights
