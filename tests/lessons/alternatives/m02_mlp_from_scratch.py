"""Other right answers to m02."""

import itertools
import math

import numpy as np


class numeric_gradient:
    def in_place_and_back(f, x, eps=1e-5):
        gradient = np.empty(x.shape)
        for place in np.ndindex(*x.shape):
            kept = x[place]
            x[place] = kept + eps
            high = f(x)
            x[place] = kept - eps
            low = f(x)
            x[place] = kept
            gradient[place] = (high - low) / (2 * eps)
        return gradient

    def flat(f, x, eps=1e-5):
        found = []
        for i in range(x.size):
            unit = np.zeros(x.size)
            unit[i] = eps
            unit = unit.reshape(x.shape)
            found.append((f(x + unit) - f(x - unit)) / eps / 2)
        return np.array(found).reshape(x.shape)

    def with_nditer(f, x, eps=1e-5):
        gradient = np.zeros_like(x)
        walk = np.nditer(x, flags=["multi_index"])
        for _ in walk:
            move = np.zeros_like(x)
            move[walk.multi_index] = eps
            gradient[walk.multi_index] = 0.5 * f(x + move) / eps - 0.5 * f(x - move) / eps
        return gradient


class linear_forward:
    def einsum(x, w, b):
        return np.einsum("bi,ij->bj", x, w) + b

    def row_by_row(x, w, b):
        return np.stack([w.T @ row + b for row in x])

    def a_column_of_ones(x, w, b):
        return np.hstack([x, np.ones((len(x), 1))]) @ np.vstack([w, b])

    def in_single_precision(x, w, b):
        return x.astype(np.float32) @ w.astype(np.float32) + b.astype(np.float32)


class linear_backward:
    def einsum(grad_y, x, w):
        grad_x = np.einsum("bj,ij->bi", grad_y, w)
        return grad_x, np.einsum("bi,bj->ij", x, grad_y), np.einsum("bj->j", grad_y)

    def turned_round(grad_y, x, w):
        return [(w @ grad_y.T).T, (grad_y.T @ x).T, np.ones(len(x)) @ grad_y]

    def one_example_at_a_time(grad_y, x, w):
        grad_x, grad_w, grad_b = np.zeros_like(x), np.zeros_like(w), np.zeros(w.shape[1])
        for i in range(len(x)):
            grad_x[i] = w @ grad_y[i]
            grad_w += np.outer(x[i], grad_y[i])
            grad_b += grad_y[i]
        return grad_x, grad_w, grad_b

    def in_single_precision(grad_y, x, w):
        g, x, w = (np.float32(one) for one in (grad_y, x, w))
        return np.dot(g, w.T), np.tensordot(x, g, axes=(0, 0)), np.add.reduce(g, 0)


class relu_backward:
    def multiplied(grad_y, x):
        return grad_y * (x > 0)

    def copied(grad_y, x):
        gradient = grad_y.copy()
        gradient[x <= 0] = 0
        return gradient

    def through_the_output(grad_y, x):
        y = np.maximum(x, 0)
        return grad_y * np.sign(y)

    def heaviside(grad_y, x):
        return np.heaviside(x, 0.0) * grad_y


class gelu_backward:
    def with_a_sigmoid(grad_y, x):
        c = math.sqrt(8 / math.pi)
        share = 1 / (1 + np.exp(-np.clip(c * (x + 0.044715 * x**3), -700, 700)))
        return grad_y * (share + x * share * (1 - share) * c * (1 + 0.134145 * x**2))

    def with_cosh(grad_y, x):
        c = np.sqrt(2.0 / np.pi)
        u = np.clip(c * (x + 0.044715 * np.power(x, 3)), -300, 300)
        du = c + c * 3 * 0.044715 * x * x
        return 0.5 * grad_y * (1 + np.tanh(u)) + 0.5 * grad_y * x * du / np.cosh(u) ** 2

    def in_single_precision(grad_y, x):
        g, x = grad_y.astype(np.float32), x.astype(np.float32)
        c = np.float32(math.sqrt(2 / math.pi))
        t = np.tanh(c * (x + np.float32(0.044715) * x**3))
        return g * (0.5 + 0.5 * t + 0.5 * x * (1 - t * t) * (c + 3 * c * np.float32(0.044715) * x**2))


class softmax_cross_entropy_backward:
    def one_hot(logits, targets):
        p = softmax(logits, axis=1)  # noqa: F821
        return (p - np.eye(logits.shape[1])[targets]) / logits.shape[0]

    def own_softmax_and_a_loop(logits, targets):
        z = logits - logits.max(axis=1, keepdims=True)
        p = np.exp(z) / np.exp(z).sum(axis=1)[:, None]
        for i, target in enumerate(targets):
            p[i, target] -= 1
        return p / len(p)

    def through_the_jacobian(logits, targets):
        rows = []
        for z, target in zip(logits, targets, strict=True):
            p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
            jacobian = np.diag(p) - np.outer(p, p)
            log_loss = np.zeros(len(z))
            log_loss[target] = -1 / p[target]
            rows.append(jacobian @ log_loss / len(logits))
        return np.array(rows)

    def subtracted_at(logits, targets):
        p = softmax(logits)  # noqa: F821
        np.subtract.at(p, (np.arange(len(p)), targets), 1.0)
        p /= len(p)
        return p

    def log_sum_exp_in_single_precision(logits, targets):
        z = np.float32(logits) - np.float32(logits).max(1, keepdims=True)
        p = np.exp(z - np.log(np.exp(z).sum(1, keepdims=True)))
        return (p - (np.arange(z.shape[1]) == targets[:, None])) / np.float32(len(z))


class embedding_backward:
    def loop(grad_x, ids, rows):
        width = grad_x.shape[-1]
        gradient = np.zeros((rows, width))
        for i, g in zip(ids.ravel(), grad_x.reshape(-1, width), strict=True):
            gradient[i] += g
        return gradient

    def one_hot(grad_x, ids, rows):
        hot = np.eye(rows)[ids.reshape(-1)]
        return hot.T @ grad_x.reshape(ids.size, -1)

    def row_by_row(grad_x, ids, rows):
        return np.stack([grad_x[ids == row].sum(axis=0) for row in range(rows)])

    def counted_column_by_column(grad_x, ids, rows):
        flat = grad_x.reshape(-1, grad_x.shape[-1])
        columns = [np.bincount(ids.ravel(), weights=column, minlength=rows) for column in flat.T]
        return np.stack(columns, axis=1)

    def every_place(grad_x, ids, rows):
        gradient = np.zeros((rows, grad_x.shape[-1]), np.float32)
        for place in np.ndindex(ids.shape):
            gradient[ids[place]] += grad_x[place].astype(np.float32)
        return gradient


class network_forward:
    def side_by_side(pairs, p):
        x = np.concatenate([p["embed"][pairs[:, 0]], p["embed"][pairs[:, 1]]], axis=1)
        z = x @ p["w_1"] + p["b_1"]
        a = z * (z > 0)
        return a @ p["w_2"] + p["b_2"], {"a": a, "x": x, "z": z}

    def by_halves(pairs, p):
        d = p["embed"].shape[1]
        first, second = (np.eye(len(p["embed"]))[pairs[:, i]] @ p["embed"] for i in range(2))
        z = first @ p["w_1"][:d] + second @ p["w_1"][d:] + p["b_1"]
        a = np.where(z < 0, 0, z)
        return [linear_forward(a, p["w_2"], p["b_2"]), dict(x=np.hstack([first, second]), z=z, a=a)]

    def in_single_precision(pairs, p):
        q = {name: np.float32(w) for name, w in p.items()}
        x = q["embed"][pairs].reshape(len(pairs), -1)
        z = np.einsum("bi,ij->bj", x, q["w_1"]) + q["b_1"]
        a = z.clip(min=0)
        return np.einsum("bj,jk->bk", a, q["w_2"]) + q["b_2"], {"x": x, "z": z, "a": a}


class network_backward:
    def all_in_one(pairs, targets, p):
        n, rows = len(pairs), np.arange(len(pairs))
        x = p["embed"][pairs].reshape(n, -1)
        z = x @ p["w_1"] + p["b_1"]
        a = np.maximum(z, 0)
        logits = a @ p["w_2"] + p["b_2"]
        log_p = logits - logits.max(1, keepdims=True)
        log_p = log_p - np.log(np.exp(log_p).sum(1, keepdims=True))
        g = np.exp(log_p)
        g[rows, targets] -= 1
        g = g / n
        gz = (g @ p["w_2"].T) * (z > 0)
        gx = gz @ p["w_1"].T
        ge = np.zeros_like(p["embed"])
        d = ge.shape[1]
        np.add.at(ge, pairs[:, 0], gx[:, :d])
        np.add.at(ge, pairs[:, 1], gx[:, d:])
        grads = {"b_2": g.sum(0), "w_2": a.T @ g, "b_1": gz.sum(0), "w_1": x.T @ gz, "embed": ge}
        return -log_p[rows, targets].mean(), grads

    def measured(pairs, targets, p):
        def loss_with(name):
            return lambda w: mean_loss(network_forward(pairs, p | {name: w})[0], targets)  # noqa: F821

        def slope(f, w):
            gradient = np.zeros_like(w)
            for place in itertools.product(*map(range, w.shape)):
                move = np.zeros_like(w)
                move[place] = 1e-5
                gradient[place] = (f(w + move) - f(w - move)) / 2e-5
            return gradient

        loss = mean_loss(network_forward(pairs, p)[0], targets)  # noqa: F821
        return [loss, {name: slope(loss_with(name), w) for name, w in p.items()}]

    def mask_from_the_output(pairs, targets, p):
        logits, saved = network_forward(pairs, p)
        g = softmax_cross_entropy_backward(logits, targets)
        back, w_2, b_2 = linear_backward(g, saved["a"], p["w_2"])
        back[saved["a"] == 0] = 0
        back, w_1, b_1 = linear_backward(back, saved["x"], p["w_1"])
        back = np.stack(np.split(back, 2, axis=1), axis=1)
        embed = embedding_backward(back, pairs, p["embed"].shape[0])
        return np.float64(mean_loss(logits, targets)), dict(embed=embed, w_1=w_1, b_1=b_1, w_2=w_2, b_2=b_2)  # noqa: F821


class sgd_step:
    def subtracted(w, grad, lr):
        return np.subtract(w, np.multiply(grad, lr))

    def on_a_copy(w, grad, lr):
        w = w.copy()
        w -= lr * grad
        return w

    def in_single_precision(w, grad, lr):
        return np.float32(w) - np.float32(lr) * np.float32(grad)


class momentum_step:
    def two_lines(w, grad, velocity, lr, beta=0.9):
        new = np.add(beta * velocity, grad)
        return [w + -lr * new, new]

    def on_copies(w, grad, velocity, lr, beta=0.9):
        w, velocity = w.copy(), velocity.copy()
        velocity *= beta
        velocity += grad
        w -= lr * velocity
        return w, velocity

    def taken_apart(w, grad, velocity, lr, beta=0.9):
        return w - lr * beta * velocity - lr * grad, velocity * beta + grad


class adam_step:
    def running_differences(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        t = state["step"] + 1
        m = state["m"] + (1 - beta1) * (grad - state["m"])
        v = state["v"] + (1 - beta2) * (np.square(grad) - state["v"])
        root = np.sqrt(v) / math.sqrt(1 - beta2**t)
        return w - (lr / (1 - beta1**t)) * m / (root + eps), dict(step=t, m=m, v=v)

    def on_a_copy_of_the_state(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        state = dict(state)
        state["step"] += 1
        state["m"] = np.average([state["m"], grad], axis=0, weights=[beta1, 1 - beta1])
        state["v"] = np.average([state["v"], grad * grad], axis=0, weights=[beta2, 1 - beta2])
        m_hat = state["m"] / (1 - beta1 ** state["step"])
        v_hat = state["v"] / (1 - np.power(beta2, state["step"]))
        return w - lr * np.divide(m_hat, v_hat**0.5 + eps), state

    def in_single_precision(w, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        g, t = np.float32(grad), state["step"] + 1
        m = np.float32(beta1) * np.float32(state["m"]) + np.float32(1 - beta1) * g
        v = np.float32(beta2) * np.float32(state["v"]) + np.float32(1 - beta2) * g * g
        update = m / np.float32(1 - beta1**t) / (np.sqrt(v / np.float32(1 - beta2**t)) + np.float32(eps))
        return np.float32(w) - np.float32(lr) * update, {"step": t, "m": m, "v": v}


class train_step:
    def comprehensions(pairs, targets, p, states, lr):
        loss, grads = network_backward(pairs, targets, p)
        both = {name: adam_step(w, grads[name], states[name], lr) for name, w in p.items()}
        return {name: one[0] for name, one in both.items()}, {name: one[1] for name, one in both.items()}, loss

    def on_copies_of_the_dictionaries(pairs, targets, p, states, lr):
        loss, grads = network_backward(pairs, targets, p)
        p, states = dict(p), dict(states)
        for name, grad in grads.items():
            p[name], states[name] = adam_step(p[name], grad, states[name], lr=lr)
        return [p, states, np.asarray(loss)]

    def adam_written_out(pairs, targets, p, states, lr):
        loss, grads = network_backward(pairs, targets, p)
        new_p, new_states = {}, {}
        for name in reversed(list(p)):
            g, t = grads[name], states[name]["step"] + 1
            m, v = 0.9 * states[name]["m"] + 0.1 * g, 0.999 * states[name]["v"] + 0.001 * g**2
            new_p[name] = p[name] - lr * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
            new_states[name] = {"m": m, "v": v, "step": t}
        return new_p, new_states, loss
