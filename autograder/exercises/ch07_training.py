"""Exercises of ch07, training. The decoder agrees with the NumPy blocks of ch05 and ch06 and with
`torch.nn.TransformerEncoderLayer(norm_first=True)` under a causal mask, the loss with
`torch.nn.functional.cross_entropy`, the optimizer with `torch.optim.AdamW`, the schedule with
`torch.optim.lr_scheduler` (LinearLR, then CosineAnnealingLR)."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from autograder.exercise import case, exercise, question
from course.checks.compare import close, exact
from course.checks.script import grads

TITLE = "Training"


def _normal(rng, *shape, scale=1.0):
    return torch.from_numpy(np.asarray(scale * rng.standard_normal(shape))).float()


def _ids(rng, high, *shape):
    return torch.from_numpy(rng.integers(0, high, shape))


# ---- the decoder -------------------------------------------------------------------------------------------------


def _parameters(rng, vocab_size, d, layers, d_ff, length):
    def norm():
        return {"gain": 1 + _normal(rng, d, scale=0.3), "bias": _normal(rng, d, scale=0.3)}

    def block():
        attention = {name: _normal(rng, d, d, scale=1.5 * d**-0.5) for name in ("w_q", "w_k", "w_v", "w_o")}
        shapes = {"w_1": (d, d_ff), "b_1": (d_ff,), "w_2": (d_ff, d), "b_2": (d,)}
        ffn = {name: _normal(rng, *shape, scale=0.7) for name, shape in shapes.items()}
        return {"norm_1": norm(), "attention": attention, "norm_2": norm(), "ffn": ffn}

    return {
        "embed": _normal(rng, vocab_size, d), "position": _normal(rng, length, d),
        "blocks": [block() for _ in range(layers)], "norm": norm(),
    }  # fmt: skip


def _norm(x, p):
    return F.layer_norm(x, x.shape[-1:], p["gain"], p["bias"])


def _split(x, heads):
    b, t, d = x.shape
    return x.reshape(b, t, heads, d // heads).transpose(1, 2)


def _merge(x):
    b, heads, t, width = x.shape
    return x.transpose(1, 2).reshape(b, t, heads * width)


def _weights(scores):
    future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    return scores.masked_fill(future, -math.inf).softmax(-1)


def _attention(z, p, heads, weights_of=_weights, split=_split, merge=_merge, scale=None):
    q, k, v = (split(z @ p[name], heads) for name in ("w_q", "w_k", "w_v"))
    scores = q @ k.transpose(-1, -2) / (scale or math.sqrt(q.shape[-1]))
    return merge(weights_of(scores) @ v) @ p["w_o"]


def _ffn(z, p, activation=None):
    hidden = z @ p["w_1"] + p["b_1"]
    hidden = activation(hidden) if activation else F.gelu(hidden, approximate="tanh")
    return hidden @ p["w_2"] + p["b_2"]


def _block(x, p, heads, norm=_norm, attention=_attention, ffn=_ffn):
    x = x + attention(norm(x, p["norm_1"]), p["attention"], heads)
    return x + ffn(norm(x, p["norm_2"]), p["ffn"])


def _decoder(tokens, p, heads, block=_block, norm=_norm):
    x = p["embed"][tokens] + p["position"][: tokens.shape[1]]
    for one in p["blocks"]:
        x = block(x, one, heads)
    return norm(x, p["norm"]) @ p["embed"].T


def _with(tokens, p, heads, **changed):
    """The decoder with other parts inside of its blocks."""
    return _decoder(tokens, p, heads, block=lambda x, one, h: _block(x, one, h, **changed))


def _with_attention(tokens, p, heads, **changed):
    return _with(tokens, p, heads, attention=lambda z, one, h: _attention(z, one, h, **changed))


def _double(p):
    if isinstance(p, torch.Tensor):
        return p.double()
    return {k: _double(v) for k, v in p.items()} if isinstance(p, dict) else [_double(v) for v in p]


def _seen_by_hand(z, p, heads):
    """Attention of the last token of z (t, d) alone: what it may see is all there is, so nothing is masked."""
    width = z.shape[1] // heads
    outputs = []
    for h in range(heads):
        own = slice(h * width, (h + 1) * width)
        scores = (z @ p["w_k"][:, own]) @ (z[-1] @ p["w_q"][:, own]) / width**0.5
        powers = torch.exp(scores - scores.max())
        outputs.append((powers / powers.sum()) @ (z @ p["w_v"][:, own]))
    return torch.cat(outputs) @ p["w_o"]


def _norm_by_hand(x, p):
    centred = x - x.mean(-1, keepdim=True)
    return p["gain"] * centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + 1e-5) + p["bias"]


def _gelu_by_hand(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


@exercise(
    parts={"logits": 4, "gradients": 1},
    minutes=25,
    source="Radford et al. 2019 (GPT-2), section 2.3; Press and Wolf 2017 for the tied output",
)
class decoder_logits:
    """A decoder in torch: token and position embeddings, pre-norm causal blocks, a last norm, tied output scores."""

    tolerance = close(3e-4, 1e-4, why="a float32 solution rounds through two blocks, and backwards through them again")

    def cases(rng):
        sizes = [
            (1, 1, 5, 4, 2, 1, 6, 3),
            (2, 5, 7, 6, 3, 1, 8, 9),
            (3, 4, 6, 8, 2, 2, 12, 5),
            (2, 3, 9, 6, 1, 3, 7, 8),
        ]
        for b, t, vocab, d, heads, layers, d_ff, length in sizes:
            tokens, p = _ids(rng, vocab, b, t), _parameters(rng, vocab, d, layers, d_ff, length)
            yield case(tokens, p, heads, label=f"B = {b}, T = {t}, {heads} heads, blocks: {layers}")
        tokens, p = _ids(rng, 5, 2, 4), _parameters(rng, 5, 12, 2, 6, 6)  # wide: norms of few features magnify rounding
        step = grads(_normal(rng, 2, 4, 5), tokens, p, 2, name="decoder_logits")
        yield case(script=[step], label="gradients of every parameter", part="gradients")

    def reference(tokens, p, heads):
        p, texts = _double(p), []
        for text in tokens:
            x = torch.stack([p["embed"][token] + p["position"][i] for i, token in enumerate(text)])
            for block in p["blocks"]:
                z = _norm_by_hand(x, block["norm_1"])
                x = x + torch.stack([_seen_by_hand(z[: i + 1], block["attention"], heads) for i in range(len(z))])
                f, z = block["ffn"], _norm_by_hand(x, block["norm_2"])
                x = x + _gelu_by_hand(z @ f["w_1"] + f["b_1"]) @ f["w_2"] + f["b_2"]
            z = _norm_by_hand(x, p["norm"])
            texts.append(torch.stack([(z * row).sum(-1) for row in p["embed"]], dim=-1))
        return torch.stack(texts)

    class misconceptions:
        def not_causal(tokens, p, heads):
            """Tokens see the future: nothing hides the scores of later keys. Set them to -inf before the softmax."""
            return _with_attention(tokens, p, heads, weights_of=lambda scores: scores.softmax(-1))

        def mask_upside_down(tokens, p, heads):
            """Your mask hides the past and shows the future (masked_fill fills where the mask is True). Hide j > i only."""
            past = lambda s: torch.ones(s.shape[-2:], dtype=torch.bool).tril(-1)  # noqa: E731
            return _with_attention(tokens, p, heads, weights_of=lambda s: s.masked_fill(past(s), -math.inf).softmax(-1))

        def visible_filled(tokens, p, heads):
            """You fill the keys that may be seen with -inf: masked_fill fills where the mask is True. Invert it."""
            seen = lambda s: torch.ones(s.shape[-2:], dtype=torch.bool).tril()  # noqa: E731
            return _with_attention(tokens, p, heads, weights_of=lambda s: s.masked_fill(seen(s), -math.inf).softmax(-1))

        def mask_after_softmax(tokens, p, heads):
            """You mask after the softmax: later keys already took their share. Mask the scores, with -inf."""
            return _with_attention(tokens, p, heads, weights_of=lambda scores: scores.softmax(-1).tril())

        def zero_for_minus_infinity(tokens, p, heads):
            """Hidden scores are 0, and exp(0) = 1 still gives them weight. Fill them with -inf."""
            return _with_attention(tokens, p, heads, weights_of=lambda scores: scores.tril().softmax(-1))

        def no_scale(tokens, p, heads):
            """The scores are not divided by the square root of the width of a head."""
            return _with_attention(tokens, p, heads, scale=1.0)

        def scaled_by_d_model(tokens, p, heads):
            """The scale is the square root of the width of one head, d_model / heads, not of d_model."""
            return _with_attention(tokens, p, heads, scale=math.sqrt(p["embed"].shape[1]))

        def heads_by_reshape_alone(tokens, p, heads):
            """`reshape` alone deals tokens out to heads. Cut the last axis into (heads, width), then swap the axes of tokens and heads."""
            split = lambda x, h: x.reshape(x.shape[0], h, x.shape[1], -1)  # noqa: E731
            return _with_attention(tokens, p, heads, split=split)

        def merged_without_transpose(tokens, p, heads):
            """Before you merge the heads by reshape, bring the axis of tokens back in front of the axis of heads."""
            merge = lambda x: x.reshape(x.shape[0], x.shape[2], -1)  # noqa: E731
            return _with_attention(tokens, p, heads, merge=merge)

        def one_head(tokens, p, heads):
            """All of d_model is one head in your attention: `heads` has no effect on your result."""
            return _decoder(tokens, p, 1)

        def softmax_over_queries(tokens, p, heads):
            """The softmax runs over the queries. Each query's own row of weights must sum to 1: dim=-1."""
            future = lambda s: torch.ones(s.shape[-2:], dtype=torch.bool).triu(1)  # noqa: E731
            return _with_attention(
                tokens, p, heads, weights_of=lambda s: s.masked_fill(future(s), -math.inf).softmax(-2)
            )

        def no_output_projection(tokens, p, heads):
            """The merged heads go straight into the residual stream; w_o is missing."""
            identity = lambda one: one | {"w_o": torch.eye(len(one["w_o"]))}  # noqa: E731
            return _with(tokens, p, heads, attention=lambda z, one, h: _attention(z, identity(one), h))

        def no_positions(tokens, p, heads):
            """The positions are missing: add the first T rows of p["position"] to the embeddings of the tokens."""
            return _decoder(tokens, p | {"position": torch.zeros_like(p["position"])}, heads)

        def positions_from_one(tokens, p, heads):
            """Positions count from 0: the first token gets p["position"][0]."""
            return _decoder(tokens, p | {"position": p["position"].roll(-1, 0)}, heads)

        def position_of_the_token(tokens, p, heads):
            """You look positions up by the tokens' ids. Row i of p["position"] belongs to place i, whichever token stands there."""
            x = p["embed"][tokens] + p["position"][tokens]
            for one in p["blocks"]:
                x = _block(x, one, heads)
            return _norm(x, p["norm"]) @ p["embed"].T

        def all_positions_added(tokens, p, heads):
            """You add the whole table of positions. A text of T tokens needs its first T rows."""
            x = p["embed"][tokens] + p["position"]
            for one in p["blocks"]:
                x = _block(x, one, heads)
            return _norm(x, p["norm"]) @ p["embed"].T

        def embedding_scaled(tokens, p, heads):
            """You multiply the embeddings by sqrt(d_model), as the first Transformer did. This decoder adds them as they are."""
            x = p["embed"][tokens] * p["embed"].shape[1] ** 0.5 + p["position"][: tokens.shape[1]]
            for one in p["blocks"]:
                x = _block(x, one, heads)
            return _norm(x, p["norm"]) @ p["embed"].T

        def post_norm(tokens, p, heads):
            """You normalise after adding (post-norm). Here the norm comes first: x + sublayer(norm(x))."""

            def block(x, one, heads):
                x = _norm(x + _attention(x, one["attention"], heads), one["norm_1"])
                return _norm(x + _ffn(x, one["ffn"]), one["norm_2"])

            return _decoder(tokens, p, heads, block=block)

        def no_residuals(tokens, p, heads):
            """The residual connections are missing: the output of each sublayer is added to x."""

            def block(x, one, heads):
                x = _attention(_norm(x, one["norm_1"]), one["attention"], heads)
                return _ffn(_norm(x, one["norm_2"]), one["ffn"])

            return _decoder(tokens, p, heads, block=block)

        def attention_residual_missing(tokens, p, heads):
            """The output of the attention replaces x; it is added to it."""

            def block(x, one, heads):
                x = _attention(_norm(x, one["norm_1"]), one["attention"], heads)
                return x + _ffn(_norm(x, one["norm_2"]), one["ffn"])

            return _decoder(tokens, p, heads, block=block)

        def feed_forward_residual_missing(tokens, p, heads):
            """The output of the feed-forward replaces x; it is added to it."""

            def block(x, one, heads):
                x = x + _attention(_norm(x, one["norm_1"]), one["attention"], heads)
                return _ffn(_norm(x, one["norm_2"]), one["ffn"])

            return _decoder(tokens, p, heads, block=block)

        def residual_of_the_norm(tokens, p, heads):
            """You add to the normalised x. The residual is x before the norm: x + sublayer(norm(x))."""

            def block(x, one, heads):
                x = _norm(x, one["norm_1"])
                x = x + _attention(x, one["attention"], heads)
                x = _norm(x, one["norm_2"])
                return x + _ffn(x, one["ffn"])

            return _decoder(tokens, p, heads, block=block)

        def second_norm_missing(tokens, p, heads):
            """The feed-forward reads x as it is. It reads norm_2 of x."""

            def block(x, one, heads):
                x = x + _attention(_norm(x, one["norm_1"]), one["attention"], heads)
                return x + _ffn(x, one["ffn"])

            return _decoder(tokens, p, heads, block=block)

        def norm_of_the_old_x(tokens, p, heads):
            """The feed-forward reads what the attention read. Normalise anew, with norm_2, after the attention was added."""

            def block(x, one, heads):
                z = _norm(x, one["norm_1"])
                return x + _attention(z, one["attention"], heads) + _ffn(z, one["ffn"])

            return _decoder(tokens, p, heads, block=block)

        def norms_mixed_up(tokens, p, heads):
            """One norm serves both sublayers. norm_1 belongs to the attention, norm_2 to the feed-forward."""
            return _decoder(tokens, p, heads, block=lambda x, one, h: _block(x, one | {"norm_2": one["norm_1"]}, h))

        def norm_without_gain_and_bias(tokens, p, heads):
            """Your norms use neither gain nor bias: `norm(x, p["norm"])` takes both."""
            plain = lambda x, _: F.layer_norm(x, x.shape[-1:])  # noqa: E731
            return _decoder(tokens, p, heads, norm=plain, block=lambda x, one, h: _block(x, one, h, norm=plain))

        def norm_of_the_norm(tokens, p, heads):
            """You normalise what was normalised before. norm_2 reads x as it is after the attention was added."""

            def block(x, one, heads):
                z = _norm(x, one["norm_1"])
                x = x + _attention(z, one["attention"], heads)
                return x + _ffn(_norm(z, one["norm_2"]), one["ffn"])

            return _decoder(tokens, p, heads, block=block)

        def no_last_norm(tokens, p, heads):
            """The last norm is missing: the scores come from norm(x, p["norm"]), after all blocks."""
            return _decoder(tokens, p, heads, norm=lambda x, _: x)

        def exact_gelu(tokens, p, heads):
            """F.gelu computes the exact GELU unless you ask for the tanh form that ch05 uses: approximate="tanh"."""
            return _with(tokens, p, heads, ffn=lambda z, one: _ffn(z, one, F.gelu))

        def relu(tokens, p, heads):
            """The feed-forward uses ReLU; this decoder uses GELU in its tanh form."""
            return _with(tokens, p, heads, ffn=lambda z, one: _ffn(z, one, F.relu))

        def no_activation(tokens, p, heads):
            """Between w_1 and w_2 stands no GELU: two linear maps in a row are only one."""
            return _with(tokens, p, heads, ffn=lambda z, one: _ffn(z, one, lambda hidden: hidden))

        def only_the_first_block(tokens, p, heads):
            """Only the first block is used. Go through all of p["blocks"], each reading what the one before wrote."""
            return _decoder(tokens, p | {"blocks": p["blocks"][:1]}, heads)

        def first_block_again_and_again(tokens, p, heads):
            """The first block's weights are used in every block: index with the loop's own block."""
            return _decoder(tokens, p | {"blocks": p["blocks"][:1] * len(p["blocks"])}, heads)

        def probabilities(tokens, p, heads):
            """You return probabilities. Return the scores themselves: the softmax belongs to the loss."""
            return _decoder(tokens, p, heads).softmax(-1)

        def only_the_last_position(tokens, p, heads):
            """You return the scores of the last position. Training needs those of every position: shape (B, T, V)."""
            return _decoder(tokens, p, heads)[:, -1]

        def hidden_states(tokens, p, heads):
            """You return the tokens' vectors. Compare each with every row of the embedding: @ p["embed"].T."""
            x = p["embed"][tokens] + p["position"][: tokens.shape[1]]
            for one in p["blocks"]:
                x = _block(x, one, heads)
            return _norm(x, p["norm"])

        def embedding_not_transposed(tokens, p, heads):
            """`norm(x)` is (B, T, d_model) and the embedding (V, d_model). To get V scores, multiply by its transpose, embed.T."""
            x = p["embed"][tokens] + p["position"][: tokens.shape[1]]
            for one in p["blocks"]:
                x = _block(x, one, heads)
            return _norm(x, p["norm"]) @ p["embed"]

        def through_numpy(tokens, p, heads):
            """NumPy keeps no gradients, with or without detach. Index the tensor itself: p["embed"][tokens]."""
            looked_up = torch.from_numpy(p["embed"].numpy()[tokens])
            x = looked_up + p["position"][: tokens.shape[1]]
            for one in p["blocks"]:
                x = _block(x, one, heads)
            return _norm(x, p["norm"]) @ p["embed"].T

        def embeddings_cut_off(tokens, p, heads):
            """The embeddings get no gradient from being read: no detach, torch.tensor(...) or NumPy where you look them up."""
            x = (p["embed"][tokens] + p["position"][: tokens.shape[1]]).detach()
            for one in p["blocks"]:
                x = _block(x, one, heads)
            return _norm(x, p["norm"]) @ p["embed"].T

        def cut_off_from_the_graph(tokens, p, heads):
            """The numbers are right, but no gradient gets back: leave out detach, .data, no_grad, .numpy() and torch.tensor(...)."""
            return _decoder(tokens, p, heads).detach()


# ---- the loss ----------------------------------------------------------------------------------------------------


def _at(log_p, targets):
    return log_p.gather(-1, targets.unsqueeze(-1)).squeeze(-1)


@exercise(
    parts={"values": 2, "huge logits": 1, "gradients": 1},
    minutes=10,
    source="Goodfellow et al. 2016, Deep Learning, sections 4.1 and 6.2.2.3",
    forbids={"torch.nn": "you build the loss yourself"},
)
class cross_entropy:
    """Mean over all tokens of -log softmax(logits) at the target, stable for logits of any size."""

    tolerance = close(3e-5, 5e-6, why="a float32 solution rounds logits of hundreds, logarithms and a mean")

    def cases(rng):
        b, t, vocab = (int(rng.integers(low, low + 4)) for low in (2, 4, 5))
        for shape in [(4, 3), (1, 6), (2, 3, 5), (b, t, vocab)]:
            logits = _normal(rng, *shape, scale=2.0)
            yield case(logits, _ids(rng, shape[-1], *shape[:-1]), label=f"logits of shape {shape}")
        steps = 100.0 * torch.arange(4)[:, None]  # exp(100) overflows; at thousands float32 would round the loss itself
        yield case(
            _normal(rng, 4, 6) + steps, _ids(rng, 6, 4), label="logits of hundreds in some rows", part="huge logits"
        )
        far = 100.0 * _normal(rng, 2, 3, 5)
        far[..., 0], far[..., 1] = -400.0, 400.0
        yield case(
            far, torch.zeros(2, 3, dtype=torch.int64), label="targets that are all but impossible", part="huge logits"
        )
        logits, targets = _normal(rng, 2, 3, 4), _ids(rng, 4, 2, 3)
        step = grads(1.0, logits, targets, name="cross_entropy")
        yield case(script=[step], label="gradient of the loss", part="gradients")

    def reference(logits, targets):
        rows = logits.double().reshape(-1, logits.shape[-1])
        losses = [torch.logsumexp(row, 0) - row[i] for row, i in zip(rows, targets.reshape(-1), strict=True)]
        return torch.stack(losses).sum() / len(losses)

    class misconceptions:
        def wrong_sign(logits, targets):
            """The sign is missing: the logarithm of a probability is negative, and the loss is minus its mean."""
            return _at(logits.log_softmax(-1), targets).mean()

        def sum_over_tokens(logits, targets):
            """You add the losses of all tokens up. The loss is their mean, so that it does not grow with the batch."""
            return -_at(logits.log_softmax(-1), targets).sum()

        def sum_over_time(logits, targets):
            """You sum over the tokens of each text and average over texts. Average over all tokens alike."""
            return -_at(logits.log_softmax(-1), targets).sum(-1).mean()

        def mean_over_classes(logits, targets):
            """You average over the V classes too, most of which are 0. Divide by the number of tokens only."""
            return -(torch.eye(logits.shape[-1])[targets] * logits.log_softmax(-1)).mean()

        def mean_of_all_log_probabilities(logits, targets):
            """You average the log-probabilities of all classes. Only that of the target counts: look it up."""
            return -logits.log_softmax(-1).mean()

        def no_softmax(logits, targets):
            """You average the targets' logits. They are no log-probabilities: subtract the log of the sum of exponentials."""
            return -_at(logits, targets).mean()

        def no_logarithm(logits, targets):
            """You average the probabilities themselves; their logarithm is missing."""
            return -_at(logits.softmax(-1), targets).mean()

        def one_minus_probability(logits, targets):
            """1 - P is not the cross-entropy. Take -log P, which punishes a confident mistake without limit."""
            return 1 - _at(logits.softmax(-1), targets).mean()

        def log_of_the_mean(logits, targets):
            """You take the logarithm of the mean probability. It is the mean of the logarithms."""
            return -_at(logits.softmax(-1), targets).mean().log()

        def in_bits(logits, targets):
            """You use log2, so the loss is in bits. This course uses the natural logarithm."""
            return -_at(logits.log_softmax(-1), targets).mean() / math.log(2)

        def perplexity(logits, targets):
            """You return the perplexity, exp(loss). Return the loss."""
            return (-_at(logits.log_softmax(-1), targets).mean()).exp()

        def softmax_over_tokens(logits, targets):
            """The softmax runs over the tokens. Each token's V classes share out 1: use the last axis, dim=-1."""
            return -_at(logits.log_softmax(-2), targets).mean()

        def softmax_over_the_first_axis(logits, targets):
            """The softmax runs over axis 0. The classes are the last axis, dim=-1, however many axes there are."""
            return -_at(logits.log_softmax(0), targets).mean()

        def one_loss_per_token(logits, targets):
            """You return one loss for each token. Training needs a single number: their mean."""
            return -_at(logits.log_softmax(-1), targets)

        def only_two_axes(logits, targets):
            """Your indexing fits logits with two axes. In training they have three, (B, T, V): use gather, or reshape to (-1, V) first."""
            return -logits.log_softmax(-1)[torch.arange(len(targets)), targets].mean()

        def exponentials_overflow(logits, targets):
            """exp of a large logit is infinite, and inf / inf is NaN. Subtract each row's maximum from its logits first."""
            powers = logits.exp()
            return -_at(powers / powers.sum(-1, keepdim=True), targets).log().mean()

        def sum_of_exponentials_overflows(logits, targets):
            """exp of a large logit is infinite, and so is your log of the sum. Subtract each row's maximum from its logits first."""
            return (logits.exp().sum(-1).log() - _at(logits, targets)).mean()

        def log_of_zero(logits, targets):
            """A tiny probability is rounded to 0, and log 0 is -inf. Never form it: logit - max - log(sum of exp(logits - max))."""
            return -_at(logits.softmax(-1), targets).log().mean()

        def small_number_inside_the_log(logits, targets):
            """`log(p + 1e-9)` hides the trouble: no loss gets above 20.7. Write the log of the softmax out instead."""
            return -(_at(logits.softmax(-1), targets) + 1e-9).log().mean()

        def one_maximum_for_all(logits, targets):
            """You subtract one maximum from all rows. A row far below it still becomes 0: take each row's own maximum."""
            shifted = logits - logits.max()
            return (shifted.exp().sum(-1).log() - _at(shifted, targets)).mean()

        def through_numpy(logits, targets):
            """NumPy keeps no gradients, with or without detach. Do the same with torch's own functions."""
            rows = torch.from_numpy(logits.numpy())
            return -_at(rows.log_softmax(-1), targets).mean()

        def cut_off_from_the_graph(logits, targets):
            """The number is right, but no gradient gets back: leave out detach, .item(), .numpy() and torch.tensor(...)."""
            return -_at(logits.log_softmax(-1), targets).mean().detach()


# ---- the targets -------------------------------------------------------------------------------------------------


@exercise(parts={"values": 1, "bad input": 1}, minutes=5, source="Williams and Zipser 1989, section 2.2")
class shift_for_teacher_forcing:
    """What the model reads and what it must say: the same tokens, shifted by one."""

    tolerance = exact

    def cases(rng):
        for b, t in [(1, 2), (2, 5), (5, 3), (int(rng.integers(2, 6)), int(rng.integers(6, 12)))]:
            ids = torch.from_numpy(rng.permutation(1000)[: b * t].reshape(b, t))  # no two alike
            yield case(ids, label=f"B = {b}, T = {t}")
        yield case(_ids(rng, 9, 3, 1), label="one token a text", part="bad input")
        yield case(_ids(rng, 9, 2, 0), label="no tokens at all", part="bad input")

    def reference(tokens):
        if tokens.shape[1] < 2:
            raise ValueError("at least two tokens a row")
        pairs = [[(row[i], row[i + 1]) for i in range(len(row) - 1)] for row in tokens.tolist()]
        inputs, targets = ([[pair[side] for pair in row] for row in pairs] for side in (0, 1))
        return torch.tensor(inputs), torch.tensor(targets)

    class misconceptions:
        def empty_for_one_token(tokens):
            """A text of one token has nothing to predict: raise ValueError instead of returning empty tensors."""
            return tokens[:, :-1], tokens[:, 1:]

        def not_shifted(tokens):
            """The targets are not shifted: the model would learn to repeat what it reads. Target i is token i + 1."""
            return tokens, tokens

        def not_shifted_but_cut(tokens):
            """Inputs and targets are the same tokens: the model would learn to repeat. Target i is token i + 1."""
            return tokens[:, :-1], tokens[:, :-1]

        def swapped(tokens):
            """Inputs and targets are swapped: yours predicts the token before, which it has read already."""
            return tokens[:, 1:], tokens[:, :-1]

        def along_the_batch(tokens):
            """You shift along the batch: each text would predict another text. Time is axis 1."""
            return tokens[:-1], tokens[1:]

        def rolled(tokens):
            """`roll` wraps around: the last target is the first token. The last token has no successor, so leave it out."""
            return tokens, tokens.roll(-1, 1)

        def shifted_by_two(tokens):
            """You shift by two: target i is token i + 1, the very next one."""
            return tokens[:, :-2], tokens[:, 2:]

        def only_the_last_target(tokens):
            """Only the last token is a target. Each position predicts its successor: T - 1 targets for each text."""
            return tokens[:, :-1], tokens[:, -1]

        def input_keeps_the_last_token(tokens):
            """The last token is read too, though nothing follows it to predict: inputs leave it out."""
            return tokens, tokens[:, 1:]

        def targets_keep_the_first_token(tokens):
            """Your targets still hold the first token, which nobody has to predict: they begin with the second."""
            return tokens[:, :-1], tokens


# ---- the optimizer -----------------------------------------------------------------------------------------------


def _adamw(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01, how=None):
    """AdamW in one line for each quantity; `how` replaces single ones."""
    how = how or {}
    step = state["step"] + 1
    m = how.get("m", lambda: beta1 * state["m"] + (1 - beta1) * grad)()
    v = how.get("v", lambda: beta2 * state["v"] + (1 - beta2) * grad**2)()
    m_hat = how.get("m_hat", lambda m: m / (1 - beta1**step))(m)
    v_hat = how.get("v_hat", lambda v: v / (1 - beta2**step))(v)
    update = how.get("update", lambda m_hat, v_hat: m_hat / (v_hat.sqrt() + eps))(m_hat, v_hat)
    new = how.get("new", lambda update: param - lr * weight_decay * param - lr * update)(update)
    return new, {"step": step, "m": m, "v": v}


def _optimizer_case(rng, step, shape, lr, weight_decay, **settings):
    param, grad = _normal(rng, *shape), _normal(rng, *shape)
    m, v = (_normal(rng, *shape), _normal(rng, *shape) ** 2) if step else (torch.zeros(shape), torch.zeros(shape))
    return case(
        param, grad, {"step": step, "m": m, "v": v}, lr, weight_decay=weight_decay, **settings,
        label=f"step {step + 1}, a tensor of shape {tuple(shape)}",
    )  # fmt: skip


@exercise(
    points=4,
    minutes=15,
    source="Loshchilov and Hutter 2019, algorithm 2; Kingma and Ba 2015, algorithm 1",
    forbids={"torch.optim": "you build the optimizer yourself"},
)
class adamw_step:
    """One step of AdamW: running means of gradient and squared gradient, their correction, decoupled weight decay."""

    tolerance = close(2e-5, 5e-6, why="a float32 solution rounds differences of numbers near 1, and a root")

    def cases(rng):
        yield _optimizer_case(rng, 0, (3,), 0.1, 0.5, beta1=0.8, beta2=0.95, eps=1e-3)
        yield _optimizer_case(rng, 3, (2, 3), 0.2, 0.3, beta1=0.7, beta2=0.9, eps=0.1)
        yield _optimizer_case(rng, int(rng.integers(5, 30)), (4, 1, 2), float(rng.uniform(0.1, 0.3)), 0.4, eps=0.05)
        yield _optimizer_case(rng, 1, (), 0.15, 0.2, beta1=0.6)
        param, zeros = _normal(rng, 4) + 3, torch.zeros(4)
        state = {"step": 0, "m": zeros, "v": zeros}
        yield case(param, zeros, state, 0.1, weight_decay=0.5, label="a gradient of zero: only the decay acts")
        yield case(param, _normal(rng, 4), state, 0.1, label="all settings left as they are")

    def reference(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
        p, g, m, v = (x.double() for x in (param, grad, state["m"], state["v"]))
        step = state["step"] + 1
        p = p * (1 - lr * weight_decay)
        m = m + (1 - beta1) * (g - m)
        v = v + (1 - beta2) * (g * g - v)
        denominator = torch.sqrt(v) / math.sqrt(1 - beta2**step) + eps
        return p - lr / (1 - beta1**step) * m / denominator, {"step": step, "m": m, "v": v}

    class misconceptions:
        def decay_in_the_gradient(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """You add the decay to the gradient (that is Adam with L2). AdamW keeps it apart: it acts on param alone."""
            return _adamw(param, grad + weight_decay * param, state, lr, beta1, beta2, eps, 0.0)

        def decay_upwards(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """The decay makes your param grow: lr * weight_decay * param is subtracted."""
            return _adamw(param, grad, state, lr, beta1, beta2, eps, -weight_decay)

        def decay_without_rate(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """The decay is not multiplied by lr: param loses lr * weight_decay * param in each step."""
            return _adamw(param, grad, state, lr, beta1, beta2, eps, weight_decay / lr)

        def decay_after_the_step(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """You decay what the step has already changed. The decay is a share of the param before the step."""
            new, after = _adamw(param, grad, state, lr, beta1, beta2, eps, 0.0)
            return new - lr * weight_decay * new, after

        def no_decay(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """The weight decay is missing: param also loses lr * weight_decay * param in each step."""
            return _adamw(param, grad, state, lr, beta1, beta2, eps, 0.0)

        def no_correction(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """The means are not corrected. They start at 0, so early ones are too small: divide by 1 - beta**step."""
            how = {"m_hat": lambda m: m, "v_hat": lambda v: v}
            return _adamw(param, grad, state, lr, beta1, beta2, eps, weight_decay, how)

        def only_m_corrected(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """`v` is not corrected. It starts at 0 like m: divide it by 1 - beta2**step."""
            return _adamw(param, grad, state, lr, beta1, beta2, eps, weight_decay, {"v_hat": lambda v: v})

        def only_v_corrected(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """`m` is not corrected. It starts at 0 like v: divide it by 1 - beta1**step."""
            return _adamw(param, grad, state, lr, beta1, beta2, eps, weight_decay, {"m_hat": lambda m: m})

        def correction_by_the_old_step(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """You correct with the number of steps before this one; in the first step that divides by 0. Count this one too."""
            old = state["step"]
            how = {"m_hat": lambda m: m / (1 - beta1**old), "v_hat": lambda v: v / (1 - beta2**old)}
            return _adamw(param, grad, state, lr, beta1, beta2, eps, weight_decay, how)

        def division_by_zero(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """1 - beta**0 is 0. Steps count from 1: add 1 to state["step"] before you correct the means."""
            rate = lr / (1 - beta1 ** state["step"])
            root = math.sqrt(1 - beta2 ** state["step"])
            how = {
                "m_hat": lambda m: m,
                "v_hat": lambda v: v,
                "update": lambda m, v: rate / lr * m / (v.sqrt() / root + eps),
            }
            return _adamw(param, grad, state, lr, beta1, beta2, eps, weight_decay, how)

        def step_never_counted(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """You never count this step: step = state["step"] + 1, for the correction and in the state that you return."""
            old = state["step"]
            how = {"m_hat": lambda m: m / (1 - beta1**old), "v_hat": lambda v: v / (1 - beta2**old)}
            new, after = _adamw(param, grad, state, lr, beta1, beta2, eps, weight_decay, how)
            return new, after | {"step": old}

        def correction_by_one_beta(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """The correction is 1 - beta**step, a power. You divide by 1 - beta, whatever the step."""
            how = {"m_hat": lambda m: m / (1 - beta1), "v_hat": lambda v: v / (1 - beta2)}
            return _adamw(param, grad, state, lr, beta1, beta2, eps, weight_decay, how)

        def corrected_means_kept(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """You keep the corrected means in the state: the next step would correct them again. Keep m and v as they are."""
            new, after = _adamw(param, grad, state, lr, beta1, beta2, eps, weight_decay)
            step = after["step"]
            return new, {"step": step, "m": after["m"] / (1 - beta1**step), "v": after["v"] / (1 - beta2**step)}

        def eps_inside_the_root(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """`eps` stands inside your root. It is added to the root: sqrt(v_hat) + eps."""
            how = {"update": lambda m_hat, v_hat: m_hat / (v_hat + eps).sqrt()}
            return _adamw(param, grad, state, lr, beta1, beta2, eps, weight_decay, how)

        def no_eps(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """`eps` is missing: without it a gradient of 0 gives 0 / 0. Divide by sqrt(v_hat) + eps."""
            return _adamw(param, grad, state, lr, beta1, beta2, 0.0, weight_decay)

        def eps_before_the_correction(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """`eps` is added to the root of the uncorrected v, and so it is corrected too. Correct v first: sqrt(v_hat) + eps."""
            root = math.sqrt(1 - beta2 ** (state["step"] + 1))
            how = {"update": lambda m_hat, v_hat: m_hat / (v_hat.sqrt() + eps / root)}
            return _adamw(param, grad, state, lr, beta1, beta2, eps, weight_decay, how)

        def no_root(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """You divide by v_hat; divide by its square root (plus eps), which has the gradient's own unit."""
            how = {"update": lambda m_hat, v_hat: m_hat / (v_hat + eps)}
            return _adamw(param, grad, state, lr, beta1, beta2, eps, weight_decay, how)

        def uphill(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """You go uphill: the gradient points to a larger loss, so the update is subtracted."""
            how = {"new": lambda update: param - lr * weight_decay * param + lr * update}
            return _adamw(param, grad, state, lr, beta1, beta2, eps, weight_decay, how)

        def betas_swapped(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """The betas are swapped: beta1 belongs to m, beta2 to v."""
            return _adamw(param, grad, state, lr, beta2, beta1, eps, weight_decay)

        def shares_swapped(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """The shares are swapped: beta is what the old mean keeps, 1 - beta what the new gradient adds."""
            how = {
                "m": lambda: (1 - beta1) * state["m"] + beta1 * grad,
                "v": lambda: (1 - beta2) * state["v"] + beta2 * grad**2,
            }
            return _adamw(param, grad, state, lr, beta1, beta2, eps, weight_decay, how)

        def new_share_missing(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """The new gradient enters in full. In a running mean its share is 1 - beta."""
            how = {"m": lambda: beta1 * state["m"] + grad, "v": lambda: beta2 * state["v"] + grad**2}
            return _adamw(param, grad, state, lr, beta1, beta2, eps, weight_decay, how)

        def gradient_not_squared(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """`v` averages the squared gradient; yours averages the gradient's size, without the square."""
            how = {"v": lambda: beta2 * state["v"] + (1 - beta2) * grad.abs()}
            return _adamw(param, grad, state, lr, beta1, beta2, eps, weight_decay, how)

        def momentum_alone(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """Your step is lr * m_hat, never divided by sqrt(v_hat) + eps."""
            how = {"update": lambda m_hat, v_hat: m_hat}
            return _adamw(param, grad, state, lr, beta1, beta2, eps, weight_decay, how)

        def gradient_in_place_of_m(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """You divide the gradient itself by the root of v_hat. Divide its corrected mean, m_hat."""
            how = {"update": lambda m_hat, v_hat: grad / (v_hat.sqrt() + eps)}
            return _adamw(param, grad, state, lr, beta1, beta2, eps, weight_decay, how)

        def old_means_used(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """The step uses the means from before. Bring m and v up to date first, then step."""
            step = state["step"] + 1
            how = {
                "m_hat": lambda m: state["m"] / (1 - beta1**step),
                "v_hat": lambda v: state["v"] / (1 - beta2**step),
            }
            return _adamw(param, grad, state, lr, beta1, beta2, eps, weight_decay, how)

        def step_not_counted(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """The new param is right, but the state's step stands still. It counts the steps made: one more."""
            new, after = _adamw(param, grad, state, lr, beta1, beta2, eps, weight_decay)
            return new, after | {"step": state["step"]}

        def state_returned_unchanged(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """The new param is right, but you return the old state: the next step would start over. Return step, m and v anew."""
            return _adamw(param, grad, state, lr, beta1, beta2, eps, weight_decay)[0], state

        def plain_gradient_descent(param, grad, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
            """That is plain gradient descent, param - lr * grad. AdamW also uses the running means m and v."""
            return param - lr * grad, state


# ---- the schedule ------------------------------------------------------------------------------------------------


def _cosine(progress, peak, floor):
    return floor + (peak - floor) * (1 + math.cos(math.pi * progress)) / 2


def _after(step, warmup, total):
    """How far step lies between the end of the warm-up and the end, held between 0 and 1."""
    return min(max((step - warmup) / max(total - warmup, 1), 0.0), 1.0)


def _scheduled(step, warmup, total, peak, floor, decay=_cosine):
    return peak * step / warmup if step < warmup else decay(_after(step, warmup, total), peak, floor)


@exercise(
    parts={"values": 2, "bad input": 1},
    minutes=8,
    source="Loshchilov and Hutter 2017 (cosine), section 3; Goyal et al. 2017 (warm-up), section 2.2",
)
class lr_schedule:
    """The learning rate of a step: a linear warm-up to the peak, then half a cosine down to the floor."""

    tolerance = close(1e-6, 1e-9, why="a float32 solution rounds a cosine")

    def cases(rng):
        peak, floor = float(rng.uniform(0.5, 1.0)), float(rng.uniform(0.05, 0.2))
        told = {0: "the first step", 7: "in the warm-up", 20: "the peak", 45: "a quarter of the way down",
                70: "halfway down", 120: "the last step", 260: "after the last step"}  # fmt: skip
        for step, label in told.items():
            yield case(step, 20, 120, peak, floor, label=label)
        for step in (0, 13, 40):
            yield case(step, 0, 40, 2e-3, 1e-4, label="no warm-up")
        warmup = int(rng.integers(3, 30))
        total = warmup + int(rng.integers(50, 400))
        for _ in range(3):
            yield case(int(rng.integers(warmup, total)), warmup, total, peak, floor, label="anywhere on the way down")
        yield case(1, 10, 10, peak, floor, label="the warm-up never ends", part="bad input")
        yield case(5, 30, 20, peak, floor, label="the warm-up is longer than the training", part="bad input")
        yield case(3, -1, 20, peak, floor, label="a negative warm-up", part="bad input")

    def reference(step, warmup, total, peak, floor):
        if warmup < 0 or warmup >= total:
            raise ValueError("the warm-up must end before the training does")
        if step >= total:
            return float(floor)
        if step < warmup:
            return step / warmup * peak
        angle = math.pi * (step - warmup) / (total - warmup)
        return floor + (peak - floor) * math.cos(angle / 2) ** 2  # the half-angle formula

    class misconceptions:
        def bad_input_accepted(step, warmup, total, peak, floor):
            """A warm-up that is negative or does not end before `total` should raise ValueError."""
            return _scheduled(step, warmup, total, peak, floor)

        def no_warmup(step, warmup, total, peak, floor):
            """There is no warm-up: the rate starts at the peak. It rises from 0 to the peak, reached at step `warmup`."""
            return _cosine(min(step / total, 1.0), peak, floor)

        def constant_during_warmup(step, warmup, total, peak, floor):
            """During the warm-up the rate stands at the peak. It rises in a straight line: peak * step / warmup."""
            return _cosine(_after(step, warmup, total), peak, floor)

        def warmup_from_one(step, warmup, total, peak, floor):
            """Your warm-up is one step ahead: it is 0 at step 0 and reaches the peak at step `warmup`."""
            return peak * (step + 1) / warmup if step < warmup else _cosine(_after(step, warmup, total), peak, floor)

        def warmup_from_the_floor(step, warmup, total, peak, floor):
            """Your warm-up starts at the floor. It starts at 0; the floor is where the training ends."""
            if step < warmup:
                return floor + (peak - floor) * step / warmup
            return _cosine(_after(step, warmup, total), peak, floor)

        def warmup_upside_down(step, warmup, total, peak, floor):
            """Your warm-up falls. It rises from 0 at step 0 to the peak at step `warmup`."""
            return peak * (1 - step / warmup) if step < warmup else _cosine(_after(step, warmup, total), peak, floor)

        def warmup_not_subtracted(step, warmup, total, peak, floor):
            """Your cosine has already begun when the warm-up ends, so the rate jumps. It begins at step `warmup`."""
            return peak * step / warmup if step < warmup else _cosine(min(step / total, 1.0), peak, floor)

        def never_reaches_the_floor(step, warmup, total, peak, floor):
            """Your rate has not reached the floor at step `total`: divide by the steps of the descent, total - warmup."""
            if step < warmup:
                return peak * step / warmup
            return _cosine(min(max(step - warmup, 0) / total, 1.0), peak, floor)

        def down_to_zero(step, warmup, total, peak, floor):
            """Your rate ends at 0. It ends at the floor: scale the cosine by (peak - floor) and add the floor."""
            return _scheduled(step, warmup, total, peak, floor, lambda p, peak, floor: _cosine(p, peak, 0.0))

        def cut_off_at_the_floor(step, warmup, total, peak, floor):
            """You cut a cosine to 0 off at the floor. The cosine itself goes from peak to floor, all of it smooth."""
            return _scheduled(
                step, warmup, total, peak, floor, lambda p, peak, floor: max(_cosine(p, peak, 0.0), floor)
            )

        def floor_added(step, warmup, total, peak, floor):
            """You add the floor to the whole cosine, so the rate jumps above the peak. Scale the cosine by peak - floor."""
            return _scheduled(step, warmup, total, peak, floor, lambda p, peak, floor: floor + _cosine(p, peak, 0.0))

        def not_halved(step, warmup, total, peak, floor):
            """1 + cos runs from 2 to 0: halve it, or the rate jumps above the peak."""
            return _scheduled(
                step, warmup, total, peak, floor, lambda p, peak, floor: 2 * _cosine(p, peak, floor) - floor
            )

        def bare_cosine(step, warmup, total, peak, floor):
            """`cos` runs from 1 to -1, below the floor. (1 + cos) / 2 runs from 1 to 0."""
            return _scheduled(
                step, warmup, total, peak, floor, lambda p, peak, floor: floor + (peak - floor) * math.cos(math.pi * p)
            )

        def whole_period(step, warmup, total, peak, floor):
            """Your cosine comes back up to the peak: it runs through 2 pi. Half a period, pi, goes down once."""
            return _scheduled(step, warmup, total, peak, floor, lambda p, peak, floor: _cosine(2 * p, peak, floor))

        def quarter_period(step, warmup, total, peak, floor):
            """Your cosine runs through a quarter of its period and stops at full slope. Half a period, pi, ends flat."""
            return _scheduled(
                step, warmup, total, peak, floor,
                lambda p, peak, floor: floor + (peak - floor) * math.cos(math.pi / 2 * p),
            )  # fmt: skip

        def degrees(step, warmup, total, peak, floor):
            """`math.cos` takes radians: half a period is pi, not 180."""
            return _scheduled(
                step, warmup, total, peak, floor,
                lambda p, peak, floor: floor + (peak - floor) * (1 + math.cos(180 * p)) / 2,
            )  # fmt: skip

        def no_pi(step, warmup, total, peak, floor):
            """Your cosine runs from 0 to 1 only and stops high up. Half a period is pi: cos(pi * share of the way down)."""
            return _scheduled(
                step, warmup, total, peak, floor, lambda p, peak, floor: floor + (peak - floor) * (1 + math.cos(p)) / 2
            )

        def straight_line(step, warmup, total, peak, floor):
            """Your rate falls in a straight line. Here it follows half a cosine."""
            return _scheduled(step, warmup, total, peak, floor, lambda p, peak, floor: peak + (floor - peak) * p)

        def sine(step, warmup, total, peak, floor):
            """You use a sine; what goes from 1 to 0 over half a period is (1 + cos) / 2."""
            return _scheduled(
                step, warmup, total, peak, floor,
                lambda p, peak, floor: floor + (peak - floor) * (1 + math.sin(math.pi * p)) / 2,
            )  # fmt: skip

        def rises_again(step, warmup, total, peak, floor):
            """After step `total` your cosine rises again. From there on the rate stays at the floor."""
            return peak * step / warmup if step < warmup else _cosine((step - warmup) / (total - warmup), peak, floor)

        def zero_after_the_end(step, warmup, total, peak, floor):
            """After step `total` your rate is 0. It stays at the floor."""
            return 0.0 if step > total else _scheduled(step, warmup, total, peak, floor)


# ---- check questions ---------------------------------------------------------------------------------------------


@question(answer="c")
class untrained_loss:
    """A model that knows nothing yet gives each of V = 61 characters the same probability. Its loss is..."""

    a = (
        "0, because it has not made a mistake yet.",
        "A loss of 0 means probability 1 for every right character: the opposite of knowing nothing.",
    )
    b = (
        "1/61, the probability of the right character.",
        "That is the probability P. The loss is minus its logarithm.",
    )
    c = (
        "ln 61, about 4.11.",
        "Right: -ln(1/61) = ln 61. Print the first loss of every training run and compare it with ln V.",
    )
    d = (
        "61, because there are 61 equally good guesses.",
        "61 is the perplexity, exp(loss). The loss is its logarithm.",
    )


@question(answer="b")
class unshifted_targets:
    """By mistake somebody trains with the inputs themselves as targets. The loss falls to almost 0. What has the model learned?"""

    a = (
        "The text by heart, so it can recite it.",
        "It never had to know what follows. Asked to continue a text, it has nothing to say.",
    )
    b = (
        "To copy the character that it reads at each place.",
        "Right: the answer stands in its own input, and no mask hides a token from itself. A loss that falls too fast is a warning.",
    )
    c = (
        "To predict the next character, only faster.",
        "The next character was never its target.",
    )
    d = (
        "Nothing: a loss of 0 gives no gradients, so the weights stay as they began.",
        "The loss began near ln V, and its gradients changed the weights until copying worked.",
    )


@question(answer="a")
class first_adam_step:
    """Two weights have the gradients 1000 and 0.001 in the first step. By how much does Adam (no decay, tiny eps) move them?"""

    a = (
        "Both by about lr.",
        "Right: after the correction m_hat is the gradient and the root of v_hat its size, and their quotient is +1 or -1.",
    )
    b = (
        "By 1000 lr and by 0.001 lr.",
        "That is plain gradient descent. Adam divides by the gradient's own size.",
    )
    c = (
        "The first by lr, the second hardly at all.",
        "Each weight has its own v: the small gradient is divided by its own small size.",
    )
    d = (
        "Neither: m and v start at 0.",
        "The correction by 1 - beta**step undoes just that in the first step.",
    )


@question(answer=["a", "d"])
class what_decay_does:
    """What does decoupled weight decay do in a step? Choose all that apply."""

    a = (
        "It shrinks every weight by the same share, lr * weight_decay.",
        "Right: param loses lr * weight_decay of itself, whatever its gradient.",
    )
    b = (
        "It shrinks weights with small gradients more than others.",
        "The share does not depend on the gradient. In Adam with L2, where the decay passes through v, it would.",
    )
    c = (
        "It lowers the learning rate from step to step.",
        "That is the schedule's work.",
    )
    d = (
        "It acts even on a weight whose gradient is 0.",
        "Right: with no gradient the decay is all that happens to it.",
    )
