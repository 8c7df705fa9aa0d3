"""Points reach the gradebook, and a regrade repeats what was graded: the seed is drawn once and recorded."""

from __future__ import annotations

import copy
from datetime import UTC, datetime

import numpy as np
import pytest
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI

from autograder.configuration import course_config
from autograder.grading import generator
from autograder.seeds import seed_for
from tests.grading.classroom import Classroom, Graded, fill, full_points, slimmed, solved

LESSON = "ch02_scaled_dot_product"
PROJECT, ATTENTION = "ch02.project_qkv", "ch02.scaled_dot_product_attention"
# Tells which inputs came, as the error's text is shown to the student.
TELLTALE = "def project_qkv(x, *weights):\n    raise RuntimeError(f'{x.sum():.12f}')"


def handed_in(classroom: Classroom, student: str, text: str) -> Graded:
    """Grade a submission with this text in the first answer cell."""
    notebook = fill(slimmed(classroom.released(LESSON)), {PROJECT: text})
    classroom.submit(student, LESSON, notebook)
    return classroom.grade(student, LESSON)


@pytest.mark.slow
def test_a_regrade_repeats_the_cases_and_new_code_gets_new_ones(classroom: Classroom) -> None:
    """Seed, inputs, verdict: the same for the same code, others for other code, and the first again for the first."""
    first, again = [(g.seed, g.said, g.scores) for g in (handed_in(classroom, "ruth", TELLTALE) for _ in range(2))]
    assert again == first
    other = handed_in(classroom, "ruth", TELLTALE + "  # now with a comment")
    assert other.seed != first[0]
    assert other.said[PROJECT] != first[1][PROJECT]
    assert handed_in(classroom, "ruth", TELLTALE).said == first[1]


@pytest.mark.slow
def test_students_get_cases_of_their_own(classroom: Classroom) -> None:
    """The same code of two students is judged on different inputs."""
    one, two = (handed_in(classroom, student, TELLTALE) for student in ("sam", "tina"))
    assert one.seed != two.seed
    assert one.said[PROJECT] != two.said[PROJECT]


def test_a_seed_is_kept_for_each_assignment_student_and_code(tmp_path) -> None:
    """Any change of the three gives another seed; asking again gives the same."""
    db = course_config(tmp_path).CourseDirectory.db_url
    keys = [("a", "s", "code"), ("b", "s", "code"), ("a", "t", "code"), ("a", "s", "other code")]
    seeds = [seed_for(db, *key) for key in keys]
    assert len(set(seeds)) == 4
    assert [seed_for(db, *key) for key in keys] == seeds


def test_exercises_of_one_submission_are_drawn_apart() -> None:
    """One seed, but another stream for each exercise; the same stream again for the same exercise."""
    draws = [generator(7, i).standard_normal(3) for i in (PROJECT, ATTENTION, PROJECT)]
    assert not np.allclose(draws[0], draws[1])
    np.testing.assert_array_equal(draws[0], draws[2])


@pytest.mark.slow
def test_partial_credit_reaches_the_gradebook(classroom: Classroom) -> None:
    """A negative length is not refused: that part is lost, the others count."""
    lesson, mask = "ch06_decoder", "ch06.causal_mask"
    text = "def causal_mask(n):\n    return np.tri(max(n, 0), dtype=bool)"
    graded = classroom.graded("partial", lesson, solved(lesson) | {mask: text}, slim=True)
    full = full_points(lesson)
    assert graded.scores == full | {mask: full[mask] - 1}
    assert "partly right 2 of 3 points" in graded.said[mask]
    assert graded.total == sum(full.values()) - 1
    assert "(Score: 16.0 / 17.0)" in graded.feedback


@pytest.mark.slow
def test_a_warning_costs_nothing(classroom: Classroom) -> None:
    """Stock nbgrader gives 0 for anything on stderr."""
    noise = "import sys, warnings\nwarnings.warn('mind the gap')\nprint('on stderr', file=sys.stderr)\n"
    inside = "".join(f"    {line}\n" for line in noise.splitlines())
    answers = {i: f"{noise}{text}" for i, text in solved(LESSON).items()}
    answers[PROJECT] = f"{noise}def project_qkv(x, w_q, w_k, w_v):\n{inside}    return x @ w_q, x @ w_k, x @ w_v"
    graded = classroom.graded("noisy", LESSON, answers, slim=True)
    assert graded.scores == full_points(LESSON)
    assert "on stderr" in graded.feedback


@pytest.mark.slow
@pytest.mark.parametrize(("method", "left"), [("none", 11.0), ("zero", 0.0)])
def test_late_penalties_work_as_in_stock_nbgrader(classroom: Classroom, method: str, left: float) -> None:
    """nbgrader's own plugin, by its own configuration."""
    with Gradebook(classroom.db_url) as gradebook:
        gradebook.update_or_create_assignment(LESSON, duedate=datetime(2030, 1, 1, tzinfo=UTC).replace(tzinfo=None))
    notebook = fill(slimmed(classroom.released(LESSON)), solved(LESSON))
    classroom.submit(f"late-{method}", LESSON, notebook)
    stamp = classroom.submitted(f"late-{method}", LESSON).with_name("timestamp.txt")
    stamp.write_text("2030-01-02 00:00:00 UTC")
    late = copy.copy(classroom)
    late.config = copy.deepcopy(classroom.config)
    late.config.LateSubmissionPlugin.penalty_method = method
    late.api = NbGraderAPI(config=late.config)
    assert late.grade(f"late-{method}", LESSON).total == left
