"""Exercises of ch09, mixtures of experts and scaling. Gates and the layer agree with a random
`transformers.models.mixtral.MixtralSparseMoeBlock`, the balance loss with `load_balancing_loss_func` of transformers'
Mixtral (k of ours: it divides by n, we by n k) and Switch Transformers, the parameters with the count of a random
`MixtralSparseMoeBlock`, the fit with `numpy.polyfit`."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from autograder.exercise import case, exercise, question
from course.checks.compare import close, exact
from course.checks.script import grads

TITLE = "Mixtures of experts and scaling"


def _normal(rng, *shape, deviation=1.0):
    return torch.tensor(deviation * rng.standard_normal(shape), dtype=torch.float32)


def _apart(rng, n, experts):
    """Logits, (n, experts) in float64, in random order but never close to each other: which is larger is certain."""
    steps = rng.uniform(0.3, 0.9, (n, experts)).cumsum(axis=1)
    mixed = rng.permuted(steps, axis=1)
    return mixed - mixed.mean() + rng.uniform(-0.5, 0.5, (n, 1))


# ---- the router --------------------------------------------------------------------------------------------------


@exercise(
    points=3,
    minutes=8,
    source="Shazeer et al. 2017, section 2.1, equations 3 to 5 without noise; Jiang et al. 2024 (Mixtral), section 2.1",
)
class top_k_gating:
    """The choice of k experts for each token, and how much each of them counts."""

    tolerance = close(1e-5, 1e-6, why="a float32 solution rounds exponentials")

    def cases(rng):
        n = int(rng.integers(6, 9))
        for rows, experts, k in [(2, 5, 2), (1, 3, 2), (3, 4, 1), (4, 3, 3), (n, 10, 3)]:
            logits = torch.tensor(_apart(rng, rows, experts), dtype=torch.float32)
            yield case(logits, k, label=f"n = {rows}, E = {experts}, k = {k}")

    def reference(logits, k):
        indices, gates = [], []
        for row in logits.double().tolist():
            best = sorted(range(len(row)), key=lambda e: -row[e])[:k]
            powers = [math.exp(row[e] - row[best[0]]) for e in best]
            indices.append(best)
            gates.append([power / sum(powers) for power in powers])
        return torch.tensor(indices), torch.tensor(gates, dtype=torch.float64)

    class misconceptions:
        def not_renormalised(logits, k):
            """Your gates are a softmax over all experts, so k of them do not sum to 1. Let only the chosen logits share out 1."""
            gates, indices = logits.softmax(-1).topk(k)
            return indices, gates

        def softmax_twice(logits, k):
            """You take the softmax of probabilities: a softmax is applied twice. Apply it once, to the chosen logits."""
            chosen, indices = logits.softmax(-1).topk(k)
            return indices, chosen.softmax(-1)

        def softmax_over_tokens(logits, k):
            """Your softmax runs over the tokens. Each token, a row, shares out 1 among its own k experts."""
            chosen, indices = logits.topk(k)
            return indices, chosen.softmax(0)

        def everything_over_tokens(logits, k):
            """You normalise each expert over the tokens before you choose. A token compares its own logits only: the last axis."""
            chosen, indices = logits.softmax(0).topk(k)
            return indices, chosen / chosen.sum(-1, keepdim=True)

        def best_tokens_of_an_expert(logits, k):
            """You choose k tokens for each expert (axis 0). Choose k experts for each token: the last axis."""
            chosen, indices = logits.topk(min(k, len(logits)), 0)
            return indices, chosen.softmax(-1)

        def smallest(logits, k):
            """You choose the k smallest logits. The largest win."""
            chosen, indices = logits.topk(k, largest=False)
            return indices, chosen.softmax(-1)

        def ascending(logits, k):
            """Your experts come with the best one last. Largest first is asked for."""
            indices = logits.argsort(-1)[:, -k:]
            return indices, logits.gather(1, indices).softmax(-1)

        def by_number(logits, k):
            """Your experts are sorted by their number. They should be sorted by their logit, largest first."""
            indices = logits.topk(k).indices.sort(-1).values
            return indices, logits.gather(1, indices).softmax(-1)

        def indices_sorted_gates_not(logits, k):
            """You sorted the indices by number and left the gates as they were: now gate and expert do not belong together."""
            chosen, indices = logits.topk(k)
            return indices.sort(-1).values, chosen.softmax(-1)

        def gates_reversed(logits, k):
            """The right experts, but their gates stand in the opposite order: gates[i, j] must belong to indices[i, j]."""
            chosen, indices = logits.topk(k)
            return indices, chosen.softmax(-1).flip(-1)

        def first_k(logits, k):
            """You take the first k experts of the list, whatever their logits. Choose those with the largest ones."""
            return torch.arange(k).expand(len(logits), k), logits[:, :k].softmax(-1)

        def first_token_for_all(logits, k):
            """All tokens get the experts of token 0. Each token chooses its own."""
            indices = logits[:1].topk(k).indices.expand(len(logits), k)
            return indices, logits.gather(1, indices).softmax(-1)

        def logits_for_gates(logits, k):
            """Your gates are the chosen logits themselves: the softmax is missing."""
            chosen, indices = logits.topk(k)
            return indices, chosen

        def divided_by_their_sum(logits, k):
            """You divide the chosen logits by their sum: the exponential is missing, and logits can be negative. Use a softmax."""
            chosen, indices = logits.topk(k)
            return indices, chosen / chosen.sum(-1, keepdim=True)

        def sigmoid(logits, k):
            """You use a sigmoid for each gate, so they do not sum to 1. A softmax over the chosen logits is asked for."""
            chosen, indices = logits.topk(k)
            return indices, chosen.sigmoid()

        def equal_gates(logits, k):
            """All k experts count the same, 1/k. The gates come from the logits: the softmax over the chosen ones."""
            indices = logits.topk(k).indices
            return indices, torch.full(indices.shape, 1 / k)

        def always_one(logits, k):
            """You choose one expert only, as argmax does. k of them are asked for."""
            chosen, indices = logits.topk(1)
            return indices, chosen.softmax(-1)

        def always_two(logits, k):
            """You always choose two experts. Use k."""
            chosen, indices = logits.topk(2)
            return indices, chosen.softmax(-1)

        def gates_first(logits, k):
            """You return (gates, indices); the order is (indices, gates). `topk` gives values first."""
            chosen, indices = logits.topk(k)
            return chosen.softmax(-1), indices

        def gates_only(logits, k):
            """You return the gates only. Return both, (indices, gates)."""
            return logits.topk(k)[0].softmax(-1)

        def one_column_for_each_expert(logits, k):
            """Your gates have a column for each of the E experts, 0 where not chosen. Only the k chosen ones are asked for."""
            chosen, indices = logits.topk(k)
            return indices, torch.zeros_like(logits).scatter(1, indices, chosen.softmax(-1))


# ---- the layer ---------------------------------------------------------------------------------------------------


def _ffn(x, p):
    return F.gelu(x @ p["w_1"] + p["b_1"], approximate="tanh") @ p["w_2"] + p["b_2"]


def _gates(logits, k):
    chosen, indices = logits.topk(k)
    return indices, chosen.softmax(-1)


def _experts(x, p):
    """The outputs of all experts for all tokens, (n, E, d)."""
    return torch.stack([_ffn(x, one) for one in p["experts"]], 1)


def _mixed(x, p, indices, gates):
    """For each token the sum of gate times expert over its own experts."""
    rows = [
        sum(g * _ffn(row, p["experts"][int(e)]) for e, g in zip(which, weights, strict=True))
        for row, which, weights in zip(x, indices, gates, strict=True)
    ]
    return torch.stack(rows)


def _by_expert(x, p, k, gate_of, output=None):
    """The usual loop over the experts, with another gate, or another tensor to add to."""
    indices, gates = _gates(x @ p["router"], k)
    output = torch.zeros_like(x) if output is None else output
    for e, expert in enumerate(p["experts"]):
        token, place = torch.where(indices == e)
        output[token] += gate_of(gates, token, place) * _ffn(x[token], expert)
    return output


def _scattered(x, p, k):
    """All gates, (n, E), 0 where not chosen."""
    logits = x @ p["router"]
    indices, gates = _gates(logits, k)
    return torch.zeros_like(logits).scatter(1, indices, gates)


def _doubles(p):
    return {"router": p["router"].double(), "experts": [{n: t.double() for n, t in e.items()} for e in p["experts"]]}


def _layer(rng, logits, d, d_ff):
    """Tokens (n, d) and parameters whose router gives these logits; n <= d."""
    x = _normal(rng, len(logits), d)
    router = np.linalg.pinv(x.double().numpy()) @ logits
    experts = [
        {
            "w_1": _normal(rng, d, d_ff, deviation=1.5 * d**-0.5),
            "b_1": _normal(rng, d_ff, deviation=0.5),
            "w_2": _normal(rng, d_ff, d, deviation=1.5 * d_ff**-0.5),
            "b_2": _normal(rng, d, deviation=0.5),
        }
        for _ in range(logits.shape[1])
    ]
    return x, {"router": torch.tensor(router, dtype=torch.float32), "experts": experts}


def _idle(rng):
    """Three tokens and six experts; nobody chooses the last two, which hold NaN."""
    logits = _apart(rng, 3, 6)
    logits[:, 4:] -= 9.0
    x, p = _layer(rng, logits, 5, 4)
    for expert in p["experts"][4:]:
        for tensor in expert.values():
            tensor.fill_(torch.nan)
    return x, p


def _strangers(rng):
    """Two tokens that share no expert. In float32, the experts of one overflow on the other, where it is not 0."""
    low, high = np.sort(_apart(rng, 2, 4), axis=1).reshape(2, 2, 2).swapaxes(0, 1)
    logits = np.concatenate([np.stack([high[0], low[1]]), np.stack([low[0], high[1]])], axis=1)
    x, p = _layer(rng, logits, 6, 3)
    for own, other in ((0, 1), (1, 0)):  # column `own` of x belongs to token `own` only
        x[own, own], x[other, own] = 2.0, 0.0
        for expert in p["experts"][2 * other : 2 * other + 2]:
            expert["w_1"][own] = 2e38
    p["router"] = torch.tensor(np.linalg.pinv(x.double().numpy()) @ logits, dtype=torch.float32)
    return x, p


def _everybody_chosen(rng, n, experts):
    """Logits with which token i likes expert i, counted round, best."""
    logits = _apart(rng, n, experts)
    logits[np.arange(n), np.arange(n) % experts] = logits.max(1) + rng.uniform(0.3, 0.9, n)
    return logits


@exercise(
    parts={"values": 3, "only the chosen": 1, "gradients": 1},
    minutes=15,
    source="Shazeer et al. 2017, section 2, equation 1; Jiang et al. 2024 (Mixtral), section 2.1; experts as in ch05",
    uses=("ch09.top_k_gating",),
)
class moe_forward:
    """A layer of experts: each token goes through its k best ones, and their outputs are added by their gates."""

    tolerance = close(1e-4, 1e-5, why="a float32 solution rounds through a router and two matrix products")

    def cases(rng):
        n, k = int(rng.integers(5, 8)), int(rng.integers(2, 4))
        for rows, d, experts, d_ff, chosen in [(3, 6, 4, 5, 2), (1, 4, 3, 2, 2), (4, 5, 6, 3, 1), (2, 5, 3, 4, 3)]:
            x, p = _layer(rng, _apart(rng, rows, experts), d, d_ff)
            yield case(x, p, chosen, label=f"n = {rows}, d_model = {d}, E = {experts}, d_ff = {d_ff}, k = {chosen}")
        x, p = _layer(rng, _everybody_chosen(rng, n, 4), 9, 6)
        yield case(x, p, k, label=f"n = {n}, d_model = 9, E = 4, d_ff = 6, k = {k}")
        idle, strangers = "experts that nobody chose hold NaN", "where a token does not belong, an expert overflows"
        yield case(*_idle(rng), 2, label=idle, part="only the chosen")
        yield case(*_strangers(rng), 2, label=strangers, part="only the chosen")
        x, p = _layer(rng, _everybody_chosen(rng, 5, 4), 6, 3)
        step = grads(_normal(rng, 5, 6), x, p, 2, name="moe_forward")
        yield case(script=[step], label="gradients, all experts in use", part="gradients")

    def reference(x, p, k):
        x, p = x.double(), _doubles(p)
        rows = []
        for row in x:
            logits = row @ p["router"]
            best = sorted(range(len(logits)), key=lambda e: -logits[e].item())[:k]
            total = sum(logits[e].exp() for e in best)
            outputs = []
            for e in best:
                w = p["experts"][e]
                z = row @ w["w_1"] + w["b_1"]
                z = 0.5 * z * (1 + torch.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))
                outputs.append(logits[e].exp() / total * (z @ w["w_2"] + w["b_2"]))
            rows.append(sum(outputs))
        return torch.stack(rows)

    class misconceptions:
        def computed_and_thrown_away(x, p, k):
            """You compute all experts and give most the weight 0. That costs all of them: run each on the tokens that chose it."""
            return torch.einsum("ne,ned->nd", _scattered(x, p, k), _experts(x, p))

        def every_expert(x, p, k):
            """You use all experts, weighted by a softmax over all of them. Only a token's k best ones count."""
            return torch.einsum("ne,ned->nd", (x @ p["router"]).softmax(-1), _experts(x, p))

        def every_token_in_a_busy_expert(x, p, k):
            """You skip idle experts, but run the others on all tokens. Pick out the rows that chose the expert: x[token]."""
            gates, output = _scattered(x, p, k), torch.zeros_like(x)
            for e, expert in enumerate(p["experts"]):
                if (gates[:, e] > 0).any():
                    output = output + gates[:, e, None] * _ffn(x, expert)
            return output

        def unweighted(x, p, k):
            """You add the experts' outputs without their gates. Multiply each output by its gate first."""
            indices, gates = _gates(x @ p["router"], k)
            return _mixed(x, p, indices, torch.ones_like(gates))

        def averaged(x, p, k):
            """You average the experts' outputs. Weight each by its gate: the better it fits, the more it counts."""
            indices, gates = _gates(x @ p["router"], k)
            return _mixed(x, p, indices, torch.full_like(gates, 1 / k))

        def gates_not_renormalised(x, p, k):
            """Your gates come from a softmax over all experts, so those of a token do not sum to 1. Use `top_k_gating`."""
            gates, indices = (x @ p["router"]).softmax(-1).topk(k)
            return _mixed(x, p, indices, gates)

        def best_only(x, p, k):
            """Only the best expert counts, with its gate. Add all k of them up."""
            indices, gates = _gates(x @ p["router"], k)
            return _mixed(x, p, indices[:, :1], gates[:, :1])

        def best_only_in_full(x, p, k):
            """You always use one expert, as with k = 1. Pass k on, and add up the outputs of all k."""
            return _mixed(x, p, *_gates(x @ p["router"], 1))

        def always_two(x, p, k):
            """You always use two experts. Use k."""
            return _mixed(x, p, *_gates(x @ p["router"], 2))

        def last_one_written(x, p, k):
            """A later expert overwrites what an earlier one wrote. Add to the row: each token has k experts."""
            indices, gates = _gates(x @ p["router"], k)
            rows = []
            for row, which, weights in zip(x, indices, gates, strict=True):
                last = int(which.argmax())
                rows.append(weights[last] * _ffn(row, p["experts"][int(which[last])]))
            return torch.stack(rows)

        def last_place_written(x, p, k):
            """The token's last expert overwrites the others. Add their outputs up."""
            indices, gates = _gates(x @ p["router"], k)
            return _mixed(x, p, indices[:, -1:], gates[:, -1:])

        def gates_in_the_wrong_order(x, p, k):
            """The gates go to the wrong ones of the chosen experts: gates[i, j] belongs to expert indices[i, j]."""
            indices, gates = _gates(x @ p["router"], k)
            return _mixed(x, p, indices, gates.flip(-1))

        def gate_of_the_best_for_all(x, p, k):
            """Each output is weighted by the gate of the best expert. Column j of the gates belongs to column j of the indices."""
            indices, gates = _gates(x @ p["router"], k)
            return _mixed(x, p, indices, gates[:, :1].expand_as(gates))

        def place_for_expert(x, p, k):
            """You use the place, 0 to k - 1, as the expert's number. The number stands in `indices` at that place."""
            indices, gates = _gates(x @ p["router"], k)
            return _mixed(x, p, torch.arange(k).expand_as(indices), gates)

        def experts_of_the_first_token(x, p, k):
            """All tokens go through the experts of token 0. Each token has experts of its own."""
            indices, gates = _gates(x @ p["router"], k)
            return _mixed(x, p, indices[:1].expand_as(indices), gates)

        def one_choice_for_all(x, p, k):
            """You route the average token, so that all tokens share its experts and gates. Route each token by itself."""
            indices, gates = _gates(x.mean(0, keepdim=True) @ p["router"], k)
            return _mixed(x, p, indices.expand(len(x), k), gates.expand(len(x), k))

        def gate_before_the_expert(x, p, k):
            """You multiply the token by its gate before the expert. GELU bends, so it is not the same: weight the output."""
            indices, gates = _gates(x @ p["router"], k)
            ones = torch.ones_like(gates)
            return sum(_mixed(x * gates[:, [j]], p, indices[:, [j]], ones[:, [j]]) for j in range(gates.shape[1]))

        def x_added(x, p, k):
            """You add x to the result. The residual belongs to the block around this layer, not to the layer."""
            return x + _mixed(x, p, *_gates(x @ p["router"], k))

        def worst_chosen(x, p, k):
            """You route each token to the experts with the smallest logits. The largest win."""
            chosen, indices = (x @ p["router"]).topk(k, largest=False)
            return _mixed(x, p, indices, chosen.softmax(-1))

        def gate_not_a_column(x, p, k):
            """The gates of an expert's m tokens have shape (m,), its outputs (m, d_model). Make a column of the gates: [..., None]."""
            return _by_expert(x, p, k, lambda gates, token, place: gates[token, place])

        def all_gates_of_the_token(x, p, k):
            """`gates[token]` are all k gates of a token. Pick the one of this expert: index with the place, too."""
            return _by_expert(x, p, k, lambda gates, token, place: gates[token])

        def output_is_x(x, p, k):
            """Your output is x itself: `output = x` makes no copy, so you read tokens that you have changed. Start with zeros."""
            return _by_expert(x, p, k, lambda gates, token, place: gates[token, place, None], output=x)

        def a_tensor_for_each_place(x, p, k):
            """Your result still has an axis for the k experts. Weight their outputs and sum over that axis."""
            indices, gates = _gates(x @ p["router"], k)
            return torch.stack([_mixed(x, p, indices[:, [j]], gates[:, [j]]) for j in range(gates.shape[1])], 1)

        def no_gradient(x, p, k):
            """The numbers are right but no gradient reaches the parameters: something detaches (.item(), .detach(), no_grad)."""
            return _mixed(x, p, *_gates(x @ p["router"], k)).detach()

        def router_left_out_of_training(x, p, k):
            """The numbers are right, but no gradient reaches the router: your gates are cut off (.item(), .detach())."""
            indices, gates = _gates(x @ p["router"], k)
            return _mixed(x, p, indices, gates.detach())


# ---- balance -----------------------------------------------------------------------------------------------------


def _balance(logits, k, share=None, probability=None, factor=None):
    """A right loss but for what is passed."""
    experts = logits.shape[1]
    if share is None:
        share = _counts(logits, k) / (len(logits) * k)
    probability = logits.softmax(-1).mean(0) if probability is None else probability
    return (experts if factor is None else factor) * (share * probability).sum()


def _counts(logits, k):
    return torch.bincount(logits.topk(k).indices.flatten(), minlength=logits.shape[1]).to(logits.dtype)


@exercise(
    parts={"values": 3, "gradients": 1},
    minutes=12,
    source="Fedus, Zoph and Shazeer 2021 (Switch Transformers), section 2.2, equations 4 to 6 without alpha; for k > 1 "
    "f is divided by n k, so that balance is 1 whatever k",
    uses=("ch09.top_k_gating",),
)
class load_balance_loss:
    """How unevenly the experts are used, as a number that a gradient can make smaller."""

    tolerance = close(3e-5, 1e-6, why="a float32 solution rounds exponentials and means; the losses are about 1")

    def cases(rng):
        n = int(rng.integers(9, 14))
        for rows, experts, k in [(5, 3, 1), (1, 4, 2), (7, 6, 3), (4, 3, 3), (n, 8, 2)]:
            logits = _apart(rng, rows, experts)
            logits[:, 1] += 1.1  # some are liked more than others
            logits[:, 2] -= 0.6
            logits[:, -1] -= 9.0 * (experts == 8)  # then nobody chooses the last one
            yield case(_spread(logits), k, label=f"n = {rows}, E = {experts}, k = {k}")
        step = grads(1.0, _spread(_apart(rng, 5, 4)), 2, name="load_balance_loss")
        yield case(script=[step], label="gradient of the loss, n = 5, E = 4, k = 2", part="gradients")

    def reference(logits, k):
        n, experts = logits.shape
        logits = logits.double()
        probabilities = logits.exp() / logits.exp().sum(1, keepdim=True)
        counts = [0] * experts
        for row in logits.tolist():
            for e in sorted(range(experts), key=lambda e, row=row: -row[e])[:k]:
                counts[e] += 1
        return sum(count / (n * k) * probabilities[:, e].sum() / n for e, count in enumerate(counts)) * experts

    class misconceptions:
        def probabilities_only(logits, k):
            """Your f is the mean probability again. f counts: the share of the choices that go to the expert."""
            return _balance(logits, k, share=logits.softmax(-1).mean(0))

        def counts_only(logits, k):
            """Your P is the share of the choices again. P is the mean of the router's probabilities: it carries the gradient."""
            share = _counts(logits, k) / (len(logits) * k)
            return _balance(logits, k, probability=share + 0 * logits.sum())

        def factor_missing(logits, k):
            """The factor E is missing (perhaps through a mean in place of the sum): balance should give 1."""
            return _balance(logits, k, factor=1)

        def mean_without_the_factor(logits, k):
            """You take the mean over the experts. Take the sum, and multiply it by E."""
            return _balance(logits, k, factor=1 / logits.shape[1])

        def factor_squared(logits, k):
            """You multiply by E twice. Multiply the sum by E once."""
            return _balance(logits, k, factor=logits.shape[1] ** 2)

        def factor_k(logits, k):
            """You multiply by k, the experts of a token. The factor is E, the number of all experts."""
            return _balance(logits, k, factor=k)

        def factor_n(logits, k):
            """You multiply by the number of tokens. The factor is E, the number of experts: the last axis."""
            return _balance(logits, k, factor=len(logits))

        def divided_by_tokens_only(logits, k):
            """You divide the counts by n. There are n k choices: divide by all of them, so that the shares sum to 1."""
            return _balance(logits, k, share=_counts(logits, k) / len(logits))

        def divided_by_the_experts(logits, k):
            """You divide the counts by E. There are n k choices: divide by all of them, so that the shares sum to 1."""
            return _balance(logits, k, share=_counts(logits, k) / logits.shape[1])

        def counts_for_shares(logits, k):
            """You use the counts themselves. f is a share: divide by the number of choices, n k."""
            return _balance(logits, k, share=_counts(logits, k))

        def probabilities_summed(logits, k):
            """Your loss is n times too large. P is the mean over the tokens, not their sum, and f the count divided by n k."""
            return _balance(logits, k, probability=logits.softmax(-1).sum(0))

        def sums_everywhere(logits, k):
            """You use sums for both f and P. Both are shares: divide the counts by n k, and P is a mean over tokens."""
            return _balance(logits, k, share=_counts(logits, k), probability=logits.softmax(-1).sum(0))

        def best_only(logits, k):
            """You count each token's best expert only. Count all k experts that it chose."""
            return _balance(logits, k, share=_counts(logits, 1) / len(logits))

        def worst_only(logits, k):
            """You count the experts with the smallest logits. Count those that are chosen: the largest."""
            return _balance(logits, k, share=_counts(-logits, k) / (len(logits) * k))

        def softmax_over_tokens(logits, k):
            """Your softmax runs over the tokens. Each token shares out 1 among the experts: the last axis."""
            return _balance(logits, k, probability=logits.softmax(0).mean(0))

        def logits_for_probabilities(logits, k):
            """You average the logits. P is the mean of the probabilities: take the softmax first."""
            return _balance(logits, k, probability=logits.mean(0))

        def idle_experts_not_counted(logits, k):
            """`bincount` stops at the largest number that occurs: idle experts at the end are missing. Give it a `minlength`."""
            counts = torch.bincount(logits.topk(k).indices.flatten())
            return _balance(logits, k, share=counts / (len(logits) * k))

        def a_table_counted(logits, k):
            """`bincount` counts in a vector, and your indices are a table. Flatten them first."""
            counts = torch.bincount(logits.topk(k).indices, minlength=logits.shape[1])
            return _balance(logits, k, share=counts / (len(logits) * k))

        def mean_of_the_gates(logits, k):
            """You average the gates, place by place: k numbers. P has one for each expert: the mean of the softmax over all E."""
            return _balance(logits, k, probability=_gates(logits, k)[1].mean(0))

        def gates_for_probabilities(logits, k):
            """You average the gates, which are 0 for experts not chosen. P is the mean of the softmax over all E experts."""
            indices, gates = _gates(logits, k)
            return _balance(logits, k, probability=torch.zeros_like(logits).scatter(1, indices, gates).mean(0))

        def softmax_of_the_mean(logits, k):
            """You average the logits and take the softmax of that. Take each token's softmax first, then the mean."""
            return _balance(logits, k, probability=logits.mean(0).softmax(-1))

        def alpha_in_it(logits, k):
            """You multiply by a small alpha (0.01). That is done where the loss is added to another: leave it out here."""
            return 0.01 * _balance(logits, k)

        def not_summed(logits, k):
            """You return a number for each expert. Sum them up."""
            return logits.shape[1] * _counts(logits, k) / (len(logits) * k) * logits.softmax(-1).mean(0)

        def negative(logits, k):
            """The sign is wrong: the loss is positive, and larger the more uneven the load is."""
            return -_balance(logits, k)

        def python_number(logits, k):
            """You return a Python number (.item(), float()). Return the tensor: otherwise no gradient can flow back."""
            return _balance(logits, k).item()

        def no_gradient(logits, k):
            """The value is right, but no gradient reaches the logits: do not detach P (.item(), .detach(), no_grad)."""
            return _balance(logits.detach(), k)


def _spread(logits):
    """To float32, with gaps that stay."""
    return torch.tensor(logits, dtype=torch.float32)


# ---- parameters --------------------------------------------------------------------------------------------------


def _counted(p, k, router=1, size=torch.numel, tensors=("w_1", "b_1", "w_2", "b_2"), all_of=None, used=None):
    """A right count but for what is passed."""
    one = sum(size(p["experts"][0][name]) for name in tensors)
    rest = router * size(p["router"])
    everybody = len(p["experts"]) if all_of is None else all_of
    return {"total": rest + everybody * one, "active": rest + (k if used is None else used) * one}


@exercise(
    points=2,
    minutes=5,
    source="Jiang et al. 2024 (Mixtral), section 2.1: sparse and active parameter count",
)
class moe_parameters:
    """All parameters of a layer of experts, and those that one token uses."""

    tolerance = exact

    def cases(rng):
        d_model, d_ff, experts = (int(rng.integers(low, 2 * low)) for low in (5, 11, 23))
        for width, inner, number, k in [
            (2, 3, 5, 1),
            (3, 7, 4, 2),
            (d_model, d_ff, experts, 3),
            (4, 5, 7, 7),
            (6, 2, 9, 4),
        ]:
            _, p = _layer(rng, np.zeros((1, number)), width, inner)
            yield case(p, k, label=f"d_model = {width}, d_ff = {inner}, E = {number}, k = {k}")

    def reference(p, k):
        d_model, experts = p["router"].shape
        d_ff = len(p["experts"][0]["b_1"])
        shapes = [(d_model, d_ff), (d_ff,), (d_ff, d_model), (d_model,)]
        expert = sum(math.prod(shape) for shape in shapes)
        return {"total": experts * (expert + d_model), "active": k * expert + experts * d_model}

    class misconceptions:
        def router_forgotten(p, k):
            """The router is missing, which every token uses."""
            return _counted(p, k, router=0)

        def router_for_k(p, k):
            """You count the router for k experts, or take k/E of everything. A token asks all E experts for their logit."""
            d_model, experts = p["router"].shape
            right = _counted(p, k)
            return right | {"active": right["active"] - d_model * (experts - k)}

        def router_only_in_the_total(p, k):
            """The router is missing among the active parameters: every token uses the whole of it."""
            return _counted(p, k) | {"active": _counted(p, k, router=0)["active"]}

        def router_only_among_the_active(p, k):
            """The router is missing in the total."""
            return _counted(p, k) | {"total": _counted(p, k, router=0)["total"]}

        def router_for_each_expert(p, k):
            """You count the router once for each expert. There is one router for the whole layer."""
            total, active = (
                _counted(p, k, router=times)[name] for times, name in ((len(p["experts"]), "total"), (k, "active"))
            )
            return {"total": total, "active": active}

        def router_taken_away(p, k):
            """You take the router's parameters away. They are parameters, too: add them."""
            return _counted(p, k, router=-1)

        def no_biases(p, k):
            """The biases b_1 and b_2 are missing: they are parameters as well as the matrices."""
            return _counted(p, k, tensors=("w_1", "w_2"))

        def second_bias_missing(p, k):
            """The bias b_2 is missing. Sum over all tensors of an expert."""
            return _counted(p, k, tensors=("w_1", "b_1", "w_2"))

        def first_bias_missing(p, k):
            """The bias b_1 is missing. Sum over all tensors of an expert."""
            return _counted(p, k, tensors=("w_1", "w_2", "b_2"))

        def first_layer_only(p, k):
            """You count w_1 and b_1 only. An expert has a second layer, w_2 and b_2."""
            return _counted(p, k, tensors=("w_1", "b_1"))

        def rows(p, k):
            """You add the lengths of the tensors' first axes (len). Count all their entries: numel."""
            return _counted(p, k, size=len)

        def bytes_of_them(p, k):
            """You count bytes (nbytes): a float32 takes 4 of them. Count the numbers: numel."""
            return _counted(p, k, size=lambda tensor: tensor.nbytes)

        def tensors(p, k):
            """You count the tensors. Count the numbers in them: numel."""
            return _counted(p, k, size=lambda tensor: 1)

        def axes(p, k):
            """You count the axes of the tensors. Count the numbers in them: numel."""
            return _counted(p, k, size=torch.Tensor.dim)

        def one_expert_in_all(p, k):
            """Your total and your active parameters count one expert. There are E of them, and a token uses k."""
            return _counted(p, k, all_of=1, used=1)

        def all_active(p, k):
            """You count all experts as active. A token uses k of them."""
            return _counted(p, k, used=len(p["experts"]))

        def one_active(p, k):
            """You count one active expert. A token uses k of them."""
            return _counted(p, k, used=1)

        def two_active(p, k):
            """You always count two active experts. A token uses k of them."""
            return _counted(p, k, used=2)

        def one_in_the_total(p, k):
            """Your total counts one expert. All E of them have to be kept."""
            return _counted(p, k, all_of=1)

        def only_k_there(p, k):
            """Your total counts k experts. All E of them have to be kept, whoever uses them."""
            return _counted(p, k, all_of=k)

        def idle_ones(p, k):
            """Your active parameters are those of the idle experts. A token uses k experts, not E - k."""
            return _counted(p, k, used=len(p["experts"]) - k)

        def k_more(p, k):
            """You add k to the number of experts. k of the E experts are used, there are no more for it."""
            return _counted(p, k, all_of=len(p["experts"]) + k)

        def the_other_way_round(p, k):
            """You have total and active the wrong way round: the total is the larger number."""
            return _counted(p, k, all_of=k, used=len(p["experts"]))

        def added_not_multiplied(p, k):
            """You add the number of experts to the size of one. Multiply: each of them has that size."""
            one = _counted(p, 1, router=0)["active"]
            router = p["router"].numel()
            return {"total": router + len(p["experts"]) + one, "active": router + k + one}

        def router_multiplied(p, k):
            """You multiply the total by the router's size. Its parameters are added to those of the experts, once."""
            return _counted(p, k) | {"total": p["router"].numel() * _counted(p, k, router=0)["total"]}

        def router_multiplied_with_the_active(p, k):
            """You multiply the active ones by the router's size. Its parameters are added to those of the experts, once."""
            return _counted(p, k) | {"active": p["router"].numel() * _counted(p, k, router=0)["active"]}

        def total_less_the_experts(p, k):
            """In the total you take the experts away from the router. Add them."""
            return _counted(p, k, all_of=-len(p["experts"]))

        def active_less_the_experts(p, k):
            """Among the active you take the experts away from the router. Add them."""
            return _counted(p, k, used=-k)

        def total_of_the_router(p, k):
            """Your total is the router's alone. Add all experts."""
            return _counted(p, k, all_of=0)

        def active_router(p, k):
            """Your active parameters are the router's alone. Add k experts."""
            return _counted(p, k, used=0)

        def all_counted_twice(p, k):
            """Your total counts each expert twice."""
            return _counted(p, k, all_of=2 * len(p["experts"]))

        def active_counted_twice(p, k):
            """Your active parameters count each of the k experts twice."""
            return _counted(p, k, used=2 * k)

        def one_too_many(p, k):
            """You count k + 1 active experts, where there are as many. A slice ends before its second index: [:k] are k of them."""
            return _counted(p, k, used=min(k + 1, len(p["experts"])))

        def one_too_few(p, k):
            """You count k - 1 active experts. A slice ends before its second index: [:k] are k of them."""
            return _counted(p, k, used=k - 1)

        def largest_tensor(p, k):
            """You count the largest tensor of an expert only. Sum over all of its tensors."""
            return _counted(p, k, tensors=(max(p["experts"][0], key=lambda name: p["experts"][0][name].numel()),))

        def smallest_tensor(p, k):
            """You count the smallest tensor of an expert only. Sum over all of its tensors."""
            return _counted(p, k, tensors=(min(p["experts"][0], key=lambda name: p["experts"][0][name].numel()),))

        def names_for_tensors(p, k):
            """Going through a dictionary gives its keys, which are texts. Its tensors are `.values()`."""
            return {"total": sum(name.numel() for expert in p["experts"] for name in expert), "active": 0}

        def biases_have_one_axis(p, k):
            """You multiply two lengths for each tensor, and a bias has one axis only. `numel` counts whatever the shape."""
            return _counted(p, k, size=lambda tensor: tensor.shape[0] * tensor.shape[1])

        def share_of_everything(p, k):
            """You take k/E of everything, which is no whole number. Only the experts count in part: the router is used in full."""
            total = _counted(p, k)["total"]
            return {"total": total, "active": total * k / len(p["experts"])}

        def a_tuple(p, k):
            """You return two numbers. A dictionary with the keys total and active is asked for."""
            return tuple(_counted(p, k).values())


# ---- scaling -----------------------------------------------------------------------------------------------------


def _line(x, y):
    """Slope and intercept of the line of least squares."""
    apart = x - x.mean()
    slope = (apart * y).sum() / (apart**2).sum()
    return slope, y.mean() - slope * x.mean()


def _logs(x, loss):
    return x.double().log(), loss.double().log()


@exercise(
    points=3,
    minutes=10,
    source="Kaplan et al. 2020, section 1.2 (the form, in our letters); least squares in logarithms",
)
class fit_power_law:
    """The power law that fits measured losses best."""

    tolerance = close(2e-4, 1e-5, why="a float32 solution rounds logarithms of up to 20 before it subtracts them")

    def cases(rng):
        for m, low, high, alpha, label in [
            (5, 3.0, 9.0, 0.3, "five models, not quite on a line"),
            (2, 2.0, 6.0, 0.5, "two points: the line goes through both"),
            (7, 7.0, 15.0, 0.076, "seven models, a small exponent"),
            (6, -4.0, 3.0, 0.7, "numbers below 1 and above"),
            (4, 1.0, 5.0, -0.25, "a loss that rises"),
            (int(rng.integers(8, 13)), 4.0, 12.0, float(rng.uniform(0.1, 0.4)), "many models"),
        ]:
            log_x = low + (high - low) * np.sort((np.arange(m) + rng.uniform(0.1, 0.9, m)) / m)
            off = rng.choice([-1, 1], m) * rng.uniform(0.06, 0.18, m)
            log_loss = rng.uniform(0.8, 1.9) - alpha * log_x + (off if m > 2 else 0.0)
            order = rng.permutation(m)
            x, loss = (torch.tensor(np.exp(one[order]), dtype=torch.float32) for one in (log_x, log_loss))
            yield case(x, loss, label=label)

    def reference(x, loss):
        pairs = [(math.log(u), math.log(v)) for u, v in zip(x.tolist(), loss.tolist(), strict=True)]
        m = len(pairs)
        sum_x, sum_y = sum(u for u, _ in pairs), sum(v for _, v in pairs)
        sum_xx, sum_xy = sum(u * u for u, _ in pairs), sum(u * v for u, v in pairs)
        slope = (m * sum_xy - sum_x * sum_y) / (m * sum_xx - sum_x**2)
        return math.exp((sum_y - slope * sum_x) / m), -slope

    class misconceptions:
        def sign_of_alpha(x, loss):
            """You return the slope itself. alpha is minus the slope: a falling loss has a positive alpha."""
            slope, intercept = _line(*_logs(x, loss))
            return intercept.exp().item(), slope.item()

        def always_positive(x, loss):
            """You take the absolute value of the slope. alpha is minus the slope, negative for a loss that rises."""
            slope, intercept = _line(*_logs(x, loss))
            return intercept.exp().item(), slope.abs().item()

        def a_left_a_logarithm(x, loss):
            """Your a is still a logarithm, the line's intercept. Take its exponential."""
            slope, intercept = _line(*_logs(x, loss))
            return intercept.item(), -slope.item()

        def no_logarithms(x, loss):
            """You fit a straight line to the numbers themselves. A power law is a line between the logarithms of both."""
            slope, intercept = _line(x.double(), loss.double())
            return intercept.item(), -slope.item()

        def no_logarithms_then_exp(x, loss):
            """You fit a line to the numbers themselves and take an exponential. Take the logarithms of both first."""
            slope, intercept = _line(x.double(), loss.double())
            return intercept.exp().item(), -slope.item()

        def logarithm_of_the_loss_only(x, loss):
            """You take the logarithm of the loss only: that is an exponential law. Take that of x, too."""
            slope, intercept = _line(x.double(), loss.double().log())
            return intercept.exp().item(), -slope.item()

        def logarithm_of_x_only(x, loss):
            """You take the logarithm of x only. Take that of the loss, too."""
            slope, intercept = _line(x.double().log(), loss.double())
            return intercept.item(), -slope.item()

        def logarithm_of_x_only_then_exp(x, loss):
            """You take the logarithm of x only, and then an exponential. Take the logarithm of the loss, too."""
            slope, intercept = _line(x.double().log(), loss.double())
            return intercept.exp().item(), -slope.item()

        def base_ten_and_exp(x, loss):
            """You take logarithms to base 10 and come back with exp. Come back with 10 ** ..., or use natural logarithms."""
            slope, intercept = _line(x.double().log10(), loss.double().log10())
            return intercept.exp().item(), -slope.item()

        def base_two_and_exp(x, loss):
            """You take logarithms to base 2 and come back with exp. Come back with 2 ** ..., or use natural logarithms."""
            slope, intercept = _line(x.double().log2(), loss.double().log2())
            return intercept.exp().item(), -slope.item()

        def natural_and_ten(x, loss):
            """You take natural logarithms and come back with 10 ** ... . Their inverse is exp."""
            slope, intercept = _line(*_logs(x, loss))
            return (10**intercept).item(), -slope.item()

        def two_bases(x, loss):
            """The logarithms of x and of the loss have different bases (log10, log). Use one for both."""
            slope, intercept = _line(x.double().log10(), loss.double().log())
            return intercept.exp().item(), -slope.item()

        def x_from_the_loss(x, loss):
            """You fit x as a function of the loss. Fit the loss as a function of x: x goes across, the loss up."""
            slope, intercept = _line(*_logs(loss, x))
            return intercept.exp().item(), -slope.item()

        def x_from_the_loss_turned_round(x, loss):
            """You fit x as a function of the loss and turn the line round. Least squares must be on the loss: fit it from x."""
            slope, intercept = _line(*_logs(loss, x))
            return (-intercept / slope).exp().item(), (-1 / slope).item()

        def through_the_origin(x, loss):
            """Your line has no intercept, so a is always 1. Fit both: a column of ones in the matrix, or take the means off first."""
            log_x, log_loss = _logs(x, loss)
            return 1.0, (-(log_x * log_loss).sum() / (log_x**2).sum()).item()

        def slope_through_the_origin(x, loss):
            """Your slope is that of a line through the origin. Take the mean off log x before you multiply."""
            log_x, log_loss = _logs(x, loss)
            slope = (log_x * log_loss).sum() / (log_x**2).sum()
            return (log_loss.mean() - slope * log_x.mean()).exp().item(), -slope.item()

        def first_and_last(x, loss):
            """You draw the line through the first and the last point only. Least squares uses all of them."""
            log_x, log_loss = _logs(x, loss)
            slope = (log_loss[-1] - log_loss[0]) / (log_x[-1] - log_x[0])
            return (log_loss[0] - slope * log_x[0]).exp().item(), -slope.item()

        def smallest_and_largest(x, loss):
            """You draw the line through the smallest and the largest x only. Least squares uses all points."""
            log_x, log_loss = _logs(x, loss)
            low, high = log_x.argmin(), log_x.argmax()
            slope = (log_loss[high] - log_loss[low]) / (log_x[high] - log_x[low])
            return (log_loss[low] - slope * log_x[low]).exp().item(), -slope.item()

        def alpha_first(x, loss):
            """You return (alpha, a); the order is (a, alpha)."""
            slope, intercept = _line(*_logs(x, loss))
            return -slope.item(), intercept.exp().item()

        def slope_first(x, loss):
            """You return slope and intercept as a line's fit gives them. Return (a, alpha): exp of the intercept, minus the slope."""
            slope, intercept = _line(*_logs(x, loss))
            return slope.item(), intercept.item()

        def unknowns_in_the_other_order(x, loss):
            """You take the slope for the intercept. The solution has one number for each column, in the order of the columns."""
            slope, intercept = _line(*_logs(x, loss))
            return (-slope).exp().item(), intercept.item()

        def intercept_of_the_mean(x, loss):
            """Your a is the mean loss (of the logarithms). The intercept is the mean of log loss minus slope times that of log x."""
            log_x, log_loss = _logs(x, loss)
            slope, _ = _line(log_x, log_loss)
            return log_loss.mean().exp().item(), -slope.item()

        def intercept_with_the_wrong_sign(x, loss):
            """The intercept has a wrong sign in it: it is the mean of log loss minus slope times the mean of log x."""
            log_x, log_loss = _logs(x, loss)
            slope, _ = _line(log_x, log_loss)
            return (log_loss.mean() + slope * log_x.mean()).exp().item(), -slope.item()

        def two_kinds_of_variance(x, loss):
            """Your slope divides one sum by m and the other by m - 1. Use the plain sums, or the same divisor for both."""
            log_x, log_loss = _logs(x, loss)
            covariance = ((log_x - log_x.mean()) * (log_loss - log_loss.mean())).mean()
            slope = covariance / log_x.var()
            return (log_loss.mean() - slope * log_x.mean()).exp().item(), -slope.item()

        def correlation_for_slope(x, loss):
            """You divide by both deviations: that is the correlation. The slope is divided by the square of log x's own."""
            log_x, log_loss = _logs(x, loss)
            one, two = log_x - log_x.mean(), log_loss - log_loss.mean()
            slope = (one * two).sum() / ((one**2).sum() * (two**2).sum()).sqrt()
            return (log_loss.mean() - slope * log_x.mean()).exp().item(), -slope.item()

        def rows_for_columns(x, loss):
            """Your matrix has shape (2, m): one row for each unknown. Put the two vectors side by side: stack along dim=1."""
            return tuple(torch.linalg.lstsq(torch.stack([torch.ones_like(x), -x.log()]), loss.log()).solution.tolist())

        def four_results(x, loss):
            """`lstsq` gives four results, of which you need one: `.solution`."""
            log_a, alpha = torch.linalg.lstsq(torch.stack([torch.ones_like(x), -x.log()], 1), loss.log())
            return log_a, alpha

        def solution_as_it_comes(x, loss):
            """You return the solution as it comes, a tensor with log a in it. Return (a, alpha), two floats."""
            slope, intercept = _line(*_logs(x, loss))
            return torch.stack([intercept, -slope])

        def alpha_only(x, loss):
            """You return alpha only. Return both, (a, alpha)."""
            return -_line(*_logs(x, loss))[0].item()


@question(answer=["b", "d"])
class what_grows:
    """A feed-forward network is replaced by 8 experts of the same size, of which each token uses 2. What grows? Choose all that apply."""

    a = (
        "The arithmetic for one token, about 8 times.",
        "A token goes through 2 experts, not 8. What the other six hold costs it nothing.",
    )
    b = (
        "The memory for this layer's parameters, about 8 times.",
        "Right: the next token may choose any of them, so all 8 have to be at hand.",
    )
    c = (
        "The KV cache, about 8 times.",
        "No: keys and values belong to attention (ch08). Experts look at one token and leave nothing to store.",
    )
    d = (
        "The arithmetic for one token in this layer, about 2 times.",
        "Right: two experts, and a small router. With half as wide experts it would stay as it was.",
    )


@question(answer="c")
class why_collapse:
    """You train experts without a balance loss, and after a while one of them gets most of the tokens. Why does that happen by itself?"""

    a = (
        "Most tokens are alike, so they need the same expert.",
        "Not by need: with the balance loss the same tokens spread over all experts, and the layer does no worse for it.",
    )
    b = (
        "The softmax over the chosen experts prefers large gates.",
        "It only shares out 1 among those that are chosen already. It does not decide who is chosen.",
    )
    c = (
        "An expert learns from its tokens only: who gets more gets better, and is chosen more often.",
        "Right: a small lead at the start grows. Experts that nobody chooses get no gradient and stay as they began.",
    )
    d = (
        "The router's weights are not trained.",
        "They are, through the gates. That is how the lead grows.",
    )


@question(answer="a")
class four_times_the_compute:
    """By the fit of Besiroglu et al. the best N and D both grow nearly as the square root of C = 6 N D. You get four times the compute. What do you do?"""

    a = (
        "Twice as many parameters, on twice as many tokens.",
        "Right: 2 x 2 = 4, and the tokens per parameter stay about the same.",
    )
    b = (
        "Four times as many parameters, on as many tokens.",
        "That spends the compute, too, but leaves the large model with too little to read.",
    )
    c = (
        "As many parameters, on four times as many tokens.",
        "That spends the compute, but the small model has not the room for it. It is done on purpose when serving must be cheap.",
    )
    d = (
        "Four times as many parameters, on four times as many tokens.",
        "That takes 16 times the compute: N and D are multiplied.",
    )


@question(answer=["a", "c"])
class same_numbers:
    """You may change how a trained model computes its attention, but not what it says. Which of these can you use at once? Choose all that apply."""

    a = (
        "A fused kernel that never keeps the whole table of scores (FlashAttention).",
        "Right: the same sums in another order. The softmax is finished block by block.",
    )
    b = (
        "A sliding window of the last 4,096 tokens.",
        "Older tokens cannot be seen any more, at least not in this layer. The model has to be trained with it.",
    )
    c = (
        "Ring attention over four devices.",
        "Right: each device sees all keys and values in turn, and the online softmax joins the parts exactly.",
    )
    d = (
        "Sharing one key-value head among four query heads.",
        "That takes keys and values away. The model has to be trained, or at least trained on, with it.",
    )
