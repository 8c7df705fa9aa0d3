"""Other right answers to ch10."""

import torch
import torch.nn.functional as F


def normed(x, p):
    deviation = torch.sqrt(x.var(-1, unbiased=False, keepdim=True) + 1e-5)
    return (x - x.mean(-1, keepdim=True)) / deviation * p["gain"] + p["bias"]


class logit_lens:
    def by_hand_and_einsum(residuals, p):
        return torch.einsum("std,vd->stv", normed(residuals, p["norm"]), p["embed"])

    def linear(residuals, p):
        gain, bias = p["norm"].values()
        return F.linear(F.layer_norm(residuals, (residuals.size(-1),), gain, bias), p["embed"])

    def station_by_station(residuals, p):
        layer = torch.nn.LayerNorm(residuals.shape[-1])
        with torch.no_grad():
            layer.weight.copy_(p["norm"]["gain"])
            layer.bias.copy_(p["norm"]["bias"])
            return torch.stack([layer(station) @ p["embed"].mT for station in residuals])

    def token_by_token_in_float64(residuals, p):
        norm = {name: part.double() for name, part in p["norm"].items()}
        rows = [[p["embed"].double() @ normed(x, norm) for x in station] for station in residuals.double()]
        return torch.stack([torch.stack(row) for row in rows])


class head_writes:
    def einsum(outputs, w_o):
        h, _, d = outputs.shape
        return torch.einsum("htk,hkd->htd", outputs, w_o.view(h, d, w_o.size(1)))

    def slices(outputs, w_o):
        d = outputs.size(-1)
        return torch.stack([o @ w_o[i * d : i * d + d] for i, o in enumerate(outputs)])

    def chunks(outputs, w_o):
        return torch.stack([o @ rows for o, rows in zip(outputs, w_o.chunk(len(outputs)), strict=True)])

    def all_others_zero(outputs, w_o):
        writes = []
        for i in range(len(outputs)):
            only = torch.zeros_like(outputs)
            only[i] = outputs[i]
            writes.append(only.transpose(0, 1).reshape(outputs.shape[1], -1) @ w_o)
        return torch.stack(writes)

    def batched(outputs, w_o):
        return torch.bmm(outputs.double(), torch.stack(w_o.double().chunk(len(outputs))))


class ablate_head:
    def merged_with_a_hole(outputs, w_o, head, mean=False):
        merged = outputs.permute(1, 0, 2).flatten(1).clone()
        own = slice(head * outputs.size(2), (head + 1) * outputs.size(2))
        merged[:, own] = merged[:, own].mean(0, keepdim=True) if mean else 0
        return merged @ w_o

    def subtracted(outputs, w_o, head, mean=False):
        own = torch.stack([o @ rows for o, rows in zip(outputs, w_o.chunk(len(outputs)), strict=True)])
        whole = own.sum(0) - own[head]
        return whole + own[head].mean(0) if mean else whole

    def masked(outputs, w_o, head, mean=False):
        keep = (torch.arange(len(outputs)) != head)[:, None, None]
        instead = outputs.mean(1, keepdim=True) if mean else torch.zeros_like(outputs[:, :1])
        return torch.where(keep, outputs, instead).transpose(0, 1).flatten(1) @ w_o

    def with_head_writes(outputs, w_o, head, mean=False):
        replaced = [o if i != head else o.mean(0).expand(len(o), -1) * mean for i, o in enumerate(outputs)]
        return head_writes(torch.stack(replaced), w_o).sum(0)

    def rows_of_w_o(outputs, w_o, head, mean=False):
        d = outputs.shape[-1]
        w_o = w_o.clone()
        constant = outputs[head].mean(0) @ w_o[head * d : head * d + d] if mean else 0
        w_o[head * d : head * d + d] = 0
        return torch.cat(list(outputs), dim=-1) @ w_o + constant


class previous_token_score:
    def indices(attention):
        later = torch.arange(1, attention.shape[2])
        return attention[:, later, later - 1].mean(1)

    def loops(attention):
        h, t, _ = attention.shape
        return torch.tensor([sum(float(attention[i, q, q - 1]) for q in range(1, t)) / (t - 1) for i in range(h)])

    def cut_and_trace(attention):
        below = attention[:, 1:, :-1]
        return torch.stack([torch.trace(head) for head in below]) / below.shape[-1]

    def einsum(attention):
        return torch.einsum("hii->h", attention[:, 1:, :-1].double()) / (attention.shape[1] - 1)


class induction_score:
    def indices(attention, period):
        if period < 1 or period >= attention.shape[-1]:
            raise ValueError(period)
        queries = torch.arange(period, attention.shape[-1])
        return attention[:, queries, queries - period + 1].mean(dim=1)

    def loops(attention, period):
        h, t, _ = attention.shape
        if not 0 < period < t:
            raise ValueError("nothing repeats")
        scores = [0.0] * h
        for i in range(h):
            for q in range(period, t):
                scores[i] += attention[i, q, q + 1 - period].item() / (t - period)
        return torch.tensor(scores)

    def cut_and_trace(attention, period):
        t = attention.shape[-1]
        if period <= 0 or t <= period:
            raise ValueError
        return torch.einsum("hii->h", attention[:, period:, 1 : t - period + 1].double()) / (t - period)

    def shifted_mask(attention, period):
        t = attention.shape[-1]
        if not 1 <= period <= t - 1:
            raise ValueError("period")
        place = torch.arange(t)
        there = (place[:, None] - place[None] == period - 1) & (place[:, None] >= period)
        return (attention * there).sum((1, 2)) / there.sum()
