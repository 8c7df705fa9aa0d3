"""The text of a product, and what an evaluation counts."""

from __future__ import annotations

import doctest

import pytest
import torch

from course.lab import generation, multiplication
from course.lab.decoder import Config, Decoder
from course.lab.multiplication import (
    IGNORED,
    VOCABULARY,
    all_pairs,
    answer,
    decode,
    encode,
    evaluate,
    lines,
    misread,
    prompt,
    split,
    targets,
    written,
)


@pytest.mark.parametrize("module", [multiplication, generation], ids=lambda m: m.__name__)
def test_the_examples_hold(module):
    results = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.attempted
    assert not results.failed


@pytest.mark.parametrize(("digits", "length"), [(1, 10), (2, 25), (3, 46), (4, 73)])
def test_lines_of_as_many_digits_are_equally_long(digits, length):
    top = 10**digits - 1
    assert {len(written(x, y, digits)) for x, y in [(0, 0), (top, top), (top, 0), (1, top)]} == {length}


@pytest.mark.parametrize("digits", [1, 2, 3, 4])
def test_every_step_of_a_line_is_true(digits):
    """Each row is x times a digit in its place, each sum the sum of what stands before it: checked as numbers."""
    for x, y in torch.randint(10**digits, (200, 2), generator=torch.Generator().manual_seed(1)).tolist():
        question, _, rest = written(x, y, digits).partition("=")
        assert [int(n) for n in question.split("*")] == [x, y]
        thought, _, result = rest.partition(";")
        first, *others = thought.split("+")
        numbers = [[int(n[::-1]) for n in pair.split("=")] for pair in others]
        rows, sums = [int(first[::-1])] + [r for r, _ in numbers], [s for _, s in numbers]
        assert rows == [x * int(digit) * 10**i for i, digit in enumerate(f"{y:0{digits}d}"[::-1])]
        assert sums == [sum(rows[: i + 2]) for i in range(len(sums))]
        assert int(result) == x * y


@pytest.mark.parametrize("thought", [True, False])
def test_the_answer_is_read_back(thought):
    for x, y in split(all_pairs(2), 0.05, seed=1)[0].tolist():
        assert answer(written(x, y, 2, thought), thought) == x * y


@pytest.mark.parametrize(
    "text", ["", "12*34=840+0630=8040\n", "12*34=840;0408", "12*34=840;\n", "12*34=840;04+8\n", "1=2;3\n4;5\n"]
)
def test_what_gives_no_answer_is_none(text):
    assert answer(text) is None


def test_text_becomes_ids_and_ids_become_text():
    rows = lines(all_pairs(1), digits=1)
    assert rows.shape == (100, 10)
    assert rows.dtype == torch.int64
    assert [decode(row) for row in rows] == [written(x, y, 1) for x in range(10) for y in range(10)]
    with pytest.raises(ValueError, match="knows no '-'"):
        encode(["1-2="])


def test_only_what_follows_the_prompt_counts():
    rows = lines(torch.tensor([[12, 34], [99, 7]]), 2)
    inputs, following = targets(rows, 2)
    assert torch.equal(inputs, rows[:, :-1])
    counted = following != IGNORED
    assert decode(following[0][counted[0]]) == "840+0630=8040;0408\n"
    assert counted.sum(1).tolist() == [19, 19]
    assert torch.equal(targets(rows, 2, masked=False)[1], rows[:, 1:])
    assert torch.equal(rows, lines(torch.tensor([[12, 34], [99, 7]]), 2)), "the lines themselves stay as they were"


def test_a_split_shares_out_all_pairs():
    train, held = split(all_pairs(2), 0.3, seed=4)
    assert (len(train), len(held)) == (3000, 7000)
    both = torch.cat([train, held]).unique(dim=0)
    assert torch.equal(both, all_pairs(2))
    assert torch.equal(split(all_pairs(2), 0.3, seed=4)[0], train)
    assert not torch.equal(split(all_pairs(2), 0.3, seed=5)[0], train)
    assert 40 < train.float().mean() < 59, "not the first ones in order"
    for share in (0, 1.1):
        with pytest.raises(ValueError, match="a share lies"):
            split(all_pairs(1), share, seed=0)


def test_an_evaluation_tells_wrong_steps_from_wrong_answers(monkeypatch):
    said = {
        (3, 4): "3*4=21;12\n",
        (5, 6): "5*6=13;30\n",  # a wrong step, by luck a right answer
        (7, 8): "7*8=65;57\n",
        (9, 9): "9*9=18;8",  # cut off
    }
    monkeypatch.setattr(multiplication, "worked_out", lambda m, pairs, *_: [said[tuple(p)] for p in pairs.tolist()])
    score = evaluate(None, torch.tensor(list(said)), digits=1, batch=3)
    assert (score.total, score.right, score.exact, score.errors) == (4, 2, 1, 2)
    assert score.wrong == [(7, 8, said[7, 8]), (9, 9, said[9, 9])]


@pytest.fixture(scope="module")
def taught() -> Decoder:
    """A model that has read the products of one digit for a moment: it knows some of them and not the others."""
    model = Decoder(Config(len(VOCABULARY), d_model=32, layers=1, heads=2, d_ff=64, length=10))
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    inputs, following = targets(lines(all_pairs(1), 1), 1)
    for _ in range(70):
        torch.nn.functional.cross_entropy(model(inputs).mT, following).backward()
        optimiser.step()
        optimiser.zero_grad()
    return model


def test_reading_the_right_text_and_writing_it_alone_come_to_the_same(taught):
    """No token of a line is misread exactly if the line is written without a fault: until then both read the same."""
    score = evaluate(taught, all_pairs(1), 1)
    assert 5 < score.exact < 95
    assert misread(taught, lines(all_pairs(1), 1), 1) == 100 - score.exact
    assert evaluate(taught, all_pairs(1), 1, batch=7) == score


def test_generation_is_that_of_one_row_at_a_time_without_a_cache(taught):
    """Prompts of several lengths, rows that end early and rows that never do."""
    texts = [prompt(x, y, 1)[: 3 + x % 2] for x, y in all_pairs(1).tolist()]
    rows = [encode([t])[0] for t in texts]
    ids, padding = generation.left_padded(rows)
    for stop in (VOCABULARY.index(";"), VOCABULARY.index("1"), VOCABULARY.index("*")):
        ours = generation.greedy(taught, ids, 4, stop, padding)
        assert torch.equal(ours, torch.stack([slowly(taught, row, 4, stop) for row in rows]))


def slowly(model: Decoder, ids: torch.Tensor, count: int, stop: int) -> torch.Tensor:
    """The same by reading all again for each token."""
    said = []
    while len(said) < count and stop not in said:
        said.append(int(model(torch.cat([ids, torch.tensor(said, dtype=torch.int64)])[None])[0, -1].argmax()))
    return torch.tensor(said + [stop] * (count - len(said)))


def test_rows_that_have_ended_cost_no_more(taught, monkeypatch):
    """Sixty lines lack only the ";" and the others two digits more: they go on alone, and nothing runs after them."""
    sizes, forward = [], Decoder.forward
    monkeypatch.setattr(Decoder, "forward", lambda self, ids, *a: sizes.append(len(ids)) or forward(self, ids, *a))
    rows = [encode([written(x, y, 1)[: 6 if y < 6 else 4]])[0] for x, y in all_pairs(1).tolist()]
    ids, padding = generation.left_padded(rows)
    generation.greedy(taught, ids, 6, VOCABULARY.index(";"), padding)
    assert sizes == [100, 40, 40]
