"""Other right answers to ch09."""

import math

import numpy as np
import torch
import torch.nn.functional as F


class top_k_gating:
    def renormalised(logits, k):
        gates, indices = torch.topk(torch.softmax(logits, 1), k, 1)
        return indices, gates / gates.sum(1, keepdim=True)

    def sorted_down(logits, k):
        indices = torch.argsort(logits, dim=-1, descending=True)[:, :k]
        powers = torch.gather(logits, -1, indices).exp()
        return [indices, powers / powers.sum(-1, keepdim=True)]

    def masked(logits, k):
        order = (-logits).argsort(dim=1)[:, :k]
        hidden = torch.full_like(logits, -math.inf).scatter(1, order, 0.0)
        return order, (logits + hidden).softmax(-1).gather(1, order)

    def row_by_row_in_double_precision(logits, k):
        indices = torch.zeros(len(logits), k, dtype=torch.int32)
        gates = torch.zeros(len(logits), k, dtype=torch.float64)
        for i, row in enumerate(logits.double()):
            left = row.clone()
            for j in range(k):
                indices[i, j] = left.argmax()
                left[left.argmax()] = -math.inf
            gates[i] = row[indices[i].long()].softmax(0)
        return indices, gates


class moe_forward:
    def token_by_token(x, p, k):
        indices, gates = top_k_gating(x @ p["router"], k)
        rows = []
        for token, which, weights in zip(x, indices, gates, strict=True):
            rows.append(sum(w * feed_forward(token, p["experts"][int(e)]) for e, w in zip(which, weights, strict=True)))  # noqa: F821
        return torch.stack(rows)

    def index_add(x, p, k):
        chosen, indices = (x @ p["router"]).topk(k)
        gates, output = chosen.softmax(-1), torch.zeros(x.shape)
        for e in indices.unique().tolist():
            rows, columns = (indices == e).nonzero().T
            w = p["experts"][e]
            inner = F.gelu(x[rows] @ w["w_1"] + w["b_1"], approximate="tanh")
            output = output.index_add(0, rows, gates[rows, columns].unsqueeze(1) * (inner @ w["w_2"] + w["b_2"]))
        return output

    def place_by_place(x, p, k):
        indices, gates = top_k_gating(x @ p["router"], k)
        total = 0.0
        for j in range(k):
            parts = torch.zeros_like(x)
            for e, w in enumerate(p["experts"]):
                mine = indices[:, j] == e
                if mine.any():
                    parts[mine] = feed_forward(x[mine], w)  # noqa: F821
            total = total + gates[:, j : j + 1] * parts
        return total

    def parameters_gathered(x, p, k):
        indices, gates = top_k_gating(x @ p["router"], k)
        w_1, b_1, w_2, b_2 = (torch.stack([w[n] for w in p["experts"]])[indices] for n in ("w_1", "b_1", "w_2", "b_2"))
        inner = F.gelu(torch.einsum("nd,nkdf->nkf", x, w_1) + b_1, approximate="tanh")
        return (gates[..., None] * (torch.einsum("nkf,nkfd->nkd", inner, w_2) + b_2)).sum(1)

    def in_double_precision(x, p, k):
        x = x.double()
        chosen, indices = (x @ p["router"].double()).topk(k)
        gates, output = chosen.softmax(-1), torch.zeros_like(x)
        for e, expert in enumerate(p["experts"]):
            rows, places = torch.where(indices == e)
            if not len(rows):
                continue
            w = {name: t.double() for name, t in expert.items()}
            z = x[rows] @ w["w_1"] + w["b_1"]
            z = z / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))
            output = output.index_put((rows,), gates[rows, places][:, None] * (z @ w["w_2"] + w["b_2"]), True)
        return output


class load_balance_loss:
    def one_hot(logits, k):
        indices, _ = top_k_gating(logits, k)
        experts = logits.shape[1]
        chosen = F.one_hot(indices, experts).sum(1).float()
        return torch.dot(chosen.mean(0) / k, logits.softmax(1).mean(0)) * experts

    def as_a_mean(logits, k):
        experts = logits.size(1)
        marks = torch.zeros_like(logits).scatter(1, logits.topk(k).indices, 1.0)
        return experts**2 * torch.mean(marks.sum(0) / marks.sum() * torch.softmax(logits, -1).mean(0))

    def expert_by_expert(logits, k):
        indices, _ = top_k_gating(logits, k)
        probabilities, total = logits.softmax(-1), 0.0
        for e in range(logits.shape[1]):
            total = total + (indices == e).float().mean() * probabilities[:, e].mean()
        return total * logits.shape[1]

    def in_double_precision(logits, k):
        z = logits.double()
        p = (z - z.logsumexp(1, keepdim=True)).exp()
        f = torch.histc(z.topk(k).indices.double(), logits.shape[1], 0, logits.shape[1] - 1) / (len(z) * k)
        return logits.shape[1] * (f @ p.mean(0))


class moe_parameters:
    def step_by_step(p, k):
        router = math.prod(p["router"].shape)
        total = active = router
        for number, expert in enumerate(p["experts"]):
            size = sum(math.prod(t.shape) for t in expert.values())
            total += size
            active += size if number < k else 0
        return {"active": active, "total": total}

    def from_the_shapes(p, k):
        d_model, d_ff = p["experts"][0]["w_1"].shape
        return {
            name: d_model * len(p["experts"]) + used * (d_ff * (2 * d_model + 1) + d_model)
            for name, used in (("total", len(p["experts"])), ("active", k))
        }

    def all_flattened(p, k):
        sizes = [torch.cat([t.flatten() for t in expert.values()]).numel() for expert in p["experts"]]
        return dict(total=p["router"].numel() + sum(sizes), active=p["router"].nelement() + sum(sizes[:k]))


class fit_power_law:
    def polyfit(x, loss):
        slope, intercept = np.polyfit(np.log(x.numpy()), np.log(loss.numpy()), 1)
        return np.exp(intercept), -slope

    def by_hand(x, loss):
        log_x, log_loss = x.double().log(), loss.double().log()
        apart = log_x - log_x.mean()
        slope = (apart * log_loss).sum() / (apart * apart).sum()
        return (log_loss.mean() - slope * log_x.mean()).exp().item(), -slope.item()

    def lstsq(x, loss):
        columns = torch.stack([torch.ones(len(x), dtype=torch.float64), -x.double().log()], 1)
        log_a, alpha = torch.linalg.lstsq(columns, loss.double().log()[:, None]).solution[:, 0]
        return log_a.exp().item(), alpha.item()

    def base_ten(x, loss):
        u, v = x.double().log10(), loss.double().log10()
        alpha = -((u - u.mean()) * (v - v.mean())).mean() / u.var(correction=0)
        return 10 ** (v.mean() + alpha * u.mean()), alpha

    def in_single_precision(x, loss):
        u, v = x.log(), loss.log()
        u_bar, v_bar = u.mean(), v.mean()
        slope = ((u - u_bar) * (v - v_bar)).sum() / ((u - u_bar) ** 2).sum()
        return [float((v_bar - slope * u_bar).exp()), float(-slope)]

    def plain_python(x, loss):
        u, v = [math.log(i) for i in x], [math.log(i) for i in loss]
        m, mean_u, mean_v = len(u), sum(u) / len(u), sum(v) / len(v)
        slope = (sum(i * j for i, j in zip(u, v, strict=True)) - m * mean_u * mean_v) / (
            sum(i * i for i in u) - m * mean_u**2
        )
        return math.exp(mean_v - slope * mean_u), -slope
