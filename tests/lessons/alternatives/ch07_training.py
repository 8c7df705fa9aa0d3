"""Other right answers to ch07."""

import math

import torch
import torch.nn.functional as F


def normed(x, p):
    deviation = torch.sqrt(x.var(-1, unbiased=False, keepdim=True) + 1e-5)
    return (x - x.mean(-1, keepdim=True)) / deviation * p["gain"] + p["bias"]


def tanh_gelu(z):
    return z / 2 * (1 + torch.tanh(0.7978845608028654 * (z + 0.044715 * z * z * z)))


def feed_forward(x, p):
    return tanh_gelu(x @ p["w_1"] + p["b_1"]) @ p["w_2"] + p["b_2"]


class decoder_logits:
    def ready_made_attention(tokens, p, heads):
        x = F.embedding(tokens, p["embed"]) + p["position"][torch.arange(tokens.size(1))]
        for block in p["blocks"]:
            z, a = normed(x, block["norm_1"]), block["attention"]
            q, k, v = (torch.unflatten(z @ a[n], -1, (heads, -1)).transpose(1, 2) for n in ("w_q", "w_k", "w_v"))
            seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + seen.transpose(1, 2).flatten(2) @ a["w_o"]
            x = x + feed_forward(normed(x, block["norm_2"]), block["ffn"])
        return F.linear(normed(x, p["norm"]), p["embed"])

    def einsum(tokens, p, heads):
        b, t = tokens.shape
        x = p["embed"][tokens] + p["position"][None, :t]
        hidden = torch.full((t, t), float("-inf")).triu(1)
        for block in p["blocks"]:
            z, a = normed(x, block["norm_1"]), block["attention"]
            q, k, v = (torch.einsum("btd,de->bte", z, a[n]).view(b, t, heads, -1) for n in ("w_q", "w_k", "w_v"))
            scores = torch.einsum("bihd,bjhd->bhij", q, k) * q.size(-1) ** -0.5 + hidden
            mixed = torch.einsum("bhij,bjhd->bihd", torch.softmax(scores, dim=-1), v)
            x = x + mixed.flatten(2) @ a["w_o"]
            x = x + feed_forward(normed(x, block["norm_2"]), block["ffn"])
        return torch.einsum("btd,vd->btv", normed(x, p["norm"]), p["embed"])

    def head_by_head(tokens, p, heads):
        t, d = tokens.shape[1], p["embed"].shape[1]
        x = p["embed"][tokens] + p["position"][:t]
        for block in p["blocks"]:
            z, a, outputs = normed(x, block["norm_1"]), block["attention"], []
            for own in torch.arange(d).chunk(heads):
                q, k, v = (z @ a[n][:, own] for n in ("w_q", "w_k", "w_v"))
                powers = torch.exp(q @ k.mT / math.sqrt(len(own))).tril()  # these scores are small enough for exp
                outputs.append(powers / powers.sum(-1, keepdim=True) @ v)
            x = x + torch.cat(outputs, dim=-1) @ a["w_o"]
            x = x + feed_forward(normed(x, block["norm_2"]), block["ffn"])
        return normed(x, p["norm"]) @ p["embed"].T

    def text_by_text_in_float64(tokens, p, heads):
        def wide(tree):
            if torch.is_tensor(tree):
                return tree.double()
            return {k: wide(v) for k, v in tree.items()} if isinstance(tree, dict) else [wide(v) for v in tree]

        p, rows = wide(p), []
        for text in tokens:
            x = p["embed"][text] + p["position"][: len(text)]
            for block in p["blocks"]:
                z, a = normed(x, block["norm_1"]), block["attention"]
                q, k, v = ((z @ a[n]).reshape(len(text), heads, -1).swapaxes(0, 1) for n in ("w_q", "w_k", "w_v"))
                x = x + F.scaled_dot_product_attention(q, k, v, is_causal=True).swapaxes(0, 1).flatten(1) @ a["w_o"]
                x = x + feed_forward(normed(x, block["norm_2"]), block["ffn"])
            rows.append(normed(x, p["norm"]) @ p["embed"].T)
        return torch.stack(rows)


class cross_entropy:
    def logsumexp(logits, targets):
        rows, wanted = logits.reshape(-1, logits.shape[-1]), targets.reshape(-1)
        return (torch.logsumexp(rows, dim=1) - rows[torch.arange(len(rows)), wanted]).mean()

    def one_hot(logits, targets):
        right = torch.arange(logits.shape[-1]) == targets[..., None]
        log_p = logits.log_softmax(dim=-1)
        return -log_p[right].sum() / targets.numel()

    def loop(logits, targets):
        rows, losses = logits.flatten(0, -2), []
        for row, i in zip(rows, targets.flatten(), strict=True):
            losses.append((row - row[i]).logsumexp(0))
        return torch.stack(losses).mean()

    def float64(logits, targets):
        wide = logits.double()
        wide = wide - wide.amax(-1, keepdim=True)
        picked = torch.take_along_dim(wide, targets[..., None], -1)[..., 0]
        return torch.mean(wide.exp().sum(-1).log() - picked)


class shift_for_teacher_forcing:
    def narrow(tokens):
        if tokens.size(1) <= 1:
            raise ValueError("too short")
        return tokens.narrow(1, 0, tokens.size(1) - 1), tokens.narrow(1, 1, tokens.size(1) - 1)

    def a_list_of_copies(tokens):
        length = tokens.shape[1] - 1
        if length < 1:
            raise ValueError(length)
        return [tokens[:, :length].clone(), tokens[:, -length:].clone()]

    def roll(tokens):
        if not tokens.shape[-1] > 1:
            raise ValueError
        return tokens[..., :-1], torch.roll(tokens, -1, dims=1)[..., :-1]

    def windows(tokens):
        if tokens.shape[1] < 2:
            raise ValueError("nothing to predict")
        return tokens.unfold(1, 2, 1).unbind(-1)


class adamw_step:
    def as_torch_does(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
        step = state["step"] + 1
        new, m, v = param.clone(), state["m"].clone(), state["v"].clone()
        new.mul_(1 - lr * weight_decay)
        m.lerp_(grad, 1 - beta1)
        v.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        denominator = (v.sqrt() / math.sqrt(1 - beta2**step)).add_(eps)
        new.addcdiv_(m, denominator, value=-lr / (1 - beta1**step))
        return new, {"step": step, "m": m, "v": v}

    def a_list_and_another_order(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
        after = {
            "v": state["v"] + (1 - beta2) * (grad.square() - state["v"]),
            "m": state["m"] + (1 - beta1) * (grad - state["m"]),
            "step": 1 + state["step"],
        }
        mean = after["m"] / (1 - math.pow(beta1, after["step"]))
        size = torch.sqrt(after["v"] / (1 - math.pow(beta2, after["step"]))) + eps
        return [param - lr * (mean / size + weight_decay * param), after]

    def float64(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
        p, g, m, v = (x.double() for x in (param, grad, state["m"], state["v"]))
        t = state["step"] + 1
        m, v = beta1 * m + g - beta1 * g, beta2 * v + g * g - beta2 * g * g
        p = p - lr * weight_decay * p - lr * (m / (1 - beta1**t)) / ((v / (1 - beta2**t)) ** 0.5 + eps)
        return p, dict(state, step=t, m=m, v=v)

    def decay_folded_in(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
        state = dict(state)
        state["step"] += 1
        state["m"] = torch.lerp(grad, state["m"], beta1)
        state["v"] = torch.lerp(grad.pow(2), state["v"], beta2)
        c1, c2 = 1 - beta1 ** state["step"], 1 - beta2 ** state["step"]
        kept = 1 - lr * weight_decay
        return kept * param - lr / c1 * state["m"] / ((state["v"] / c2).sqrt() + eps), state


class lr_schedule:
    def half_angle(step, warmup, total, peak, floor):
        if warmup < 0 or total <= warmup:
            raise ValueError("warmup")
        if step < warmup:
            return step / warmup * peak
        share = max(0.0, 1 - max(0, step - warmup) / (total - warmup))
        return floor + (peak - floor) * math.sin(math.pi / 2 * share) ** 2

    def torch_tensor(step, warmup, total, peak, floor):
        if not (warmup >= 0 and total > warmup):
            raise ValueError
        if step >= total:
            return torch.tensor(floor)
        if step < warmup:
            return torch.tensor(peak * step / warmup)
        angle = torch.tensor(math.pi * (step - warmup) / (total - warmup), dtype=torch.float64)
        return peak - (peak - floor) * (1 - torch.cos(angle)) / 2

    def averages(step, warmup, total, peak, floor):
        if warmup not in range(total):
            raise ValueError(f"{warmup} of {total}")
        step = min(step, total)
        rising = step / warmup if step < warmup else 1.0
        cosine = math.cos(math.pi * max(step - warmup, 0) / (total - warmup))
        return rising * ((peak + floor) / 2 + (peak - floor) / 2 * cosine)

    def interpolated(step, warmup, total, peak, floor):
        if not 0 <= warmup < total:
            raise ValueError("the warm-up is as long as the training")
        if step < warmup:
            return (0 * (warmup - step) + peak * step) / warmup
        left = 0.5 + 0.5 * math.cos(min(math.pi, math.pi * (step - warmup) / (total - warmup)))
        return left * peak + (1 - left) * floor
