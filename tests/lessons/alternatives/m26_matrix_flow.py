"""Other right answers to m26."""

import functools
import math

import torch
import torch.nn.functional as F
from torch import nn


class stage_shapes:
    def written_out(n, d_model, heads, d_ff, vocab_size):
        names = "embed position stream_0 blocks.0.norm_1 blocks.0.attention.query blocks.0.attention.key"
        names += " blocks.0.attention.value blocks.0.attention.mix blocks.0.attention.output blocks.0.stream_1"
        names += " blocks.0.norm_2 blocks.0.ffn.output blocks.0.stream_2 norm"
        shapes = {name: (n, d_model) for name in names.split()}
        for name in ["scores", "masked", "weights"]:
            shapes[f"blocks.0.attention.{name}"] = (heads, n, n)
        shapes["blocks.0.ffn.hidden"] = shapes["blocks.0.ffn.active"] = (n, d_ff)
        return {**shapes, "logits": (n, vocab_size)}

    def by_ending(n, d_model, heads, d_ff, vocab_size):
        shapes = {}
        for name in STAGES:  # noqa: F821  (of the lesson's first cell)
            if name.endswith(("scores", "masked", "weights")):
                shapes[name] = (heads, n, n)
            elif name.endswith(("hidden", "active")):
                shapes[name] = (n, d_ff)
            elif name == "logits":
                shapes[name] = (n, vocab_size)
            else:
                shapes[name] = (n, d_model)
        return shapes

    def lists_for_tuples(n, d_model, heads, d_ff, vocab_size):
        wide = {"hidden": d_ff, "active": d_ff, "logits": vocab_size}
        shapes = {name: [n, wide.get(name.split(".")[-1], d_model)] for name in STAGES}  # noqa: F821
        return shapes | {f"blocks.0.attention.{name}": [heads, n, n] for name in ("scores", "masked", "weights")}


class collect_trace:
    def default_argument(model, tokens):
        trace, handles = {}, []
        try:
            for name in model.stages:

                def hook(module, inputs, output, name=name):
                    trace[name] = output.detach().clone()

                handles += [model.get_submodule(name).register_forward_hook(hook)]
            with torch.no_grad():
                model(tokens)
        finally:
            for handle in handles:
                handle.remove()
        return trace

    def partial_and_modules(model, tokens):
        trace = {}

        def keep(name, module, inputs, output):
            trace[name] = torch.tensor(output.tolist(), dtype=output.dtype)

        modules = dict(model.named_modules())
        handles = [modules[name].register_forward_hook(functools.partial(keep, name)) for name in model.stages]
        try:
            model(tokens)
        finally:
            [handle.remove() for handle in handles]
        return trace

    def names_of_modules(model, tokens):
        names = {module: name for name, module in model.named_modules()}
        trace = {}

        def hook(module, inputs, output):
            trace[names[module]] = output.clone().detach()

        handles = [m.register_forward_hook(hook) for m in model.modules() if not list(m.children())]
        try:
            model(tokens)
            return trace
        finally:
            for handle in reversed(handles):
                handle.remove()

    def exit_stack(model, tokens):
        from contextlib import ExitStack

        trace = {}
        with ExitStack() as stack:
            for name in model.stages:
                hook = lambda m, i, o, name=name: trace.update({name: o.detach().clone()})  # noqa: E731
                stack.enter_context(model.get_submodule(name).register_forward_hook(hook))
            model(tokens)
        return trace


class recompute_cell:
    def whole_tables(stage, row, column, trace, p):
        b = p["blocks"][0]
        if stage == "stream_0":
            table = trace["embed"] + trace["position"]
        elif stage == "blocks.0.norm_1":
            x = trace["stream_0"]
            table = F.layer_norm(x, x.shape[-1:], b["norm_1"]["gain"], b["norm_1"]["bias"])
        elif stage == "blocks.0.attention.query":
            table = trace["blocks.0.norm_1"] @ b["attention"]["w_q"]
        elif stage == "blocks.0.ffn.hidden":
            table = trace["blocks.0.norm_2"] @ b["ffn"]["w_1"] + b["ffn"]["b_1"]
        else:
            raise ValueError("unknown")
        return table[row, column]

    def loops(stage, row, column, trace, p):
        b = p["blocks"][0]
        if stage == "stream_0":
            return trace["embed"][row][column].item() + trace["position"][row][column].item()
        if stage == "blocks.0.norm_1":
            x = trace["stream_0"][row].tolist()
            mean = sum(x) / len(x)
            variance = sum((one - mean) ** 2 for one in x) / len(x)
            z = (x[column] - mean) / math.sqrt(variance + 1e-5)
            return z * b["norm_1"]["gain"][column].item() + b["norm_1"]["bias"][column].item()
        if stage not in ("blocks.0.attention.query", "blocks.0.ffn.hidden"):
            raise ValueError(stage)
        query = stage.endswith("query")
        x = trace["blocks.0.norm_1" if query else "blocks.0.norm_2"][row]
        w = b["attention"]["w_q"] if query else b["ffn"]["w_1"]
        total = 0.0 if query else b["ffn"]["b_1"][column].item()
        for k in range(len(x)):
            total += x[k].item() * w[k, column].item()
        return total

    def matched(stage, row, column, trace, p):
        block = p["blocks"][0]
        match stage.split("."):
            case ["stream_0"]:
                return (trace["embed"].double() + trace["position"])[row, column].item()
            case [*_, "norm_1"]:
                x = trace["stream_0"][row].double()
                z = (x - x.mean()) * torch.rsqrt(((x - x.mean()) ** 2).mean() + 1e-5)
                return torch.addcmul(block["norm_1"]["bias"], z, block["norm_1"]["gain"])[column].item()
            case [*_, "query"]:
                return torch.dot(block["attention"]["w_q"].T[column], trace["blocks.0.norm_1"][row]).item()
            case [*_, "hidden"]:
                z, f = trace["blocks.0.norm_2"][row], block["ffn"]
                return F.linear(z, f["w_1"].T, f["b_1"])[column].item()
        raise ValueError(stage)


class recompute_attention_cell:
    def slices(stage, head, row, column, trace):
        at = "blocks.0.attention."
        d = trace[at + "query"].shape[1] // trace[at + "masked"].shape[0] if stage == "scores" else None
        if stage == "scores":
            own = slice(head * d, head * d + d)
            return (trace[at + "query"][row, own] * trace[at + "key"][column, own]).sum() / d**0.5
        if stage == "weights":
            powers = trace[at + "masked"][head, row].exp()
            return powers[column] / powers.sum()
        if stage == "mix":
            value = trace[at + "value"]
            first = head * (value.shape[1] // len(trace[at + "masked"]))
            return trace[at + "weights"][head, row] @ value[:, first + column]
        raise ValueError(stage)

    def only_what_is_seen(stage, head, row, column, trace):
        t = {name.split(".")[-1]: value for name, value in trace.items()}
        h = len(t["masked"])
        if stage == "scores":
            q, k = (x.reshape(len(x), h, -1)[:, head] for x in (t["query"], t["key"]))
            cosine = F.cosine_similarity(q[row], k[column], dim=0)
            return float(cosine * q[row].norm() * k[column].norm() / len(q[0]) ** 0.5)
        if stage == "weights":
            seen = t["masked"][head, row, : row + 1]
            return float((seen - seen.logsumexp(0)).exp()[column]) if column <= row else 0.0
        if stage == "mix":
            v = t["value"].reshape(len(t["value"]), h, -1)[: row + 1, head, column]
            return float(t["weights"][head, row, : row + 1] @ v)
        raise ValueError(stage)

    def whole_tables(stage, head, row, column, trace):
        if stage not in ("scores", "weights", "mix"):
            raise ValueError(f"not here: {stage}")
        t = {name.rpartition(".")[2]: value.double() for name, value in trace.items()}
        heads = t["masked"].shape[0]
        cut = {k: x.unflatten(1, (heads, -1)).transpose(0, 1) for k, x in t.items() if k in ("query", "key", "value")}
        if stage == "scores":
            table = torch.einsum("hid,hjd->hij", cut["query"], cut["key"]) / math.sqrt(cut["key"].shape[2])
        else:
            table = t["masked"].softmax(2) if stage == "weights" else torch.bmm(t["weights"], cut["value"])
        return table[head, row, column].item()


class run_patched:
    def a_module_in_its_place(model, tokens, stage, value):
        if stage not in model.stages:
            raise KeyError(stage)

        class Fixed(nn.Module):
            heads = None

            def forward(self, *inputs):
                return value.detach().clone()

        before = model.get_submodule(stage)
        model.set_submodule(stage, Fixed())
        try:
            with torch.no_grad():
                return model(tokens)
        finally:
            model.set_submodule(stage, before)

    def named_function(model, tokens, stage, value):
        modules = {name: model.get_submodule(name) for name in model.stages}

        def hook(module, inputs, output):
            return value + 0

        handle = modules[stage].register_forward_hook(hook)
        try:
            logits = model(tokens)
        finally:
            handle.remove()
        return logits.detach()

    def with_statement(model, tokens, stage, value):
        if not any(stage == name for name in model.stages):
            raise KeyError("no such stage")
        with torch.inference_mode(), model.get_submodule(stage).register_forward_hook(lambda m, i, o: value.clone()):
            return model(tokens).clone()


class head_effects:
    def by_reshaping(model, tokens, heads, source=None):
        clean = collect_trace(model, tokens)
        mix = clean["blocks.0.attention.mix"]
        other = collect_trace(model, source)["blocks.0.attention.mix"] if source is not None else 0 * mix
        best = int(clean["logits"][-1].argmax())
        result = torch.zeros(heads)
        for h in range(heads):
            new = mix.clone()
            new.view(len(mix), heads, -1)[-1, h] = other.view(len(mix), heads, -1)[-1, h]
            result[h] = clean["logits"][-1, best] - run_patched(model, tokens, "blocks.0.attention.mix", new)[-1, best]
        return result

    def with_masks(model, tokens, heads, source=None):
        name = "blocks.0.attention.mix"
        with torch.no_grad():
            logits = model(tokens)[-1]
        mix = collect_trace(model, tokens)[name]
        other = torch.zeros_like(mix) if source is None else collect_trace(model, source)[name]
        of_head = torch.arange(mix.shape[1]) // (mix.shape[1] // heads)
        last = torch.arange(len(mix)) == len(mix) - 1
        falls = []
        for h in range(heads):
            patch = torch.where(last[:, None] & (of_head == h), other, mix)
            falls.append((logits - run_patched(model, tokens, name, patch)[-1])[logits.argmax()].item())
        return torch.tensor(falls)

    def its_own_hook(model, tokens, heads, source=None):
        stage = model.blocks[0].attention.mix
        kept = []

        def run(ids, hook):
            handle = stage.register_forward_hook(hook)
            with torch.no_grad():
                logits = model(ids)[-1]
            handle.remove()
            return logits

        if source is not None:
            run(source, lambda m, i, o: kept.append(o[-1].clone()))

        def silence(h):
            def hook(module, inputs, output):
                output = output.clone()
                d = output.shape[1] // heads
                output[-1, h * d : h * d + d] = kept[0][h * d : h * d + d] if kept else 0.0
                return output

            return hook

        before = run(tokens, lambda *_: None)
        after = torch.stack([run(tokens, silence(h)) for h in range(heads)])
        return (before - after)[:, before.argmax()]
