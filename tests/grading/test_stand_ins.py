"""Working versions of failed exercises stand in for them, without a solution ever reaching the student's process."""

import numpy as np
import pytest

from autograder.exercise import find
from autograder.grading import grade
from course.checks import runner, wire
from course.supplied import gelu, layer_norm

EVERYTHING = {"ch06.causal_mask", "ch06.masked_attention", "ch06.cross_attention"}


class InProcess:
    """A student's process without a process: the same frames, answered here."""

    def __init__(self, **names):
        self.namespace = names

    def ask(self, message, room_mb=None):
        question = wire.decode(wire.encode(message))
        return wire.decode(wire.encode(runner.answer(question, self.namespace)))

    def recovered(self):
        return True


def block_calling(helpers):
    """A right decoder_block that calls the helpers found in a namespace."""

    def decoder_block(x, memory, p):
        s, c, f = p["self"], p["cross"], p["ffn"]
        z = layer_norm(x, **p["norm_1"])
        mask = helpers["causal_mask"](len(x))
        x = x + helpers["masked_attention"](z @ s["w_q"], z @ s["w_k"], z @ s["w_v"], mask)[0] @ s["w_o"]
        z = layer_norm(x, **p["norm_2"])
        x = x + helpers["cross_attention"](z, memory, c["w_q"], c["w_k"], c["w_v"]) @ c["w_o"]
        z = layer_norm(x, **p["norm_3"])
        return x + gelu(z @ f["w_1"] + f["b_1"]) @ f["w_2"] + f["b_2"]

    return decoder_block


def student(**names):
    made = InProcess(**names)
    made.namespace["decoder_block"] = block_calling(made.namespace)
    return made


def wrong(*args):
    return np.zeros(1)


def test_a_right_block_with_wrong_helpers_gets_its_points_and_says_why():
    verdict = grade(find("ch06.decoder_block"), student(**dict.fromkeys(names(), wrong)), 1, [], EVERYTHING)
    assert verdict.passed
    assert "causal_mask, masked_attention, cross_attention" in verdict.notes[-1]


def test_helpers_that_passed_are_not_replaced():
    verdict = grade(find("ch06.decoder_block"), student(**dict.fromkeys(names(), wrong)), 1, [], set())
    assert verdict.earned == 0


def test_the_students_own_helpers_are_back_afterwards():
    made = student(**dict.fromkeys(names(), wrong))
    grade(find("ch06.decoder_block"), made, 1, [], EVERYTHING)
    assert all(made.namespace[name] is wrong for name in names())


@pytest.mark.parametrize("argument", [10**6, np.zeros(10**6), [10**9], {"n": -(10**7)}])
def test_a_stand_in_refuses_what_would_exhaust_the_grader(argument):
    made = InProcess(causal_mask=wrong, cross_attention=wrong, masked_attention=wrong)
    made.namespace["decoder_block"] = lambda x, memory, p: made.namespace["causal_mask"](argument)
    verdict = grade(find("ch06.decoder_block"), made, 1, [], EVERYTHING)
    assert verdict.earned == 0


def names():
    return ["causal_mask", "masked_attention", "cross_attention"]
