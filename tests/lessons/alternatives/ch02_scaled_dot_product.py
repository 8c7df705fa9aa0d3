"""Other right answers to ch02."""

import math

import numpy as np


class project_qkv:
    def einsum(x, w_q, w_k, w_v):
        return [np.einsum("nd,dk->nk", x, w) for w in (w_q, w_k, w_v)]  # a list for a tuple

    def one_product_cut_in_three(x, w_q, w_k, w_v):
        joined = x @ np.concatenate([w_q, w_k, w_v], axis=1)
        d_k = w_q.shape[1]
        return joined[:, :d_k], joined[:, d_k : 2 * d_k], joined[:, 2 * d_k :]  # views

    def loops(x, w_q, w_k, w_v):
        def product(a, b):
            return np.array([[sum(a[i, t] * b[t, j] for t in range(len(b))) for j in range(b.shape[1])]
                             for i in range(len(a))])  # fmt: skip

        return product(x, w_q), product(x, w_k), product(x, w_v)

    def transposed_twice(x, w_q, w_k, w_v):
        return (w_q.T @ x.T).T, (w_k.T @ x.T).T, (w_v.T @ x.T).T

    def float32(x, w_q, w_k, w_v):
        x = x.astype(np.float32)
        return tuple(np.matmul(x, w.astype(np.float32)) for w in (w_q, w_k, w_v))


class scaled_dot_product_attention:
    def einsum(q, k, v):
        if q.shape[1] != k.shape[1] or len(k) != len(v):
            raise ValueError("widths or numbers differ")
        scores = np.einsum("nd,md->nm", q, k) / math.sqrt(q.shape[1])
        powers = np.exp(scores - scores.max(axis=1)[:, None])
        weights = powers / powers.sum(axis=1)[:, None]
        return np.einsum("nm,mv->nv", weights, v), weights

    def loops(q, k, v):
        if any(len(a) != len(b) for a in q for b in k):
            raise ValueError("queries and keys differ in width")
        if len(k) != len(v):
            raise ValueError("not one value for each key")
        output, weights = np.zeros((len(q), v.shape[1])), np.zeros((len(q), len(k)))
        for i in range(len(q)):
            scores = [sum(a * b for a, b in zip(q[i], key, strict=True)) / k.shape[1] ** 0.5 for key in k]
            powers = [math.exp(s - max(scores)) for s in scores]
            for j in range(len(k)):
                weights[i, j] = powers[j] / sum(powers)
                output[i] += weights[i, j] * v[j]
        return output, weights

    def scaled_before_the_product(q, k, v):
        if q.shape[-1] != k.shape[-1] or k.shape[0] != v.shape[0]:
            raise ValueError
        scores = (q / np.sqrt(q.shape[-1])) @ k.T
        weights = np.exp(scores - np.logaddexp.reduce(scores, axis=-1, keepdims=True))
        return [weights @ v, weights]

    def column_by_column(q, k, v):
        class WrongShapes(ValueError):
            pass

        if q.shape[-1] != k.shape[-1] or k.shape[0] != v.shape[0]:
            raise WrongShapes("these do not belong together")  # a kind of ValueError
        columns = (k @ q.T * k.shape[-1] ** -0.5).copy()
        columns -= columns.max(axis=0)
        np.exp(columns, out=columns)
        columns /= columns.sum(axis=0)
        return (v.T @ columns).T, columns.T

    def float32(q, k, v):
        if q.shape[-1] != k.shape[-1] or k.shape[0] != v.shape[0]:
            raise ValueError("shapes")
        wide = q @ k.T / np.sqrt(k.shape[-1])  # only the softmax is narrow, as float32 cannot tell 1000.00001 from 1000
        powers = np.exp((wide - wide.max(-1, keepdims=True)).astype(np.float32))
        weights = powers / powers.sum(-1, keepdims=True)
        return weights @ v.astype(np.float32), weights


class softmax_grad_norm:
    def closed_form(scores):
        p = np.exp(scores - np.max(scores))
        p /= p.sum()
        s2, s3 = (p**2).sum(), (p**3).sum()
        return math.sqrt(max(s2 - 2 * s3 + s2**2, 0.0))

    def double_loop(scores):
        top = max(scores)
        powers = [math.exp(s - top) for s in scores]
        p = [x / sum(powers) for x in powers]
        total = 0
        for i in range(len(p)):
            for j in range(len(p)):
                total += (p[i] * (1 - p[i]) if i == j else -p[i] * p[j]) ** 2
        return total**0.5

    def identity_minus_ones(scores):
        p = np.exp(scores - scores.max())
        p = p / p.sum()
        return np.linalg.norm(p[:, None] * (np.eye(len(p)) - p), "fro")  # a NumPy float

    def zero_dimensional_array(scores):
        p = np.exp(scores - scores.max())
        p = p / p.sum()
        jacobian = np.diag(p) - np.outer(p, p)
        return np.sqrt(np.einsum("ij,ij->", jacobian, jacobian)).reshape(())

    def float32(scores):
        s = (scores - scores.max()).astype(np.float32)
        p = np.exp(s) / np.exp(s).sum()
        return np.sqrt(((np.diag(p) - np.outer(p, p)) ** 2).sum())
