"""ch00 against the `tokenizers` library, `numpy.unique`, `torch.Tensor.unfold`, `torch.nn.RNNCell`, `torch.nn.RNN`."""

from __future__ import annotations

import numpy as np
import pytest
import tokenizers
import torch
from tokenizers import decoders, models, pre_tokenizers

from autograder.exercise import find
from course.supplied import ch00
from tests.lessons.authorities.tools import require_full_points_in_float32, tensor

TEXTS = ["", "a", "To be, or not to be", " first line\n\tsecond line \n", "Zürich 東京, e\u0301!"]
IN_FLOAT32 = {
    "ch00.rnn_step": lambda h, x, w_h, w_x, b: np.tanh(h @ w_h + x @ w_x + b),
    "ch00.run_rnn": find("ch00.run_rnn").reference,
}


@pytest.mark.parametrize("exercise_id", IN_FLOAT32)
def test_a_solution_in_float32_gets_every_point(exercise_id):
    require_full_points_in_float32(exercise_id, IN_FLOAT32[exercise_id])


def character_tokenizer(vocabulary: list[str]) -> tokenizers.Tokenizer:
    """Hugging Face's tokenizer with one token for each character."""
    table = {token: i for i, token in enumerate(vocabulary)}
    made = tokenizers.Tokenizer(models.WordLevel(table, unk_token="none of these"))
    made.pre_tokenizer = pre_tokenizers.Split(tokenizers.Regex(r"[\s\S]"), "isolated")
    made.decoder = decoders.Fuse()
    return made


@pytest.mark.parametrize("text", TEXTS)
def test_ch00_tokens_and_ids_agree_with_the_tokenizers_library(text):
    tokens = find("ch00.tokenize_chars").reference(text)
    vocabulary = find("ch00.build_vocabulary").reference(tokens)
    assert vocabulary == [str(t) for t in np.unique(np.array(tokens, dtype=object))]
    theirs = character_tokenizer(vocabulary)
    encoded = theirs.encode(text)
    assert tokens == encoded.tokens
    ids = find("ch00.encode").reference(text, vocabulary)
    assert ids == encoded.ids
    assert find("ch00.decode").reference(ids, vocabulary) == theirs.decode(ids) == text


@pytest.mark.parametrize(("n", "length"), [(1, 1), (5, 1), (5, 3), (5, 5), (12, 7)])
def test_ch00_windows_agree_with_torch_and_numpy(n, length):
    reference = find("ch00.sliding_windows").reference
    for ids in (np.arange(n) ** 2, np.random.default_rng(n).standard_normal(n)):
        windows = reference(ids, length)
        np.testing.assert_array_equal(windows, torch.from_numpy(ids).unfold(0, length, 1))
        np.testing.assert_array_equal(windows, np.lib.stride_tricks.sliding_window_view(ids, length))
        assert windows.dtype == ids.dtype


def weights_into(layer: torch.nn.Module, suffix: str, w_h: np.ndarray, w_x: np.ndarray, b: np.ndarray) -> None:
    """Copy our weights, which act from the right, into torch's, which act from the left and have two biases."""
    values = {"weight_hh": w_h.T, "weight_ih": w_x.T, "bias_hh": b, "bias_ih": np.zeros_like(b)}
    with torch.no_grad():
        for name, value in values.items():
            getattr(layer, name + suffix).copy_(tensor(value))


@pytest.mark.parametrize(("n", "d", "d_hidden"), [(1, 1, 1), (4, 3, 5), (9, 6, 2)])
def test_ch00_recurrence_agrees_with_torch(n, d, d_hidden):
    rng = np.random.default_rng(n)
    h, x = rng.standard_normal(d_hidden), rng.standard_normal((n, d))
    weights = [rng.standard_normal(shape) for shape in [(d_hidden, d_hidden), (d, d_hidden), (d_hidden,)]]
    cell = torch.nn.RNNCell(d, d_hidden, dtype=torch.float64)
    layer = torch.nn.RNN(d, d_hidden, dtype=torch.float64)
    weights_into(cell, "", *weights)
    weights_into(layer, "_l0", *weights)
    one_step = cell(tensor(x[0]), tensor(h)).detach()
    np.testing.assert_allclose(find("ch00.rnn_step").reference(h, x[0], *weights), one_step, rtol=1e-12, atol=1e-14)
    states = layer(tensor(x), tensor(h)[None])[0].detach()
    np.testing.assert_allclose(find("ch00.run_rnn").reference(h, x, *weights), states, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(ch00.run_rnn(h, x, *weights), states, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", ch00.__all__)
def test_ch00_what_the_course_supplies_gets_every_point(name):
    assert find(f"ch00.{name}").verdict_on(getattr(ch00, name)).passed
