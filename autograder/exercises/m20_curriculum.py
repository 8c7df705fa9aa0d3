"""Exercises of m20, what a model reads and in which order. Lines and answers agree with those of `course.lab`, carries
with a count by digit sums (each carry turns a ten into a one, as in Kummer's theorem), batches and the error book with
plain loops over `collections.deque`, and faults with `difflib`'s first difference."""

import itertools
import re

from autograder.exercise import case, exercise, question
from course.checks.compare import exact
from course.checks.script import attribute, call, given, held, method, new

TITLE = "SFT curriculum and self-evolution"


def _backwards(number, width):
    """The digits of a number by division, the last one first."""
    return "".join(str(number // 10**place % 10) for place in range(width))


def _long(number, width):
    """Backwards, at least as wide: longer if it does not fit."""
    return f"{number:0{width}d}"[::-1]


def _line(x, y, digits, write=_long, answer=None, end="\n"):
    """The line of a product with its steps, as in m18; longer where a number does not fit."""
    total = x * (y % 10)
    text = write(total, digits + 1)
    for place in range(1, digits):
        row, width = x * (y // 10**place % 10) * 10**place, digits + 1 + place
        total += row
        text += f"+{write(row, width)}={write(total, width)}"
    answer = f"{x * y:0{2 * digits}d}" if answer is None else answer
    return f"{x:0{digits}d}*{y:0{digits}d}={text};{answer}{end}"


def _numbers(line):
    return [int(number) for number in re.findall("[0-9]+", line)[:2]]


# ---- padding -----------------------------------------------------------------------------------------------------


@exercise(
    parts={"values": 2, "too long": 1}, minutes=8, uses=("m18.product_line",),
    source="zero-padded operands: Lee et al. 2023, Teaching Arithmetic to Small Transformers",
)  # fmt: skip
class zero_padded:
    """A line for numbers of few digits, written again for numbers of more."""

    tolerance = exact

    def cases(rng):
        yield case(_line(12, 34, 2), 4, label="12 * 34 for four digits")
        yield case(_line(3, 4, 1), 2, label="3 * 4 for two digits")
        yield case(_line(70, 5, 2), 3, label="70 * 05 for three digits")
        yield case(_line(99, 98, 2), 2, label="the digits that it has already")
        yield case(_line(0, 6, 1), 3, label="0 * 6 for three digits")
        yield case(_line(8, 41, 3), 2, label="008 * 041, which fits into two digits")
        x, y = int(rng.integers(123, 499)), int(rng.integers(512, 987))
        yield case(_line(x, y, 3), int(rng.integers(4, 6)), label="two random numbers of three digits")
        yield case(_line(100, 7, 3), 2, part="too long", label="a first number that does not fit")
        yield case(_line(7, 100, 3), 2, part="too long", label="a second number that does not fit")
        yield case(_line(7, 345, 3), 2, part="too long", label="a second number far too long")
        yield case(_line(345, 7, 3), 2, part="too long", label="a first number far too long")
        yield case(_line(10, 10, 2), 1, part="too long", label="10 * 10 for one digit")

    def reference(line, digits):
        x, y = _numbers(line)
        if len(str(max(x, y))) > digits:
            raise ValueError("more digits than there is room for")
        return _line(x, y, digits, write=_backwards)

    class misconceptions:
        def never_refused(line, digits):
            """You write numbers that do not fit all the same, and the line gets longer than the others. Raise ValueError."""
            return _line(*_numbers(line), digits)

        def first_number_tested(line, digits):
            """You test the first number only. The second one may have too many digits as well."""
            x, y = _numbers(line)
            if x >= 10**digits:
                raise ValueError("it does not fit")
            return _line(x, y, digits)

        def second_number_tested(line, digits):
            """You test the second number only. The first one may have too many digits as well."""
            x, y = _numbers(line)
            if y >= 10**digits:
                raise ValueError("it does not fit")
            return _line(x, y, digits)

        def width_tested(line, digits):
            """You refuse by the digits as written. 008 has one digit that counts, and fits into two."""
            if line.index("*") > digits:
                raise ValueError("it does not fit")
            return _line(*_numbers(line), digits)

        def power_allowed(line, digits):
            """10 ** digits is the first number that does not fit: refuse it as well."""
            if max(_numbers(line)) > 10**digits:
                raise ValueError("it does not fit")
            return _line(*_numbers(line), digits)

        def one_digit_too_strict(line, digits):
            """You refuse numbers that have exactly `digits` digits. They fit."""
            if max(_numbers(line)) >= 10 ** (digits - 1):
                raise ValueError("it does not fit")
            return _line(*_numbers(line), digits)

        def none_for_too_long(line, digits):
            """A number that does not fit gives None. Raise ValueError: a line that is silently missing is hard to find."""
            x, y = _numbers(line)
            return _line(x, y, digits) if max(x, y) < 10**digits else None

        def cut_off(line, digits):
            """You cut numbers that do not fit. That is another product: raise ValueError."""
            return _line(*(n % 10**digits for n in _numbers(line)), digits)

        def question_alone(line, digits):
            """You pad the question only. The steps and the answer are written for `digits` digits as well."""
            x, y = _checked(line, digits)
            return f"{x:0{digits}d}*{y:0{digits}d}=" + line.partition("=")[2]

        def answer_not_padded(line, digits):
            """You keep the old answer. It has 2 * digits characters in the new line."""
            x, y = _checked(line, digits)
            return _line(x, y, digits, answer=line.rpartition(";")[2][:-1])

        def every_number_filled_up(line, digits):
            """You fill up the numbers that are there. More digits also mean more rows and sums, all zeros or copies."""
            _checked(line, digits)
            old, tail = line.index("*"), line.rpartition(";")[2][:-1]
            asked, _, steps = line.rpartition(";")[0].partition("=")
            x, y = asked.split("*")
            wide = re.sub("[0-9]+", lambda n: n[0] + "0" * (digits - old), steps)
            return f"{x.zfill(digits)}*{y.zfill(digits)}={wide};{tail.zfill(2 * digits)}\n"

        def zeros_behind(line, digits):
            """You put the zeros behind the numbers: 12 becomes 1200. They stand in front: 012."""
            x, y = _checked(line, digits)
            return _line(*(int(str(n).ljust(digits, "0")) for n in (x, y)), digits)

        def digits_added(line, digits):
            """You add `digits` digits to those that are there. `digits` is how many there are in all."""
            return _line(*_checked(line, digits), digits + line.index("*"))

        def unchanged(line, digits):
            """You return the line as it is."""
            _checked(line, digits)
            return line

        def read_backwards(line, digits):
            """You read the numbers of the question backwards. Only the steps are written so."""
            _checked(line, digits)
            return _line(*(int(n[::-1]) for n in line.partition("=")[0].split("*")), digits)

        def swapped(line, digits):
            """You exchanged the two numbers. The product is the same, its rows are not."""
            return _line(*_checked(line, digits)[::-1], digits)

        def no_line_end(line, digits):
            r"""The line end is gone. A line ends with "\n"."""
            return _line(*_checked(line, digits), digits, end="")

        def blanks(line, digits):
            """You pad with blanks. The text knows no blank: pad with zeros."""
            x, y = _checked(line, digits)
            return f"{x:{digits}d}*{y:{digits}d}=" + _line(x, y, digits).partition("=")[2]


def _checked(line, digits):
    """The two numbers of a line; ValueError if they do not fit."""
    x, y = _numbers(line)
    if max(x, y) >= 10**digits:
        raise ValueError("it does not fit")
    return x, y


# ---- the curriculum ----------------------------------------------------------------------------------------------


def _stage(step, stages, late=False, early=False):
    """The number of the stage of a step; the last one goes on for ever."""
    end = 0
    for number, (_, steps) in enumerate(stages):
        end += steps
        if step < end + late - early:
            return number
    return len(stages) - 1


def _mixed(draw, earlier, digits, size, old, extra_first=True):
    """`old` pairs from the earlier stages, evenly, and the rest of `digits` digits."""
    pairs = []
    for i, short in enumerate(earlier):
        spare = i if extra_first else len(earlier) - 1 - i
        pairs += draw(short, old // len(earlier) + (spare < old % len(earlier)))
    return pairs + draw(digits, size - old)


def _curriculum(draw, step, stages, size, rehearsal=0.1, now=None, share=None):
    now = _stage(step, stages) if now is None else now
    earlier = [digits for digits, _ in stages[:now]]
    old = int((rehearsal if share is None else share) * size) if earlier else 0
    return _mixed(draw, earlier, stages[now][0], size, old)


PLAN = [(2, 100), (3, 150), (4, 250)]


def _batch(seed, step, stages, size, *rest):
    return [given("m20.Drawer", seed, handle="draw"), call("curriculum_batch", held("draw"), step, stages, size, *rest)]


@exercise(
    points=3, minutes=15,
    source="curriculum learning: Bengio et al. 2009; rehearsal against forgetting: Robins 1995",
)  # fmt: skip
class curriculum_batch:
    """The pairs of one step: mostly of the stage that is on, some of those that are over."""

    tolerance = exact

    def cases(rng):
        seed = int(rng.integers(1000))
        yield case(script=_batch(seed, 40, PLAN, 6, 0.5), label="the first stage: nothing to rehearse")
        yield case(script=_batch(seed, 100, PLAN, 10, 0.3), label="the first step of the second stage")
        yield case(script=_batch(seed, 99, PLAN, 10, 0.3), label="the last step of the first stage")
        yield case(script=_batch(seed, 230, PLAN, 8, 0.25), label="near the end of the second stage")
        yield case(script=_batch(seed, 300, PLAN, 12, 0.45), label="the third stage, 5 pairs to rehearse")
        yield case(script=_batch(seed, 250, PLAN, 12, 0.5), label="the first step of the third stage")
        yield case(script=_batch(seed, 1230, PLAN, 8, 0.25), label="after the end of the last stage")
        yield case(script=_batch(seed, 300, PLAN, 25), label="the usual rehearsal")
        yield case(script=_batch(seed, 120, [(1, 50), (3, 60), (2, 90)], 7, 0.45), label="stages in another order")
        yield case(
            script=_batch(seed, 120, [(1, 90), (3, 60), (2, 50)], 9, 0.35), label="a long stage, then shorter ones"
        )
        yield case(script=_batch(seed, 70, PLAN[:1], 4, 0.25), label="a single stage")
        stages = [(int(d), int(n)) for d, n in zip(rng.permutation(4) + 1, rng.integers(20, 60, 4), strict=True)]
        step = sum(n for _, n in stages[:3]) + int(rng.integers(3, 15))
        yield case(script=_batch(seed, step, stages, 16, 0.35), label="four random stages")

    def reference(draw, step, stages, size, rehearsal=0.1):
        of_step = [digits for digits, steps in stages for _ in range(steps)]
        places = [i for i, (_, steps) in enumerate(stages) for _ in range(steps)]
        now = places[min(step, len(of_step) - 1)]
        counts = [0] * len(stages)
        for k in range(int(rehearsal * size) if now else 0):
            counts[k % now] += 1
        counts[now] = size - sum(counts)
        return [tuple(p) for (digits, _), n in zip(stages, counts, strict=True) if n for p in draw(digits, n)]

    class misconceptions:
        def no_rehearsal(draw, step, stages, size, rehearsal=0.1):
            """You draw from the stage that is on alone. A share of the batch comes from the stages that are over."""
            return draw(stages[_stage(step, stages)][0], size)

        def step_counted_from_each_stage(draw, step, stages, size, rehearsal=0.1):
            """You compare `step` with each stage's own length. Stages follow one another: add their lengths up."""
            now = next((i for i, (_, steps) in enumerate(stages) if step < steps), len(stages) - 1)
            return _curriculum(draw, step, stages, size, rehearsal, now)

        def one_step_late(draw, step, stages, size, rehearsal=0.1):
            """Your stages change one step late. Steps count from 0: a stage of 100 steps ends with step 99."""
            return _curriculum(draw, step, stages, size, rehearsal, _stage(step, stages, late=True))

        def one_step_early(draw, step, stages, size, rehearsal=0.1):
            """Your stages change one step early. Steps count from 0: a stage of 100 steps ends with step 99."""
            return _curriculum(draw, step, stages, size, rehearsal, _stage(step, stages, early=True))

        def rehearsal_on_top(draw, step, stages, size, rehearsal=0.1):
            """You add the rehearsal to a full batch. It is part of the batch: `size` pairs in all."""
            now = _stage(step, stages)
            earlier = [digits for digits, _ in stages[:now]]
            old = int(rehearsal * size) if earlier else 0
            return _mixed(draw, earlier, stages[now][0], size + old, old)

        def rehearsal_of_each(draw, step, stages, size, rehearsal=0.1):
            """You take the whole share from each earlier stage. They divide it among them."""
            now = _stage(step, stages)
            old = int(rehearsal * size)
            pairs = [pair for digits, _ in stages[:now] for pair in draw(digits, old)]
            return pairs + draw(stages[now][0], size - len(pairs))

        def last_stage_only(draw, step, stages, size, rehearsal=0.1):
            """You rehearse the stage before this one only. All that are over take part."""
            now = _stage(step, stages)
            old = int(rehearsal * size) if now else 0
            return _mixed(draw, [d for d, _ in stages[max(0, now - 1) : now]], stages[now][0], size, old)

        def first_stage_only(draw, step, stages, size, rehearsal=0.1):
            """You rehearse the first stage only. All that are over take part."""
            now = _stage(step, stages)
            old = int(rehearsal * size) if now else 0
            return _mixed(draw, [d for d, _ in stages[:1]] if now else [], stages[now][0], size, old)

        def remainder_lost(draw, step, stages, size, rehearsal=0.1):
            """The share does not divide evenly, and you lose the rest: the first of the earlier stages take one more."""
            now = _stage(step, stages)
            old = int(rehearsal * size) // now * now if now else 0
            return _mixed(draw, [d for d, _ in stages[:now]], stages[now][0], size, old)

        def remainder_to_the_last(draw, step, stages, size, rehearsal=0.1):
            """If the share does not divide evenly, the first of the earlier stages take one more. You give it to the last."""
            now = _stage(step, stages)
            old = int(rehearsal * size) if now else 0
            return _mixed(draw, [d for d, _ in stages[:now]], stages[now][0], size, old, extra_first=False)

        def all_remainder_to_the_first(draw, step, stages, size, rehearsal=0.1):
            """The first stage gets all that does not divide evenly. Each of the first ones takes one more."""
            now = _stage(step, stages)
            old = int(rehearsal * size) if now else 0
            pairs = []
            for i, (digits, _) in enumerate(stages[:now]):
                pairs += draw(digits, old // now + (old % now if i == 0 else 0))
            return pairs + draw(stages[now][0], size - old)

        def rounded_up(draw, step, stages, size, rehearsal=0.1):
            """You round the share of the batch up, or to the nearest. `int(...)` rounds it down."""
            return _curriculum(draw, step, stages, size, rehearsal, share=-(-rehearsal * size // 1) / size)

        def rehearsal_from_the_start(draw, step, stages, size, rehearsal=0.1):
            """In the first stage there is nothing to rehearse: the whole batch comes from it. Yours is too short."""
            if _stage(step, stages):
                return _curriculum(draw, step, stages, size, rehearsal)
            return draw(stages[0][0], size - int(rehearsal * size))

        def shares_exchanged(draw, step, stages, size, rehearsal=0.1):
            """You rehearse most of the time: `rehearsal` is the share of the stages that are over."""
            return _curriculum(draw, step, stages, size, rehearsal, share=1 - rehearsal)

        def always_a_tenth(draw, step, stages, size, rehearsal=0.1):
            """You rehearse a tenth, whatever `rehearsal` says. Use the argument."""
            return _curriculum(draw, step, stages, size, share=0.1)

        def later_stages_too(draw, step, stages, size, rehearsal=0.1):
            """You also draw from stages that are still to come. Only those that are over are rehearsed."""
            now = _stage(step, stages)
            old = int(rehearsal * size) if now else 0
            others = [digits for i, (digits, _) in enumerate(stages) if i != now] if now else []
            return _mixed(draw, others, stages[now][0], size, old)

        def back_to_the_start(draw, step, stages, size, rehearsal=0.1):
            """After the last stage you begin again. The last stage goes on."""
            return _curriculum(draw, step % sum(n for _, n in stages), stages, size, rehearsal)

        def nothing_after_the_end(draw, step, stages, size, rehearsal=0.1):
            """After the last stage nothing is drawn. The last stage goes on."""
            return _curriculum(draw, step, stages, size, rehearsal) if step < sum(n for _, n in stages) else []

        def number_of_the_stage(draw, step, stages, size, rehearsal=0.1):
            """You take the stage's number for its digits. The digits are the first item of (digits, steps)."""
            now = _stage(step, stages)
            old = int(rehearsal * size) if now else 0
            return _mixed(draw, [i + 1 for i in range(now)], now + 1, size, old)

        def present_first(draw, step, stages, size, rehearsal=0.1):
            """Your pairs are right, but the stage that is on comes first. Begin with the earliest stage."""
            now = _stage(step, stages)
            old = int(rehearsal * size) if now else 0
            pairs = _mixed(draw, [d for d, _ in stages[:now]], stages[now][0], size, old)
            return pairs[old:] + pairs[:old]

        def a_list_of_lists(draw, step, stages, size, rehearsal=0.1):
            """You return a list for each stage. One list of pairs is asked for: `+=` or `extend`, not `append`."""
            now = _stage(step, stages)
            pairs = _curriculum(draw, step, stages, size, rehearsal)
            return [[p for p in pairs if p], stages[now][0]] if now else [pairs]


# ---- what is hard ------------------------------------------------------------------------------------------------


def _sum_carries(a, b, last=True, passed=True):
    """Carries when two numbers are added."""
    width, carry, count = max(len(str(a)), len(str(b))), 0, 0
    for i in range(width):
        carry = int(a // 10**i % 10 + b // 10**i % 10 + (carry if passed else 0) > 9)
        count += carry if last or i < width - 1 else 0
    return count


def _row_carries(x, digit, passed=True, last=True, size=False, width=None):
    """Carries when a number is multiplied by a digit."""
    carry = count = 0
    width = len(str(x)) if width is None else width
    for i in range(width):
        carry = (x // 10**i % 10 * digit + (carry if passed else 0)) // 10
        if last or i < width - 1:
            count += carry if size else carry > 0
    return count


def _carries(x, y, rows=_row_carries, sums=_sum_carries, begin=True):
    total = count = 0
    for place, digit in enumerate(map(int, reversed(str(y)))):
        row = x * digit * 10**place
        count += rows(x, digit) + sums(total, row)
        total += row
    return count


def _in_columns(x, y, digits, cut=True, cut_y=True, carried=lambda found: found // 10, counts=lambda carry: carry > 0):
    """Column by column, as in the lesson, right unless told otherwise."""
    total = count = 0
    for place in range(digits):
        digit, carry = y // 10**place, 0
        digit = digit % 10 if cut_y else digit
        for column in range(digits):
            here = x // 10**column
            carry = carried((here % 10 if cut else here) * digit + carry)
            count += counts(carry)
        row = x * digit * 10**place
        count += _sum_carries(total, row)
        total += row
    return count


@exercise(
    points=3, minutes=15, uses=("m18.count_carries",),
    source="the number of carries as a measure of difficulty, as in Dziri et al. 2023, Faith and Fate",
)  # fmt: skip
class product_carries:
    """In how many columns something is carried in all the steps of a product."""

    tolerance = exact

    def cases(rng):
        yield case(12, 34, 2, label="12 * 34: one carry in the sum")
        yield case(99, 99, 2, label="99 * 99")
        yield case(68, 73, 2, label="68 * 73")
        yield case(11, 11, 2, label="no carry at all")
        yield case(0, 57, 2, label="0 * 57")
        yield case(19, 6, 3, label="019 * 006: one row that counts")
        yield case(6, 419, 3, label="006 * 419: small carries in three rows")
        yield case(91, 6, 2, label="91 * 06: the carry is the last thing")
        yield case(99, 19, 2, label="99 * 19: a row that ends with a carry")
        yield case(207, 350, 3, label="207 * 350, with zeros")
        yield case(4, 25, 4, label="0004 * 0025")
        yield case(334, 3, 3, label="334 * 003: a carry that fills a column")
        yield case(25, 42, 2, label="25 * 42: exactly ten in the first column")
        yield case(2, 967, 3, label="002 * 967: a number smaller than its digits")
        yield case(967, 2, 3, label="967 * 002: carries at both ends of a row")
        yield case(9876, 6789, 4, label="9876 * 6789")
        x, y = (int(rng.integers(5678, 9999)) for _ in range(2))
        yield case(x, y, 4, label="two random numbers of four digits")
        x, y = (int(rng.integers(123, 999)) for _ in range(2))
        yield case(x, y, 3, label="two random numbers of three digits")

    def reference(x, y, digits):
        def digit_sum(n):
            return sum(map(int, str(n)))

        def least(n, place):
            return n % 10 ** (place + 1)

        count = 0
        for place in range(digits):
            digit = y // 10**place % 10
            count += sum(least(x, i) * digit >= 10 ** (i + 1) for i in range(digits))
            total, row = x * least(y, place - 1) if place else 0, x * digit * 10**place
            count += (digit_sum(total) + digit_sum(row) - digit_sum(total + row)) // 9
        return count

    class misconceptions:
        def rows_only(x, y, digits):
            """You count the carries of the rows only. Those of the sums belong to them."""
            return _carries(x, y, sums=lambda a, b: 0)

        def sums_only(x, y, digits):
            """You count the carries of the sums only. x times a digit carries as well."""
            return _carries(x, y, rows=lambda x, d: 0)

        def last_sum_only(x, y, digits):
            """You add two rows only, or the last sum only: there is a sum after each row."""
            return _carries(x, y, sums=lambda a, b: 0) + _sum_carries(
                x * (y % 10 ** (digits - 1)), x * (y // 10 ** (digits - 1)) * 10 ** (digits - 1)
            )

        def rows_beside_each_other(x, y, digits):
            """You add each row to the row before. A row is added to the sum of all rows so far."""
            rows = [x * (y // 10**i % 10) * 10**i for i in range(digits)]
            both = sum(_sum_carries(a, b) for a, b in itertools.pairwise(rows))
            return _carries(x, y, sums=lambda a, b: 0) + both

        def rows_not_shifted(x, y, digits):
            """You add rows that are not shifted. The row of the tens is ten times as large, and so on."""
            total = count = 0
            for place in range(digits):
                row = x * (y // 10**place % 10)
                count += _row_carries(x, y // 10**place % 10) + _sum_carries(total, row)
                total += row
            return count

        def carry_not_passed_on(x, y, digits):
            """In a row you do not add the carry to the next column: 19 * 6 has two carries, 9 * 6 = 54 and 6 + 5 = 11."""
            return _carries(x, y, rows=lambda x, d: _row_carries(x, d, passed=False))

        def size_of_the_carry(x, y, digits):
            """You add up what is carried. Count the columns: a carry of 5 counts as one."""
            return _carries(x, y, rows=lambda x, d: _row_carries(x, d, size=True))

        def last_carry_left_out(x, y, digits):
            """You leave out the last carry of a row, the one that makes it longer. It counts too."""
            return _carries(x, y, rows=lambda x, d: _row_carries(x, d, last=False))

        def last_carry_of_padded_rows(x, y, digits):
            """You leave out the carry from the last of the `digits` columns. It counts too."""
            return _carries(x, y, rows=lambda x, d: _row_carries(x, d, last=False, width=digits))

        def first_row_only(x, y, digits):
            """You count the carries of one row. Each digit of y has a row."""
            return _carries(x, y, rows=lambda x, d: 0) + _row_carries(x, y % 10)

        def digits_that_carry_once(x, y, digits):
            """You only say whether a row carries. Count its columns."""
            return _carries(x, y, rows=lambda x, d: int(_row_carries(x, d) > 0))

        def ten_does_not_carry(x, y, digits):
            """A column that makes exactly 10 carries too."""

            def rows(x, d):
                carry = count = 0
                for c in reversed(str(x)):
                    found = int(c) * d + carry
                    carry = found // 10
                    count += found > 10
                return count

            return _carries(x, y, rows=rows)

        def first_digit_first(x, y, digits):
            """You begin with the first digit of x. Carries run from the last digit to the first."""

            def rows(x, d):
                return _row_carries(int(str(x)[::-1]), d, width=len(str(x)))

            return _carries(x, y, rows=rows)

        def roles_exchanged(x, y, digits):
            """You take the rows from the digits of x. They are x times the digits of y."""
            return _carries(y, x)

        def sum_of_two_numbers(x, y, digits):
            """You count the carries of x + y. It is a product: rows, and their sums."""
            return _sum_carries(x, y)

        def carry_kept_between_rows(x, y, digits):
            """The carry of a row goes into the next row. Each row begins with none: set it to 0 inside the loop."""
            total = carry = count = 0
            for place in range(digits):
                digit = y // 10**place % 10
                for column in range(digits):
                    carry = (x // 10**column % 10 * digit + carry) // 10
                    count += carry > 0
                row = x * digit * 10**place
                count += _sum_carries(total, row)
                total += row
            return count

        def one_row_too_few(x, y, digits):
            """A row is missing: y has `digits` digits, and each of them gets one."""
            return _carries(x, y % 10 ** (digits - 1)) if digits > 1 else _carries(x, y)

        def whole_rest_of_x(x, y, digits):
            """In a column you multiply all that is left of x. Take one digit: `% 10`."""
            return _in_columns(x, y, digits, cut=False)

        def whole_rest_of_y(x, y, digits):
            """Your rows are x times all that is left of y. Take one digit of it: `% 10`."""
            return _in_columns(x, y, digits, cut_y=False)

        def units_carried(x, y, digits):
            """You carry the units of a column's product. They are written down; the tens are carried."""
            return _in_columns(x, y, digits, carried=lambda found: found % 10)

        def every_column(x, y, digits):
            """You count every column of the rows. Only those count that carry something."""
            return _in_columns(x, y, digits, counts=lambda carry: True)

        def more_than_one(x, y, digits):
            """You count a carry only if it is 2 or more. A carry of 1 counts as well."""
            return _in_columns(x, y, digits, counts=lambda carry: carry > 1)

        def of_the_product(x, y, digits):
            """You compare the digits of the product with those of x and y. Go through the steps instead."""
            return len(str(x * y)) - max(len(str(x)), len(str(y)))


# ---- where it goes wrong -----------------------------------------------------------------------------------------


def _place(line, wanted):
    """The first place where a line is not what is wanted, or None."""
    return next((i for i, c in enumerate(wanted) if line[i : i + 1] != c), None)


def _part(wanted, place, count=lambda steps: 1 + steps.count("+"), inclusive=True):
    """The name of the part of a line in which a place stands."""
    steps = wanted[: place + inclusive].partition("=")[2]
    if ";" in steps:
        return "answer"
    sums = steps.rfind("=") > steps.rfind("+")
    return f"{'sum' if sums else 'row'} {count(steps)}"


def _spoilt(rng, x, y, digits, place=None):
    """A line with one wrong digit, and everything behind it copied from another product."""
    wanted = _line(x, y, digits)
    places = [i for i, c in enumerate(wanted) if c.isdigit() and i > 2 * digits + 1]
    place = int(rng.choice(places)) if place is None else place
    digit = str((int(wanted[place]) + int(rng.integers(1, 9))) % 10)
    return wanted[:place] + digit + _line(y, x + 1, digits)[place + 1 :], wanted


@exercise(
    points=2, minutes=10,
    source="the first wrong step decides: Lightman et al. 2023, Let's Verify Step by Step",
)  # fmt: skip
class first_fault:
    """Where a written line first goes wrong, and in which part of it."""

    tolerance = exact

    def cases(rng):
        right = _line(123, 456, 3)  # 123*456=8370+05160=88860+002940=880650;056088
        yield case(right, right, label="a faultless line")
        yield case(right[:9] + "4" + right[10:], right, label="a digit of row 1")
        yield case(right[:11] + "1" + right[12:], right, label="the last digit of row 1")
        yield case(right[:23] + "1" + right[24:], right, label="the last digit of sum 2")
        yield case(right[:14] + "9" + right[15:], right, label="a digit of row 2")
        yield case(right[:19] + "7" + right[20:], right, label="a digit of sum 2")
        yield case(right[:26] + "5" + right[27:31] + "1" + right[32:], right, label="digits of row 3 and sum 3")
        yield case(right[:35] + "1" + right[36:], right, label="a digit of sum 3")
        yield case(right[:40] + "7" + right[41:], right, label="a digit of the answer alone")
        yield case(right[:12] + "=" + right[13:], right, label="an equals sign where a plus should be")
        yield case(right[:18] + ";056088\n", right, label="an answer after row 2")
        yield case(right[:38] + right[38].replace(";", "+") + right[39:], right, label="a plus for the semicolon")
        yield case(right[:16], right, label="a line that was cut off")
        yield case(right[:-1], right, label="a line without its end")
        yield case(*_spoilt(rng, *(int(n) for n in rng.integers(23, 99, 2)), 2), label="a random fault, two digits")
        x, y = (int(n) for n in rng.integers(2345, 9999, 2))
        yield case(*_spoilt(rng, x, y, 4), label="a random fault, four digits")
        yield case(*_spoilt(rng, x, y, 4, 40), label="a fault in the sums of four digits")

    def reference(line, wanted):
        parts = re.findall(r"[+=;]?[0-9]+\n?", wanted.partition("=")[2])
        names = ["row 1"] + [f"{kind} {row}" for row in range(2, len(parts)) for kind in ("row", "sum")]
        names = [*names[: len(parts) - 1], "answer"]
        end = wanted.index("=") + 1
        for name, part in zip(names, parts, strict=True):
            for place in range(end, end + len(part)):
                if line[place : place + 1] != wanted[place]:
                    return place, name
            end += len(part)
        return None

    class misconceptions:
        def last_fault(line, wanted):
            """You find the last fault. What comes after the first one may just follow from it."""
            places = [i for i, c in enumerate(wanted) if line[i : i + 1] != c]
            return (places[-1], _part(wanted, places[-1])) if places else None

        def zip_stops(line, wanted):
            """A line that ends too early has no fault for you: `zip` stops with the shorter text. The end is missing there."""
            place = next((i for i, (a, b) in enumerate(zip(line, wanted, strict=False)) if a != b), None)
            return None if place is None else (place, _part(wanted, place))

        def always_something(line, wanted):
            """A line without a fault gives None; you say something else."""
            place = _place(line, wanted)
            return (len(wanted), "none") if place is None else (place, _part(wanted, place))

        def minus_one(line, wanted):
            """You give -1 for a line without a fault. Give None."""
            place = _place(line, wanted)
            return (-1, "") if place is None else (place, _part(wanted, place))

        def part_of_what_was_written(line, wanted):
            """You look for the part in the model's own line, whose signs may be wrong. Look in `wanted`."""
            place = _place(line, wanted)
            return None if place is None else (place, _part(line, place))

        def signs_left_out(line, wanted):
            """A sign belongs to the part that it opens: at a wrong "+", the row behind it is at fault. You count up to it only."""
            place = _place(line, wanted)
            return None if place is None else (place, _part(wanted, place, inclusive=False))

        def rows_counted_from_zero(line, wanted):
            """You count rows from 0. The first one is row 1."""
            return _renamed(line, wanted, lambda steps: steps.count("+"))

        def sums_counted_from_one(line, wanted):
            """A sum has the number of the row before it: the first sum is sum 2."""
            place = _place(line, wanted)
            if place is None:
                return None
            name = _part(wanted, place)
            return place, f"sum {int(name[4:]) - 1}" if name.startswith("sum") else name

        def parts_counted(line, wanted):
            """You number all parts in one go. Rows are numbered, and a sum has the number of the row before it."""
            return _renamed(line, wanted, lambda steps: 1 + steps.count("+") + steps.count("="))

        def equals_of_the_question(line, wanted):
            """You count the "=" of the question as a sum's. Look behind it only."""
            place = _place(line, wanted)
            if place is None:
                return None
            name = _part(wanted, place)
            return place, "sum 1" if name == "row 1" else name

        def place_in_the_steps(line, wanted):
            """You count the place from behind the question. Count from the line's first character."""
            found = _found(line, wanted)
            return found and (found[0] - wanted.index("=") - 1, found[1])

        def counted_from_one(line, wanted):
            """Your place is one too large: it counts from 0."""
            found = _found(line, wanted)
            return found and (found[0] + 1, found[1])

        def part_alone(line, wanted):
            """You give the part alone. Give (place, part)."""
            found = _found(line, wanted)
            return found and found[1]

        def place_alone(line, wanted):
            """You give the place alone. Give (place, part)."""
            found = _found(line, wanted)
            return found and found[0]

        def exchanged(line, wanted):
            """You exchanged the two: the place comes first, then the part."""
            found = _found(line, wanted)
            return found and found[::-1]

        def answer_first(line, wanted):
            """You compare the answers. A wrong answer mostly follows from a fault in the steps: compare from the start."""
            found = _found(line, wanted)
            return found and (wanted.rindex(";") + 1, "answer")

        def no_answer(line, wanted):
            """Behind the ";" stands the answer, which you take for a part of the last sum."""
            place = _place(line, wanted)
            if place is None:
                return None
            steps = wanted[: place + 1].partition("=")[2]
            kind = "sum" if steps.rfind("=") > steps.rfind("+") else "row"
            return place, f"{kind} {1 + steps.count('+')}"

        def rows_only(line, wanted):
            """You know rows only. Behind an "=" stands a sum."""
            place = _place(line, wanted)
            if place is None:
                return None
            name = _part(wanted, place)
            return place, name.replace("sum", "row")


def _found(line, wanted):
    """What is right: the place and the part, or None."""
    place = _place(line, wanted)
    return None if place is None else (place, _part(wanted, place))


def _renamed(line, wanted, count):
    place = _place(line, wanted)
    return None if place is None else (place, _part(wanted, place, count))


# ---- the error book ----------------------------------------------------------------------------------------------


def _book_class():
    """A class in a function, so that each wrong book is a text of its own."""

    class Book:
        """An error book, right unless a subclass has it wrong."""

        def __init__(self, capacity):
            self.capacity, self.pairs = capacity, []

        def update(self, pairs, right):
            for pair, good in zip(pairs, right, strict=True):
                self._one(pair, good)
            self.pairs = self.pairs[-self.capacity :]

        def _one(self, pair, good):
            if pair in self.pairs:
                self.pairs.remove(pair)
            if not good:
                self.pairs.append(pair)

        def _count(self, fresh, share):
            return min(int(share * len(fresh)), len(self.pairs))

        def batch(self, fresh, share):
            count = self._count(fresh, share)
            chosen = self.pairs[:count]
            self.pairs = self.pairs[count:] + chosen
            return chosen + fresh[: len(fresh) - count]

    return Book


def _pairs(rng, n):
    """Different pairs of numbers of two digits."""
    return [(int(i) // 80 + 15, int(i) % 80 + 18) for i in rng.choice(6400, n, replace=False)]


def _told(exams, capacity):
    steps = [new("ErrorBook", capacity, handle="book")]
    for pairs, right in exams:
        steps += [method("update", pairs, right, handle="book"), attribute("pairs", handle="book")]
    return steps


def _asked(exams, capacity, batches):
    steps = [new("ErrorBook", capacity, handle="book")]
    steps += [method("update", *exam, handle="book") for exam in exams]
    for fresh, share in batches:
        steps += [method("batch", fresh, share, handle="book"), attribute("pairs", handle="book")]
    return steps


@exercise(
    parts={"update": 2, "batch": 2}, minutes=20,
    source="replay of what went wrong, as in prioritised experience replay: Schaul et al. 2016; a queue by age: Leitner boxes",
)  # fmt: skip
class ErrorBook:
    """A book of a model's own mistakes: what is wrong comes in, what is right again goes out."""

    tolerance = exact

    def cases(rng):
        a, b, c, d, e, f = _pairs(rng, 6)
        yield case(script=_told([([a, b, c], [False, True, False])], 10), label="one exam, two mistakes")
        again = [([a, b, c, d], [False, False, True, False]), ([b, a], [True, False]), ([c, d], [False, True])]
        yield case(script=_told(again, 10), label="asked again: once right, once wrong")
        yield case(script=_told([([a, b, c, d, f], [False] * 5), ([e, d], [False, True])], 3), label="a full book")
        yield case(
            script=_told([([a, b, c], [False] * 3), ([e, a], [False, True])], 3), label="a full book, one in, one out"
        )
        yield case(script=_told([([a, b], [True, True]), ([], [])], 4), label="nothing is wrong")
        yield case(
            script=_told([([a, b, a, c, b], [False, False, True, False, False])], 5), label="asked twice at once"
        )
        yield case(
            script=_told([([a, b, c], [False] * 3), ([a, d, e], [False, False, False])], 4),
            label="an old mistake made again, in a full book",
        )
        pool = _pairs(rng, 9)
        exams = [
            ([pool[int(i)] for i in rng.choice(9, 6, replace=False)], [bool(r) for r in rng.random(6) < 0.35])
            for _ in range(4)
        ]
        yield case(script=_told([(pool[:7], [False] * 7), *exams], 6), label="random exams")
        fresh = _pairs(rng, 8)
        start = [([a, b, c, d, e], [False] * 5)]
        yield case(
            script=_asked(start, 9, [(fresh, 0.25), (fresh, 0.25), (fresh, 0.25)]), part="batch", label="in turn"
        )
        yield case(
            script=_asked(start, 9, [(fresh[:4], 0.7)]), part="batch", label="a share that does not divide evenly"
        )
        yield case(
            script=_asked([([a, b], [False, False])], 9, [(fresh, 0.5)]), part="batch", label="a book with too few"
        )
        yield case(script=_asked([], 9, [(fresh[:3], 0.5)]), part="batch", label="an empty book")
        yield case(
            script=[*_asked(start, 9, [(fresh[:6], 0.5)]), method("update", [f, b], [False, True], handle="book"),
                    method("batch", fresh[:4], 0.5, handle="book"), attribute("pairs", handle="book")],
            part="batch", label="a batch, an exam, a batch",
        )  # fmt: skip

    reference = _book_class()

    class misconceptions:
        def right_ones_kept(capacity):
            """You keep what was right. The book is for mistakes."""

            class Book(_book_class()):
                def _one(self, pair, good):
                    super()._one(pair, not good)

            return Book(capacity)

        def never_struck_out(capacity):
            """What is right now stays in your book. Take it out: it is learnt."""

            class Book(_book_class()):
                def _one(self, pair, good):
                    if not good:
                        super()._one(pair, good)

            return Book(capacity)

        def twice_in_the_book(capacity):
            """A mistake made again stands in your book twice. Take the old entry out first."""

            class Book(_book_class()):
                def _one(self, pair, good):
                    if good and pair in self.pairs:
                        self.pairs.remove(pair)
                    if not good:
                        self.pairs.append(pair)

            return Book(capacity)

        def keeps_its_place(capacity):
            """A mistake made again keeps its old place in your book. It goes to the end."""

            class Book(_book_class()):
                def _one(self, pair, good):
                    if good or pair not in self.pairs:
                        super()._one(pair, good)

            return Book(capacity)

        def last_exam_only(capacity):
            """Your book forgets: each exam replaces the one before. Add to what is there."""

            class Book(_book_class()):
                def update(self, pairs, right):
                    self.pairs = []
                    super().update(pairs, right)

            return Book(capacity)

        def no_capacity(capacity):
            """Your book grows without end. At most `capacity` pairs: the oldest leave."""

            class Book(_book_class()):
                def update(self, pairs, right):
                    for pair, good in zip(pairs, right, strict=True):
                        self._one(pair, good)

            return Book(capacity)

        def newest_leave(capacity):
            """When your book is full, the newest mistakes leave. The oldest leave."""

            class Book(_book_class()):
                def update(self, pairs, right):
                    for pair, good in zip(pairs, right, strict=True):
                        self._one(pair, good)
                    self.pairs = self.pairs[: self.capacity]

            return Book(capacity)

        def full_is_full(capacity):
            """A full book takes in nothing new. Take it in, and let the oldest leave."""

            class Book(_book_class()):
                def _one(self, pair, good):
                    if good or pair in self.pairs or len(self.pairs) < self.capacity:
                        super()._one(pair, good)

            return Book(capacity)

        def one_too_many(capacity):
            """Your book holds one pair more than `capacity`."""

            class Book(_book_class()):
                def update(self, pairs, right):
                    for pair, good in zip(pairs, right, strict=True):
                        self._one(pair, good)
                    self.pairs = self.pairs[-self.capacity - 1 :]

            return Book(capacity)

        def one_too_few(capacity):
            """Your book holds one pair fewer than `capacity`."""

            class Book(_book_class()):
                def update(self, pairs, right):
                    for pair, good in zip(pairs, right, strict=True):
                        self._one(pair, good)
                    self.pairs = (
                        self.pairs[len(self.pairs) - self.capacity + 1 :]
                        if len(self.pairs) >= self.capacity
                        else self.pairs
                    )

            return Book(capacity)

        def newest_first(capacity):
            """Your newest mistakes stand at the front. They go to the end: who has waited longest is first."""

            class Book(_book_class()):
                def _one(self, pair, good):
                    if pair in self.pairs:
                        self.pairs.remove(pair)
                    if not good:
                        self.pairs.insert(0, pair)

                def update(self, pairs, right):
                    for pair, good in zip(pairs, right, strict=True):
                        self._one(pair, good)
                    self.pairs = self.pairs[: self.capacity]

            return Book(capacity)

        def sorted_book(capacity):
            """You sort the book, or keep a set. The order is that of waiting: a list."""

            class Book(_book_class()):
                def update(self, pairs, right):
                    super().update(pairs, right)
                    self.pairs = sorted(self.pairs)

            return Book(capacity)

        def emptied_by_a_batch(capacity):
            """A batch takes its pairs out of your book. They go to its end: only a right answer strikes them out."""

            class Book(_book_class()):
                def batch(self, fresh, share):
                    count = self._count(fresh, share)
                    chosen, self.pairs = self.pairs[:count], self.pairs[count:]
                    return chosen + fresh[: len(fresh) - count]

            return Book(capacity)

        def popped_off(capacity):
            """You take pairs out of the book and lose them, and take more than it holds. They go to its end; stop when it is empty."""

            class Book(_book_class()):
                def batch(self, fresh, share):
                    chosen = [self.pairs.pop(0) for _ in range(int(share * len(fresh)))]
                    return chosen + fresh[: len(fresh) - len(chosen)]

            return Book(capacity)

        def book_ignored(capacity):
            """Your batch holds fresh pairs only. A share of it comes from the front of the book."""

            class Book(_book_class()):
                def batch(self, fresh, share):
                    return list(fresh)

            return Book(capacity)

        def always_the_same(capacity):
            """Each batch gets the same pairs of the book. What was used goes to the book's end, so that all come in turn."""

            class Book(_book_class()):
                def batch(self, fresh, share):
                    count = self._count(fresh, share)
                    return self.pairs[:count] + fresh[: len(fresh) - count]

            return Book(capacity)

        def the_newest(capacity):
            """You take the newest mistakes. Take those at the front, which have waited longest."""

            class Book(_book_class()):
                def batch(self, fresh, share):
                    count = self._count(fresh, share)
                    return self.pairs[len(self.pairs) - count :] + fresh[: len(fresh) - count]

            return Book(capacity)

        def added_on_top(capacity):
            """Your batch is longer than `fresh`. The book's pairs take the place of fresh ones."""

            class Book(_book_class()):
                def batch(self, fresh, share):
                    count = self._count(fresh, share)
                    chosen = self.pairs[:count]
                    self.pairs = self.pairs[count:] + chosen
                    return chosen + fresh

            return Book(capacity)

        def book_behind(capacity):
            """In your batch the fresh pairs come first. The book's come first."""

            class Book(_book_class()):
                def batch(self, fresh, share):
                    count = self._count(fresh, share)
                    whole = super().batch(fresh, share)
                    return whole[count:] + whole[:count]

            return Book(capacity)

        def last_ones_of_fresh(capacity):
            """You drop the first of the fresh pairs. Keep the first ones, as many as there is room for."""

            class Book(_book_class()):
                def batch(self, fresh, share):
                    count = self._count(fresh, share)
                    return super().batch(fresh, share)[:count] + fresh[count:]

            return Book(capacity)

        def short_batch(capacity):
            """With few pairs in the book your batch gets too short. Fill it up with fresh ones."""

            class Book(_book_class()):
                def batch(self, fresh, share):
                    whole = super().batch(fresh, share)
                    return whole[: len(fresh) - int(share * len(fresh)) + self._count(fresh, share)]

            return Book(capacity)

        def share_of_the_book(capacity):
            """You take a share of the book. It is a share of the batch: int(share * len(fresh))."""

            class Book(_book_class()):
                def batch(self, fresh, share):
                    count = int(share * len(self.pairs))
                    chosen = self.pairs[:count]
                    self.pairs = self.pairs[count:] + chosen
                    return chosen + fresh[: len(fresh) - count]

            return Book(capacity)

        def rounded(capacity):
            """You round the share of the batch up, or to the nearest. `int(...)` rounds it down."""

            class Book(_book_class()):
                def _count(self, fresh, share):
                    return min(int(-(-share * len(fresh) // 1)), len(self.pairs))

            return Book(capacity)

        def shares_exchanged(capacity):
            """You take the share from the fresh pairs. It is the share of the book."""

            class Book(_book_class()):
                def _count(self, fresh, share):
                    return min(len(fresh) - int(share * len(fresh)), len(self.pairs))

            return Book(capacity)

        def the_whole_book(capacity):
            """You put the whole book into the batch, whatever the share."""

            class Book(_book_class()):
                def _count(self, fresh, share):
                    return min(len(fresh), len(self.pairs))

            return Book(capacity)


# ---- its own right answers ---------------------------------------------------------------------------------------


def _read(line):
    found = re.fullmatch(r"[^\n]*;([0-9]+)\n", line)
    return int(found[1]) if found else None


def _kept(
    pairs, attempts, most, good=lambda line, x, y: _read(line) == x * y, once=True, choose=lambda r, most: r[:most]
):
    """What is kept of each pair's attempts, right unless told otherwise."""
    kept = []
    for (x, y), lines in zip(pairs, attempts, strict=True):
        right = [line for line in lines if good(line, x, y)]
        kept.append(choose(list(dict.fromkeys(right)) if once else right, most))
    return kept


def _flat(lists):
    return [line for lines in lists for line in lines]


def _lucky(x, y, digits):
    """A line with a wrong step and the right answer."""
    line = _line(x, y, digits)
    place = 2 * digits + 3
    return line[:place] + str((int(line[place]) + 3) % 10) + line[place + 1 :]


@exercise(
    points=2, minutes=10, uses=("m18.read_answer",),
    source="rejection sampling fine-tuning: Yuan et al. 2023; self-taught reasoning: Zelikman et al. 2022 (STaR)",
)  # fmt: skip
class rejection_sample:
    """Of a model's own attempts, those whose answer is right: what it may learn from next."""

    tolerance = exact

    def cases(rng):
        x, y = (int(n) for n in rng.integers(23, 99, 2))
        right, lucky, off = _line(12, 34, 2), _lucky(12, 34, 2), _line(12, 34, 2, answer="0409")
        other, own = _line(56, 78, 2), _line(x, y, 2)
        pairs = [(12, 34), (56, 78), (x, y)]
        attempts = [[off, lucky, right], [_line(56, 77, 2), other[:-1]], [own, own, _lucky(x, y, 2)]]
        yield case(pairs, attempts, label="three pairs, one of them never right")
        yield case(pairs, attempts, 2, label="at most two of each")
        yield case(pairs[:1], [[right, right, off, lucky, right]], 5, label="the same line several times")
        yield case(
            [(12, 34), (12, 35)], [[_line(12, 35, 2)], [right, _line(12, 35, 2)]], label="answers of other pairs"
        )
        wrong_way = _line(12, 34, 2, answer="8040")
        yield case(
            [(12, 34)], [[wrong_way, right[:-1], right.replace(";", "="), lucky]], 3, label="answers that are none"
        )
        yield case(
            [(0, 7), (7, 0)], [[_line(0, 7, 1), _line(0, 7, 1, answer="")], [_line(7, 0, 1)]], 2, label="0 is an answer"
        )
        yield case([(3, 4)], [[_line(3, 5, 1), ""]], label="nothing is right")
        some = [(int(a), int(b)) for a, b in rng.integers(11, 99, (4, 2))]
        tries = [
            [
                [_line(a, b, 2), _lucky(a, b, 2), _line(a, b + 1, 2), _line(a, b, 2)[:-1]][int(i)]
                for i in rng.integers(0, 4, 5)
            ]
            for a, b in some
        ]
        yield case(some, tries, 2, label="random attempts")

    def reference(pairs, attempts, most=1):
        kept = []
        for pair, lines in zip(pairs, attempts, strict=True):
            mine = []
            for line in lines:
                if len(mine) < most and line not in mine and _read(line) == pair[0] * pair[1]:
                    mine.append(line)
            kept.extend(mine)
        return kept

    class misconceptions:
        def everything_kept(pairs, attempts, most=1):
            """You keep attempts whose answer is wrong."""
            return _flat(_kept(pairs, attempts, most, good=lambda line, x, y: True))

        def wrong_ones_kept(pairs, attempts, most=1):
            """You keep the wrong attempts. They are what is rejected."""
            return _flat(_kept(pairs, attempts, most, good=lambda line, x, y: _read(line) != x * y))

        def steps_tested(pairs, attempts, most=1):
            """You keep lines only if all their steps are right. The judge knows the product alone: compare the answer."""
            digits = next(line.index("*") if "*" in line else 2 for line in _flat(attempts))
            return _flat(_kept(pairs, attempts, most, good=lambda line, x, y: line == _line(x, y, digits)))

        def anywhere_in_the_line(pairs, attempts, most=1):
            """You look for the product anywhere in the line. It counts only as the answer: use `read_answer`."""
            return _flat(_kept(pairs, attempts, most, good=lambda line, x, y: str(x * y) in line))

        def end_not_needed(pairs, attempts, most=1):
            """You keep lines that were cut off. `read_answer` gives None for them."""
            return _flat(_kept(pairs, attempts, most, good=lambda line, x, y: _read(line.rstrip("\n") + "\n") == x * y))

        def own_question(pairs, attempts, most=1):
            """You take the product from the line's own question. The pair that was asked decides."""

            def good(line, x, y):
                found = re.match("([0-9]+)[*]([0-9]+)=", line)
                return found is not None and _read(line) == int(found[1]) * int(found[2])

            return _flat(_kept(pairs, attempts, most, good=good))

        def same_line_again(pairs, attempts, most=1):
            """The same line counts several times. Keep different ones: a copy teaches nothing new."""
            return _flat(_kept(pairs, attempts, most, once=False))

        def all_right_ones(pairs, attempts, most=1):
            """You keep all right lines of a pair. At most `most`: otherwise the easy pairs crowd out the others."""
            return _flat(_kept(pairs, attempts, most, choose=lambda right, most: right))

        def one_of_each(pairs, attempts, most=1):
            """You keep one line of each pair, whatever `most` is."""
            return _flat(_kept(pairs, attempts, 1))

        def last_ones(pairs, attempts, most=1):
            """You keep the last right lines. Keep the first ones."""
            return _flat(_kept(pairs, attempts, most, choose=lambda right, most: right[-most:]))

        def most_in_all(pairs, attempts, most=1):
            """You keep `most` lines in all. It is how many of each pair."""
            return _flat(_kept(pairs, attempts, most))[:most]

        def first_tries_only(pairs, attempts, most=1):
            """You look at the first `most` attempts only. Look at all, and keep the first `most` that are right."""
            return _flat(_kept(pairs, [lines[:most] for lines in attempts], most))

        def zero_is_nothing(pairs, attempts, most=1):
            """You take 0 for no answer. 0 * 7 = 0 is right."""
            return _flat(
                _kept(pairs, attempts, most, good=lambda line, x, y: bool(_read(line)) and _read(line) == x * y)
            )

        def a_list_for_each(pairs, attempts, most=1):
            """You return a list for each pair. One list of lines is asked for: `+=`, not `append`."""
            return _kept(pairs, attempts, most)

        def pairs_kept(pairs, attempts, most=1):
            """You return the pairs. Return the lines: they are what the model reads next."""
            lists = _kept(pairs, attempts, most)
            return [pair for pair, lines in zip(pairs, lists, strict=True) for _ in lines]

        def all_attempts_of_solved_pairs(pairs, attempts, most=1):
            """If one attempt is right you keep the wrong ones beside it. Test each line by itself."""
            lists = [
                list(dict.fromkeys(lines))[:most] if any(_read(line) == x * y for line in lines) else []
                for (x, y), lines in zip(pairs, attempts, strict=True)
            ]
            return _flat(lists)

        def all_must_be_right(pairs, attempts, most=1):
            """You keep a pair's lines only if all its attempts are right. Test each line by itself."""
            lists = [
                kept if all(_read(line) == x * y for line in lines) else []
                for (x, y), lines, kept in zip(pairs, attempts, _kept(pairs, attempts, most), strict=True)
            ]
            return _flat(lists)


# ---- questions ---------------------------------------------------------------------------------------------------


@question(answer="c")
class why_the_switch_hurts:
    """A model has learnt `7*8=65;56`. Now it gets `47*83=`, which is not padded in the same way. Why does it begin anew?"""

    a = (
        "Numbers of two digits are made of tokens that it does not know.",
        "The tokens are the same ten digits and five signs.",
    )
    b = (
        "Its weights are too small for longer lines.",
        "They have not changed. A padded curriculum uses the same weights, and keeps what it knows.",
    )
    c = (
        "It has learnt at which places and distances the digits stand, and all of these are others now.",
        "Right: its heads look at fixed places, or a fixed number of them back. With zeros in front, these never change.",
    )
    d = (
        "The learning rate has fallen too far by then.",
        "It is the same for the padded curriculum, in the same steps.",
    )


@question(answer=["a", "d"])
class a_fair_comparison:
    """You compare a curriculum with training on the hard task alone. What belongs to a fair comparison? Choose all."""

    a = (
        "Both read the same number of tokens in all, those of the easy stages included.",
        "Right: otherwise the longer training wins, and you would thank the curriculum for it.",
    )
    b = (
        "Both are examined on what they were trained on last.",
        "They are examined on the same pairs, which neither of them has seen.",
    )
    c = (
        "Both stop as soon as their loss is equal.",
        "A loss on easy lines and one on hard lines cannot be compared, and the loss is not what you want to know.",
    )
    d = (
        "Several seeds: a difference counts only if it is larger than that between seeds.",
        "Right. With one seed, a few percent in the steep part of the curve mean nothing.",
    )


@question(answer="b")
class what_is_rejected:
    """A model trains on its own verified lines again and again. What is the danger, even if every kept answer is right?"""

    a = (
        "None: right answers can only help.",
        "They can: but which ones are kept is decided by what the model can do already.",
    )
    b = (
        "Pairs that it never gets right are never among its lines: easy ones crowd out what it should learn.",
        "Right. That is why one asks several times, keeps few lines of each pair, and watches the hard kinds apart.",
    )
    c = (
        "The judge needs the right steps of every pair.",
        "It needs the answer only. That is what makes the method cheap.",
    )
    d = (
        "The lines are longer than those of the book.",
        "They have the same format: the model has learnt to write it.",
    )
