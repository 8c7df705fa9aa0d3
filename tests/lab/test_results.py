"""docs/results.md says what the records say, and the records reach what was to be reached."""

import statistics

from course.lab import models
from tools import results_page


def test_the_page_is_of_these_records():
    assert results_page.PAGE.read_text(encoding="utf-8") == results_page.page()


def test_the_small_model_reaches_all_products_on_most_seeds():
    """At least 8 of 10, in at most 60 CPU-seconds as a median."""
    runs = models.record("lab_two_digits_seeds")["runs"]
    perfect = [run for run in runs if all(right == total for right, total in run["right"].values())]
    assert [run["seed"] for run in runs] == list(range(10))
    assert len(perfect) >= 8
    assert statistics.median(run["cpu_seconds"] for run in runs) <= 60


def test_the_large_model_took_less_than_twenty_minutes_of_two_cores():
    record = models.record("lab_two_digits_large")
    assert record["parameters"] > 4.7e6
    assert record["cpu_seconds"] <= 20 * 60 * 2
