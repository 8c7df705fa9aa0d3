"""Mutants that compute the same as the answer, so that no test can reject them: each with the argument why.

The audit counts them apart. It fails if one of them does not exist any more, or is rejected: then the argument is
wrong, or out of date.
"""

from __future__ import annotations

SAME_WIDTH = "q and k have the same width: otherwise their product, which stands before, raises an error"
LAST_OF_TWO = "the array has two axes, so axis 1 is the last one"
DEFAULT_AXIS = "-1 is the default of `softmax`"
CLEARED = "a blind row needs finite scores, whichever: its weights are made 0 by `* mask`"
EVEN_WIDTH = "the width is even, so the last column is an odd one, which an even slice never reaches"
SWAPPED = "swapping two axes is the same in either order"
ANY_NEGATIVE = "NumPy's reshape takes any negative length, not only -1, for the one to be found"
ONES = "the mask is all ones: `np.where`, `any` and a product take 1 for True"
ONE_AXIS = "an array of one axis is its own transpose"

_RNN_STEP = "return np.tanh(h @ w_h + x @ w_x + b)"
_ATTENTION = "weights = softmax(q @ k.T / np.sqrt(k.shape[-1]), axis=-1)"
_SCORES = "scores = np.where(mask, q @ k.T / np.sqrt(k.shape[-1]), -np.inf)"
_BLIND = "blind = ~mask.any(axis=-1, keepdims=True)"
_WEIGHTS = "weights = softmax(np.where(blind, 0.0, scores), axis=-1) * mask"
_NORM = "return float(np.linalg.norm(np.diag(p) - np.outer(p, p)))"
_SLICES = "slices = x.reshape(len(x), heads, -1)"
_MERGED = "return x.swapaxes(0, 1).reshape(x.shape[1], -1)"
_HEADS_SCORES = "scores = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1])"
_HIDDEN = "scores = np.where(mask, scores, -np.inf)"
_EVERYTHING = "everything = np.ones((len(x), len(memory)), dtype=bool)"
_MASKED = "attended, _ = masked_attention(z @ s['w_q'], z @ s['w_k'], z @ s['w_v'], causal_mask(len(x)))"
_GAP = "return float(np.abs(after - before[order]).max())"
_WAVES = "encoding[:, ::2], encoding[:, 1::2] = (np.sin(angles), np.cos(angles))"
_PAIRS = "for even in range(0, d_model, 2):"
_TURN = "angles = np.outer(positions, base ** (-np.arange(0, d, 2) / d)).repeat(2, axis=1)"
_PARTNER = "partner = np.stack([-x[:, 1::2], x[:, ::2]], axis=-1).reshape(x.shape)"
_CROSS = "x = x + cross_attention(z, memory, c['w_q'], c['w_k'], c['w_v']) @ c['w_o']"

EMPTY = "a tensor of no entries: there is nothing that could be 0 or 1"
ONE_LENGTH = "keys and values of a layer always have one shape"
ONE_AXIS = "a vector is its own transpose (torch only warns of it)"
OWN_BY_NOW = "x is by now a tensor of the function's own, which nobody else sees"

_KEYS, _VALUES = (
    f"self.{name} = [torch.zeros(heads, 0, d_head) for _ in range(layers)]" for name in ("keys", "values")
)
_BYTES = "return sum((tensor.nbytes for tensor in self.keys + self.values))"
_CACHED_SCORES = "scores = q[:, None] @ keys.mT / math.sqrt(q.shape[-1])"
_PROJECTED = "q, k, v = ((z @ a[name]).reshape(heads, -1) for name in ('w_q', 'w_k', 'w_v'))"
_LOOKED = "x = x + attend_to_cache(q, keys, values).reshape(-1) @ a['w_o']"

ONE_FOR_EACH = "there is one loss for each x"
NUMBER = "a tensor of no axes is a number"
_GATES = "return (indices, chosen.softmax(dim=-1))"
_ADDED = "output[token] += gates[token, place, None] * feed_forward(x[token], expert)"
_BALANCE = "return experts * (share * logits.softmax(dim=-1).mean(dim=0)).sum()"
_COLUMNS = "columns = torch.stack([torch.ones_like(x), -x.log()], dim=1)"
_FITTED = "return (log_a.exp().item(), alpha.item())"

LAST_OF_THREE = "the array has three axes, so axis 2 is the last one"
SQUARE = "attention has a row and a column for each token"
_BEFORE = "return attention.diagonal(-1, 1, 2).mean(dim=-1)"
_PERIOD = "if not 1 <= period < attention.shape[-1]:"
_INDUCTION = "return attention.diagonal(1 - period, 1, 2)[:, 1:].mean(dim=-1)"

STILL_TINY = "a step of 1e-5 and one of twice or half of it give the same slope to ten digits"
EVERY_PLACE = "every place is written to, whatever stood there"
TARGETS = "there is one target for each row of logits"
EITHER_WAY = "a dot product is the same in either order"
ALIKE = "query and key of a head are equally wide"

_MEASURE = "def numeric_gradient(f, x: np.ndarray, eps: float=1e-05) -> np.ndarray:"
_AT_TARGETS = "gradient[np.arange(len(targets)), targets] -= 1.0"
_TABLE = "grad_embed = embedding_backward(grad_x.reshape(*pairs.shape, -1), pairs, len(p['embed']))"
_SUMMED = "cell = trace['embed'][row, column] + trace['position'][row, column]"
_QUERY = "trace['blocks.0.norm_1'][row]", "block['attention']['w_q'][:, column]"
_INSIDE = "trace['blocks.0.norm_2'][row]", "block['ffn']['w_1'][:, column]"
_FETCHED = "trace['blocks.0.attention.weights'][head, row]", "of_head('value')[:, column]"
_COMPARED = "query, key = (of_head('query')[row], of_head('key')[column])"
_SCORED = "cell = query @ key / math.sqrt(len(query))"
_WIDTH = "chosen, width, effects = (logits.argmax(), mix.shape[1] // heads, [])"
_CHUNKS = "for part in ids.split(chunk or ids.shape[1], dim=1):"
_ONE_COLUMN = "logits = reader(written[:, step, None], places, mask, cache)[:, -1]"
_SAME = "while same < min(len(known), len(ids) - 1) and known[same] == ids[same]:"


def _dot(left: str, right: str, rest: str = "") -> list[tuple[str, str, str, str]]:
    """The ways to write the dot product of two vectors, where the answer has `cell = left @ right`."""
    product = f"{left} @ {right}"
    ways = {f"{right} @ {left}": EITHER_WAY, f"{left}.T @ {right}": ONE_AXIS, f"{left} @ {right}.T": ONE_AXIS}
    return [(f"cell = {product}{rest}", product, way, why) for way, why in ways.items()]


WHOLE_ANSWERS = "`write` gives as many lines as it gets questions"
EITHER_ORDER = "a sum is the same in either order"
_ANSWER = "return int(answer) if found and answer.endswith('\\n') and answer[:-1].isdigit() else None"

# Exercise -> the statement in the answer, the part of it that is changed, what stands there instead, and why.
EITHER_ORDER = "the larger, or smaller, of two is the same in either order"
_MADE = "output, lse = (np.zeros((len(q), v.shape[1])), np.zeros(len(q)))"
_FRESH = "top, total = (np.full(len(q_tile), -np.inf), np.zeros(len(q_tile)))"
_MIXED = "mixed = np.zeros((len(q_tile), v.shape[1]))"
_TILE_SCORES = "scores = q_tile @ k[j:j + block_k].T / np.sqrt(q.shape[1])"
OF_NOTHING = "what is summed before the first block is multiplied by exp(-inf), which is 0"
ANY_SHIFT = "exp(-inf - c) is 0, whatever the number c"
SEES_ALL = "the last query sees every key, and so would one that is even later"
_STARTED = "top, total, tops, totals = (-np.inf, 0.0, [], [])"
_SHIFTED = "shift = new if new > -np.inf else 0.0"
_HIGHER = "new = np.maximum(top, scores.max(axis=1))"
_SAFE = "shift = np.where(new > -np.inf, new, 0.0)"
_SEEN = "return (new, total * fade + powers.sum(axis=1), mixed * fade[:, None] + powers @ values)"
_QUERIES = "first, last = (a * block_q, min((a + 1) * block_q, n) - 1)"
_KIND = "tiles[a, b] = int(begin <= last + m - n) + int(end <= first + m - n)"

_TURNED_SCORES = "rotate(q, places, speeds) @ rotate(k, places, speeds).mT"
_SCORES_TWICE = f"before, after = ({_TURNED_SCORES} for places in (positions, positions + shift))"
_TURNED = "return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten(-2)"
_LARGEST_GAP = "return float((after - before).abs().max())"
EITHER_SIGN = "the absolute value of a difference is the same in either direction"
_STEPS_TO_FAULT = "steps = wanted[:place + 1].partition('=')[2]"
_RESULTS = "for pair, good in zip(pairs, right, strict=True):"
_TRIES = "for (x, y), lines in zip(pairs, attempts, strict=True):"
ONE_RESULT = "an exam has one result for each pair"
ONE_LIST = "there is one list of attempts for each pair"

_LISTED: dict[str, list[tuple[str, str, str, str]]] = {
    "ch00.rnn_step": [(_RNN_STEP, "h @", "h.T @", ONE_AXIS), (_RNN_STEP, "x @", "x.T @", ONE_AXIS)],
    "ch02.scaled_dot_product_attention": [
        (_ATTENTION, ", axis=-1", "", DEFAULT_AXIS),
        (_ATTENTION, "axis=-1", "axis=1", LAST_OF_TWO),
        (_ATTENTION, "k.shape[-1]", "k.shape[1]", LAST_OF_TWO),
        (_ATTENTION, "k.shape", "q.shape", SAME_WIDTH),
    ],
    "ch02.softmax_grad_norm": [
        (_NORM, _NORM, "return np.linalg.norm(np.diag(p) - np.outer(p, p))", "NumPy's float64 is a float"),
        (_NORM, "np.diag(p) - np.outer(p, p)", "np.outer(p, p) - np.diag(p)", "a norm forgets the sign"),
        (_NORM, "np.diag(p) - np.outer(p, p)", "-(np.diag(p) - np.outer(p, p))", "a norm forgets the sign"),
    ],
    "ch03.split_heads": [
        (_SLICES, "-1", "-2", ANY_NEGATIVE),
        ("return slices.swapaxes(0, 1)", "0, 1", "1, 0", SWAPPED),
    ],
    "ch03.merge_heads": [
        (_MERGED, "0, 1", "1, 0", SWAPPED),
        (_MERGED, "-1", "-2", ANY_NEGATIVE),
    ],
    "ch03.multi_head_attention": [
        (_HEADS_SCORES, "1, 2", "2, 1", SWAPPED),
        (_HEADS_SCORES, "1, 2", "1, -1", "the array has three axes, so axis 2 is the last one"),
        (_HEADS_SCORES, "q.shape", "k.shape", "queries, keys and values of a head are all d_head wide"),
        (_HEADS_SCORES, "q.shape", "v.shape", "queries, keys and values of a head are all d_head wide"),
        (_HIDDEN, "np.inf", "1000000000.0", "exp(s - max) is 0 for s = -1e9 as for -inf, unless scores come near -1e9; "
         "many libraries use it, and no row of the mask is all False"),
    ],
    "ch03.attention_cost": [
        ("d_head = d_model // heads", "//", "/", "heads divides d_model, and a float of the same value counts as much"),
    ],
    "ch04.permutation_gap": [
        (_GAP, _GAP, "return np.abs(after - before[order]).max()", "NumPy's float64 is a float"),
        (_GAP, "after - before[order]", "before[order] - after", "an absolute value forgets the sign"),
        (_GAP, "after - before[order]", "-(after - before[order])", "an absolute value forgets the sign"),
    ],
    "ch04.sinusoidal_encoding": [
        ("encoding = np.zeros((n, d_model))", "zeros", "ones", "every entry is written afterwards"),
        (_WAVES, "[:, ::2]", "[:, :-1:2]", EVEN_WIDTH),
    ],
    "ch04.offset_matrix": [(_PAIRS, "d_model", "d_model - 1", EVEN_WIDTH)],
    "ch04.apply_rope": [
        (_TURN, "axis=1", "axis=-1", LAST_OF_TWO),
        (_PARTNER, "[:, ::2]", "[:, :-1:2]", EVEN_WIDTH),
        (_PARTNER, "x.shape", "angles.shape", "there is one angle for each entry of x"),
    ],
    "ch06.masked_attention": [
        (_SCORES, "k.shape[-1]", "k.shape[1]", LAST_OF_TWO),
        (_SCORES, "k.shape", "q.shape", SAME_WIDTH),
        (_SCORES, "np.inf", "1000000000.0", "exp(s - max) is 0 for s = -1e9 as for -inf, unless scores come near "
         "-1e9; many libraries use it, and blind rows are cleared either way, so no case goes there on purpose"),
        (_BLIND, "axis=-1", "axis=1", LAST_OF_TWO),
        (_WEIGHTS, ", axis=-1", "", DEFAULT_AXIS),
        (_WEIGHTS, "axis=-1", "axis=1", LAST_OF_TWO),
        (_WEIGHTS, "0.0", "1.0", CLEARED),
        (_WEIGHTS, "0.0", "-1.0", CLEARED),
        (_WEIGHTS, "0.0", "blind", CLEARED),
    ],
    "ch06.cross_attention": [
        (_EVERYTHING, ", dtype=bool", "", ONES),
        (_EVERYTHING, "dtype=bool", "dtype=int", ONES),
        (_EVERYTHING, "dtype=bool", "dtype=float", ONES),
    ],
    "ch06.decoder_block": [
        (_MASKED, "len(x)", "len(z)", "z is the norm of x and has its shape"),
        (_CROSS, "x = x +", "x +=", "x is by now an array of the function's own, which nobody else sees"),
    ],
    "ch08.KVCache": [
        (_KEYS, "zeros", "ones", EMPTY),
        (_VALUES, "zeros", "ones", EMPTY),
        ("return self.keys[layer].shape[1]", "keys", "values", ONE_LENGTH),
        (_BYTES, "self.keys + self.values", "self.values + self.values", ONE_LENGTH),
        (_BYTES, "self.keys + self.values", "self.keys + self.keys", ONE_LENGTH),
    ],
    "ch08.attend_to_cache": [
        (_CACHED_SCORES, "q.shape", "keys.shape", SAME_WIDTH),
        (_CACHED_SCORES, "q.shape", "values.shape", "all three are cut into heads of one width, d_head"),
        (_CACHED_SCORES, "[-1]", "[1]", LAST_OF_TWO),
        ("return (scores.softmax(dim=-1) @ values)[:, 0]", "[:, 0]", "[:, -1]", "the axis has length 1"),
    ],
    "ch08.decode_step": [
        (_PROJECTED, "z @", "z.T @", ONE_AXIS),
        (_LOOKED, "x = x +", "x +=", OWN_BY_NOW),
        (_LOOKED, "reshape(-1) @", "reshape(-1).T @", ONE_AXIS),
        ("x = x + feed_forward(norm(x, block['norm_2']), block['ffn'])", "x = x +", "x +=", OWN_BY_NOW),
        ("return norm(x, p['norm']) @ p['embed'].T", "['norm'])", "['norm']).T", ONE_AXIS),
    ],
    "ch09.top_k_gating": [(_GATES, "dim=-1", "dim=1", LAST_OF_TWO)],
    "ch09.moe_forward": [
        (_ADDED, "place, None]", "None, place]", "an index between two vectors of indices: their axis comes first, so "
         "None makes a column of it either way"),
    ],
    "ch09.load_balance_loss": [
        ("experts = logits.shape[-1]", "[-1]", "[1]", LAST_OF_TWO),
        (_BALANCE, "softmax(dim=-1)", "softmax(dim=1)", LAST_OF_TWO),
    ],
    "ch09.fit_power_law": [
        (_COLUMNS, "ones_like(x)", "ones_like(loss)", ONE_FOR_EACH),
        (_COLUMNS, "dim=1", "dim=-1", "the stacked table has two axes, so axis 1 is the last one"),
        (_FITTED, "exp().item()", "exp()", NUMBER),
        (_FITTED, "alpha.item()", "alpha", NUMBER),
    ],
    "ch10.previous_token_score": [
        (_BEFORE, "1, 2)", "1, -1)", LAST_OF_THREE),
        (_BEFORE, "dim=-1", "dim=1", LAST_OF_TWO),
    ],
    "ch10.induction_score": [
        (_PERIOD, "shape[-1]", "shape[1]", SQUARE),
        (_PERIOD, "shape[-1]", "shape[-2]", SQUARE),
        (_INDUCTION, "1, 2)", "1, -1)", LAST_OF_THREE),
        (_INDUCTION, "dim=-1", "dim=1", LAST_OF_TWO),
    ],
    "m02.numeric_gradient": [
        (_MEASURE, "1e-05", "-1e-05", "the two ends change places, and so do the signs of difference and way"),
        (_MEASURE, "1e-05", "2e-05", STILL_TINY),
        (_MEASURE, "1e-05", "5e-06", STILL_TINY),
        ("gradient = np.zeros_like(x)", "zeros", "ones", EVERY_PLACE),
        ("for place in np.ndindex(x.shape):", "x.shape", "gradient.shape", "the gradient has the shape of x"),
        ("up, down = (x.copy(), x.copy())", "up, down", "down, up", "both are copies of x"),
    ],
    "m02.softmax_cross_entropy_backward": [
        (_AT_TARGETS, "len(targets)", "len(logits)", TARGETS),
        (_AT_TARGETS, "len(targets)", "len(gradient)", TARGETS),
        ("return gradient / len(targets)", "len(targets)", "len(logits)", TARGETS),
        ("return gradient / len(targets)", "len(targets)", "len(gradient)", TARGETS),
    ],
    "m02.network_forward": [
        ("x = p['embed'][pairs].reshape(len(pairs), -1)", "-1", "-2", ANY_NEGATIVE),
        ("a = np.maximum(z, 0.0)", "z, 0.0", "0.0, z", "the larger of two numbers is the same in either order"),
    ],
    "m02.network_backward": [
        ("grad_z = relu_backward(grad_a, saved['z'])", "'z'", "'a'", "a is above 0 exactly where z is"),
        (_TABLE, "-1", "-2", ANY_NEGATIVE),
    ],
    "m02.train_step": [
        ("new_p, new_states = ({}, {})", "new_p, new_states", "new_states, new_p", "both are empty dictionaries"),
        ("for name in p:", "p", "states", "parameters, states and gradients have the same keys"),
        ("for name in p:", "p", "gradients", "parameters, states and gradients have the same keys"),
    ],
    "m22.online_softmax": [
        (_STARTED, "tops, totals", "totals, tops", "both are empty lists"),
        (_STARTED, "0.0", "1.0", OF_NOTHING),
        (_STARTED, "0.0", "-1.0", OF_NOTHING),
        ("new = max(top, tile.max())", "top, tile.max()", "tile.max(), top", EITHER_ORDER),
        (_SHIFTED, "new > -np.inf", "new != -np.inf", "nothing is below -inf"),
        (_SHIFTED, "else 0.0", "else 1.0", ANY_SHIFT),
        (_SHIFTED, "else 0.0", "else -1.0", ANY_SHIFT),
        ("tops.append(top)", "top)", "new)", "top is new by now"),
    ],
    "m22.add_tile": [
        (_HIGHER, "top, scores.max(axis=1)", "scores.max(axis=1), top", EITHER_ORDER),
        (_HIGHER, "axis=1", "axis=-1", LAST_OF_TWO),
        (_SAFE, "0.0)", "new > -np.inf)", "False counts as 0"),
        (_SAFE, "new > -np.inf", "new != -np.inf", "nothing is below -inf"),
        (_SAFE, "0.0)", "1.0)", ANY_SHIFT),
        (_SAFE, "0.0)", "-1.0)", ANY_SHIFT),
        (_SEEN, "axis=1", "axis=-1", LAST_OF_TWO),
    ],
    "m22.causal_tiles": [
        ("tiles = np.zeros((-(-n // block_q), -(-m // block_k)), dtype=int)", "np.zeros", "np.ones",
         "every tile is set"),
        (_QUERIES, "min((a + 1) * block_q, n) - 1", "(a + 1) * block_q - 1", SEES_ALL),
        (_QUERIES, "(a + 1) * block_q, n)", "(a + 1) * block_q, (a + 1) * block_q)", SEES_ALL),
        (_QUERIES, "(a + 1) * block_q, n)", "n, (a + 1) * block_q)", EITHER_ORDER),
        ("begin, end = (b * block_k, min((b + 1) * block_k, m) - 1)", "(b + 1) * block_k, m)", "m, (b + 1) * block_k)",
         EITHER_ORDER),
        (_KIND, "int(begin <= last + m - n)", "(begin <= last + m - n)", "True counts as 1"),
        (_KIND, "int(end <= first + m - n)", "(end <= first + m - n)", "True counts as 1"),
    ],
    "m22.tiled_attention": [
        (_MADE, "np.zeros((len(q), v.shape[1]))", "np.ones((len(q), v.shape[1]))", "every row is set"),
        (_MADE, "np.zeros(len(q))", "np.ones(len(q))", "every row is set"),
        (_MADE, "v.shape[1]", "v.shape[-1]", LAST_OF_TWO),
        (_FRESH, "np.full(len(q_tile), -np.inf)", "-np.inf", "a number is taken for every row"),
        (_FRESH, "np.zeros(len(q_tile))", "len(q_tile)", OF_NOTHING),
        (_FRESH, "np.zeros", "np.ones", OF_NOTHING),
        (_MIXED, "np.zeros", "np.ones", OF_NOTHING),
        (_MIXED, "len(q_tile)", "len(top)", "one for each query of the tile"),
        (_MIXED, "len(q_tile)", "len(total)", "one for each query of the tile"),
        (_MIXED, "v.shape[1]", "output.shape[1]", "the output is as wide as the values"),
        (_MIXED, "v.shape[1]", "v.shape[-1]", LAST_OF_TWO),
        ("for j in range(0, len(k), block_k):", "len(k)", "len(v)", "there is a value for each key"),
        (_TILE_SCORES, "q.shape[1]", "k.shape[1]", SAME_WIDTH),
        (_TILE_SCORES, "q.shape[1]", "q_tile.shape[1]", "a tile of queries is as wide as all of them"),
        (_TILE_SCORES, "q.shape[1]", "q.shape[-1]", LAST_OF_TWO),
    ],
    "m26.recompute_cell": [
        (_SUMMED, "trace['position']", "p['position']", "what that stage gives are the first rows of the table"),
        *_dot(*_QUERY),
        *_dot(*_INSIDE, " + block['ffn']['b_1'][column]"),
        ("return float(cell)", "float(cell)", "cell", NUMBER),
    ],
    "m26.recompute_attention_cell": [
        ("return trace[f'blocks.0.attention.{name}'].chunk(len(masked), dim=1)[head]", "dim=1", "dim=-1", LAST_OF_TWO),
        (_COMPARED, "query, key =", "key, query =", EITHER_WAY),
        (_COMPARED, "of_head('query')[row], of_head('key')[column]", "of_head('key')[column], of_head('query')[row]",
         EITHER_WAY),
        *_dot("query", "key", " / math.sqrt(len(query))"),
        (_SCORED, "len(query)", "len(key)", ALIKE),
        ("cell = masked[head, row].softmax(dim=0)[column]", "dim=0", "dim=-1", "a vector has one axis"),
        *_dot(*_FETCHED),
        ("return float(cell)", "float(cell)", "cell", NUMBER),
    ],
    "m26.head_effects": [
        (_WIDTH, "mix.shape[1]", "mix.shape[-1]", LAST_OF_TWO),
        (_WIDTH, "mix.shape", "instead.shape", "both are of one shape, or one could not stand in for the other"),
        (_WIDTH, "mix.shape[1]", "(mix.shape[1] + 1)",
         "two heads or more divide the width and not one more; one head's slice ends with the row"),
    ],
    "m18.read_answer": [
        (_ANSWER, "answer.endswith('\\n')", "line.endswith('\\n')", "the answer ends where the line does"),
    ],
    "m18.evaluate_pairs": [
        ("right, exact, wrong = (0, 0, [])", "right, exact", "exact, right", "both begin as 0"),
        ("for (x, y), line in zip(part, written, strict=True):", ", strict=True", "", WHOLE_ANSWERS),
        ("for (x, y), line in zip(part, written, strict=True):", "True", "False", WHOLE_ANSWERS),
    ],
    "m18.count_carries": [
        ("a, b = (a // 10, b // 10)", "a, b =", "b, a =", EITHER_ORDER),
        ("a, b = (a // 10, b // 10)", "a // 10, b // 10", "b // 10, a // 10", EITHER_ORDER),
    ],
    "m18.errors_by_group": [
        ("for group, bad in zip(groups, wrong, strict=True):", ", strict=True", "", "each problem is right or wrong"),
        ("for group, bad in zip(groups, wrong, strict=True):", "True", "False", "each problem is right or wrong"),
    ],
    "m21.places_and_mask": [
        ("mask = (keys <= queries[:, None]) & text | (keys == queries[:, None])", "<=", "<",
         "a token's own slot is True by what follows"),
    ],
    "m21.prefill": [
        (_CHUNKS, "ids.shape[1]", "ids.shape[1] + 1", "wider than the prompts: one piece in either case"),
        (_CHUNKS, "ids.shape[1]", "ids.shape[-1]", LAST_OF_TWO),
        (_CHUNKS, "dim=1", "dim=-1", LAST_OF_TWO),
        ("places, mask = places_and_mask(cache.padding, cache.used, part.shape[1])", "shape[1]", "shape[-1]",
         LAST_OF_TWO),
    ],
    "m21.decode": [
        ("going = torch.ones(len(logits), dtype=torch.bool)", "logits", "written", "both have a row for each request"),
        ("for step in range(count):", "count", "count + 1", "the loop is left at the last column"),
        ("written[:, step] = torch.where(going, logits.argmax(dim=-1), stop)", "dim=-1", "dim=1", LAST_OF_TWO),
        ("if step == count - 1 or not going.any():", "==", ">=", "the loop is left there, so step is never larger"),
        ("break", "break", "continue",
         "nothing can go on: it is the last step, or all rows have ended and write what stands there already"),
        (_ONE_COLUMN, "written[:, step, None]", "written[:, None, step]", "an axis of length 1, before or behind"),
        (_ONE_COLUMN, "[:, -1]", "[:, 0]", "the call has one column"),
    ],
    "m21.roll_back": [
        ("for row, move in enumerate(moves.tolist()):", "moves.tolist()", "moves", "roll takes a tensor of one number"),
        *((f"cache.{x}[:, row] = cache.{x}[:, row].roll(move, dims=2)", "dims=2", "dims=-2",
           "the slots are the third of four axes") for x in "kv"),
        ("cache.padding = cache.padding + moves", "= cache.padding + moves", "+= moves",
         "the cache's padding is its own: nobody else holds it"),
        ("cache.used -= int(rejected.min())", "int(rejected.min())", "rejected.min()", NUMBER),
    ],
    "m21.read_with_memo": [
        (_SAME, "same <", "same !=", "same grows by 1 from 0, so it meets the end"),
        (_SAME, "min(len(known), len(ids) - 1)", "min(len(ids) - 1, len(known))", "the smaller of two"),
        (_SAME, "len(ids) - 1", "len(prompt) - 1", "the ids are the prompt's"),
        (_SAME, "== ids[same]", "== prompt[same]", "the ids are the prompt's"),
        ("if same > shared:", ">", ">=", "equally good ones: either will do; of 0 tokens nothing is taken"),
        ("places, mask = places_and_mask(cache.padding, shared, len(ids) - shared)", "len(ids)", "len(prompt)",
         "the ids are the prompt's"),
        ("return scores[0, -1]", "scores[0", "scores[-1", "the batch has one row"),
    ],
    "m19.rotate_complex": [
        (_TURNED, "ones_like(angles)", "ones_like(speeds)",
         "polar broadcasts its two arguments, and all lengths are 1"),
    ],
    "m19.shift_gap": [
        (_SCORES_TWICE, "before, after =", "after, before =", EITHER_SIGN),
        (_SCORES_TWICE, "(positions, positions + shift)", "(positions + shift, positions)", EITHER_SIGN),
        (_SCORES_TWICE, f"{_TURNED_SCORES} for", f"-({_TURNED_SCORES}) for", EITHER_SIGN),
        (_LARGEST_GAP, "float((after - before).abs().max())", "(after - before).abs().max()", NUMBER),
        (_LARGEST_GAP, "after - before", "before - after", EITHER_SIGN),
        (_LARGEST_GAP, "(after - before)", "(-(after - before))", EITHER_SIGN),
    ],
    "m20.zero_padded": [("if max(x, y) >= 10 ** digits:", "max(x, y)", "max(y, x)", EITHER_ORDER)],
    "m20.curriculum_batch": [
        ("now, end = (0, stages[0][1])", "[1]", "[-1]", "a stage is a pair, so 1 is its last place"),
        ("end += stages[now][1]", "[1]", "[-1]", "a stage is a pair, so 1 is its last place"),
        ("while step >= end and now < len(stages) - 1:", "now <", "now !=",
         "now grows by 1 from 0, so it meets the end"),
    ],
    "m20.product_carries": [
        ("for place in range(digits):", "digits", "digits + 1",
         "the digit before the first one of y is 0: a row of zeros"),
        ("for column in range(digits):", "digits", "digits + 1",
         "before the first digit of x stands a 0, and what is carried into its column is below 10"),
        ("carries += carry > 0", ">", "!=", "what is carried is never negative"),
        ("carries += count_carries(total, row)", "total, row", "row, total", "a sum carries alike in either order"),
    ],
    "m20.first_fault": [
        ("return None", "None", "place", "it stands where place is None"),
        (_STEPS_TO_FAULT, "[:place", "[1:place", "a line begins with a digit, which no sign is looked for in"),
        (_STEPS_TO_FAULT, "[2]", "[-1]", "partition gives three parts, so 2 is the last place"),
    ],
    "m20.ErrorBook": [
        (_RESULTS, ", strict=True", "", ONE_RESULT),
        (_RESULTS, "True", "False", ONE_RESULT),
        ("count = min(int(share * len(fresh)), len(self.pairs))", "int(share * len(fresh)), len(self.pairs)",
         "len(self.pairs), int(share * len(fresh))", EITHER_ORDER),
    ],
    "m20.rejection_sample": [
        (_TRIES, "(x, y)", "(y, x)", "a product is the same in either order"),
        (_TRIES, ", strict=True", "", ONE_LIST),
        (_TRIES, "True", "False", ONE_LIST),
    ],
}  # fmt: skip

# Exercise -> name of the mutant (`Mutant.name`) -> why.
EQUIVALENTS: dict[str, dict[str, str]] = {
    exercise_id: {f"{line} => {line.replace(part, instead)}": why for line, part, instead, why in listed}
    for exercise_id, listed in _LISTED.items()
}
