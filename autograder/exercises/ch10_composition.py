"""Exercises of ch10, looking inside a decoder. What they measure agrees with what hooks read from torch's own modules:
the heads' writes and ablations with `torch.nn.MultiheadAttention`, the logit lens with `torch.nn.LayerNorm` and
`torch.nn.functional.linear`, the scores with `torch.diagonal` and `einsum` on its weights."""

import numpy as np
import torch
import torch.nn.functional as F

from autograder.exercise import case, exercise, question
from course.checks.compare import close

TITLE = "What makes it work"

SUMS = close(1e-5, 1e-6, why="a float32 solution rounds sums of up to 64 terms")


def _normal(rng, *shape):
    return torch.from_numpy(np.asarray(rng.standard_normal(shape))).float()


# ---- the residual stream -----------------------------------------------------------------------------------------


def _gain_and_bias(rng, d):
    return {"gain": 1 + 0.3 * _normal(rng, d), "bias": 0.3 * _normal(rng, d)}


def _model(rng, vocab_size, d):
    return {
        "embed": _normal(rng, vocab_size, d),
        "position": _normal(rng, 9, d),
        "blocks": [{"norm_1": _gain_and_bias(rng, d)}],
        "norm": _gain_and_bias(rng, d),
    }


def _norm(x, p):
    return F.layer_norm(x, x.shape[-1:], p["gain"], p["bias"])


@exercise(
    points=3,
    minutes=10,
    source="nostalgebraist 2020, interpreting GPT: the logit lens; Belrose et al. 2023, section 2",
)
class logit_lens:
    """Read the residual stream at every station as if it were the last: the model's logits so far."""

    tolerance = close(1e-4, 1e-5, why="a float32 solution divides by a deviation, then sums up to 12 terms")

    def cases(rng):
        for stations, t, vocab_size, d in [(1, 1, 5, 4), (3, 2, 6, 6), (5, 4, 7, 12), (2, 6, 11, 5)]:
            residuals = 2 * _normal(rng, stations, t, d) + _normal(rng, 1, t, 1)
            yield case(
                residuals, _model(rng, vocab_size, d), label=f"{stations} stations, {t} tokens, V = {vocab_size}"
            )

    def reference(residuals, p):
        x = residuals.double()
        mean = x.sum(-1, keepdim=True) / x.shape[-1]
        variance = ((x - mean) ** 2).sum(-1, keepdim=True) / x.shape[-1]
        normed = (x - mean) / (variance + 1e-5) ** 0.5 * p["norm"]["gain"].double() + p["norm"]["bias"].double()
        return torch.einsum("std,vd->stv", normed, p["embed"].double())

    class misconceptions:
        def no_norm(residuals, p):
            """The final norm is missing: the model normalises the stream before it turns it into logits."""
            return residuals @ p["embed"].T

        def probabilities(residuals, p):
            """You return probabilities. The lens gives logits: no softmax."""
            return (_norm(residuals, p["norm"]) @ p["embed"].T).softmax(-1)

        def log_probabilities(residuals, p):
            """You return log-probabilities. The lens gives the logits themselves, as the model does."""
            return (_norm(residuals, p["norm"]) @ p["embed"].T).log_softmax(-1)

        def unembedding_not_transposed(residuals, p):
            """`embed` has a row for each token, (V, d_model). To score a vector against every row, it must be transposed."""
            return _norm(residuals, p["norm"]) @ p["embed"]

        def last_station_only(residuals, p):
            """You read the last station only. The lens reads every station: one (T, V) table for each of them."""
            return _norm(residuals[-1], p["norm"]) @ p["embed"].T

        def norm_of_a_block(residuals, p):
            """You use the norm of a block. The logits come after the model's final norm, p["norm"]."""
            return _norm(residuals, p["blocks"][0]["norm_1"]) @ p["embed"].T

        def no_gain_and_bias(residuals, p):
            """The norm lacks its gain and bias, p["norm"]["gain"] and p["norm"]["bias"]."""
            return F.layer_norm(residuals, residuals.shape[-1:]) @ p["embed"].T

        def gain_without_bias(residuals, p):
            """The norm's bias is missing: after the gain, p["norm"]["bias"] is added."""
            return F.layer_norm(residuals, residuals.shape[-1:], p["norm"]["gain"]) @ p["embed"].T

        def gain_and_bias_swapped(residuals, p):
            """Gain and bias have changed places: layer_norm takes first the gain, which multiplies, then the bias."""
            return F.layer_norm(residuals, residuals.shape[-1:], p["norm"]["bias"], p["norm"]["gain"]) @ p["embed"].T

        def deviation_of_a_sample(residuals, p):
            """`std` divides by d_model - 1; the norm by d_model (unbiased=False). F.layer_norm does it right."""
            x = (residuals - residuals.mean(-1, keepdim=True)) / residuals.std(-1, keepdim=True)
            return (x * p["norm"]["gain"] + p["norm"]["bias"]) @ p["embed"].T

        def norm_over_everything(residuals, p):
            """You normalise over all stations and tokens at once. Each token's vector is normalised by itself."""
            x = (residuals - residuals.mean()) / residuals.std(unbiased=False)
            return (x * p["norm"]["gain"] + p["norm"]["bias"]) @ p["embed"].T

        def norm_after_unembedding(residuals, p):
            """You normalise the logits. The norm comes first, on the stream's vectors, and the unembedding after it."""
            logits = residuals @ p["embed"].T
            return F.layer_norm(logits, logits.shape[-1:])

        def what_each_station_adds(residuals, p):
            """You read what each station added. The stream holds the sum of all so far: read that."""
            added = torch.cat([residuals[:1], residuals[1:] - residuals[:-1]])
            return _norm(added, p["norm"]) @ p["embed"].T

        def best_token_only(residuals, p):
            """You return the ids of the best tokens. The lens gives a logit for every token, shape (S, T, V)."""
            return (_norm(residuals, p["norm"]) @ p["embed"].T).argmax(-1)


# ---- heads -------------------------------------------------------------------------------------------------------


def _heads(rng, h, t, d_head):
    return _normal(rng, h, t, d_head), _normal(rng, h * d_head, h * d_head)


def _without(outputs, w_o, head, mean):
    outputs = outputs.clone()
    outputs[head] = outputs[head].mean(0) if mean else 0.0
    return _merged(outputs) @ w_o


def _merged(outputs):
    return outputs.transpose(0, 1).flatten(1)


@exercise(points=3, minutes=10, source="Elhage et al. 2021, section Attention Heads are Independent and Additive")
class head_writes:
    """What each head of a layer adds to the residual stream, by itself."""

    tolerance = SUMS

    def cases(rng):
        for h, t, d_head in [(2, 1, 3), (3, 4, 2), (2, 5, 4), (4, 3, 3)]:
            yield case(*_heads(rng, h, t, d_head), label=f"{h} heads of width {d_head}, {t} tokens")

    def reference(outputs, w_o):
        heads, t, d_head = outputs.shape
        alone = torch.zeros(heads, t, heads * d_head, dtype=torch.float64)
        for h in range(heads):
            for c in range(d_head):
                alone[h, :, h * d_head + c] = outputs[h, :, c]
        return alone @ w_o.double()

    class misconceptions:
        def summed(outputs, w_o):
            """You return the sum over the heads, which is the layer's output. Keep the heads apart: (h, T, d_model)."""
            return _merged(outputs) @ w_o

        def first_rows_for_all(outputs, w_o):
            """Every head goes through the same rows of w_o. Head i has rows of its own: i * d_head to (i + 1) * d_head."""
            return outputs @ w_o[: outputs.shape[-1]]

        def columns(outputs, w_o):
            """You cut w_o by columns, or used it transposed. Merged heads are rows, so merged @ w_o: a head meets d_head rows of w_o."""
            d = outputs.shape[-1]
            return torch.stack([o @ w_o[:, i * d : (i + 1) * d].T for i, o in enumerate(outputs)])

        def interleaved_rows(outputs, w_o):
            """You gave head i every h-th row of w_o. Merged heads stand side by side: head i has d_head rows in a block."""
            return torch.stack([o @ w_o[i :: len(outputs)] for i, o in enumerate(outputs)])

        def no_projection(outputs, w_o):
            """This is what the heads computed, not what they write: the output projection w_o is missing."""
            return outputs

        def shared_out(outputs, w_o):
            """You divide by the number of heads. What heads write is added, not averaged."""
            return outputs @ w_o.reshape(*outputs.shape[::2], -1) / len(outputs)

        def tokens_first(outputs, w_o):
            """The axes are in another order: heads come first, then tokens, (h, T, d_model)."""
            return (outputs @ w_o.reshape(*outputs.shape[::2], -1)).transpose(0, 1)


@exercise(
    parts={"set to zero": 2, "set to its mean": 1},
    minutes=12,
    source="Michel et al. 2019, section 3 (zero); Wang et al. 2023, section 2.1 (mean)",
    uses=("ch10.head_writes",),
)
class ablate_head:
    """An attention layer's output when one of its heads is switched off."""

    tolerance = SUMS

    def cases(rng):
        for h, t, d_head, head in [(2, 2, 3, 0), (3, 4, 2, 2), (4, 5, 2, int(rng.integers(1, 3)))]:
            yield case(*_heads(rng, h, t, d_head), head, label=f"head {head} of {h}, {t} tokens, set to zero")
        for h, t, d_head, head in [(3, 4, 2, 0), (2, 5, 3, 1), (4, 3, 3, int(rng.integers(1, 3)))]:
            label, part = f"head {head} of {h}, {t} tokens, set to its mean", "set to its mean"
            yield case(*_heads(rng, h, t, d_head), head, mean=True, label=label, part=part)

    def reference(outputs, w_o, head, mean=False):
        heads, t, d_head = outputs.shape
        own = outputs[head].double()
        instead = sum(own[i] for i in range(t)) / t if mean else torch.zeros(d_head, dtype=torch.float64)
        rows = []
        for i in range(t):
            merged = [instead if h == head else outputs[h, i].double() for h in range(heads)]
            rows.append(torch.cat(merged) @ w_o.double())
        return torch.stack(rows)

    class misconceptions:
        def slice_of_the_result(outputs, w_o, head, mean=False):
            """You cut out columns after w_o, which has mixed the heads. A head is a slice only before w_o."""
            result, d = _merged(outputs) @ w_o, outputs.shape[-1]
            own = slice(head * d, (head + 1) * d)
            result[:, own] = result[:, own].mean(0) if mean else 0.0
            return result

        def all_heads_scaled(outputs, w_o, head, mean=False):
            """You scaled all the heads down. Ablation switches one head off and leaves the others as they are."""
            return _merged(outputs) @ w_o * (len(outputs) - 1) / len(outputs)

        def only_this_head(outputs, w_o, head, mean=False):
            """You kept this head and switched off the others. Switch off this one and keep the others."""
            kept = torch.zeros_like(outputs)
            kept[head] = outputs[head].mean(0) if mean else outputs[head]
            return _merged(kept) @ w_o

        def counted_from_one(outputs, w_o, head, mean=False):
            """You switched off the head before: heads are counted from 0."""
            return _without(outputs, w_o, (head - 1) % len(outputs), mean)

        def merged_without_transposing(outputs, w_o, head, mean=False):
            """You merged (h, T, d_head) by reshaping alone, which mixes tokens. Bring the tokens to the front first."""
            outputs = outputs.clone()
            outputs[head] = outputs[head].mean(0) if mean else 0.0
            return outputs.reshape(outputs.shape[1], -1) @ w_o

        def position_switched_off(outputs, w_o, head, mean=False):
            """You switched off a position, for all heads: `outputs[:, head]`. The heads are the first axis."""
            outputs = outputs.clone()
            outputs[:, head] = outputs[:, head].mean(0) if mean else 0.0
            return _merged(outputs) @ w_o

        def others_scaled_up(outputs, w_o, head, mean=False):
            """You scaled the other heads up to make good for it. They stay as they are: the loss should be seen."""
            outputs = outputs.clone()
            outputs[head] = outputs[head].mean(0) if mean else 0.0
            return _merged(outputs) @ w_o * len(outputs) / (len(outputs) - 1)

        def nothing_switched_off(outputs, w_o, head, mean=False):
            """No head is switched off: this is the layer's whole output."""
            return _merged(outputs) @ w_o

        def head_removed_from_the_sum_only(outputs, w_o, head, mean=False):
            """You return only the change: minus what the head writes. Add it to the layer's output."""
            d = outputs.shape[-1]
            own = outputs[head].mean(0).expand_as(outputs[head]) if mean else outputs[head]
            return -(own @ w_o[head * d : (head + 1) * d])

        def always_zero(outputs, w_o, head, mean=False):
            """`mean` has no effect: with mean=True the head gives at every position its average over the positions."""
            return _without(outputs, w_o, head, False)

        def always_mean(outputs, w_o, head, mean=False):
            """You always set the mean: without mean=True the head's output is set to 0."""
            return _without(outputs, w_o, head, True)

        def mean_over_features(outputs, w_o, head, mean=False):
            """The mean runs over the head's features. Average over the positions: one vector of width d_head."""
            outputs = outputs.clone()
            outputs[head] = outputs[head].mean(1, keepdim=True) if mean else 0.0
            return _merged(outputs) @ w_o

        def mean_over_everything(outputs, w_o, head, mean=False):
            """You used one number, the mean over positions and features. Average over the positions only."""
            outputs = outputs.clone()
            outputs[head] = outputs[head].mean() if mean else 0.0
            return _merged(outputs) @ w_o

        def mean_over_heads(outputs, w_o, head, mean=False):
            """You took the mean over the heads. The head's own output is averaged, over the positions."""
            outputs = outputs.clone()
            outputs[head] = outputs.mean(0) if mean else 0.0
            return _merged(outputs) @ w_o


# ---- patterns of attention ---------------------------------------------------------------------------------------


def _attention(rng, h, t):
    """Causal weights, as a model makes them: rows that sum to 1, some sharp, some flat."""
    future = torch.ones(t, t, dtype=torch.bool).triu(1)
    return (2 * _normal(rng, h, t, t)).masked_fill(future, -torch.inf).softmax(-1)


def _on_diagonal(attention, back, first):
    """Weights on the key `back` places before each query from `first` on, shape (h, T - first)."""
    queries = torch.arange(first, attention.shape[-1])
    return attention[:, queries, queries - back]


@exercise(points=2, minutes=6, source="Olsson et al. 2022, section Definition of Induction Heads, previous token heads")
class previous_token_score:
    """How much of its attention each head pays to the token just before."""

    tolerance = SUMS

    def cases(rng):
        for h, t in [(1, 2), (3, 5), (5, 3), (4, int(rng.integers(6, 15)))]:
            yield case(_attention(rng, h, t), label=f"{h} heads, {t} tokens")

    def reference(attention):
        heads, t, _ = attention.shape
        sums = [sum(float(attention[h, i, i - 1]) for i in range(1, t)) for h in range(heads)]
        return torch.tensor(sums, dtype=torch.float64) / (t - 1)

    class misconceptions:
        def own_token(attention):
            """You measure the weight on the token itself (the diagonal). The one before stands one column to the left."""
            return _on_diagonal(attention, 0, 0).mean(-1)

        def next_token(attention):
            """You look above the diagonal, at the token after: a causal head never looks there. Rows are the queries."""
            return attention.diagonal(1, 1, 2).mean(-1)

        def two_back(attention):
            """You look two tokens back. The token just before is one column to the left of the diagonal."""
            return _on_diagonal(attention, 2, 2).mean(-1)

        def first_token_counted(attention):
            """You divide by T. Token 0 has nothing before it: there are T - 1 weights, and the mean is over these."""
            return _on_diagonal(attention, 1, 1).sum(-1) / attention.shape[-1]

        def summed(attention):
            """You sum the weights. The score is their mean, so that it lies between 0 and 1 for any length."""
            return _on_diagonal(attention, 1, 1).sum(-1)

        def mean_over_heads(attention):
            """You averaged over the heads. Each head gets a score of its own: average over the tokens, shape (h,)."""
            return _on_diagonal(attention, 1, 1).mean(0)

        def one_number(attention):
            """You return one number for all. Each head gets a score of its own: average over the tokens, shape (h,)."""
            return _on_diagonal(attention, 1, 1).mean()

        def share_of_strongest(attention):
            """You count how often the token before gets the most. The score is the mean of the weights themselves."""
            queries = torch.arange(1, attention.shape[-1])
            return (attention[:, 1:].argmax(-1) == queries - 1).float().mean(-1)

        def largest(attention):
            """You took the largest of the weights; the score is their mean."""
            return _on_diagonal(attention, 1, 1).amax(-1)

        def whole_square(attention):
            """You average over every pair of query and key. For each query, only the key just before it counts."""
            return attention[:, 1:, :-1].mean((1, 2))

        def last_token_only(attention):
            """You measure the last token only. Every token but the first has one before it: average over all of them."""
            return attention[:, -1, -2]

        def heads_as_queries(attention):
            """The diagonal runs over the wrong axes: the heads come first; take it over queries and keys, the last two."""
            return attention.diagonal(-1).mean(-1)


@exercise(
    parts={"scores": 3, "bad input": 1},
    minutes=12,
    source="Olsson et al. 2022, section Definition of Induction Heads: prefix matching on repeated random tokens",
)
class induction_score:
    """How much each head looks at what came after the last copy of the current token."""

    tolerance = SUMS

    def cases(rng):
        sizes = [(2, 6, 3), (3, 7, 2), (4, 9, 6), (3, 5, 1), (2, 6, 5), (5, 16, int(rng.integers(4, 7)))]
        for h, t, period in sizes:
            yield case(_attention(rng, h, t), period, label=f"{h} heads, {t} tokens that repeat after {period}")
        for period in (0, 6):
            label = f"6 tokens that repeat after {period}"
            yield case(_attention(rng, 2, 6), period, label=label, part="bad input")

    def reference(attention, period):
        heads, t, _ = attention.shape
        if period < 1 or period >= t:
            raise ValueError("no token is repeated")
        scores = []
        for h in range(heads):
            found = [float(attention[h, query, query - period + 1]) for query in range(period, t)]
            scores.append(sum(found) / len(found))
        return torch.tensor(scores, dtype=torch.float64)

    class misconceptions:
        def no_check(attention, period):
            """The scores are right, but a period for which no token is repeated should raise ValueError."""
            return attention.diagonal(1 - period, 1, 2)[:, 1:].mean(-1)

        def on_the_copy_itself(attention, period):
            """You measure the weight on the earlier copy. An induction head looks at what came after it: one to the right."""
            return _on_diagonal(attention, period, period).mean(-1)

        def one_too_far_back(attention, period):
            """You look at the token before the earlier copy. What followed it stands at t - period + 1."""
            queries = torch.arange(period + 1, attention.shape[-1])
            return attention[:, queries, queries - period - 1].mean(-1)

        def one_too_near(attention, period):
            """You look two tokens after the earlier copy. What followed it directly stands at t - period + 1."""
            back = max(period - 2, 0)
            return _on_diagonal(attention, back, period).mean(-1)

        def before_the_repeat(attention, period):
            """Your diagonal begins one query early: at t = period - 1 nothing is repeated yet. Start at t = period."""
            return _on_diagonal(attention, period - 1, period - 1).mean(-1)

        def one_query_early(attention, period):
            """Your queries run from period - 1 to T - 2. They run from period, the first repeat, to the last, T - 1."""
            return _on_diagonal(attention, period - 1, period - 1)[:, :-1].mean(-1)

        def divided_by_all(attention, period):
            """You divide by T, but only the T - period tokens that have an earlier copy count."""
            return _on_diagonal(attention, period - 1, period).sum(-1) / attention.shape[-1]

        def summed(attention, period):
            """You sum the weights. The score is their mean over the tokens that have an earlier copy."""
            return _on_diagonal(attention, period - 1, period).sum(-1)

        def transposed(attention, period):
            """You look above the diagonal, into the future. Rows are queries: the key's index is the smaller one."""
            return attention.transpose(1, 2)[:, *_places(attention, period)].mean(-1)

        def first_repeat_only(attention, period):
            """You stop after one period. Every token that has an earlier copy counts, up to the last one."""
            return _on_diagonal(attention, period - 1, period)[:, :period].mean(-1)

        def all_earlier_copies(attention, period):
            """You add up the weights after all earlier copies. Only the last copy counts: t - period + 1."""
            t, found = attention.shape[-1], 0
            for back in range(period - 1, t, period):
                queries = torch.arange(max(back, period), t)
                found = found + attention[:, queries, queries - back].sum(-1)
            return found / (t - period)

        def mean_over_heads(attention, period):
            """You averaged over the heads. Each head gets a score of its own: average over the tokens, shape (h,)."""
            return _on_diagonal(attention, period - 1, period).mean(0)

        def one_number(attention, period):
            """You return one number for all. Each head gets a score of its own: average over the tokens, shape (h,)."""
            return _on_diagonal(attention, period - 1, period).mean()

        def share_of_strongest(attention, period):
            """You count how often that place gets the most weight. The score is the mean of the weights themselves."""
            queries = torch.arange(period, attention.shape[-1])
            return (attention[:, period:].argmax(-1) == queries - period + 1).float().mean(-1)


def _places(attention, period):
    queries = torch.arange(period, attention.shape[-1])
    return queries, queries - period + 1


# ---- check questions ---------------------------------------------------------------------------------------------


@question(answer="c")
class what_a_block_reads:
    """A pre-norm decoder has six blocks. What does block 4 read?"""

    a = (
        "What block 3 computed, and nothing else.",
        "Block 3 does not hand its result over: it adds it to the stream, where everything earlier still stands.",
    )
    b = (
        "The token embeddings, as every block does.",
        "They are part of it, but blocks 1 to 3 have added to them by then.",
    )
    c = (
        "The normalised sum of the embeddings and of all that blocks 1 to 3 added.",
        "Right: one sum, which every earlier part wrote into. So block 4 can use what block 1 left there.",
    )
    d = (
        "The logits of block 3.",
        "No logits exist inside: the lens computes them for us. Blocks read vectors of width d_model.",
    )


@question(answer="b")
class where_it_looks:
    """Random tokens repeat after 7. A perfect induction head stands at position 16. At which position does it look?"""

    a = (
        "9",
        "There stands the last copy of its own token: 16 - 7. What it needs is the token that came after it.",
    )
    b = (
        "10",
        "Right: the last copy stands at 16 - 7 = 9, and what followed it at 10. That is what will come next again.",
    )
    c = (
        "15",
        "That is the token just before: the place of a previous-token head.",
    )
    d = (
        "17",
        "There stands the token to be predicted, and the causal mask hides it.",
    )


@question(answer="a")
class why_two_layers:
    """Why can one layer of attention not do what an induction head does, if the period differs from text to text?"""

    a = (
        "What a key offers is made from its own token alone; that it follows a certain token must be written there first.",
        "Right: a head in an earlier layer writes to each token which one came before, and the keys of the next layer show it.",
    )
    b = (
        "One layer has too few heads.",
        "More heads do not help in practice: all of them read the same stream, in which no token knows its predecessor yet.",
    )
    c = (
        "One layer cannot look far enough back.",
        "Attention reaches any distance in one step. The trouble is to know where to look.",
    )
    d = (
        "One layer has no feed-forward network.",
        "Our two layers have none either, and they do it.",
    )


@question(answer=["a", "d"])
class sudden_or_not:
    """Asked for 10 tokens in a row, larger and larger models get all 10 right in 0 %, 0 %, 1 % and 35 % of the cases. Which
    conclusions are sound? Choose all that apply."""

    a = (
        "The share of single tokens that are right may have grown steadily all along.",
        "Right: 0.4, 0.5, 0.63 and 0.9 for each token give about these numbers, if tokens fail independently.",
    )
    b = (
        "Something new must have formed inside the largest model.",
        "It may have, but this measure cannot tell: ten right in a row jumps up even where each token improves smoothly.",
    )
    c = (
        "Nothing inside a model ever changes suddenly.",
        "Our own curve falls within a few hundred steps, in the loss as well, which is no all-or-nothing measure.",
    )
    d = (
        "A smoother measure, such as the loss of each token, should be looked at too.",
        "Right: if that bends as sharply, it is not the measure's doing.",
    )
