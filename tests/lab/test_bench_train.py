"""The training's benchmark: what it prints is what was measured in this run."""

import json
import re

import pytest
import torch

from course.lab.training import Recipe
from tools import bench_train
from tools.bench_train import BATCH, LARGE, SMALL, Speed, speed


@pytest.fixture(autouse=True)
def one_thread():
    """The benchmark sets the threads of its process."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def numbers(row: str) -> list[float]:
    """The numbers in a line of a table, without its first column."""
    return [float(cell.strip(" %").replace(",", "")) for cell in row.strip("|").split("|")[1:]]


@pytest.mark.slow
def test_it_prints_speeds_and_what_both_trainings_took(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.argv", ["bench_train.py", "--threads", "1", "--steps", "1", "--most", "3", "--record"])
    monkeypatch.setattr(bench_train, "RECORD", tmp_path / "record.json")
    bench_train.main()
    printed = capsys.readouterr().out
    assert "\n".join([*json.loads(bench_train.RECORD.read_text())["printed"], ""]) == printed
    lines = printed.splitlines()
    speeds = [numbers(line) for line in lines if line.startswith(("| small,", "| large,"))]
    assert len(speeds) == 4
    assert all(tokens > 0 and tokens_cpu > 0 and 0 < share < 150 for tokens, tokens_cpu, _, share in speeds)
    ours, plain = (numbers(line) for line in lines if line.startswith(("| the laboratory's", "| plain AdamW")))
    assert ours[:2] == plain[:2] == [3, 3 * BATCH * 24]
    assert 9_000 < ours[3] <= 10_000  # three steps teach nothing
    assert re.fullmatch(r"ratio plain/laboratory tokens=1\.00 cpu=\d+\.\d\d", lines[-1])


@pytest.mark.parametrize("config", [SMALL, LARGE], ids=["small", "large"])
def test_the_operations_are_six_a_parameter_and_token_and_those_of_attention(config):
    d, layers, length = config.d_model, config.layers, config.length - 1
    matrices = layers * (4 * d * d + 2 * d * config.d_ff) + d * config.vocab  # what a token is multiplied with
    attention = layers * 2 * 2 * length * d  # scores and mix, two operations a product
    measured = speed(config, Recipe(steps=1, optimiser="adamw"), steps=1)
    a_token = round(measured.flops / measured.tokens)  # both were divided by the same seconds
    assert 6 * matrices <= a_token <= 6 * matrices + 4.5 * attention


def test_a_share_is_of_the_peak():
    assert Speed(1000.0, 1200.0, 5e9).row("x", 1e10) == "| x | 1,000 | 1,200 | 5.0 | 50% |"
