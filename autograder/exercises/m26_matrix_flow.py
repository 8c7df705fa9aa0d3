"""Exercises of m26, the forward pass stage by stage. The references agree with `torch.nn.functional`
(`scaled_dot_product_attention`, `layer_norm`, `gelu`), `torch.nn.MultiheadAttention` and the stages of a model that
torch runs; patches with `torch.func.functional_call` and with torch's own modules on changed inputs."""

import contextlib
import math

import numpy as np
import torch

from autograder.exercise import case, exercise, question
from course.checks.compare import close, exact
from course.checks.script import attribute, call, failing, given, held, method
from course.supplied.m26 import StagedDecoder

TITLE = "3D matrix flow"

PASS = close(1e-4, 1e-5, why="a float32 pass divides by deviations and sums up to 16 terms, several times over")
BLOCK, ATTENTION, MIX = "blocks.0.", "blocks.0.attention.", "blocks.0.attention.mix"


# ---- random models, and their pass without a module of theirs -----------------------------------------------------


def _normal(rng, *shape, mean=0.0, deviation=1.0):
    return torch.tensor(mean + deviation * rng.standard_normal(shape), dtype=torch.float32)


def _decoder(rng, vocab_size, heads, d_head, layers, d_ff, length, size=1.0):
    """Parameters as ch07 has them, with gains and biases of every kind; `size` is that of the embeddings."""
    d = heads * d_head

    def norm():
        return {"gain": _normal(rng, d, mean=1.0, deviation=0.3), "bias": _normal(rng, d, deviation=0.3)}

    def block():
        return {
            "norm_1": norm(),
            "attention": {name: _normal(rng, d, d, deviation=1.3 * d**-0.5) for name in ("w_q", "w_k", "w_v", "w_o")},
            "norm_2": norm(),
            "ffn": {
                "w_1": _normal(rng, d, d_ff, deviation=d**-0.5),
                "b_1": _normal(rng, d_ff, deviation=0.5),
                "w_2": _normal(rng, d_ff, d, deviation=d_ff**-0.5),
                "b_2": _normal(rng, d, deviation=0.5),
            },
        }

    embeddings = (_normal(rng, rows, d, deviation=size) for rows in (vocab_size, length))
    names = ("embed", "position", "blocks", "norm")
    return dict(zip(names, [*embeddings, [block() for _ in range(layers)], norm()], strict=True))


def _tokens(rng, vocab_size, n):
    return torch.tensor(rng.integers(vocab_size, size=n), dtype=torch.int64)


def _given(p, heads):
    return given("m26.StagedDecoder", p, heads, handle="model")


def _weight(module):
    return module.weight.detach().double()


def _bias(module):
    return module.bias.detach().double()


def _standard(x, module):
    """Layer norm of each row, in float64."""
    x = x - x.sum(-1, keepdim=True) / x.shape[-1]
    variance = (x * x).sum(-1, keepdim=True) / x.shape[-1]
    return x * (variance + 1e-5) ** -0.5 * _weight(module) + _bias(module)


def _pass(model, tokens, patches=None):
    """Every stage of the pass in float64, from the model's parameters alone; `patches` are put in place of some."""
    if len(tokens) > len(model.position.weight):
        raise ValueError("more tokens than positions")
    seen, patches = {}, {name: value.double() for name, value in (patches or {}).items()}

    def put(name, value):
        seen[name] = patches.get(name, value)
        return seen[name]

    embed = put("embed", _weight(model.embed)[tokens])
    x = put("stream_0", embed + put("position", _weight(model.position)[: len(tokens)]))
    for number, block in enumerate(model.blocks):
        x = _pass_block(block, x, lambda name, value, at=f"blocks.{number}.": put(at + name, value))
    put("logits", put("norm", _standard(x, model.norm)) @ _weight(model.logits))
    return seen


def _pass_block(block, x, put):
    attention, n, heads = block.attention, len(x), block.attention.scores.heads
    z = put("norm_1", _standard(x, block.norm_1))
    q, k, v = (
        put(f"attention.{name}", z @ _weight(getattr(attention, name))).reshape(n, heads, -1)
        for name in ("query", "key", "value")
    )
    scores = put("attention.scores", torch.einsum("ihd,jhd->hij", q, k) / q.shape[-1] ** 0.5)
    earlier = torch.arange(n)[:, None] >= torch.arange(n)
    masked = put("attention.masked", torch.where(earlier, scores, -torch.inf))
    powers = (masked - masked.amax(-1, keepdim=True)).exp()
    weights = put("attention.weights", powers / powers.sum(-1, keepdim=True))
    mix = put("attention.mix", torch.einsum("hij,jhd->ihd", weights, v).reshape(n, -1))
    x = put("stream_1", x + put("attention.output", mix @ _weight(attention.output)))
    hidden = put(
        "ffn.hidden", put("norm_2", _standard(x, block.norm_2)) @ _weight(block.ffn.hidden) + _bias(block.ffn.hidden)
    )
    inner = math.sqrt(2 / math.pi) * (hidden + 0.044715 * hidden**3)
    active = put("ffn.active", hidden * (1 + inner.tanh()) / 2)
    return put("stream_2", x + put("ffn.output", active @ _weight(block.ffn.output) + _bias(block.ffn.output)))


# ---- names and shapes ----------------------------------------------------------------------------------------------


def _shapes(n, d_model, heads, d_ff, vocab_size, **others):
    """The right shapes, but for those named: a stage by the last part of its name, or by two (ffn__output)."""
    shapes = dict.fromkeys(["embed", "position", "stream_0"], (n, d_model))
    for part in ("norm_1", "attention.query", "attention.key", "attention.value"):
        shapes[BLOCK + part] = (n, d_model)
    shapes |= {ATTENTION + part: (heads, n, n) for part in ("scores", "masked", "weights")}
    for part in ("attention.mix", "attention.output", "stream_1", "norm_2", "ffn.hidden", "ffn.active", "ffn.output"):
        shapes[BLOCK + part] = (n, d_ff if part in ("ffn.hidden", "ffn.active") else d_model)
    shapes |= {BLOCK + "stream_2": (n, d_model), "norm": (n, d_model), "logits": (n, vocab_size)}
    for name, shape in others.items():
        end = name.replace("__", ".")
        shapes |= {stage: shape for stage in shapes if f".{stage}".endswith(f".{end}")}
    return shapes


@exercise(
    points=2, minutes=8, source="Elhage et al. 2021, section High-Level Architecture; names as in the staged model"
)
class stage_shapes:
    """The shape of what every stage of a decoder gives, by the stage's name."""

    tolerance = exact

    def cases(rng):
        for n, d_head, heads, d_ff, vocab_size in [(4, 6, 2, 24, 13), (1, 4, 3, 20, 9), (5, 3, 4, 7, 11)]:
            yield case(n, heads * d_head, heads, d_ff, vocab_size, label=f"{n} tokens, {heads} heads")
        n, heads, d_head = int(rng.integers(6, 9)), int(rng.integers(2, 5)), int(rng.integers(4, 7))
        d_ff, vocab_size = int(rng.integers(31, 40)), int(rng.integers(41, 50))
        yield case(n, heads * d_head, heads, d_ff, vocab_size, label="sizes drawn at random")

    def reference(n, d_model, heads, d_ff, vocab_size):
        rng = np.random.default_rng(0)
        model = StagedDecoder(_decoder(rng, vocab_size, heads, d_model // heads, 1, d_ff, n), heads)
        return {name: tuple(value.shape) for name, value in _pass(model, _tokens(rng, vocab_size, n)).items()}

    class misconceptions:
        def one_square_for_all_heads(n, d_model, heads, d_ff, vocab_size):
            """Each head has scores of its own: scores, masked and weights have an axis of heads in front, (heads, n, n)."""
            return _shapes(
                n, d_model, heads, d_ff, vocab_size, **dict.fromkeys(["scores", "masked", "weights"], (n, n))
            )

        def heads_last(n, d_model, heads, d_ff, vocab_size):
            """The axis of heads stands last; in scores, masked and weights it comes first: (heads, n, n)."""
            square = dict.fromkeys(["scores", "masked", "weights"], (n, n, heads))
            return _shapes(n, d_model, heads, d_ff, vocab_size, **square)

        def queries_of_one_head(n, d_model, heads, d_ff, vocab_size):
            """Queries, keys and values hold all heads side by side: d_model columns, not those of one head."""
            narrow = dict.fromkeys(["query", "key", "value"], (n, d_model // heads))
            return _shapes(n, d_model, heads, d_ff, vocab_size, **narrow)

        def queries_cut_into_heads(n, d_model, heads, d_ff, vocab_size):
            """This model cuts queries, keys and values into heads inside the next stage: here they are still (n, d_model)."""
            cut = dict.fromkeys(["query", "key", "value"], (heads, n, d_model // heads))
            return _shapes(n, d_model, heads, d_ff, vocab_size, **cut)

        def mix_cut_into_heads(n, d_model, heads, d_ff, vocab_size):
            """`mix` has the heads side by side again, (n, d_model): they are merged within the stage."""
            return _shapes(n, d_model, heads, d_ff, vocab_size, mix=(heads, n, d_model // heads))

        def mix_of_one_head(n, d_model, heads, d_ff, vocab_size):
            """`mix` holds what all heads fetched, side by side: d_model columns, not those of one head."""
            return _shapes(n, d_model, heads, d_ff, vocab_size, mix=(n, d_model // heads))

        def hidden_narrow(n, d_model, heads, d_ff, vocab_size):
            """The feed-forward network is wide inside: hidden and active have d_ff columns."""
            return _shapes(n, d_model, heads, d_ff, vocab_size, hidden=(n, d_model), active=(n, d_model))

        def ffn_stays_wide(n, d_model, heads, d_ff, vocab_size):
            """`ffn.output` is added to the stream, so it is back at d_model columns."""
            return _shapes(n, d_model, heads, d_ff, vocab_size, ffn__output=(n, d_ff))

        def active_narrow(n, d_model, heads, d_ff, vocab_size):
            """GELU changes each number by itself: active has the shape of hidden, (n, d_ff)."""
            return _shapes(n, d_model, heads, d_ff, vocab_size, active=(n, d_model))

        def logits_of_the_last_token(n, d_model, heads, d_ff, vocab_size):
            """There are logits after every token, not after the last one only: (n, vocab_size)."""
            return _shapes(n, d_model, heads, d_ff, vocab_size, logits=(vocab_size,))

        def logits_not_yet(n, d_model, heads, d_ff, vocab_size):
            """The logits have a column for each token of the vocabulary: (n, vocab_size)."""
            return _shapes(n, d_model, heads, d_ff, vocab_size, logits=(n, d_model))

        def the_tables(n, d_model, heads, d_ff, vocab_size):
            """The table of embeddings is (vocab_size, d_model). The stage gives the rows that were looked up: one a token."""
            return _shapes(n, d_model, heads, d_ff, vocab_size, embed=(vocab_size, d_model))

        def weights_without_queries(n, d_model, heads, d_ff, vocab_size):
            """Softmax keeps the shape: every token has a row of weights, in every head."""
            return _shapes(n, d_model, heads, d_ff, vocab_size, weights=(heads, n))

        def columns_are_tokens(n, d_model, heads, d_ff, vocab_size):
            """Your tables lie on their side. A row is a token: n comes before the width."""
            right = _shapes(n, d_model, heads, d_ff, vocab_size)
            return {name: shape if len(shape) == 3 else shape[::-1] for name, shape in right.items()}

        def with_a_batch(n, d_model, heads, d_ff, vocab_size):
            """This model reads one sequence, without an axis for a batch: there is no leading 1."""
            return {name: (1, *shape) for name, shape in _shapes(n, d_model, heads, d_ff, vocab_size).items()}

        def last_parts_of_names(n, d_model, heads, d_ff, vocab_size):
            """Use the whole names, such as blocks.0.attention.scores: two stages are called output."""
            right = _shapes(n, d_model, heads, d_ff, vocab_size)
            return {name.rpartition(".")[2]: shape for name, shape in right.items()}


# ---- the trace -----------------------------------------------------------------------------------------------------


def _hooked(model, tokens, keep, names=None, always=True):
    """A trace by hooks; `keep` is (trace, name) -> hook. `always`: the hooks go even if the pass fails."""
    trace = {}
    modules = dict(model.named_modules())
    handles = [modules[name].register_forward_hook(keep(trace, name)) for name in names or model.stages]
    try:
        model(tokens)
    except Exception:
        if not always:
            raise
        for handle in handles:
            handle.remove()
        raise
    for handle in handles:
        handle.remove()
    return trace


def _copied(trace, name):
    def hook(module, inputs, output):
        trace[name] = output.detach().clone()

    return hook


def _hang(model, trace):
    return [model.get_submodule(name).register_forward_hook(_copied(trace, name)) for name in model.stages]


SIZES = [(1, 2, 3, 10, 8, 4), (1, 3, 2, 5, 7, 1), (2, 2, 2, 7, 9, 5)]  # layers, heads, d_head, d_ff, V, n


def _drawn(rng, layers, heads, d_head, d_ff, vocab_size, n):
    p = _decoder(rng, vocab_size, heads, d_head, layers, d_ff, n + 2)
    return _given(p, heads), _tokens(rng, vocab_size, n), f"{layers} block(s), {heads} heads, {n} token(s)"


@exercise(
    parts={"trace": 3, "no hook left": 1},
    minutes=15,
    source="torch.nn.Module.register_forward_hook; Nanda 2022, TransformerLens (its run_with_cache)",
)
class collect_trace:
    """What every stage of the model gives in one pass, caught with forward hooks."""

    tolerance = PASS

    def cases(rng):
        sizes = [*SIZES, (2, 3, 3, 6, 11, int(rng.integers(3, 6)))]
        for size in sizes:
            model, tokens, label = _drawn(rng, *size)
            yield case(script=[model, call("collect_trace", held("model"), tokens)], label=label)
        hooks, part = attribute("hooks", "model"), "no hook left"
        model, tokens, _ = _drawn(rng, *SIZES[0])
        yield case(script=[model, call("collect_trace", held("model"), tokens), hooks], label="one pass", part=part)
        model, tokens, _ = _drawn(rng, *SIZES[2])
        twice = [call("collect_trace", held("model"), part) for part in (tokens, tokens[:2])]
        yield case(script=[model, *twice, hooks], label="two passes", part=part)
        model, tokens, _ = _drawn(rng, *SIZES[0])
        too_many = failing("collect_trace", held("model"), torch.cat([tokens, tokens]))
        yield case(script=[model, too_many, hooks], label="a pass that fails: too many tokens", part=part)

    def reference(model, tokens):
        return _pass(model, tokens)

    class misconceptions:
        def not_copied(model, tokens):
            """You keep the output itself. The mask writes into the scores afterwards, and your trace changes with them: clone."""
            return _hooked(
                model, tokens, lambda trace, name: lambda m, i, output: trace.update({name: output.detach()})
            )

        def inputs_kept(model, tokens):
            """You keep what goes into a stage, `inputs[0]`. A trace holds what comes out: the hook's third argument."""
            return _hooked(
                model, tokens, lambda trace, name: lambda m, inputs, o: trace.update({name: inputs[0].detach().clone()})
            )

        def modules_with_parts_too(model, tokens):
            """You hook modules that have parts, too. Stages are the modules without parts: `model.stages` lists their names."""
            return _hooked(model, tokens, _copied, list(dict(model.named_modules())))

        def one_name_for_all(model, tokens):
            """All hooks write under the last name: a function made in a loop sees the variable as it is at the end. Bind it early."""
            last = model.stages[-1]
            return _hooked(model, tokens, lambda trace, name: _copied(trace, last))

        def short_names(model, tokens):
            """You keep only the last part of each name, and stages overwrite one another. Use the whole name."""
            return _hooked(model, tokens, lambda trace, name: _copied(trace, name.rpartition(".")[2]))

        def dots_not_followed(model, tokens):
            """`getattr` does not follow the dots in blocks.0.norm_1. `model.get_submodule(name)` does."""
            return _hooked(model, tokens, lambda trace, name: _copied(trace, name) and getattr(model, name))

        def names_of_classes(model, tokens):
            """You use the modules' class names, which repeat, so results overwrite one another. Use the names in `model.stages`."""
            modules = dict(model.named_modules())
            return _hooked(model, tokens, lambda trace, name: _copied(trace, type(modules[name]).__name__))

        def no_pass(model, tokens):
            """Your trace is empty: hooks only run while the model runs. Call the model before you remove them."""
            return {}

        def last_row_only(model, tokens):
            """You keep the last row only. A trace holds the whole output of each stage."""
            return {name: value[..., -1, :] for name, value in _pass(model, tokens).items()}

        def first_block_only(model, tokens):
            """A model may have several blocks: take the names from `model.stages`, not from a list for one block."""
            names = [name for name in model.stages if "blocks." not in name or "blocks.0." in name]
            return _hooked(model, tokens, _copied, names)

        def streams_only(model, tokens):
            """Only some stages are in your trace. Every name in `model.stages` belongs there."""
            return _hooked(model, tokens, _copied, [name for name in model.stages if "stream" in name])

        def logits_returned(model, tokens):
            """You return what the model returns, its logits. Return the trace: stage's name -> output."""
            return model(tokens).detach()

        def hooks_left(model, tokens):
            """The hooks are still on the model when you return, and run with each later pass. Remove every one."""
            trace = {}
            _hang(model, trace)
            model(tokens)
            return trace

        def last_hook_removed_only(model, tokens):
            """You remove only one of the hooks: keep every handle, in a list, and remove them all."""
            trace = {}
            handles = _hang(model, trace)
            model(tokens)
            handles[-1].remove()
            return trace

        def removed_if_all_goes_well(model, tokens):
            """If the pass fails, your hooks stay on the model. Remove them in a `finally:`."""
            return _hooked(model, tokens, _copied, always=False)

        def error_swallowed(model, tokens):
            """You catch the model's error and go on. Remove the hooks, and let the error through: `try: ... finally: ...`."""
            trace = {}
            handles = _hang(model, trace)
            with contextlib.suppress(ValueError):
                model(tokens)
            for handle in handles:
                handle.remove()
            return trace


# ---- a cell, by hand -------------------------------------------------------------------------------------------------


def _blanked(trace, before, reads):
    """The stages before one, and it; NaN but for what `reads` names: stage -> index. `reads` None: all of those before."""
    names = list(trace)[: list(trace).index(before) + 1]
    hidden = {name: torch.full_like(trace[name], torch.nan) for name in names}
    if reads is None:
        return hidden | {name: trace[name] for name in names[:-1]}
    for name, index in reads.items():
        hidden[name][index] = trace[name][index]
    return hidden


def _traced(rng, heads, d_head, d_ff, n, size=1.0, layers=1):
    """Parameters of a random model, and the trace of a pass, float32."""
    p = _decoder(rng, 9, heads, d_head, layers, d_ff, n + 1, size)
    seen = _pass(StagedDecoder(p, heads), _tokens(rng, 9, n))
    return p, {name: value.float() for name, value in seen.items()}


ROW_MADE = {  # stage -> what is read for a row and a column
    "stream_0": lambda r, c: {"embed": (r, c), "position": (r, c)},
    BLOCK + "norm_1": lambda r, c: {"stream_0": r},
    ATTENTION + "query": lambda r, c: {BLOCK + "norm_1": r},
    BLOCK + "ffn.hidden": lambda r, c: {BLOCK + "norm_2": r},
}


def _is_row_made(stage):
    return stage in ("stream_0", BLOCK + "norm_1", ATTENTION + "query", BLOCK + "ffn.hidden")


def _part(stage):
    return "stream_0 and norm_1" if stage in ("stream_0", BLOCK + "norm_1") else "query and ffn.hidden"


ONLY = "every number that is not needed is NaN"


def _row_cell(stage, row, column, trace, p, norm=None, query=None, hidden=None, added=None):
    """A right cell, but for what is passed: functions of (trace, block, row, column) for their stage."""
    block = p["blocks"][0]
    ours = {
        "stream_0": added or (lambda t, b, r, c: t["embed"][r, c] + t["position"][r, c]),
        BLOCK + "norm_1": norm or (lambda t, b, r, c: _normed(t["stream_0"][r], b["norm_1"])[c]),
        ATTENTION + "query": query or (lambda t, b, r, c: t[BLOCK + "norm_1"][r] @ b["attention"]["w_q"][:, c]),
        BLOCK + "ffn.hidden": hidden
        or (lambda t, b, r, c: (t[BLOCK + "norm_2"][r] @ b["ffn"]["w_1"] + b["ffn"]["b_1"])[c]),
    }
    if stage not in ours:
        raise ValueError(stage)
    return float(ours[stage](trace, block, row, column))


def _normed(x, norm, unbiased=False, eps=1e-5, dim=-1):
    x = (x - x.mean(dim, keepdim=True)) / (x.var(dim, unbiased=unbiased, keepdim=True) + eps).sqrt()
    return x * norm["gain"] + norm["bias"]


@exercise(
    parts={"stream_0 and norm_1": 2, "query and ffn.hidden": 2, "bad input": 1},
    minutes=15,
    source="Vaswani et al. 2017, sections 3.2 to 3.4; Ba et al. 2016, equation 3 (layer norm)",
)
class recompute_cell:
    """One number of a stage in which no token looks at another, made again by hand."""

    tolerance = PASS

    def cases(rng):
        for heads, d_head, d_ff, n, size in [
            (2, 3, 10, 4, 1.0),
            (3, 2, 7, 5, 0.004),
            (2, 4, 5, int(rng.integers(3, 7)), 1.0),
        ]:
            p, trace = _traced(rng, heads, d_head, d_ff, n, size)
            for stage in ROW_MADE:
                row, column = int(rng.integers(1, n)), int(rng.integers(trace[stage].shape[1]))
                only = bool(rng.integers(2)) if size == 1 else False
                reads = ROW_MADE[stage](row, column) if only else None
                shown = _blanked(trace, stage, reads)
                label = f"{stage}, {heads * d_head} columns" + (f"; {ONLY}" if only else "")
                yield case(stage, row, column, shown, p, label=label, part=_part(stage))
        p, trace = _traced(rng, 2, 3, 8, 3, layers=2)
        for stage in ROW_MADE:
            shown = _blanked(trace, stage, ROW_MADE[stage](0, 4))
            yield case(stage, 0, 4, shown, p, label=f"{stage}, row 0; {ONLY}", part=_part(stage))
        for stage in (ATTENTION + "key", "stream_1"):
            yield case(stage, 0, 1, _blanked(trace, "logits", None), p, label=f"stage {stage!r}", part="bad input")

    def reference(stage, row, column, trace, p):
        block = p["blocks"][0]
        if stage == "stream_0":
            return math.fsum([trace["embed"][row][column].item(), trace["position"][row][column].item()])
        if stage == BLOCK + "norm_1":
            x = trace["stream_0"][row].tolist()
            mean = math.fsum(x) / len(x)
            deviation = math.sqrt(math.fsum((one - mean) ** 2 for one in x) / len(x) + 1e-5)
            gain, bias = (block["norm_1"][name][column].item() for name in ("gain", "bias"))
            return (x[column] - mean) / deviation * gain + bias
        if stage == ATTENTION + "query":
            pairs = zip(
                trace[BLOCK + "norm_1"][row].tolist(), block["attention"]["w_q"].T[column].tolist(), strict=True
            )
            return math.fsum(a * b for a, b in pairs)
        if stage == BLOCK + "ffn.hidden":
            pairs = zip(trace[BLOCK + "norm_2"][row].tolist(), block["ffn"]["w_1"].T[column].tolist(), strict=True)
            return math.fsum([*(a * b for a, b in pairs), block["ffn"]["b_1"][column].item()])
        raise ValueError(stage)

    class misconceptions:
        def looked_up(stage, row, column, trace, p):
            """You look the number up in the trace. Make it from the stages before: in the checks it is NaN there."""
            if not _is_row_made(stage):
                raise ValueError(stage)
            return float(trace[stage][row, column])

        def unbiased_variance(stage, row, column, trace, p):
            """`norm_1`: `var` divides by d_model - 1 unless told otherwise; the norm divides by d_model (unbiased=False)."""
            return _row_cell(
                stage,
                row,
                column,
                trace,
                p,
                lambda t, b, r, c: _normed(t["stream_0"][r], b["norm_1"], unbiased=True)[c],
            )

        def no_eps(stage, row, column, trace, p):
            """`norm_1`: 1e-5 is added to the variance under the root. It matters where the numbers are small."""
            return _row_cell(
                stage, row, column, trace, p, lambda t, b, r, c: _normed(t["stream_0"][r], b["norm_1"], eps=0.0)[c]
            )

        def std_of_torch(stage, row, column, trace, p):
            """`norm_1`: `std` divides by d_model - 1, and 1e-5 is missing under the root. Begin with var(unbiased=False)."""

            def norm(t, b, r, c):
                x = t["stream_0"][r]
                return ((x - x.mean()) / x.std() * b["norm_1"]["gain"] + b["norm_1"]["bias"])[c]

            return _row_cell(stage, row, column, trace, p, norm)

        def eps_outside_the_root(stage, row, column, trace, p):
            """`norm_1`: 1e-5 belongs under the root, to the variance, not to the deviation."""

            def norm(t, b, r, c):
                x = t["stream_0"][r]
                z = (x - x.mean()) / (x.std(unbiased=False) + 1e-5)
                return (z * b["norm_1"]["gain"] + b["norm_1"]["bias"])[c]

            return _row_cell(stage, row, column, trace, p, norm)

        def no_root(stage, row, column, trace, p):
            """`norm_1`: you divide by the variance. Divide by its root."""

            def norm(t, b, r, c):
                x = t["stream_0"][r]
                z = (x - x.mean()) / (x.var(unbiased=False) + 1e-5)
                return (z * b["norm_1"]["gain"] + b["norm_1"]["bias"])[c]

            return _row_cell(stage, row, column, trace, p, norm)

        def no_gain_and_bias(stage, row, column, trace, p):
            """`norm_1`: the norm's gain and bias are missing."""
            plain = {"gain": 1.0, "bias": 0.0}
            return _row_cell(stage, row, column, trace, p, lambda t, b, r, c: _normed(t["stream_0"][r], plain)[c])

        def no_bias_of_the_norm(stage, row, column, trace, p):
            """`norm_1`: after the gain, the norm's bias is added."""
            return _row_cell(
                stage, row, column, trace, p,
                lambda t, b, r, c: _normed(t["stream_0"][r], {"gain": b["norm_1"]["gain"], "bias": 0.0})[c],
            )  # fmt: skip

        def gain_of_the_row(stage, row, column, trace, p):
            """`norm_1`: you take gain and bias by the row. They have one number for each column."""

            def norm(t, b, r, c):
                z = _normed(t["stream_0"][r], {"gain": 1.0, "bias": 0.0})[c]
                return z * b["norm_1"]["gain"][r] + b["norm_1"]["bias"][r]

            return _row_cell(stage, row, column, trace, p, norm)

        def second_norm(stage, row, column, trace, p):
            """`norm_1`: you use gain and bias of norm_2."""
            return _row_cell(stage, row, column, trace, p, lambda t, b, r, c: _normed(t["stream_0"][r], b["norm_2"])[c])

        def norm_over_the_tokens(stage, row, column, trace, p):
            """`norm_1`: mean and variance are those of a column, over the tokens. Each token's row is normalised by itself."""
            return _row_cell(
                stage, row, column, trace, p, lambda t, b, r, c: _normed(t["stream_0"], b["norm_1"], dim=0)[r, c]
            )

        def norm_over_everything(stage, row, column, trace, p):
            """`norm_1`: you take mean and variance of the whole table. Each row is normalised by itself."""
            return _row_cell(
                stage, row, column, trace, p, lambda t, b, r, c: _normed(t["stream_0"], b["norm_1"], dim=(0, 1))[r, c]
            )

        def row_of_the_matrix(stage, row, column, trace, p):
            """`query`: you take a row of w_q. In x W the cell in column j comes from column j of W: `w_q[:, column]`."""
            return _row_cell(
                stage, row, column, trace, p, query=lambda t, b, r, c: t[BLOCK + "norm_1"][r] @ b["attention"]["w_q"][c]
            )

        def rows_of_both_matrices(stage, row, column, trace, p):
            """In x W the cell in column j comes from column j of W. You take row j: write `w_q[:, column]`, `w_1[:, column]`."""
            return _row_cell(
                stage, row, column, trace, p,
                query=lambda t, b, r, c: t[BLOCK + "norm_1"][r] @ b["attention"]["w_q"][c],
                hidden=lambda t, b, r, c: t[BLOCK + "norm_2"][r] @ b["ffn"]["w_1"][c] + b["ffn"]["b_1"][c],
            )  # fmt: skip

        def query_without_the_norm(stage, row, column, trace, p):
            """`query`: the projection reads norm_1, not the stream itself."""
            return _row_cell(
                stage, row, column, trace, p, query=lambda t, b, r, c: t["stream_0"][r] @ b["attention"]["w_q"][:, c]
            )

        def keys_matrix(stage, row, column, trace, p):
            """`query`: you use w_k. Queries are made with w_q."""
            return _row_cell(
                stage,
                row,
                column,
                trace,
                p,
                query=lambda t, b, r, c: t[BLOCK + "norm_1"][r] @ b["attention"]["w_k"][:, c],
            )

        def no_bias(stage, row, column, trace, p):
            """`ffn.hidden`: the bias b_1 is missing. This product has one, the projections of attention have none."""
            return _row_cell(
                stage, row, column, trace, p, hidden=lambda t, b, r, c: t[BLOCK + "norm_2"][r] @ b["ffn"]["w_1"][:, c]
            )

        def whole_bias(stage, row, column, trace, p):
            """`ffn.hidden`: you add the sum of all biases. A cell gets the one of its column."""
            return _row_cell(
                stage, row, column, trace, p,
                hidden=lambda t, b, r, c: t[BLOCK + "norm_2"][r] @ b["ffn"]["w_1"][:, c] + b["ffn"]["b_1"].sum(),
            )  # fmt: skip

        def hidden_of_the_first_norm(stage, row, column, trace, p):
            """`ffn.hidden`: the feed-forward network reads norm_2, which comes after attention, not norm_1."""
            return _row_cell(
                stage, row, column, trace, p,
                hidden=lambda t, b, r, c: (t[BLOCK + "norm_1"][r] @ b["ffn"]["w_1"] + b["ffn"]["b_1"])[c],
            )  # fmt: skip

        def already_active(stage, row, column, trace, p):
            """`ffn.hidden`: GELU comes one stage later, in ffn.active."""

            def active(t, b, r, c):
                z = (t[BLOCK + "norm_2"][r] @ b["ffn"]["w_1"] + b["ffn"]["b_1"])[c]
                return torch.nn.functional.gelu(z, approximate="tanh")

            return _row_cell(stage, row, column, trace, p, hidden=active)

        def no_position(stage, row, column, trace, p):
            """`stream_0`: the position is missing. The stream begins as embed plus position."""
            return _row_cell(stage, row, column, trace, p, added=lambda t, b, r, c: t["embed"][r, c])

        def position_of_the_first(stage, row, column, trace, p):
            """`stream_0`: every token gets a position of its own: the row is the same in embed and in position."""
            return _row_cell(
                stage, row, column, trace, p, added=lambda t, b, r, c: t["embed"][r, c] + t["position"][0, c]
            )

        def no_check(stage, row, column, trace, p):
            """You make a number for stages that are not asked for. For any other stage, raise ValueError."""
            return _row_cell(stage if _is_row_made(stage) else "stream_0", row, column, trace, p)

        def none_for_others(stage, row, column, trace, p):
            """For a stage that is not in the table your function ends without a word. Raise ValueError."""
            return _row_cell(stage, row, column, trace, p) if _is_row_made(stage) else None


# ---- a cell of attention -----------------------------------------------------------------------------------------------


def _head(trace, name, head):
    """A head's columns of query, key or value: (n, d_head)."""
    x = trace[ATTENTION + name]
    d_head = x.shape[1] // len(trace[ATTENTION + "masked"])
    return x[:, head * d_head : (head + 1) * d_head]


def _attention_reads(stage, trace, head, row, column):
    """What is read for a cell: stage -> index."""
    d_head = trace[MIX].shape[1] // len(trace[ATTENTION + "masked"])
    own = slice(head * d_head, (head + 1) * d_head)
    if stage == "scores":
        return {ATTENTION + "query": (row, own), ATTENTION + "key": (column, own)}
    if stage == "weights":
        return {ATTENTION + "masked": (head, row)}
    return {ATTENTION + "weights": (head, row), ATTENTION + "value": (slice(None), head * d_head + column)}


def _attention_cell(stage, head, row, column, trace, scores=None, weights=None, mix=None):
    """A right cell, but for what is passed: functions of (trace, head, row, column) for their stage."""
    ours = {
        "scores": scores or _score,
        "weights": weights or (lambda t, h, r, c: t[ATTENTION + "masked"][h, r].softmax(-1)[c]),
        "mix": mix or (lambda t, h, r, c: t[ATTENTION + "weights"][h, r] @ _head(t, "value", h)[:, c]),
    }
    if stage not in ours:
        raise ValueError(stage)
    return float(ours[stage](trace, head, row, column))


def _product(t, h, r, c):
    return _head(t, "query", h)[r] @ _head(t, "key", h)[c]


def _width(t, h):
    return _head(t, "query", h).shape[1]


def _score(t, h, r, c):
    return _product(t, h, r, c) / math.sqrt(_width(t, h))


@exercise(
    parts={"scores": 2, "weights": 1, "mix": 2, "bad input": 1},
    minutes=18,
    source="Vaswani et al. 2017, sections 3.2.1 and 3.2.2",
)
class recompute_attention_cell:
    """One number of a stage in which a token reads others, made again by hand."""

    tolerance = PASS

    def cases(rng):
        for heads, d_head, n, only in [(2, 3, 4, False), (3, 4, 5, False), (2, 4, 3, True), (3, 2, 6, True)]:
            _, trace = _traced(rng, heads, d_head, 5, n)
            for stage in ("scores", "weights", "mix"):
                head, row = int(rng.integers(1, heads)), int(rng.integers(1, n - 1))
                column = int(rng.integers(1, d_head)) if stage == "mix" else int(rng.integers(row))
                reads = _attention_reads(stage, trace, head, row, column) if only else None
                shown = _shown(trace, stage, reads)
                label = f"{stage}, head {head} of {heads}" + (f"; {ONLY}" if only else "")
                yield case(stage, head, row, column, shown, label=label, part=stage)
        for stage, row, column in [("scores", 0, 2), ("weights", 1, 2), ("mix", 0, 1), ("mix", 3, 2)]:
            shown = _shown(trace := _traced(rng, 2, 3, 5, 4)[1], stage, None)
            yield case(stage, 0, row, column, shown, label=f"{stage}, row {row}, column {column}", part=stage)
        for stage in ("masked", "x"):
            yield case(stage, 1, 1, 1, _shown(trace, "mix", None), label=f"stage {stage!r}", part="bad input")

    def reference(stage, head, row, column, trace):
        heads, n, _ = trace[ATTENTION + "masked"].shape
        d_head = trace[ATTENTION + "value"].shape[1] // heads
        at = head * d_head
        if stage == "scores":
            query, key = trace[ATTENTION + "query"][row].tolist(), trace[ATTENTION + "key"][column].tolist()
            return math.fsum(query[at + i] * key[at + i] for i in range(d_head)) / math.sqrt(d_head)
        if stage == "weights":
            powers = [math.exp(one) for one in trace[ATTENTION + "masked"][head, row].tolist()]
            return powers[column] / math.fsum(powers)
        if stage == "mix":
            weights, values = (
                trace[ATTENTION + "weights"][head, row].tolist(),
                trace[ATTENTION + "value"][:, at + column],
            )
            return math.fsum(weights[j] * values[j].item() for j in range(n))
        raise ValueError(stage)

    class misconceptions:
        def looked_up(stage, head, row, column, trace):
            """You look the number up in the trace. Make it from the stages before: in the checks it is NaN there."""
            if stage == "mix":
                return float(_head(trace, "mix", head)[row, column])
            if stage not in ("scores", "weights"):
                raise ValueError(stage)
            return float(trace[ATTENTION + stage][head, row, column])

        def no_scale(stage, head, row, column, trace):
            """`scores`: the dot product is not divided by sqrt(d_head)."""
            return _attention_cell(stage, head, row, column, trace, scores=_product)

        def divided_by_d_head(stage, head, row, column, trace):
            """`scores`: you divide by d_head; the scale is its square root."""
            return _attention_cell(
                stage, head, row, column, trace, lambda t, h, r, c: _product(t, h, r, c) / _width(t, h)
            )

        def scaled_by_d_model(stage, head, row, column, trace):
            """`scores`: you divide by the root of d_model. A head's vectors have d_head columns: the root of that."""
            return _attention_cell(
                stage, head, row, column, trace,
                lambda t, h, r, c: _product(t, h, r, c) / math.sqrt(t[ATTENTION + "query"].shape[1]),
            )  # fmt: skip

        def whole_rows(stage, head, row, column, trace):
            """`scores`: you multiply whole rows, all heads at once. Head h has columns h * d_head to (h + 1) * d_head."""
            return _attention_cell(
                stage, head, row, column, trace,
                lambda t, h, r, c: t[ATTENTION + "query"][r] @ t[ATTENTION + "key"][c] / math.sqrt(_width(t, h)),
            )  # fmt: skip

        def always_head_0(stage, head, row, column, trace):
            """`scores`: you take the first d_head columns for every head. Head h begins at column h * d_head."""
            return _attention_cell(stage, head, row, column, trace, lambda t, h, r, c: _score(t, 0, r, c))

        def interleaved_heads(stage, head, row, column, trace):
            """`scores`: you give a head every h-th column. A head's columns stand side by side: d_head in a row."""

            def score(t, h, r, c):
                q, k = (t[ATTENTION + name][:, h :: len(t[ATTENTION + "masked"])] for name in ("query", "key"))
                return q[r] @ k[c] / math.sqrt(q.shape[1])

            return _attention_cell(stage, head, row, column, trace, score)

        def query_and_key_swapped(stage, head, row, column, trace):
            """`scores`: you take the query of the column and the key of the row. Rows are queries, columns are keys."""
            return _attention_cell(stage, head, row, column, trace, lambda t, h, r, c: _score(t, h, c, r))

        def column_of_the_keys(stage, head, row, column, trace):
            """`scores`: the cell in column j comes from row j of key, the j-th token, not from its column j."""

            def score(t, h, r, c):
                q, k = _head(t, "query", h), _head(t, "key", h)
                return q[r] @ k.reshape(k.shape[1], len(k))[:, c] / math.sqrt(q.shape[1])

            return _attention_cell(stage, head, row, column, trace, score)

        def query_with_query(stage, head, row, column, trace):
            """`scores`: you compare the query with another query. It meets the key of the column's token."""
            return _attention_cell(
                stage, head, row, column, trace,
                lambda t, h, r, c: _head(t, "query", h)[r] @ _head(t, "query", h)[c] / math.sqrt(_width(t, h)),
            )  # fmt: skip

        def softmax_down_the_column(stage, head, row, column, trace):
            """`weights`: your softmax runs down a column. A query shares out 1 along its own row."""
            return _attention_cell(
                stage, head, row, column, trace,
                weights=lambda t, h, r, c: t[ATTENTION + "masked"][h, :, c].softmax(-1)[r],
            )  # fmt: skip

        def softmax_of_all_scores(stage, head, row, column, trace):
            """`weights`: you take the scores before the mask, so later tokens get a share. Read `masked`."""
            return _attention_cell(
                stage, head, row, column, trace, weights=lambda t, h, r, c: t[ATTENTION + "scores"][h, r].softmax(-1)[c]
            )

        def softmax_over_heads(stage, head, row, column, trace):
            """`weights`: your softmax runs over the heads. Each head shares out 1 along each of its rows."""
            return _attention_cell(
                stage, head, row, column, trace,
                weights=lambda t, h, r, c: t[ATTENTION + "masked"][:, r, c].softmax(-1)[h],
            )  # fmt: skip

        def not_divided(stage, head, row, column, trace):
            """`weights`: e to the power of the score is not a weight yet. Divide by the sum over the row."""
            return _attention_cell(
                stage, head, row, column, trace, weights=lambda t, h, r, c: t[ATTENTION + "masked"][h, r, c].exp()
            )

        def mix_of_head_0(stage, head, row, column, trace):
            """`mix`: the column counts within the head. In `value` it is column head * d_head + column."""
            return _attention_cell(
                stage, head, row, column, trace,
                mix=lambda t, h, r, c: t[ATTENTION + "weights"][h, r] @ t[ATTENTION + "value"][:, c],
            )  # fmt: skip

        def offset_by_heads(stage, head, row, column, trace):
            """`mix`: head h begins at column h * d_head of `value`, not at h times the number of heads."""

            def mix(t, h, r, c):
                return t[ATTENTION + "weights"][h, r] @ t[ATTENTION + "value"][:, h * len(t[ATTENTION + "masked"]) + c]

            return _attention_cell(stage, head, row, column, trace, mix=mix)

        def mix_of_keys(stage, head, row, column, trace):
            """`mix`: you average keys. The weights come from the keys; what is averaged are the values."""
            return _attention_cell(
                stage, head, row, column, trace,
                mix=lambda t, h, r, c: t[ATTENTION + "weights"][h, r] @ _head(t, "key", h)[:, c],
            )  # fmt: skip

        def without_itself(stage, head, row, column, trace):
            """`mix`: a token reads itself, too: rows 0 to `row`, that is `[: row + 1]`."""
            return _attention_cell(
                stage, head, row, column, trace,
                mix=lambda t, h, r, c: t[ATTENTION + "weights"][h, r, :r] @ _head(t, "value", h)[:r, c],
            )  # fmt: skip

        def weights_of_the_column(stage, head, row, column, trace):
            """`mix`: you take a column of the weights. The weights that a token gives stand in its row."""
            return _attention_cell(
                stage, head, row, column, trace,
                mix=lambda t, h, r, c: t[ATTENTION + "weights"][h, :, r] @ _head(t, "value", h)[:, c],
            )  # fmt: skip

        def scores_as_weights(stage, head, row, column, trace):
            """`mix`: you multiply with scores. The values are averaged with the weights, after the softmax."""
            return _attention_cell(
                stage, head, row, column, trace,
                mix=lambda t, h, r, c: t[ATTENTION + "scores"][h, r, : r + 1] @ _head(t, "value", h)[: r + 1, c],
            )  # fmt: skip

        def plain_mean(stage, head, row, column, trace):
            """`mix`: you take the plain mean of the values. Each counts with its weight."""
            return _attention_cell(
                stage, head, row, column, trace, mix=lambda t, h, r, c: _head(t, "value", h)[: r + 1, c].mean()
            )

        def no_check(stage, head, row, column, trace):
            """You make a number for stages that are not asked for. For any other stage, raise ValueError."""
            known = stage if stage in ("scores", "weights", "mix") else "mix"
            return _attention_cell(known, head, row, column, trace)

        def none_for_others(stage, head, row, column, trace):
            """For a stage that is not in the table your function ends without a word. Raise ValueError."""
            if stage not in ("scores", "weights", "mix"):
                return None
            return _attention_cell(stage, head, row, column, trace)


def _shown(trace, stage, reads):
    """The trace as far as `stage`; the shape of `masked`, which tells the number of heads, is always there."""
    masked = ATTENTION + "masked"
    shown = _blanked(trace, ATTENTION + stage, reads)
    return shown if masked in shown else shown | {masked: torch.full_like(trace[masked], torch.nan)}


# ---- patching ------------------------------------------------------------------------------------------------------------


def _patching(model, tokens, stage, hook, pre=False, always=True, look=None):
    """The logits of a pass with a hook on one stage; `look` finds its module."""
    if stage not in model.stages:
        raise KeyError(stage)
    module = (look or model.get_submodule)(stage)
    handle = (module.register_forward_pre_hook if pre else module.register_forward_hook)(hook)
    try:
        with torch.no_grad():
            logits = model(tokens)
    except Exception:
        if always:
            handle.remove()
        raise
    handle.remove()
    return logits


@exercise(
    parts={"logits": 3, "model as before": 1, "bad input": 1},
    minutes=15,
    source="Meng et al. 2022, section 2.1 (causal tracing); Vig et al. 2020, section 3 (interventions)",
)
class run_patched:
    """The logits of a pass in which one stage's output is replaced."""

    tolerance = PASS

    def cases(rng):
        places = ["stream_0", MIX, ATTENTION + "scores", "blocks.1.ffn.hidden", BLOCK + "attention.weights", "position"]
        for stage, size in zip(places, [*SIZES[:1], (1, 3, 4, 6, 8, 5), *3 * [SIZES[2]], SIZES[0]], strict=True):
            model, tokens, label = _drawn(rng, *size)
            yield case(script=[model, _patch(rng, model, tokens, stage)], label=f"{stage}; {label}")
        after = [attribute("hooks", "model")]
        for stages in (["norm"], ["embed", MIX], ["position"]):
            model, tokens, _ = _drawn(rng, *SIZES[0])
            runs = [_patch(rng, model, tokens, stage) for stage in stages]
            script = [model, *runs, *after, method("__call__", tokens, handle="model")]
            yield case(script=script, label=f"after a patch of {' and '.join(stages)}", part="model as before")
        model, tokens, _ = _drawn(rng, *SIZES[0])
        wrong = failing("run_patched", held("model"), tokens, BLOCK + "attention.output", _normal(rng, len(tokens), 5))
        yield case(script=[model, wrong, *after], label="a pass that fails: too few columns", part="model as before")
        for stage in ("blocks.0.attention.nothing", "blocks.0.attention"):
            patch = call("run_patched", held("model"), tokens, stage, _normal(rng, len(tokens), 6))
            yield case(script=[model, patch], label=f"{stage} is no stage", part="bad input")

    def reference(model, tokens, stage, value):
        if stage not in model.stages:
            raise KeyError(stage)
        return _pass(model, tokens, {stage: value})["logits"]

    class misconceptions:
        def nothing_returned_by_the_hook(model, tokens, stage, value):
            """Nothing was replaced: what a hook does not return, the model does not see. Return the new value from the hook."""
            return _patching(model, tokens, stage, lambda *_: None)

        def input_replaced(model, tokens, stage, value):
            """You replace what goes into the stage (a pre-hook). Replace what comes out: a forward hook that returns it."""
            return _patching(model, tokens, stage, lambda module, inputs: (value, *inputs[1:]), pre=True)

        def added(model, tokens, stage, value):
            """You add the value to the output. It takes the output's place."""
            return _patching(model, tokens, stage, lambda module, inputs, output: output + value)

        def last_row_only(model, tokens, stage, value):
            """You replace the last row only. The whole output is replaced."""

            def hook(module, inputs, output):
                output = output.clone()
                output[..., -1, :] = value[..., -1, :]
                return output

            return _patching(model, tokens, stage, hook)

        def in_every_block(model, tokens, stage, value):
            """You patch the stages of this name in every block. Only the one of that full name is replaced."""
            if stage not in model.stages:
                raise KeyError(stage)
            last = stage.split(".", 2)[-1]
            same = [name for name in model.stages if name.split(".", 2)[-1] == last]
            return _pass(model, tokens, dict.fromkeys(same, value))["logits"].float()

        def last_token_only(model, tokens, stage, value):
            """You return the logits of the last token. Return all rows, (n, V)."""
            return _patching(model, tokens, stage, lambda *_: value.clone())[-1]

        def probabilities(model, tokens, stage, value):
            """You return probabilities. The model's logits are asked for: no softmax."""
            return _patching(model, tokens, stage, lambda *_: value.clone()).softmax(-1)

        def chosen_tokens(model, tokens, stage, value):
            """You return the chosen tokens. The logits themselves are asked for, (n, V)."""
            return _patching(model, tokens, stage, lambda *_: value.clone()).argmax(-1)

        def value_handed_over(model, tokens, stage, value):
            """You hand `value` itself to the model, and the mask writes into it. Let the hook return a copy: clone."""
            return _patching(model, tokens, stage, lambda *_: value)

        def hook_left(model, tokens, stage, value):
            """The hook is still on the model when you return, so all later passes are patched, too. Remove it."""
            if stage not in model.stages:
                raise KeyError(stage)
            model.get_submodule(stage).register_forward_hook(lambda *_: value.clone())
            with torch.no_grad():
                return model(tokens)

        def removed_if_all_goes_well(model, tokens, stage, value):
            """If the pass fails, your hook stays on the model. Remove it in a `finally:`."""
            return _patching(model, tokens, stage, lambda *_: value.clone(), always=False)

        def written_into_the_output(model, tokens, stage, value):
            """You write into the output. What `position` gives is a part of the model's own table: that is changed for ever."""
            return _patching(model, tokens, stage, lambda module, inputs, output: output.copy_(value))

        def written_with_gradient(model, tokens, stage, value):
            """You write into the output, which may be a part of the model's own table. Return another tensor: `value.clone()`."""
            if stage not in model.stages:
                raise KeyError(stage)
            handle = model.get_submodule(stage).register_forward_hook(
                lambda module, inputs, output: output.__setitem__(slice(None), value)
            )
            try:
                return model(tokens).detach()
            finally:
                handle.remove()

        def no_check(model, tokens, stage, value):
            """A stage that is not there should raise KeyError; torch's `get_submodule` raises AttributeError."""
            module = model.get_submodule(stage)
            handle = module.register_forward_hook(lambda *_: value.clone())
            try:
                with torch.no_grad():
                    return model(tokens)
            finally:
                handle.remove()

        def parts_of_the_model_accepted(model, tokens, stage, value):
            """A module with parts, such as blocks.0.attention, is no stage: KeyError unless the name is in `model.stages`."""
            module = dict(model.named_modules())[stage]
            handle = module.register_forward_hook(lambda *_: value.clone())
            try:
                with torch.no_grad():
                    return model(tokens)
            finally:
                handle.remove()

        def unpatched_instead(model, tokens, stage, value):
            """For a stage that is not there you run the model unpatched. Raise KeyError: a slip in a name should not go unseen."""
            if stage in model.stages:
                return _patching(model, tokens, stage, lambda *_: value.clone())
            return model(tokens).detach()

        def value_error(model, tokens, stage, value):
            """A stage that is not there should raise KeyError; you raise ValueError."""
            if stage not in model.stages:
                raise ValueError(stage)
            return _patching(model, tokens, stage, lambda *_: value.clone())


def _patch(rng, model, tokens, stage):
    """A step that replaces a stage of a given model by random numbers of the right shape (weights: any, not sums of 1)."""
    p, heads = model["args"]
    shape = _pass(StagedDecoder(p, heads), tokens)[stage].shape
    return call("run_patched", held("model"), tokens, stage, _normal(rng, *shape))


# ---- heads -----------------------------------------------------------------------------------------------------------------


def _own(h, heads, width):
    d_head = width // heads
    return slice(h * d_head, (h + 1) * d_head)


def _effects(model, tokens, heads, source=None, own=_own, rows=slice(-1, None), gain=None, stage=MIX, instead=None):
    """Right effects, but for what is passed; `gain` is (logits before, after) of the last row -> the number told."""
    before = _pass(model, tokens)
    other = _pass(model, source)[stage] if source is not None and instead is None else torch.zeros_like(before[stage])
    found = []
    for h in range(heads):
        changed = before[stage].clone()
        columns = own(h, heads, changed.shape[1])
        changed[rows, columns] = other[rows, columns]
        after = _pass(model, tokens, {stage: changed})["logits"][-1]
        chosen = before["logits"][-1].argmax()
        told = gain or (lambda logits, patched, chosen=chosen: logits[chosen] - patched[chosen])
        found.append(told(before["logits"][-1], after))
    return torch.stack(found).float()


def _others(h, heads, width):
    """The columns of all other heads."""
    keep = torch.ones(width, dtype=torch.bool)
    keep[_own(h, heads, width)] = False
    return keep


def _telling(rng, heads, d_head, n, sourced):
    """A model and tokens for which the head that is replaced changes the winner at least once, each by a good deal."""
    while True:
        model, tokens, _ = _drawn(rng, 1, heads, d_head, 6, 7, n)
        source = _tokens(rng, 7, n) if sourced else None
        staged = StagedDecoder(*model["args"])
        new = _effects(
            staged, tokens, heads, source, gain=lambda logits, patched: patched.max() - patched[logits.argmax()]
        )
        winners = (
            source is None
            or _pass(staged, source)["logits"][-1].argmax() != _pass(staged, tokens)["logits"][-1].argmax()
        )
        if new.max() > 0.1 and winners and (source is None or not source.equal(tokens)):
            return model, tokens, source


@exercise(
    parts={"set to zero": 2, "taken from another prompt": 2},
    minutes=15,
    source="Michel et al. 2019, section 3 (to zero); Wang et al. 2023, section 2.1; Chan et al. 2022 (resampling)",
    uses=("m26.collect_trace", "m26.run_patched"),
)
class head_effects:
    """By how much the chosen token's logit falls when a head's part is replaced, by 0 or from another prompt."""

    tolerance = PASS

    def cases(rng):
        for heads, d_head, n in [(2, 3, 3), (3, 2, 4), (3, 3, 1), (2, 4, 5)]:
            model, tokens, _ = _telling(rng, heads, d_head, n, False)
            step = call("head_effects", held("model"), tokens, heads)
            yield case(script=[model, step], label=f"{heads} heads of {d_head} columns, {n} token(s), to zero")
        for heads, d_head, n in [(2, 3, 4), (3, 2, 3), (3, 4, 5)]:
            model, tokens, source = _telling(rng, heads, d_head, n, True)
            step = call("head_effects", held("model"), tokens, heads, source)
            label, part = f"{heads} heads of {d_head} columns, {n} tokens, another prompt", "taken from another prompt"
            yield case(script=[model, step], label=label, part=part)

    def reference(model, tokens, heads, source=None):
        clean = _pass(model, tokens)
        width = clean[MIX].shape[1] // heads
        chosen = int(clean["logits"][-1].argmax())
        other = _pass(model, source)[MIX][-1] if source is not None else torch.zeros(heads * width, dtype=torch.float64)
        falls = []
        for h in range(heads):
            last = [other[i] if i // width == h else clean[MIX][-1, i] for i in range(heads * width)]
            mix = torch.cat([clean[MIX][:-1], torch.stack(last)[None]])
            falls.append(float(clean["logits"][-1, chosen] - _pass(model, tokens, {MIX: mix})["logits"][-1, chosen]))
        return torch.tensor(falls, dtype=torch.float64)

    class misconceptions:
        def wrong_sign(model, tokens, heads, source=None):
            """The sign is turned round: a fall is the logit before less the logit after."""
            return -_effects(model, tokens, heads, source)

        def logit_itself(model, tokens, heads, source=None):
            """You return the logit after the change. How far it fell is asked for: before less after."""
            chosen = _pass(model, tokens)["logits"][-1].argmax()
            return _effects(model, tokens, heads, source, gain=lambda logits, patched: patched[chosen])

        def of_the_new_winner(model, tokens, heads, source=None):
            """You compare with the best logit after the change, which may be another token's. Follow the token chosen before."""
            return _effects(model, tokens, heads, source, gain=lambda logits, patched: logits.max() - patched.max())

        def of_the_new_winners_own(model, tokens, heads, source=None):
            """You follow the token chosen after the change. Follow the one that the unchanged pass chose."""
            return _effects(
                model, tokens, heads, source,
                gain=lambda logits, patched: logits[patched.argmax()] - patched[patched.argmax()],
            )  # fmt: skip

        def probability(model, tokens, heads, source=None):
            """You measure the probability. The logit is asked for: no softmax."""
            chosen = _pass(model, tokens)["logits"][-1].argmax()
            return _effects(
                model, tokens, heads, source,
                gain=lambda logits, patched: logits.softmax(-1)[chosen] - patched.softmax(-1)[chosen],
            )  # fmt: skip

        def log_probability(model, tokens, heads, source=None):
            """You measure the log-probability. The logit itself is asked for: no softmax."""
            chosen = _pass(model, tokens)["logits"][-1].argmax()
            return _effects(
                model, tokens, heads, source,
                gain=lambda logits, patched: logits.log_softmax(-1)[chosen] - patched.log_softmax(-1)[chosen],
            )  # fmt: skip

        def in_the_first_row(model, tokens, heads, source=None):
            """You replace the first row. The last row of the mix is replaced: there the next token is predicted."""
            if len(tokens) == 1:
                return _effects(model, tokens, heads, source)
            return _effects(model, tokens, heads, source, rows=slice(0, 1))

        def whole_mix(model, tokens, heads, source=None):
            """You replace the whole row, so every head has the same effect. Replace the columns of one head at a time."""
            return _effects(model, tokens, heads, source, own=lambda h, heads, width: slice(None))

        def interleaved(model, tokens, heads, source=None):
            """You take every h-th column for a head. A head's columns stand side by side: d_head in a row."""
            return _effects(model, tokens, heads, source, own=lambda h, heads, width: slice(h, None, heads))

        def only_this_head_left(model, tokens, heads, source=None):
            """You replace the other heads and keep this one. Replace this one and keep the others."""
            return _effects(model, tokens, heads, source, own=_others)

        def one_after_another(model, tokens, heads, source=None):
            """Heads that were replaced stay replaced for the next ones: all write into one tensor. Begin each with a fresh copy."""
            return _effects(
                model, tokens, heads, source, own=lambda h, heads, width: slice(0, _own(h, heads, width).stop)
            )

        def counted_from_one(model, tokens, heads, source=None):
            """The effects stand one place off: the first is that of head 0."""
            return _effects(model, tokens, heads, source).roll(-1)

        def after_the_projection(model, tokens, heads, source=None):
            """You cut columns out of attention.output, where w_o has mixed the heads. A head has columns of its own in mix."""
            return _effects(model, tokens, heads, source, stage=ATTENTION + "output")

        def values_replaced(model, tokens, heads, source=None):
            """You replace the last token's values. What the head fetched for it, from all tokens, stands in mix."""
            return _effects(model, tokens, heads, source, stage=ATTENTION + "value")

        def source_ignored(model, tokens, heads, source=None):
            """`source` has no effect: with a source, the head's part comes from the pass over it, not from 0."""
            return _effects(model, tokens, heads)

        def token_of_the_source(model, tokens, heads, source=None):
            """You follow the token that the source's pass chose. Follow the one chosen for `tokens`."""
            if source is None:
                return _effects(model, tokens, heads)
            chosen = _pass(model, source)["logits"][-1].argmax()
            return _effects(model, tokens, heads, source, gain=lambda logits, patched: logits[chosen] - patched[chosen])

        def the_other_way_round(model, tokens, heads, source=None):
            """You patch the source's pass with parts of this one. The pass over `tokens` is patched with parts of the source's."""
            return _effects(model, tokens, heads) if source is None else _effects(model, source, heads, tokens)

        def weights_of_the_source(model, tokens, heads, source=None):
            """You take only the source's weights. What the head fetched, weights times values, stands in mix."""
            if source is None:
                return _effects(model, tokens, heads)
            clean, other, found = _pass(model, tokens), _pass(model, source), []
            for h in range(heads):
                weights = clean[ATTENTION + "weights"].clone()
                weights[h, -1] = other[ATTENTION + "weights"][h, -1]
                after = _pass(model, tokens, {ATTENTION + "weights": weights})["logits"][-1]
                chosen = clean["logits"][-1].argmax()
                found.append(clean["logits"][-1, chosen] - after[chosen])
            return torch.stack(found).float()


# ---- check questions -------------------------------------------------------------------------------------------------------


@question(answer="c")
class why_minus_infinity:
    """Somebody's trace keeps each output without a copy, and shows minus infinity in `blocks.0.attention.scores`. Why?"""

    a = (
        "The scores are computed with the mask in them.",
        "They are not: `scores` gives a finite number for every pair. The next stage masks.",
    )
    b = (
        "The hook ran before the stage was done.",
        "A forward hook runs after its stage, and is handed what the stage gives.",
    )
    c = (
        "The next stage writes into the same memory.",
        "Right: `masked` changes the tensor in place, to save memory, and the trace holds that very tensor.",
    )
    d = (
        "The softmax overflowed.",
        "The softmax comes later, and makes a tensor of its own.",
    )


@question(answer=["b", "d"])
class where_tokens_meet:
    """For which of these stages does one cell need rows of the stages before that belong to *other* tokens? Choose all."""

    a = (
        "`blocks.0.attention.query`",
        "A token's query is made from its own row of norm_1 and the matrix w_q.",
    )
    b = (
        "`blocks.0.attention.scores`",
        "Right: the cell in row i and column j needs the query of token i and the key of token j.",
    )
    c = (
        "`blocks.0.attention.weights`",
        "The softmax reads one row of `masked`, and that row belongs to the same token.",
    )
    d = (
        "`blocks.0.attention.mix`",
        "Right: here the values of the earlier tokens flow in. It is the only stage that brings over what they hold.",
    )
    e = (
        "`blocks.0.ffn.hidden`",
        "The feed-forward network works on each row by itself.",
    )


@question(answer="a")
class predict_the_patch:
    """The model reads `7*8=`. In the last row of the mix, head 1's columns are replaced by those from `3*8=`; head 0 and all
    else stay. Which first digit comes?"""

    a = (
        "2",
        "Right: it answers as for 24. What this head fetched was all that the last row knew of the two digits.",
    )
    b = (
        "5",
        "It would, if the other head or the last row itself knew of the 7. Both hardly do: try head 0 in the picture.",
    )
    c = (
        "4, halfway between 24 and 56",
        "The rows of the stream are sums, but digits are not: the product is looked up in the feed-forward network.",
    )
    d = (
        "None: the model breaks down",
        "What it sees is nothing new to it: head 0 is nearly the same for both prompts, so all fits together.",
    )


@question(answer="d")
class needed_or_telling:
    """Head 0 set to 0 costs the answer more than head 1 set to 0. Yet head 0 taken from another prompt changes next to
    nothing. What does it do?"""

    a = (
        "It moves the digits to the last row.",
        "Then another prompt's part would bring other digits, and the answer would change.",
    )
    b = (
        "Nothing: its large effect at 0 is a mistake of measurement.",
        "The logit does fall. Something that the rest relies on is missing.",
    )
    c = (
        "It repairs what head 1 spoils.",
        "Nothing that was measured speaks of that.",
    )
    d = (
        "It brings something that is nearly the same for all prompts, and that the rest relies on.",
        "Right: it looks at the star, which is always there. 0 is not what the rest is used to; another prompt's part is.",
    )
