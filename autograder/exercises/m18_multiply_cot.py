"""Exercises of m18, products as text and their evaluation. Texts and numbers agree with Python's own integer arithmetic and
format strings, ids with the `tokenizers` library (a `WordLevel` model of characters), masked targets with the loss of
`torch.nn.functional.cross_entropy` and its `ignore_index`, and lines, targets and scores with those of `course.lab`."""

import numpy as np
import torch

from autograder.exercise import case, exercise, question
from course.checks.compare import exact
from course.checks.script import attribute, call, given, held

TITLE = "Teaching a Transformer to multiply"

SIGNS = "0123456789*=+;\n"
OURS = {"course.lab.multiplication": "it holds what you build here"}


def _backwards(number, width):
    """The digits of a number by division, the last one first."""
    return "".join(str(number // 10**place % 10) for place in range(width))


def _forwards(number, width):
    return "".join(str(number // 10**place % 10) for place in reversed(range(width)))


# ---- the text ----------------------------------------------------------------------------------------------------


@exercise(
    forbids=OURS,
    points=1,
    minutes=3,
    source="reversed digits: Lee et al. 2023, Teaching Arithmetic to Small Transformers",
)
class write_backwards:
    """A number with its last digit first, padded with zeros."""

    tolerance = exact

    def cases(rng):
        yield case(48, 3, label="48 in 3 characters")
        yield case(630, 4, label="630, which ends in a zero")
        yield case(0, 4, label="zero")
        yield case(1234, 4, label="a number that needs no zeros")
        yield case(7, 1, label="one digit")
        width = int(rng.integers(5, 8))
        yield case(int(rng.integers(112, 998)), width, label=f"a random number in {width} characters")

    def reference(number, width):
        return _backwards(number, width)

    class misconceptions:
        def not_turned_round(number, width):
            """Your digits stand in the usual order. The last digit comes first."""
            return f"{number:0{width}d}"

        def not_padded(number, width):
            """Zeros are missing: write the number with `width` digits, so that all lines have one length."""
            return str(number)[::-1]

        def until_nothing_is_left(number, width):
            """You stop when no digits are left. Go on with zeros up to `width`; of 0, too."""
            return str(number)[::-1] if number else ""

        def padded_after_turning(number, width):
            """Your zeros stand at the front. Pad the number first, then turn it round: they are its leading zeros."""
            return str(number)[::-1].zfill(width)

        def padded_with_blanks(number, width):
            """You pad with blanks. The text knows no blank: pad with zeros."""
            return f"{number:{width}d}"[::-1]

        def a_number(number, width):
            """You return a number, which loses its zeros. A text is asked for."""
            return int(_backwards(number, width))

        def a_list(number, width):
            """You return a list of digits. Join them to one text: `"".join(...)`."""
            return list(_backwards(number, width))

        def only_the_zeros_turned(number, width):
            """You put the zeros behind the number but left its own digits as they were. Turn the whole text round."""
            return str(number).ljust(width, "0")

        def last_digit_dropped(number, width):
            """One digit is missing: `[-1:0:-1]` stops before the first character. `[::-1]` takes all."""
            return f"{number:0{width}d}"[-1:0:-1]

        def one_zero_too_many(number, width):
            """Your text is one character too long: `width` counts all digits."""
            return _backwards(number, width + 1)


def _chain(x, y, digits, write=_backwards, order=None, shift=True, sums="running", widths=None, join="+", equals="="):
    """A chain of thought, right unless told otherwise."""
    order = range(digits) if order is None else order
    text, total, size = "", 0, 0
    for i, place in enumerate(order):
        row = x * (y // 10**place % 10) * (10**i if shift else 1)
        total, size = total + row, digits + 1 + i
        row_width, sum_width = widths(i) if widths else (size, size)
        if i == 0:
            text = write(row, row_width)
            continue
        text += join + write(row, row_width)
        if sums == "running" or (sums == "last" and i == digits - 1):
            text += equals + write(total, sum_width)
        elif sums == "rows":
            text += equals + write(row, sum_width)
        elif sums == "product":
            text += equals + write(x * y, sum_width)
    return text


@exercise(
    forbids=OURS, points=3, minutes=15, uses=("m18.write_backwards",),
    source="written multiplication as a scratchpad: Nye et al. 2021, Show Your Work; Lee et al. 2023",
)  # fmt: skip
class chain_of_thought:
    """The steps of a written multiplication: partial products, and after each the sum so far."""

    tolerance = exact

    def cases(rng):
        yield case(12, 34, 2, label="12 * 34")
        yield case(99, 98, 2, label="99 * 98, the longest numbers")
        yield case(50, 20, 2, label="50 * 20, with zeros")
        yield case(48, 3, 2, label="48 * 03: the tens of y get a row, too")
        yield case(123, 456, 3, label="123 * 456: a sum after each row")
        yield case(7, 8, 1, label="7 * 8: one row, nothing to add")
        x, y = (int(rng.integers(23, 99)) for _ in range(2))
        yield case(x, y + (y % 11 == 0), 2, label="two random numbers of two digits")
        a, b, c, d = rng.choice(np.arange(1, 10), 4, replace=False).tolist()
        yield case(
            1000 * d + 100 * a + 7, 1000 * a + 100 * b + 10 * c + d, 4, label="two random numbers of four digits"
        )

    def reference(x, y, digits):
        rows = [x * (y // 10**i % 10) * 10**i for i in range(digits)]
        parts = [_backwards(rows[0], digits + 1)]
        for i in range(1, digits):
            parts.append(f"{_backwards(rows[i], digits + 1 + i)}={_backwards(sum(rows[: i + 1]), digits + 1 + i)}")
        return "+".join(parts)

    class misconceptions:
        def first_digit_first(x, y, digits):
            """You begin with the first digit of y. Begin with its last one, the ones, as on paper."""
            return _chain(x, int(f"{y:0{digits}d}"[::-1]), digits)

        def digits_that_y_has(x, y, digits):
            """You make a row for each digit that `str(y)` has. 3 counts as 03: its tens get a row of zeros."""
            return _chain(x, y, digits, order=range(len(str(y))))

        def two_rows_always(x, y, digits):
            """You always write two rows. y has `digits` digits, and each of them gets a row: use a loop."""
            rows = x * (y % 10), x * (y // 10) * 10
            texts = (_long(number, digits + 1 + (i > 0)) for i, number in enumerate((*rows, sum(rows))))
            return "{}+{}={}".format(*texts)

        def sum_after_the_first_row(x, y, digits):
            """You write a sum after the first row, too. There is nothing to add yet: it stands alone."""
            first = _backwards(x * (y % 10), digits + 1)
            return first + "=" + _chain(x, y, digits)

        def first_row_like_the_others(x, y, digits):
            """You write the first row like the others, with "+" and a sum. It stands alone: write it before the loop."""
            first = _backwards(x * (y % 10), digits + 1)
            return "+" + first + "=" + _chain(x, y, digits)

        def plus_in_front(x, y, digits):
            """Your text begins with "+". The first row stands alone; "+" comes before each of the others."""
            return "+" + _chain(x, y, digits)

        def not_turned_round(x, y, digits):
            """Your numbers stand in the usual order. Each of them is written with its last digit first."""
            return _chain(x, y, digits, write=_forwards)

        def rows_not_shifted(x, y, digits):
            """Your rows are x times a digit. The second digit of y counts tens: its row ends in a zero, the next in two."""
            return _chain(x, y, digits, shift=False)

        def no_sums(x, y, digits):
            """The sums are missing. After each row but the first, write "=" and the sum of the rows so far."""
            return _chain(x, y, digits, sums="none")

        def last_sum_only(x, y, digits):
            """You add only once, at the end. Write the sum so far after every row: each step then adds two numbers."""
            return _chain(x, y, digits, sums="last")

        def this_row_not_in_the_sum(x, y, digits):
            """Your sums leave out the row that stands right before them: a sum is of all rows so far, this one included."""
            rows = _partial(x, y, digits)
            return _joined(rows, [sum(rows[:i]) for i in range(digits)], digits)

        def only_the_first_row_as_sum(x, y, digits):
            """Behind "=" you write the first row again. There stands the sum of all rows so far."""
            rows = _partial(x, y, digits)
            return _joined(rows, [rows[0]] * digits, digits)

        def one_row_too_many_in_the_sum(x, y, digits):
            """Your sums also hold the row that comes next. A sum is of the rows so far, up to the one before it."""
            rows = _partial(x, y, digits)
            return _joined(rows, [sum(rows[: i + 2]) for i in range(digits)], digits)

        def digit_added(x, y, digits):
            """You add the digit to x. A row is x times the digit."""
            return _joined([(x + d) * 10**i for i, d in enumerate(_digits(y, digits))], None, digits)

        def digit_missing(x, y, digits):
            """Your rows are x with zeros behind it. A row is x times the digit of y, with the zeros."""
            return _joined([x * 10**i for i in range(digits)], None, digits)

        def x_missing(x, y, digits):
            """Your rows are the digits of y with zeros behind them. A row is x times the digit, with the zeros."""
            return _joined([d * 10**i for i, d in enumerate(_digits(y, digits))], None, digits)

        def y_for_x(x, y, digits):
            """You multiply y by its own digits. It is x that is multiplied."""
            return _joined([y * d * 10**i for i, d in enumerate(_digits(y, digits))], None, digits)

        def x_for_y(x, y, digits):
            """You multiply x by its own digits. The digits are those of y."""
            return _joined([x * d * 10**i for i, d in enumerate(_digits(x, digits))], None, digits)

        def ten_times_the_place(x, y, digits):
            """You multiply by `10 * i`. The digit at place i counts 10 to the power i: `10**i`."""
            return _joined([x * d * 10 * i for i, d in enumerate(_digits(y, digits))], None, digits)

        def times_the_place(x, y, digits):
            """You multiply by the place. The digit at place i counts 10 to the power i: `10**i`."""
            return _joined([x * d * i for i, d in enumerate(_digits(y, digits))], None, digits)

        def every_row_times_ten(x, y, digits):
            """You multiply every row by 10, the first one too. The digit at place i counts `10**i`: the first row stays."""
            return _joined([x * d * 10 for d in _digits(y, digits)], None, digits)

        def power_added(x, y, digits):
            """You add the power of ten. Multiply by it: that puts the zeros behind the row."""
            return _joined([x * d + 10**i for i, d in enumerate(_digits(y, digits))], None, digits)

        def row_repeated_as_sum(x, y, digits):
            """Behind "=" you repeat the row. There stands the sum of all rows so far."""
            return _chain(x, y, digits, sums="rows")

        def product_as_every_sum(x, y, digits):
            """Behind each "=" you write x * y. Only the last sum is the product; before, it is the sum so far."""
            return _joined(_partial(x, y, digits), [x * y] * digits, digits)

        def all_of_one_width(x, y, digits):
            """You give all numbers the same width. The first has digits + 1 characters, and each row one more."""
            return _chain(x, y, digits, widths=lambda i: (2 * digits, 2 * digits))

        def sums_of_full_width(x, y, digits):
            """Your sums have 2 * digits characters at once. A sum has the width of the row before it."""
            return _chain(x, y, digits, widths=lambda i: (digits + 1 + i, 2 * digits))

        def not_padded(x, y, digits):
            """Zeros are missing: the first number has digits + 1 characters, and each row one more than the last."""
            return _chain(x, y, digits, write=lambda number, width: str(number)[::-1])

        def one_too_narrow(x, y, digits):
            """Your numbers are one character too short: the first has digits + 1 characters. Otherwise a digit gets lost."""
            return _chain(x, y, digits, widths=lambda i: (digits + i, digits + i))

        def one_too_wide(x, y, digits):
            """Your numbers are one character too long: the first has digits + 1 characters."""
            return _chain(x, y, digits, widths=lambda i: (digits + 2 + i, digits + 2 + i))

        def whole_y(x, y, digits):
            """You multiply x by the whole of y in every row. A row is x times one digit of y, in its place."""
            return _chain(x * y, int("1" * digits), digits)

        def digits_of_x(x, y, digits):
            """You multiply y by the digits of x. The rows are x times each digit of y."""
            return _chain(y, x, digits)

        def blanks_around_signs(x, y, digits):
            """You write blanks. The text has no blank: "+" and "=" follow the digits at once."""
            return _chain(x, y, digits, join=" + ", equals=" = ")

        def rows_joined_without_plus(x, y, digits):
            """A "+" is missing before a row. Without it the model cannot see where one number ends."""
            return _chain(x, y, digits, join="")

        def shifted_once_too_often(x, y, digits):
            """Your second row is x times its digit times 100. The second digit of y counts tens."""
            rows = range(digits)
            text = _backwards(x * (y % 10), digits + 1)
            total = x * (y % 10)
            for place in rows[1:]:
                row = x * (y // 10**place % 10) * 10 ** (place + 1)
                total += row
                width = digits + 1 + place
                text += f"+{_long(row, width)}={_long(total, width)}"
            return text

        def first_row_not_in_the_sum(x, y, digits):
            """Your sum begins at 0 with the second row. The first row, x times the last digit, belongs to it too."""
            text, total = _backwards(x * (y % 10), digits + 1), 0
            for place in range(1, digits):
                row = x * (y // 10**place % 10) * 10**place
                total += row
                text += f"+{_backwards(row, digits + 1 + place)}={_backwards(total, digits + 1 + place)}"
            return text

        def digit_not_cut_off(x, y, digits):
            """`y // 10` still holds all digits before. `% 10` takes the last one of them."""
            text = _backwards(x * (y % 10), digits + 1)
            total = x * (y % 10)
            for place in range(1, digits):
                row = x * (y // 10**place) * 10**place
                total += row
                text += f"+{_long(row, digits + 1 + place)}={_long(total, digits + 1 + place)}"
            return text

        def one_row_too_few(x, y, digits):
            """A row is missing: y has `digits` digits, and each gets a row, the first of them too."""
            return _chain(x, y, digits, order=range(digits - 1)) if digits > 1 else _chain(x, y, digits)

        def question_in_front(x, y, digits):
            """You begin with the question. Only the steps are asked for; `product_line` puts the question before them."""
            return f"{x:0{digits}d}*{y:0{digits}d}=" + _chain(x, y, digits)


def _digits(y, digits):
    """The digits of y, the last one first."""
    return [y // 10**i % 10 for i in range(digits)]


def _partial(x, y, digits):
    return [x * d * 10**i for i, d in enumerate(_digits(y, digits))]


def _joined(rows, sums, digits):
    """A chain of these rows and sums, by default the running ones; what does not fit its width is longer."""
    sums = sums or [sum(rows[: i + 1]) for i in range(digits)]
    parts = [f"{_long(row, digits + 1 + i)}={_long(sums[i], digits + 1 + i)}" for i, row in enumerate(rows)]
    return "+".join([_long(rows[0], digits + 1), *parts[1:]])


def _long(number, width):
    """Backwards, at least as wide: longer if it does not fit."""
    return f"{number:0{width}d}"[::-1]


def _line(x, y, digits, thought=True, steps=None, end="\n", answer=None, semicolon=";", ask=None):
    """A line, right unless told otherwise."""
    ask = f"{x:0{digits}d}*{y:0{digits}d}=" if ask is None else ask
    steps = _chain(x, y, digits) if steps is None else steps
    answer = f"{x * y:0{2 * digits}d}" if answer is None else answer
    return ask + (steps + semicolon if thought else "") + answer + end


@exercise(
    forbids=OURS, points=1, minutes=5, uses=("m18.write_backwards", "m18.chain_of_thought"),
    source="reasoning before the answer: Wei et al. 2022, Chain-of-Thought Prompting",
)  # fmt: skip
class product_line:
    """The whole line that a model reads in training, with the steps or without."""

    tolerance = exact

    def cases(rng):
        yield case(12, 34, 2, label="12 * 34")
        yield case(12, 34, 2, False, label="12 * 34, the answer alone")
        yield case(7, 6, 2, label="7 * 6, with zeros in front")
        yield case(1, 7, 2, False, label="1 * 7, a product of one digit")
        yield case(4, 2, 1, False, label="4 * 2, numbers of one digit, the answer alone")
        x, y = (int(rng.integers(123, 400)) for _ in range(2))
        yield case(x, y, 3, label="two random numbers of three digits")
        yield case(x, y, 3, thought=False, label="the same, the answer alone")

    def reference(x, y, digits, thought=True):
        chain = "".join([_chain(x, y, digits), ";"])
        return "".join(
            [_forwards(x, digits), "*", _forwards(y, digits), "=", chain * thought, _forwards(x * y, 2 * digits), "\n"]
        )

    class misconceptions:
        def answer_backwards(x, y, digits, thought=True):
            """Your answer is turned round. Only the steps are; the answer is for people."""
            return _line(x, y, digits, thought, answer=_backwards(x * y, 2 * digits))

        def no_line_end(x, y, digits, thought=True):
            r"""The line end is missing: "\n" tells the model that it is done."""
            return _line(x, y, digits, thought, end="")

        def no_semicolon(x, y, digits, thought=True):
            """The ";" is missing. It tells where the steps end and the answer begins."""
            return _line(x, y, digits, thought, semicolon="")

        def answer_not_padded(x, y, digits, thought=True):
            """Zeros are missing before the answer: it has 2 * digits characters, so that all lines have one length."""
            return _line(x, y, digits, thought, answer=str(x * y))

        def answer_too_narrow(x, y, digits, thought=True):
            """Your answer is padded to `digits` characters. A product has up to 2 * digits."""
            return _line(x, y, digits, thought, answer=f"{x * y:0{digits}d}")

        def question_not_padded(x, y, digits, thought=True):
            """Zeros are missing in the question: `question(x, y, digits)` of the first cell writes it."""
            return _line(x, y, digits, thought, ask=f"{x}*{y}=")

        def no_question(x, y, digits, thought=True):
            """The question is missing: the line begins with it."""
            return _line(x, y, digits, thought, ask="")

        def always_thought(x, y, digits, thought=True):
            """You write the steps although `thought` is False. Then the answer follows the question at once."""
            return _line(x, y, digits, True)

        def never_thought(x, y, digits, thought=True):
            """The steps are missing although `thought` is True."""
            return _line(x, y, digits, False)

        def semicolon_without_steps(x, y, digits, thought=True):
            """Without steps there is no ";" either: the answer follows the "=" of the question."""
            return _line(x, y, digits, True, steps=None if thought else "")

        def thought_the_wrong_way_round(x, y, digits, thought=True):
            """You write the steps when `thought` is False, and leave them out when it is True."""
            return _line(x, y, digits, not thought)

        def no_answer(x, y, digits, thought=True):
            """The answer is missing: x * y, with 2 * digits characters."""
            return _line(x, y, digits, thought, answer="")

        def question_swapped(x, y, digits, thought=True):
            """In the question the two numbers are swapped: x comes first."""
            return _line(x, y, digits, thought, ask=f"{y:0{digits}d}*{x:0{digits}d}=")

        def steps_swapped(x, y, digits, thought=True):
            """Your steps are those of y times x. x comes first, there too."""
            return _line(x, y, digits, thought, steps=_chain(y, x, digits))

        def steps_missing(x, y, digits, thought=True):
            """The steps are missing: ";" follows the question at once."""
            return _line(x, y, digits, thought, steps="")

        def answer_first(x, y, digits, thought=True):
            """The answer stands before the steps. Then the model has to know it before it has worked it out."""
            ask, answer = f"{x:0{digits}d}*{y:0{digits}d}=", f"{x * y:0{2 * digits}d}"
            return ask + answer + (";" + _chain(x, y, digits) if thought else "") + "\n"


# ---- tokens ------------------------------------------------------------------------------------------------------


def _some_lines(rng, n, digits):
    return [_line(int(x), int(y), digits) for x, y in rng.integers(10 ** (digits - 1), 10**digits, (n, 2))]


def _vocabulary(rng):
    return "".join(rng.permutation(list(SIGNS)).tolist())


def _ids(lines, vocabulary):
    return torch.tensor([[vocabulary.index(c) for c in line] for line in lines])


@exercise(
    forbids=OURS, points=2, minutes=6, source="one token for each digit, as in Touvron et al. 2023 (LLaMA), section 2.1"
)
class encode_lines:
    """Many lines as one table of ids, a row for each line."""

    tolerance = exact

    def cases(rng):
        yield case(["7*8=", "2*3=", "0*5="], SIGNS, label="three questions")
        yield case([_line(12, 34, 2), _line(99, 98, 2)], SIGNS, label="two whole lines")
        yield case(["=3+4;"], "+=;43", label="one line, a small vocabulary in another order")
        yield case(_some_lines(rng, int(rng.integers(2, 5)), 2), _vocabulary(rng), label="random lines and vocabulary")

    def reference(lines, vocabulary):
        table = np.zeros((len(lines), len(lines[0])), np.int64)
        for i, line in enumerate(lines):
            for j, character in enumerate(line):
                table[i, j] = vocabulary.find(character)
        return torch.from_numpy(table)

    class misconceptions:
        def numbers_of_characters(lines, vocabulary):
            """You give the computer's own numbers of the characters (`ord`). An id is the place in `vocabulary`."""
            return torch.tensor([[ord(c) for c in line] for line in lines])

        def counted_from_one(lines, vocabulary):
            """Your ids are one too large: they count from 0."""
            return _ids(lines, vocabulary) + 1

        def vocabulary_of_the_lines(lines, vocabulary):
            """You make a vocabulary of the characters that occur. Use the one that is given: its order decides."""
            return _ids(lines, sorted(set("".join(lines))))

        def sorted_vocabulary(lines, vocabulary):
            """You sort the vocabulary. Its order as given decides: the id is the place in it."""
            return _ids(lines, sorted(vocabulary))

        def always_the_course_vocabulary(lines, vocabulary):
            """You use the vocabulary of the first cell, whatever is given. Use the argument."""
            return _ids(lines, SIGNS)

        def digits_for_themselves(lines, vocabulary):
            """You take a digit's value for its id. That holds only where the vocabulary begins with 0123456789."""
            return torch.tensor([[int(c) if c.isdigit() else vocabulary.index(c) for c in line] for line in lines])

        def one_long_row(lines, vocabulary):
            """You give one long row. One row for each line is asked for: shape (N, T)."""
            return _ids(lines, vocabulary).flatten()

        def turned_round(lines, vocabulary):
            """Your table is (T, N). A row is a line: (N, T)."""
            return _ids(lines, vocabulary).T

        def first_line_only(lines, vocabulary):
            """Only the first line arrives: `return` ends the function. It must stand behind the loop, not inside of it."""
            return _ids(lines[:1], vocabulary)

        def lists(lines, vocabulary):
            """You return lists. Make a tensor of them: `torch.tensor(...)`."""
            return _ids(lines, vocabulary).tolist()

        def floats(lines, vocabulary):
            """Your ids are floats. An embedding looks up whole numbers: int64."""
            return _ids(lines, vocabulary).float()

        def one_hot(lines, vocabulary):
            """You give a vector for each character. Ids are asked for, one whole number each."""
            return torch.nn.functional.one_hot(_ids(lines, vocabulary), len(vocabulary))


@exercise(
    forbids=OURS, points=1, minutes=5, source="an end token, here the line end, as in Sutskever et al. 2014, section 2"
)
class decode_line:
    """The text of a row of ids, up to the end of its line."""

    tolerance = exact

    def cases(rng):
        yield case(_ids([_line(12, 34, 2)], SIGNS)[0], SIGNS, label="a whole line")
        yield case(_ids(["7*8=65;56\n\n\n9\n"], SIGNS)[0], SIGNS, label="a line with more behind its end")
        yield case(_ids(["12*34=84"], SIGNS)[0], SIGNS, label="a line without an end")
        yield case(_ids(["\n12="], SIGNS)[0], SIGNS, label="an end at the very front")
        vocabulary = _vocabulary(rng)
        text = _some_lines(rng, 1, 2)[0] + "".join(rng.choice(list(SIGNS), 6)) + "1\n1"
        yield case(_ids([text], vocabulary)[0], vocabulary, label="a random line and vocabulary")

    def reference(ids, vocabulary):
        text = ""
        for i in ids:
            text = text if text.endswith("\n") else text + vocabulary[int(i)]
        return text

    class misconceptions:
        def everything(ids, vocabulary):
            r"""You go on behind the line's end. What the model says after the first "\n" does not count."""
            return "".join(vocabulary[i] for i in ids.tolist())

        def end_dropped(ids, vocabulary):
            r"""The line end is gone. Keep it: it tells that the model knew that it was done."""
            return "".join(vocabulary[i] for i in ids.tolist()).split("\n")[0]

        def all_ends_dropped(ids, vocabulary):
            """You only leave the line ends out. The line ends at the first one, which is kept; what follows does not count."""
            return "".join(vocabulary[i] for i in ids.tolist() if vocabulary[i] != "\n")

        def nothing_without_an_end(ids, vocabulary):
            """A text without a line end comes back empty: `find` gives -1 there. All of it is asked for."""
            text = "".join(vocabulary[i] for i in ids.tolist())
            return text[: text.find("\n") + 1]

        def always_an_end(ids, vocabulary):
            """You add a line end where none was. A line that was cut off must be told from one that is complete."""
            return "".join(vocabulary[i] for i in ids.tolist()).split("\n")[0] + "\n"

        def up_to_the_last_end(ids, vocabulary):
            r"""You read up to the last "\n". The line ends at the first one."""
            head, end, tail = "".join(vocabulary[i] for i in ids.tolist()).rpartition("\n")
            return head + end if end else tail

        def a_list(ids, vocabulary):
            """You return a list of characters. Join them: `"".join(...)`."""
            text = "".join(vocabulary[i] for i in ids.tolist())
            head, end, _ = text.partition("\n")
            return list(head + end)

        def ids_as_text(ids, vocabulary):
            """You write the ids themselves. The character with an id is `vocabulary[id]`."""
            text = []
            for i in ids.tolist():
                text.append(str(i))
                if vocabulary[i] == "\n":
                    break
            return "".join(text)

        def stripped(ids, vocabulary):
            """`strip` takes line ends away at both sides. Find the first one, and keep it."""
            return "".join(vocabulary[i] for i in ids.tolist()).strip()

        def always_the_course_vocabulary(ids, vocabulary):
            """You use the vocabulary of the first cell, whatever is given. Use the argument."""
            head, end, _ = "".join(SIGNS[i] for i in ids.tolist() if i < len(SIGNS)).partition("\n")
            return head + end

        def sorted_vocabulary(ids, vocabulary):
            """You sort the vocabulary. Its order as given decides: the id is the place in it."""
            head, end, _ = "".join(sorted(vocabulary)[i] for i in ids.tolist()).partition("\n")
            return head + end


# ---- what has a loss ---------------------------------------------------------------------------------------------


def _rows(rng, n, t):
    return torch.tensor(rng.permutation(np.arange(10, 10 + n * t)).reshape(n, t))


def _masked(rows, count, ignored):
    inputs, targets = rows[:, :-1].clone(), rows[:, 1:].clone()
    targets[:, : max(count, 0)] = ignored
    return inputs, targets


@exercise(
    forbids=OURS,
    points=2,
    minutes=8,
    source="loss on the answer only, as in Ouyang et al. 2022; ignore_index of torch's cross_entropy",
)
class masked_targets:
    """What the model reads, and what it should say next wherever that can be learnt."""

    tolerance = exact

    def cases(rng):
        yield case(torch.arange(20, 40).reshape(2, 10), 4, label="two rows of ten, a question of 4 tokens")
        yield case(_rows(rng, 3, 7), 3, label="three rows of seven, a question of 3 tokens")
        yield case(_rows(rng, 1, 6), 1, label="one row, a question of one token")
        yield case(_rows(rng, 2, 5), 5, label="nothing but the question")
        yield case(_rows(rng, 2, 8), 3, -1, label="another number for what is ignored")
        n, t, prompt = (int(rng.integers(*ends)) for ends in ((3, 6), (12, 16), (5, 9)))
        yield case(_rows(rng, n, t), prompt, label=f"{n} random rows of {t}, a question of {prompt} tokens")

    def reference(rows, prompt, ignored=-100):
        n, t = rows.shape
        inputs, targets = np.zeros((n, t - 1), np.int64), np.zeros((n, t - 1), np.int64)
        for i in range(n):
            for j in range(t - 1):
                inputs[i, j] = rows[i, j]
                targets[i, j] = rows[i, j + 1] if j + 1 >= prompt else ignored
        return torch.from_numpy(inputs), torch.from_numpy(targets)

    class misconceptions:
        def one_too_many(rows, prompt, ignored=-100):
            """You ignore one target too many: after the question's last token, the first token of the steps has to be learnt."""
            return _masked(rows, prompt, ignored)

        def one_too_few(rows, prompt, ignored=-100):
            """You ignore one target too few: the question's last token can stand only in targets, and there it is ignored."""
            return _masked(rows, prompt - 2, ignored)

        def nothing_ignored(rows, prompt, ignored=-100):
            """No target is ignored. The question is random: what it says cannot be foretold, so it should have no loss."""
            return _masked(rows, 0, ignored)

        def everything_but_the_question(rows, prompt, ignored=-100):
            """You ignore the steps and the answer, and keep the question: the wrong way round."""
            inputs, targets = _masked(rows, 0, ignored)
            targets[:, prompt - 1 :] = ignored
            return inputs, targets

        def not_shifted(rows, prompt, ignored=-100):
            """Your targets are what the model reads at the same place. They are what comes next: `rows[:, 1:]`."""
            targets = rows[:, :-1].clone()
            targets[:, : prompt - 1] = ignored
            return rows[:, :-1], targets

        def shifted_to_the_right(rows, prompt, ignored=-100):
            """You exchanged the two: inputs are all tokens but the last, targets all but the first."""
            inputs, targets = rows[:, 1:], rows[:, :-1].clone()
            targets[:, : prompt - 1] = ignored
            return inputs, targets

        def inputs_ignored(rows, prompt, ignored=-100):
            """You changed the inputs. The model has to read the question; only as targets its tokens are ignored."""
            inputs, targets = rows[:, :-1].clone(), rows[:, 1:]
            inputs[:, : prompt - 1] = ignored
            return inputs, targets

        def both_ignored(rows, prompt, ignored=-100):
            """You changed the inputs, too. Mask the targets only: the model has to read the question."""
            inputs, targets = _masked(rows, prompt - 1, ignored)
            inputs[:, : prompt - 1] = ignored
            return inputs, targets

        def question_as_ignored_inputs(rows, prompt, ignored=-100):
            """You mask the rows before you cut inputs and targets out of them: so the inputs lose the question as well."""
            rows = rows.clone()
            rows[:, :prompt] = ignored
            return rows[:, :-1], rows[:, 1:]

        def always_minus_100(rows, prompt, ignored=-100):
            """You write -100, whatever `ignored` is. Use the argument."""
            return _masked(rows, prompt - 1, -100)

        def zero_for_ignored(rows, prompt, ignored=-100):
            """You write 0 for what is ignored, but 0 is a token, the digit 0. Write `ignored`."""
            return _masked(rows, prompt - 1, 0)

        def first_row_only(rows, prompt, ignored=-100):
            """You mask one row only. `targets[:, :k]` means the first k columns of all rows."""
            inputs, targets = _masked(rows, 0, ignored)
            targets[0, : prompt - 1] = ignored
            return inputs, targets

        def rows_instead_of_columns(rows, prompt, ignored=-100):
            """`targets[:k]` means the first k rows. Columns come second: `targets[:, :k]`."""
            inputs, targets = _masked(rows, 0, ignored)
            targets[: prompt - 1] = ignored
            return inputs, targets

        def cut_off(rows, prompt, ignored=-100):
            """You cut the question out of the targets. Keep their number, and write `ignored` in its place."""
            return rows[:, :-1], rows[:, prompt:]

        def inputs_not_cut(rows, prompt, ignored=-100):
            """Your inputs keep their last token. Nothing comes after it: leave it out."""
            return rows, _masked(rows, prompt - 1, ignored)[1]

        def nothing_cut(rows, prompt, ignored=-100):
            """Both are as long as the rows. Inputs are all tokens but the last, targets all but the first: T - 1 each."""
            return rows, rows.masked_fill(torch.arange(rows.shape[1]) < prompt, ignored)

        def question_and_rest(rows, prompt, ignored=-100):
            """You split the rows into the question and the rest. Inputs are all tokens but the last, targets all but the first."""
            return rows[:, :prompt], rows[:, prompt:]

        def targets_alone(rows, prompt, ignored=-100):
            """You return the targets only. Return both: inputs, targets."""
            return _masked(rows, prompt - 1, ignored)[1]

        def changes_the_rows(rows, prompt, ignored=-100):
            """You wrote into `rows`: a slice is a view of it, not a copy. `clone()` makes a copy, and the inputs stay whole."""
            inputs, targets = rows[:, :-1], rows[:, 1:]
            targets[:, : prompt - 1] = ignored
            return inputs, targets


# ---- evaluation --------------------------------------------------------------------------------------------------


def _read(line, mark):
    """The digits between the last mark and the line end as a number; None if there are none, or something else."""
    place = max((i for i, c in enumerate(line) if c == mark), default=None)
    if place is None or line[-1] != "\n":
        return None
    number = None
    for c in line[place + 1 : -1]:
        if c not in "0123456789":
            return None
        number = 10 * (number or 0) + int(c)
    return number


@exercise(
    forbids=OURS, points=2, minutes=8, source="answers read back by a fixed rule, as in Cobbe et al. 2021 (GSM8K)"
)
class read_answer:
    """The number that a line gives as its answer, or None if it gives none."""

    tolerance = exact

    def cases(rng):
        yield case(_line(12, 34, 2), label="12 * 34 with its steps")
        yield case(_line(12, 34, 2, False), "=", label="the answer alone, behind the question")
        yield case("12*34=840+0630=8040;04", label="a line without an end")
        yield case("12*34=840+0630=8040\n", label="a line without an answer")
        yield case("12*34=840+0630=8040;\n", label="nothing behind the mark")
        yield case("12*34=840+0630=8040;04+8\n", label="an answer that is no number")
        yield case(_line(0, 34, 2), label="an answer of 0")
        yield case(_line(234, 456, 3), label="an answer of six digits")
        yield case("0408\n", label="a number and no mark")
        yield case(";7\n", label="nothing but a mark, a digit and the end")
        yield case("12*34=840;+408\n", label="a sign before the number")
        yield case("12*34=840;0408 \n", label="a blank behind the number")
        yield case("12*34=840;99;0408\n", label="two marks")
        yield case("12*34=840+0630=8040\n", "=", label="two marks of another kind")
        x, y = (int(rng.integers(31, 99)) for _ in range(2))
        yield case(_line(x, y, 2), label="a random line")

    def reference(line, mark=";"):
        return _read(line, mark)

    class misconceptions:
        def as_text(line, mark=";"):
            """You return a text. A number is asked for, so that 0408 and 408 are the same: `int(...)`."""
            number = _read(line, mark)
            return None if number is None else line.rpartition(mark)[2][:-1]

        def whatever_int_takes(line, mark=";"):
            """`int` overlooks a missing line end, and raises where there is no number. Test the text first; if it fails, None."""
            return int(line.rpartition(mark)[2])

        def end_not_needed(line, mark=";"):
            """A line without its end was cut off: its number may lack digits. Return None."""
            return _read(line.rstrip("\n") + "\n", mark)

        def last_digit_lost(line, mark=";"):
            """You cut the last character off although it is no line end. Test for the end first: without it, None."""
            _, found, tail = line.rpartition(mark)
            return int(tail[:-1]) if found and tail[:-1].isdigit() else None

        def zero_is_none(line, mark=";"):
            """0 is an answer. `if not number` takes it for none: ask `is None`."""
            return _read(line, mark) or None

        def none_is_zero(line, mark=";"):
            """You return 0 where there is no answer. 0 is a number, and sometimes right: return None."""
            return _read(line, mark) or 0

        def minus_one(line, mark=";"):
            """You return -1 where there is no answer. Return None."""
            number = _read(line, mark)
            return -1 if number is None else number

        def first_mark(line, mark=";"):
            """You read behind the first mark. With several of them, the answer stands behind the last one."""
            text = line.partition(mark)[2]
            return int(text) if text[:-1].isdigit() and text.endswith("\n") else None

        def second_part(line, mark=";"):
            """`split(mark)[1]` stands between the first and the second mark. The answer is behind the last one: `[-1]`."""
            parts = line.split(mark)
            text = parts[1].rstrip("\n") if len(parts) > 1 else ""
            return int(text) if text.isdigit() and line.endswith("\n") else None

        def mark_not_needed(line, mark=";"):
            """Without a mark you take the whole line, or what stands behind another sign. Return None."""
            number = _read(line, mark)
            tail = line.rstrip("\n").replace(";", "=").rpartition("=")[2]
            return int(tail) if number is None and mark not in line and tail.isdigit() else number

        def always_semicolon(line, mark=";"):
            """You look for ";", whatever `mark` is. Use the argument."""
            return _read(line, ";")

        def turned_round(line, mark=";"):
            """You turn the answer round. Only the steps are written backwards; the answer is not."""
            number = _read(line, mark)
            return None if number is None else int(line.rpartition(mark)[2][:-1][::-1])

        def last_four(line, mark=";"):
            """You read the last four digits wherever they stand. The answer is what stands behind the last mark."""
            text = line.rstrip("\n")[-4:]
            return int(text) if text.isdigit() and line.endswith("\n") else None

        def digits_picked_out(line, mark=";"):
            """You pick the digits out of an answer that also has other signs. 04+8 is no number: return None."""
            _, found, tail = line.rpartition(mark)
            digits = "".join(c for c in tail if c.isdigit())
            return int(digits) if found and digits and line.endswith("\n") else None


def _clerk(digits, thought, most, mistakes):
    return given("m18.Clerk", digits, thought, most, mistakes, handle="write")


def _script(pairs, digits, thought, batch, mistakes, asked=False):
    settings = [] if thought is None else [thought]
    settings += [] if batch is None else [batch]
    steps = [
        _clerk(digits, thought is not False, batch or 500, mistakes),
        call("evaluate_pairs", held("write"), pairs, digits, *settings),
    ]
    return [*steps, attribute("asked", handle="write")] if asked else steps


def _mistake(x, y, answer=None, steps=None, end="\n", thought=True):
    """A question of two digits, and a line for it with something wrong."""
    return [f"{x:02d}*{y:02d}=", _line(x, y, 2, thought, steps=steps, end=end, answer=answer)]


def _random_pairs(rng, n):
    """Different pairs of numbers of two digits."""
    return [(int(i) // 80 + 15, int(i) % 80 + 18) for i in rng.choice(6400, n, replace=False)]


def _evaluate(write, pairs, digits, thought=True, batch=500, drop=False, size=None, judge=None, same=None, keep=None):
    """An evaluation, right unless told otherwise."""
    size = size or batch
    mark = ";" if thought else "="
    judge = judge or (lambda x, y, line: _read(line, mark) == x * y)
    same = same or (lambda x, y, line: line == _line(x, y, digits, thought))
    right = exact_lines = 0
    wrong = []
    for start in range(0, len(pairs) - (size - 1 if drop else 0), size):
        part = [tuple(pair) for pair in pairs[start : start + size]]
        lines = write([f"{_forwards(x, digits)}*{_forwards(y, digits)}=" for x, y in part])
        for (x, y), line in zip(part, lines, strict=True):
            good, all_good = judge(x, y, line), same(x, y, line)
            right, exact_lines = right + bool(good), exact_lines + bool(all_good)
            if keep(good, all_good) if keep else not good:
                wrong.append((x, y, line))
    return {"total": len(pairs), "right": right, "exact": exact_lines, "wrong": wrong}


@exercise(
    forbids=OURS, parts={"values": 3, "batches": 1}, minutes=15, source="exact match, as in Cobbe et al. 2021; all pairs instead of a sample",
    uses=("m18.write_backwards", "m18.chain_of_thought", "m18.product_line", "m18.read_answer"),
)  # fmt: skip
class evaluate_pairs:
    """Let a model work out every pair, and count what is right."""

    tolerance = exact

    def cases(rng):
        pairs = [(12, 34), (56, 78), (7, 9), (40, 25), (99, 98), (31, 6), (83, 47)]
        slips = [
            _mistake(56, 78, answer="4386"),  # the steps are right
            _mistake(7, 9, steps="360+0100=3600"),  # the answer is right all the same
            _mistake(40, 25, end=""),
            _mistake(31, 6, answer="01+6"),
        ]
        yield case(script=_script(pairs, 2, None, None, slips, asked=True), label="seven pairs, mistakes of all kinds")
        short = [_mistake(12, 34, answer="0804", thought=False), _mistake(99, 98, answer="970", thought=False)]
        yield case(script=_script(pairs[:5], 2, False, None, short), label="answers alone")
        yield case(script=_script([(3, 4), (0, 9), (7, 8)], 1, True, 3, []), label="one digit, no mistake")
        chosen = _random_pairs(rng, int(rng.integers(8, 12)))
        off = [_mistake(x, y, answer=f"{x * y + int(rng.integers(1, 9)):04d}") for x, y in chosen[2:5]]
        off += [_mistake(*chosen[6], steps=_chain(*chosen[6][::-1], 2)[::-1])]
        yield case(script=_script(chosen, 2, True, len(chosen), off), label="random pairs and mistakes")
        yield case(script=_script(pairs, 2, True, 3, slips, asked=True), part="batches", label="batches of three")
        yield case(script=_script(chosen, 2, True, 4, off, asked=True), part="batches", label="batches of four")
        yield case(script=_script(pairs[:6], 2, True, 3, [], asked=True), part="batches", label="two full batches")
        table = [(i // 10 % 10, i % 10) for i in range(501)]
        yield case(
            script=_script(table, 1, None, None, [], asked=True), part="batches", label="501 pairs, batch left as it is"
        )

    def reference(write, pairs, digits, thought=True, batch=500):
        return _evaluate(write, pairs, digits, thought, batch)

    class misconceptions:
        def last_batch_dropped(write, pairs, digits, thought=True, batch=500):
            """The last batch is missing when it is smaller than the others: go on until all pairs are asked."""
            return _evaluate(write, pairs, digits, thought, batch, drop=True)

        def all_at_once(write, pairs, digits, thought=True, batch=500):
            """You ask all questions at once. A model's memory has an end: at most `batch` at a time."""
            return _evaluate(write, pairs, digits, thought, batch, size=len(pairs))

        def one_at_a_time(write, pairs, digits, thought=True, batch=500):
            """You ask one question at a time, which takes many times as long. Ask `batch` of them together."""
            return _evaluate(write, pairs, digits, thought, batch, size=1)

        def steps_must_be_right(write, pairs, digits, thought=True, batch=500):
            """You count a line as right only if all of its steps are. `right` asks for the answer alone; `exact` for all."""

            def whole(x, y, line):
                return line == _line(x, y, digits, thought)

            return _evaluate(write, pairs, digits, thought, batch, judge=whole)

        def exact_asks_for_the_answer(write, pairs, digits, thought=True, batch=500):
            """Your `exact` counts right answers. It counts the lines that are right from the first to the last character."""

            def answer(x, y, line):
                return _read(line, ";" if thought else "=") == x * y

            return _evaluate(write, pairs, digits, thought, batch, same=answer)

        def lines_that_are_not_exact(write, pairs, digits, thought=True, batch=500):
            """Your `wrong` holds every line that is not exact. It is for wrong answers only."""
            return _evaluate(write, pairs, digits, thought, batch, keep=lambda good, whole: not whole)

        def right_ones_kept(write, pairs, digits, thought=True, batch=500):
            """Your `wrong` holds the right answers."""
            return _evaluate(write, pairs, digits, thought, batch, keep=lambda good, whole: good)

        def everything_kept(write, pairs, digits, thought=True, batch=500):
            """Your `wrong` holds every line. Only those with a wrong answer belong there."""
            return _evaluate(write, pairs, digits, thought, batch, keep=lambda good, whole: True)

        def nothing_kept(write, pairs, digits, thought=True, batch=500):
            """Your `wrong` stays empty: add (x, y, line) for each wrong answer."""
            return _evaluate(write, pairs, digits, thought, batch, keep=lambda good, whole: False)

        def lines_alone(write, pairs, digits, thought=True, batch=500):
            """In `wrong` you keep the lines only. Keep (x, y, line) of each."""
            found = _evaluate(write, pairs, digits, thought, batch)
            return found | {"wrong": [line for _, _, line in found["wrong"]]}

        def pairs_alone(write, pairs, digits, thought=True, batch=500):
            """In `wrong` you keep the pairs only. Keep (x, y, line) of each: one wants to see what was written."""
            found = _evaluate(write, pairs, digits, thought, batch)
            return found | {"wrong": [(x, y) for x, y, _ in found["wrong"]]}

        def answer_anywhere(write, pairs, digits, thought=True, batch=500):
            """You look for the product anywhere in the line. It counts only as the answer: use `read_answer`."""

            def somewhere(x, y, line):
                return str(x * y) in line or _backwards(x * y, 2 * digits) in line

            return _evaluate(write, pairs, digits, thought, batch, judge=somewhere)

        def text_against_number(write, pairs, digits, thought=True, batch=500):
            """Nothing is right: do you compare a text with a number? `read_answer` gives a number, and so is x * y."""
            return _evaluate(write, pairs, digits, thought, batch, judge=lambda x, y, line: False)

        def always_semicolon(write, pairs, digits, thought=True, batch=500):
            """Without steps the answer stands behind "=", and you look for ";". Give `read_answer` the right mark."""

            def behind(x, y, line):
                return _read(line, ";") == x * y

            return _evaluate(write, pairs, digits, thought, batch, judge=behind)

        def always_equals(write, pairs, digits, thought=True, batch=500):
            """With steps the answer stands behind ";", and you look for "=". Give `read_answer` the right mark."""

            def behind(x, y, line):
                return _read(line, "=") == x * y

            return _evaluate(write, pairs, digits, thought, batch, judge=behind)

        def compared_with_the_thought_line(write, pairs, digits, thought=True, batch=500):
            """For `exact` you compare with the line that has steps, even if `thought` is False: pass it on."""

            def whole(x, y, line):
                return line == _line(x, y, digits)

            return _evaluate(write, pairs, digits, thought, batch, same=whole)

        def shares(write, pairs, digits, thought=True, batch=500):
            """You give shares. Counts are asked for: whole numbers."""
            found = _evaluate(write, pairs, digits, thought, batch)
            return found | {name: found[name] / len(pairs) for name in ("right", "exact")}

        def total_of_right(write, pairs, digits, thought=True, batch=500):
            """Your `total` counts right answers only. It is the number of all pairs, right or wrong."""
            found = _evaluate(write, pairs, digits, thought, batch)
            return found | {"total": found["right"]}

        def total_of_wrong(write, pairs, digits, thought=True, batch=500):
            """Your `total` counts wrong answers only. It is the number of all pairs, right or wrong."""
            found = _evaluate(write, pairs, digits, thought, batch)
            return found | {"total": len(found["wrong"])}

        def first_batch_only(write, pairs, digits, thought=True, batch=500):
            """You stop after the first batch: `return` must stand behind the loop, not inside of it."""
            return _evaluate(write, pairs[:batch], digits, thought, batch) | {"total": len(pairs)}

        def counts_start_anew(write, pairs, digits, thought=True, batch=500):
            """You count the last batch only: the counts must begin at 0 before the loop, not in each round of it."""
            last = pairs[(len(pairs) - 1) // batch * batch :]
            rest = pairs[: len(pairs) - len(last)]
            _evaluate(write, rest, digits, thought, batch)
            return _evaluate(write, last, digits, thought, batch) | {"total": len(pairs)}


# ---- what goes wrong ---------------------------------------------------------------------------------------------


def _columns(a, b):
    """The digits of two numbers of one length, from the last column on."""
    width = max(len(str(a)), len(str(b)))
    return [(a // 10**i % 10, b // 10**i % 10) for i in range(width)]


def _carried(columns, passed=True, least=10):
    carry, carries = 0, []
    for a, b in columns:
        carry = int(a + b + (carry if passed else 0) >= least)
        carries.append(carry)
    return carries


@exercise(points=2, minutes=8, source="carries of written addition, counted as in Kummer's theorem for base ten")
class count_carries:
    """In how many columns something is carried when two numbers are added by hand."""

    tolerance = exact

    def cases(rng):
        yield case(48, 360, label="48 + 360")
        yield case(123, 456, label="nothing is carried")
        yield case(99, 1, label="one carry makes the next")
        yield case(995, 7, label="numbers of different length")
        yield case(8, 99993, label="the shorter one first")
        yield case(55, 45, label="columns that make exactly 10")
        yield case(0, 0, label="nothing at all")
        yield case(38, 5, label="a carry beyond the shorter number")
        yield case(407, 505, label="columns of 12, 1 and 9")
        a, b = (int(rng.integers(60_000, 99_999)) for _ in range(2))
        yield case(a, b, label="two random numbers")
        c = int(rng.integers(10, 40))
        yield case(100 * c + 47, 853 + 1000 * int(rng.integers(1, 4)), label="two more random numbers")

    def reference(a, b):
        def digit_sum(n):
            return sum(int(c) for c in str(n))

        return (digit_sum(a) + digit_sum(b) - digit_sum(a + b)) // 9  # each carry turns a 10 into a 1

    class misconceptions:
        def carry_not_passed_on(a, b):
            """You do not add the carry to the next column: in 99 + 1 the first column makes the second one carry, too."""
            return sum(_carried(_columns(a, b), passed=False))

        def ten_does_not_carry(a, b):
            """A column that makes exactly 10 carries too: write 0, carry 1."""
            return sum(_carried(_columns(a, b), least=11))

        def nine_carries(a, b):
            """A column that makes 9 does not carry; 10 is the least."""
            return sum(_carried(_columns(a, b), least=9))

        def until_the_shorter_ends(a, b):
            """You stop where the shorter number ends. A carry may run on through the longer one."""
            width = min(len(str(a)), len(str(b)))
            return sum(_carried(_columns(a, b)[:width]))

        def until_the_first_ends(a, b):
            """You stop when the first number has no digits left. The second may be longer: go on while one of them has some."""
            return sum(_carried(_columns(a, b)[: len(str(a)) if a else 0]))

        def until_the_second_ends(a, b):
            """You stop when the second number has no digits left. The first may be longer: go on while one of them has some."""
            return sum(_carried(_columns(a, b)[: len(str(b)) if b else 0]))

        def ones_carried(a, b):
            """You carry the ones of a column's sum. They are written down; its tens are carried: `// 10`."""
            carry = count = 0
            for x, y in _columns(a, b) if a or b else []:
                carry = (x + y + carry) % 10
                count += carry
            return count

        def all_carried(a, b):
            """You carry a column's whole sum. Only its tens are carried: `// 10`."""
            carry = count = 0
            for x, y in _columns(a, b) if a or b else []:
                carry = x + y + carry
                count += carry
            return count

        def begins_at_one(a, b):
            """Your count is one too large: it begins at 0."""
            return sum(_carried(_columns(a, b))) + 1

        def begins_at_minus_one(a, b):
            """Your count is one too small: it begins at 0."""
            return sum(_carried(_columns(a, b))) - 1

        def subtracted(a, b):
            """You subtract the digits. The columns are added."""
            carry = count = 0
            for x, y in _columns(a, b):
                carry = (x - y + carry) // 10
                count += carry
            return count

        def multiplied(a, b):
            """You multiply the digits of a column. They are added; the multiplication came before, in the rows."""
            carry = count = 0
            for x, y in _columns(a, b):
                carry = (x * y + carry) // 10
                count += carry
            return count

        def first_twice(a, b):
            """You add the first number to itself: one of the two digits of a column comes from b."""
            return sum(_carried(_columns(a, a) + [(0, 0)] * max(0, len(str(b)) - len(str(a)))))

        def second_twice(a, b):
            """You add the second number to itself: one of the two digits of a column comes from a."""
            return sum(_carried(_columns(b, b) + [(0, 0)] * max(0, len(str(a)) - len(str(b)))))

        def first_not_cut(a, b):
            """You add the whole of a to a digit of b. Take its last digit: `a % 10`."""
            carry = count = 0
            while a or b:
                carry = (a + b % 10 + carry) // 10
                count, a, b = count + carry, a // 10, b // 10
            return count

        def second_not_cut(a, b):
            """You add the whole of b to a digit of a. Take its last digit: `b % 10`."""
            carry = count = 0
            while a or b:
                carry = (a % 10 + b + carry) // 10
                count, a, b = count + carry, a // 10, b // 10
            return count

        def from_the_front(a, b):
            """You begin with the first digits. Addition begins with the last ones."""
            width = max(len(str(a)), len(str(b)))
            return sum(_carried(_columns(a, b)[::-1])) if width > 1 else sum(_carried(_columns(a, b)))

        def zipped_from_the_front(a, b):
            """You go through the digits from the front, and stop with the shorter number. Begin with the last digits."""
            pairs = [(int(p), int(q)) for p, q in zip(str(a), str(b), strict=False)]
            return sum(_carried(pairs))

        def digits_aligned_left(a, b):
            """You put the numbers' first digits under one another. Their last ones belong together."""
            width = max(len(str(a)), len(str(b)))
            a, b = (int(str(n).ljust(width, "0")) for n in (a, b))
            return sum(_carried(_columns(a, b)))

        def once_at_most(a, b):
            """You only say whether something is carried. Count the columns in which it is."""
            return int(any(_carried(_columns(a, b))))

        def whether(a, b):
            """You return True or False. A number of columns is asked for."""
            return any(_carried(_columns(a, b)))

        def more_digits(a, b):
            """You compare lengths: a sum that grows longer tells only of the last carry. Go through the columns."""
            return len(str(a + b)) - max(len(str(a)), len(str(b)))

        def carry_kept_for_ever(a, b):
            """Once something is carried, you carry it into all columns after. It goes into the next one only."""
            carry = count = 0
            for x, y in _columns(a, b):
                full = int(x + y + carry >= 10)
                count, carry = count + full, max(carry, full)
            return count

        def a_list(a, b):
            """You return the carries themselves. Count them."""
            return _carried(_columns(a, b))

        def columns_counted(a, b):
            """You count the columns. Count those in which something is carried."""
            return len(_columns(a, b))

        def last_column_left_out(a, b):
            """You leave out the last carry, the one that makes the sum longer."""
            return sum(_carried(_columns(a, b))[:-1])


def _table(groups, wrong, keep=lambda errors, total: (errors, total), order=sorted):
    """(group, errors, total) of each group, or what `keep` makes of the last two."""
    table = []
    for group in order(set(groups)):
        bad = [w for g, w in zip(groups, wrong, strict=True) if g == group]
        table.append((int(group), *keep(sum(bad), len(bad))))
    return table


@exercise(points=1, minutes=5, source="errors by kind, as in Dziri et al. 2023, Faith and Fate")
class errors_by_group:
    """For each group of problems, how many are wrong and how many there are."""

    tolerance = exact

    def cases(rng):
        yield case(
            [2, 0, 0, 1, 2, 2, 2],
            [False, True, True, False, True, False, False],
            label="seven problems in three groups",
        )
        yield case([3, 3, 3, 3, 3], [True, False, False, True, True], label="one group")
        yield case([5, 1], [False, False], label="nothing is wrong")
        yield case([], [], label="no problems")
        groups = [7, 0, 0, 1, 1, 1, 1, *rng.integers(0, 5, 14).tolist()]
        wrong = [True, True, False, True, False, False, False, *(bool(w) for w in rng.random(14) < 0.4)]
        yield case(groups, wrong, label="random groups")

    def reference(groups, wrong):
        return _table(groups, wrong)

    class misconceptions:
        def right_ones_counted(groups, wrong):
            """You count the right ones. After the group comes how many are wrong."""
            return _table(groups, wrong, lambda errors, total: (total - errors, total))

        def right_beside_wrong(groups, wrong):
            """Your last number counts the right ones. It counts all of the group, right or wrong."""
            return _table(groups, wrong, lambda errors, total: (errors, total - errors))

        def order_swapped(groups, wrong):
            """You exchanged two numbers: the errors come first, then how many the group has."""
            return _table(groups, wrong, lambda errors, total: (total, errors))

        def shares(groups, wrong):
            """You give shares. Give both counts: a share of 1 of 2 tells less than one of 500 of 1000."""
            return _table(groups, wrong, lambda errors, total: (errors / total,))

        def errors_alone(groups, wrong):
            """You give the errors alone. How many the group has is needed too: (group, errors, total)."""
            return _table(groups, wrong, lambda errors, total: (errors,))

        def totals_alone(groups, wrong):
            """You give the sizes of the groups alone. (group, errors, total) is asked for."""
            return _table(groups, wrong, lambda errors, total: (total,))

        def no_group(groups, wrong):
            """The group itself is missing: (group, errors, total)."""
            return [pair for _, *pair in _table(groups, wrong)]

        def only_groups_with_errors(groups, wrong):
            """Groups without an error are missing. They belong in the table, with 0."""
            return [row for row in _table(groups, wrong) if row[1]]

        def one_row_for_each_problem(groups, wrong):
            """A group comes once for each of its problems. `sorted(set(groups))` holds each group once."""
            rows = {row[0]: row for row in _table(groups, wrong)}
            return [rows[group] for group in groups]

        def gaps_filled(groups, wrong):
            """You also list groups that do not occur. Only those in `groups` are asked for."""
            rows = {row[0]: row for row in _table(groups, wrong)}
            return [rows.get(group, (group, 0, 0)) for group in range(max(groups, default=-1) + 1)]

        def in_order_of_appearance(groups, wrong):
            """Your groups stand in the order in which they occur. Sort them."""
            return _table(groups, wrong, order=lambda _: dict.fromkeys(groups))

        def falling_order(groups, wrong):
            """Your groups stand in falling order. Begin with the smallest."""
            return _table(groups, wrong)[::-1]

        def sorted_by_errors(groups, wrong):
            """You sort by errors. Sort by the group."""
            return sorted(_table(groups, wrong), key=lambda row: (row[1], row[0]))

        def total_of_all(groups, wrong):
            """Your last number is that of all problems. Count those of the group."""
            return _table(groups, wrong, lambda errors, total: (errors, len(groups)))

        def errors_of_all(groups, wrong):
            """You count the errors of all groups together. Count those of the group."""
            return _table(groups, wrong, lambda errors, total: (sum(wrong), total))

        def total_counts_errors(groups, wrong):
            """Your total grows with errors only. It counts every problem of the group."""
            return _table(groups, wrong, lambda errors, total: (errors, errors))

        def every_one_an_error(groups, wrong):
            """You count every problem as an error: add 1 only where `wrong` is True."""
            return _table(groups, wrong, lambda errors, total: (total, total))

        def one_too_many(groups, wrong):
            """Your counts begin at 1, and then a group's first problem is added once more. Begin at 0."""
            return _table(groups, wrong, lambda errors, total: (errors + 1, total + 1))

        def total_begins_at_one(groups, wrong):
            """Your total begins at 1 and then its first problem is added: one too many. Begin at 0."""
            return _table(groups, wrong, lambda errors, total: (errors, total + 1))

        def errors_begin_at_one(groups, wrong):
            """Your errors begin at 1: one too many. Begin at 0."""
            return _table(groups, wrong, lambda errors, total: (errors + 1, total))

        def last_one_only(groups, wrong):
            """Each group keeps its last problem only: add to what is there."""
            last = dict(zip(groups, wrong, strict=True))
            return [(int(g), int(last[g]), 1) for g in sorted(last)]

        def a_dictionary(groups, wrong):
            """You return a dictionary. A list of (group, errors, total) is asked for."""
            return {str(g): (errors, total) for g, errors, total in _table(groups, wrong)}


# ---- questions ---------------------------------------------------------------------------------------------------


@question(answer="b")
class why_backwards:
    """In the sum 48 + 360 = 408, which digit of the result can be written knowing the fewest digits of the two numbers?"""

    a = (
        "The first one, 4: one looks at the hundreds only.",
        "Whether it is a 3 or a 4 depends on a carry from the tens, and that may depend on the ones: all columns matter.",
    )
    b = (
        "The last one, 8: one looks at the ones only.",
        "Right: 8 + 0. And the next digit needs its own column and this one's carry. So backwards each step is short.",
    )
    c = (
        "All need the same: every digit depends on every other.",
        "No digit of a sum depends on columns to its left: carries run from right to left only.",
    )


@question(answer=["a", "c"])
class what_the_mask_does:
    """What is true of the targets of the question's tokens, which your mask ignores? Choose all."""

    a = (
        "Their loss cannot fall below a certain value, however long one trains.",
        "Right: the digits are drawn at random. The best that one can say of a digit is one tenth each, a loss of ln 10.",
    )
    b = (
        "Without the mask the model could not learn to multiply.",
        "It can: the gradient of the question's tokens is noise, which does no lasting harm.",
    )
    c = (
        "The model still reads these tokens.",
        "Right: they are masked as targets only. As inputs they are all that it knows of the problem.",
    )
    d = (
        "Ignored tokens are hidden from attention.",
        "That is another mask, of ch06. This one only leaves out terms of the loss.",
    )


@question(answer="c")
class which_evidence:
    """A model answers 99 % of the pairs that it was trained on. What shows that it can multiply?"""

    a = (
        "Nothing more is needed: 99 % is far above chance.",
        "A list of the pairs with their answers would reach 100 % of them, and not multiply at all.",
    )
    b = (
        "A low loss on the pairs it was trained on.",
        "That says the same once more: how well it knows what it has seen.",
    )
    c = (
        "Its answers to pairs that training never showed.",
        "Right: what it cannot have stored it has to work out. That is what held-out pairs are for.",
    )
    d = (
        "More parameters than there are pairs.",
        "Then it has all the more room to store them.",
    )


@question(answer="a")
class what_was_bought:
    """Why does writing out the steps help so much, although the line is longer and every step is a chance to fail?"""

    a = (
        "Each token then needs a few earlier ones only, by a rule that is the same for all pairs.",
        "Right: a digit of a row needs two digits and a carry. Such a rule is seen thousands of times in 5,000 lines.",
    )
    b = (
        "More tokens mean more parameters.",
        "The model is the same; only its table of positions is longer.",
    )
    c = (
        "The model sees the answer twice, and may copy it.",
        "It does copy the last sum. But that sum it has to work out itself: when it writes, nobody gives it the steps.",
    )
    d = (
        "It remembers longer lines more easily.",
        "Held-out lines it has never seen, so there is nothing to remember.",
    )
