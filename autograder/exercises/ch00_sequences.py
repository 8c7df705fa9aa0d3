"""Exercises of ch00, sequences. Tokens and ids agree with the `tokenizers` library (a `WordLevel` model of characters) and
`numpy.unique`, windows with `torch.Tensor.unfold`, the recurrent steps with `torch.nn.RNNCell` and `torch.nn.RNN`."""

import numpy as np

from autograder.exercise import case, exercise, question
from course.checks.compare import close, exact

TITLE = "What is a sequence?"

SIGNS = list("abcdefghijklmnoprstuwyABCRSTW .,!?")


def _text(rng, n):
    """A made-up text of n characters in which some come twice, with blanks, capitals and small letters."""
    letters = [SIGNS[i] for i in rng.choice(len(SIGNS), n)]
    return "".join(["T", " ", "e", "e", *letters, "."])


@exercise(points=1, minutes=3, source="characters as tokens, as in Graves 2013, section 3")
class tokenize_chars:
    """Cut a text into tokens, one for each character."""

    tolerance = exact

    def cases(rng):
        yield case("cat", label="a word")
        yield case("To be, or not to be", label="spaces, a comma and a capital letter")
        yield case(" first line\n\tsecond line \n", label="line breaks, a tab, spaces at both ends")
        yield case("Zürich 東京", label="letters of other languages")
        yield case("", label="an empty text")
        yield case(_text(rng, int(rng.integers(5, 20))), label="a random text")

    def reference(text):
        tokens = []
        for place in range(len(text)):
            tokens.append(text[place : place + 1])
        return tokens

    class misconceptions:
        def return_inside_the_loop(text):
            """Only the first character arrives: `return` ends the function. It must stand behind the loop, not inside of it."""
            for c in text:
                return [c]

        def words(text):
            """You cut the text into words. Here every single character is a token of its own: spaces too."""
            return text.split()

        def cut_at_each_space(text):
            """You cut at the spaces. Here every single character is a token, and a space is a character like any other."""
            return text.split(" ")

        def spaces_left_out(text):
            """The spaces are missing: a space is a character like any other, and without it no text could be put back."""
            return [c for c in text if c != " "]

        def blanks_left_out(text):
            """Spaces, tabs or line breaks are missing: they are characters like any other."""
            return [c for c in text if not c.isspace()]

        def letters_only(text):
            """You keep letters only. Spaces, commas and digits are characters too: leave nothing out."""
            return [c for c in text if c.isalpha()]

        def lower_case(text):
            """You turn capital letters into small ones. Keep the text as it is: T and t are two different tokens."""
            return list(text.lower())

        def each_once(text):
            """Each character comes only once. Keep them all, in the order of the text; the vocabulary comes next."""
            return list(dict.fromkeys(text))

        def each_once_sorted(text):
            """You give the different characters, sorted. That is the vocabulary, the next exercise; here keep the text's order."""
            return sorted(set(text))

        def in_alphabetical_order(text):
            """The characters are sorted. A sequence lives by its order: leave them as they stand in the text."""
            return sorted(text)

        def stripped(text):
            """The blanks at the beginning and at the end are lost. They are characters too."""
            return list(text.strip())

        def text_itself(text):
            """You return the text itself. A list is asked for, with one entry for each character."""
            return text

        def one_token(text):
            """Your list has one entry, the whole text. Each character is to be an entry of its own."""
            return [text]

        def numbers_of_characters(text):
            """You give the computer's numbers of the characters. The tokens are the characters themselves; ids come later."""
            return [ord(c) for c in text]

        def bytes_of_the_text(text):
            """You give bytes, which are numbers, and some letters take several. The tokens are the characters themselves."""
            return list(text.encode())


@exercise(points=2, minutes=5, source="a vocabulary as a sorted list, so that everybody gets the same ids")
class build_vocabulary:
    """List the different tokens, sorted: a token's place in this list is its id."""

    tolerance = exact

    def cases(rng):
        yield case(["c", "a", "b", "a"], label="four tokens, two of them alike")
        yield case(list("Never odd or even."), label="a sentence, with a capital letter, spaces and a dot")
        yield case(["sat", "the", "cat", "the", "mat", "a"], label="words as tokens")
        yield case(["x"], label="one token")
        yield case([], label="no tokens")
        yield case(list(_text(rng, int(rng.integers(8, 25)))), label="the characters of a random text")

    def reference(tokens):
        vocabulary = []
        for token in tokens:
            smaller = [known for known in vocabulary if known < token]
            if token not in vocabulary:
                vocabulary.insert(len(smaller), token)
        return vocabulary

    class misconceptions:
        def return_inside_the_loop(tokens):
            """Only the first token arrives: `return` ends the function. It must stand behind the loop, not inside of it."""
            for token in tokens:
                return [token]

        def strings_of_numpy(tokens):
            """These are NumPy's own strings (`str_`). Plain strings are asked for, as they came in."""
            return list(np.unique(np.array(tokens))) if tokens else []

        def with_duplicates(tokens):
            """The list is sorted, but tokens that come several times are in it several times. Each may be there once."""
            return sorted(tokens)

        def in_order_of_appearance(tokens):
            """Each token is there once, but in the order of the text. Sort them, so that everybody gets the same ids."""
            return list(dict.fromkeys(tokens))

        def a_set(tokens):
            """You return a set. A set has no order, so a token would have no place in it, and no id. Make a sorted list of it."""
            return set(tokens)

        def descending(tokens):
            """The order is the wrong way round: the smallest token comes first."""
            return sorted(set(tokens), reverse=True)

        def most_frequent_first(tokens):
            """You sort by how often a token comes. Sort the tokens themselves, as `sorted` does."""
            return sorted(sorted(set(tokens)), key=lambda t: -tokens.count(t))

        def capitals_among_small_letters(tokens):
            """You sort as if capital letters were small. Sort plainly, as `sorted` does: capital letters come first."""
            return sorted(set(tokens), key=lambda t: (t.lower(), t))

        def lower_case(tokens):
            """You turn capital letters into small ones, so that T has no id any more. Leave the tokens as they are."""
            return sorted({t.lower() for t in tokens})

        def characters_of_tokens(tokens):
            """You took the tokens apart into characters. A token may be a whole word: keep it in one piece."""
            return sorted(set("".join(tokens)))

        def table_of_ids(tokens):
            """You return a dictionary. A sorted list is enough: the place of a token in it is its id."""
            return {token: i for i, token in enumerate(sorted(set(tokens)))}

        def how_many(tokens):
            """You return how many different tokens there are. The list of them is asked for."""
            return len(set(tokens))

        def blanks_left_out(tokens):
            """The space is missing. It is a token like any other and needs an id."""
            return sorted({t for t in tokens if t.strip()})

        def tokens_unchanged(tokens):
            """You return all tokens as they came. Keep each different one once, and sort them."""
            return list(tokens)


def _vocabulary(rng, text, more=3):
    """A vocabulary that holds a text's characters and some more, in an order that is not sorted."""
    known = sorted(set(text))
    extra = [s for s in SIGNS if s not in known]
    tokens = known + [extra[i] for i in rng.choice(len(extra), more, replace=False)]
    order = rng.permutation(len(tokens))
    mixed = [tokens[i] for i in order]
    return mixed if mixed != sorted(mixed) else mixed[::-1]


def _ids(text, vocabulary):
    return [{t: i for i, t in enumerate(vocabulary)}[c] for c in text]


@exercise(
    parts={"values": 2, "unknown characters": 1},
    minutes=6,
    source="a fixed vocabulary in front of a language model, as in Sutskever et al. 2014, section 3.1",
)
class encode:
    """Turn a text into a list of ids: each character's place in the vocabulary."""

    tolerance = exact

    def cases(rng):
        yield case("abba", ["a", "b"], label="two characters")
        yield case("abba", ["b", "x", "a"], label="a vocabulary that is not sorted, with a character more")
        yield case("", ["a", "b"], label="an empty text")
        for n in (4, int(rng.integers(8, 20))):
            text = _text(rng, n)
            yield case(text, _vocabulary(rng, text), label="a random text and vocabulary")
        text = _text(rng, 6)
        known = _vocabulary(rng, text)
        for strange in ("é", "7"):
            place = int(rng.integers(1, len(text)))
            mixed = text[:place] + strange + text[place:]
            yield case(mixed, known, label="a character that is not in the vocabulary", part="unknown characters")

    def reference(text, vocabulary):
        ids = []
        for character in text:
            for i, known in enumerate(vocabulary):
                if known == character:
                    ids.append(i)
                    break
            else:
                raise ValueError(f"{character!r} is not in the vocabulary")
        return ids

    class misconceptions:
        # What only fails on bad input comes first: there, what fails before gives the same.
        def unknown_left_out(text, vocabulary):
            """A character that is not in the vocabulary is left out, and nobody would notice the loss. Raise a ValueError."""
            return _ids([c for c in text if c in vocabulary], vocabulary)

        def unknown_is_minus_one(text, vocabulary):
            """An unknown character gets the id -1, which Python would later read as the last token. Raise a ValueError."""
            return [_ids(c, vocabulary)[0] if c in vocabulary else -1 for c in text]

        def unknown_is_zero(text, vocabulary):
            """An unknown character gets the id 0, which belongs to another character. Raise a ValueError."""
            return [_ids(c, vocabulary)[0] if c in vocabulary else 0 for c in text]

        def unknown_is_none(text, vocabulary):
            """An unknown character gives None, with which nobody can go on. Raise a ValueError."""
            return [_ids(c, vocabulary)[0] if c in vocabulary else None for c in text]

        def key_error(text, vocabulary):
            """Your dictionary answers an unknown character with a KeyError. Look for it first, and raise a ValueError that names it."""
            return _ids(text, vocabulary)

        def return_inside_the_loop(text, vocabulary):
            """Only the first id arrives: `return` ends the function. It must stand behind the loop, not inside of it."""
            for c in text:
                return _ids(c, vocabulary)

        def table_the_wrong_way_round(text, vocabulary):
            """Your dictionary goes from ids to characters, and you ask it by character. Make it go from characters to ids."""
            table = dict(enumerate(vocabulary))
            return [table[c] for c in text]

        def a_vocabulary_of_its_own(text, vocabulary):
            """You make a new vocabulary from the text. Use the one that is given: ids must mean the same in every text."""
            return _ids(text, sorted(set(text)))

        def given_vocabulary_sorted(text, vocabulary):
            """You sort the vocabulary again. Take it as it is given: a token's id is its place there."""
            return _ids(text, sorted(vocabulary))

        def counted_from_one(text, vocabulary):
            """Your ids begin at 1. As in all lists of Python, the first place is 0."""
            return [i + 1 for i in _ids(text, vocabulary)]

        def places_in_the_text(text, vocabulary):
            """You look up where the character stands in the text. Its id is its place in the vocabulary."""
            return [text.index(c) for c in text]

        def numbers_of_characters(text, vocabulary):
            """`ord` is the computer's own number of a character. The id is its place in the vocabulary."""
            return [ord(c) for c in text]

        def list_asked_by_character(text, vocabulary):
            """`vocabulary[...]` goes from an id to a character. You need the other way: from the character to its place."""
            return [vocabulary[c] for c in text]

        def each_once(text, vocabulary):
            """Characters that come several times have lost their repetitions. There is one id for each character of the text."""
            return list(dict.fromkeys(_ids(text, vocabulary)))

        def walks_through_the_vocabulary(text, vocabulary):
            """You walk through the vocabulary. Walk through the text: one id for each of its characters, in its order."""
            return [i for i, token in enumerate(vocabulary) if token in text]

        def a_string_of_digits(text, vocabulary):
            """You return one string of digits, and nobody could say where an id ends. Return a list of whole numbers."""
            return "".join(str(i) for i in _ids(text, vocabulary))

        def pairs(text, vocabulary):
            """Your list holds pairs of character and id. The ids alone are asked for."""
            return list(zip(text, _ids(text, vocabulary), strict=True))


@exercise(
    parts={"values": 2, "unknown ids": 1},
    minutes=6,
    source="the inverse of `encode`, by which every language model's output becomes text",
)
class decode:
    """Turn a list of ids back into a text: the inverse of `encode`."""

    tolerance = exact

    def cases(rng):
        yield case([0, 1, 1, 0], ["a", "b"], label="two characters")
        yield case([2, 0, 2], ["b", "x", "a"], label="a vocabulary that is not sorted")
        yield case([], ["a", "b"], label="no ids")
        for n in (4, int(rng.integers(8, 20))):
            text = _text(rng, n)
            known = _vocabulary(rng, text)
            yield case(_ids(text, known), known, label="a random text's ids")
        ids = [int(i) for i in rng.integers(0, 5, 6)]
        known = _vocabulary(rng, "hat", more=2)
        end, middle = len(ids), int(rng.integers(1, len(ids)))
        for strange, place in ((len(known), middle), (-1, 0), (-1, end), (len(known) + 2, end)):
            mixed = [*ids[:place], strange, *ids[place:]]
            yield case(mixed, known, label=f"an id that no token has, {strange}", part="unknown ids")

    def reference(ids, vocabulary):
        table = dict(enumerate(vocabulary))
        text = ""
        for i in ids:
            if i not in table:
                raise ValueError(f"no token has the id {i}")
            text = text + table[i]
        return text

    class misconceptions:
        # What only fails on bad input comes first: there, what fails before gives the same.
        def minus_one_is_the_last(ids, vocabulary):
            """In Python `vocabulary[-1]` is the last entry, so a negative id passes unnoticed. Ask for ids below 0 too."""
            if any(i >= len(vocabulary) for i in ids):
                raise ValueError
            return "".join(vocabulary[i] for i in ids)

        def not_checked(ids, vocabulary):
            """Nothing checks the ids: too large gives an IndexError, -1 passes as the last token. Raise a ValueError for both."""
            return "".join(vocabulary[i] for i in ids)

        def only_negative_ids_checked(ids, vocabulary):
            """An id past the end gives an IndexError. Check for it too: the last valid id is `len(vocabulary) - 1`."""
            if any(i < 0 for i in ids):
                raise ValueError
            return "".join(vocabulary[i] for i in ids)

        def one_past_the_end_passes(ids, vocabulary):
            """The id `len(vocabulary)` passes your check, but the last valid one is one less."""
            if any(not 0 <= i <= len(vocabulary) for i in ids):
                raise ValueError
            return "".join(vocabulary[i] for i in ids)

        def assertion(ids, vocabulary):
            """`assert` raises an AssertionError. The docstring promises a ValueError: `raise` it yourself."""
            assert all(0 <= i < len(vocabulary) for i in ids)
            return "".join(vocabulary[i] for i in ids)

        def unknown_left_out(ids, vocabulary):
            """An id that no token has is left out, and nobody would notice the loss. Raise a ValueError."""
            return "".join(vocabulary[i] for i in ids if 0 <= i < len(vocabulary))

        def unknown_is_a_question_mark(ids, vocabulary):
            """An id that no token has becomes a question mark, as if it had been in the text. Raise a ValueError."""
            return "".join(vocabulary[i] if 0 <= i < len(vocabulary) else "?" for i in ids)

        def return_inside_the_loop(ids, vocabulary):
            """Only the first character arrives: `return` ends the function. It must stand behind the loop, not inside of it."""
            for i in ids:
                return vocabulary[i]

        def digits(ids, vocabulary):
            """You join the ids themselves. Each id stands for the character at that place of the vocabulary."""
            return "".join(str(i) for i in ids)

        def list_of_characters(ids, vocabulary):
            """You return a list of characters. A text is one string: join them."""
            return [vocabulary[i] for i in ids]

        def joined_by_spaces(ids, vocabulary):
            """You put a space between the characters. The text's own spaces are among the tokens: join with nothing between."""
            return " ".join(vocabulary[i] for i in ids)

        def counted_from_one(ids, vocabulary):
            """You look one place too early. Ids begin at 0, as the places of a list do."""
            return "".join(vocabulary[i - 1] for i in ids)

        def given_vocabulary_sorted(ids, vocabulary):
            """You sort the vocabulary again. Take it as it is given: an id is a place there."""
            return "".join(sorted(vocabulary)[i] for i in ids)

        def numbers_of_characters(ids, vocabulary):
            """`chr` undoes the computer's own numbering of characters. An id is a place in the vocabulary."""
            return "".join(chr(i) for i in ids)

        def each_once(ids, vocabulary):
            """Characters that come several times have lost their repetitions. There is one character for each id."""
            return "".join(vocabulary[i] for i in dict.fromkeys(ids))

        def backwards(ids, vocabulary):
            """The text is backwards: append each character at the end, not at the beginning."""
            return "".join(vocabulary[i] for i in reversed(ids))

        def in_the_vocabularys_order(ids, vocabulary):
            """You walk through the vocabulary. Walk through the ids: one character for each, in their order."""
            return "".join(token for i, token in enumerate(vocabulary) if i in ids)

        def written_as_a_list(ids, vocabulary):
            """`str(...)` of a list writes its brackets and commas too. Join the characters instead."""
            return str([vocabulary[i] for i in ids])


def _starts(n, length, step=1):
    return range(0, n - length + 1, step)


@exercise(
    parts={"values": 3, "bad lengths": 1},
    minutes=9,
    source="contiguous windows, as those of a language model's training text (Radford et al. 2018, section 4.1)",
)
class sliding_windows:
    """All runs of so many neighbours in a sequence, one in each row."""

    tolerance = exact

    def cases(rng):
        yield case(np.array([5, 3, 8, 1]), 2, label="four ids, windows of 2")
        yield case(np.array([4, 4, 7]), 3, label="a single window")
        yield case(np.array([6, 2, 9]), 1, label="windows of 1")
        yield case(np.array([9]), 1, label="one id")
        yield case(100 + rng.standard_normal(7), 3, label="seven prices")
        n, length = int(rng.integers(9, 14)), int(rng.integers(4, 7))
        yield case(rng.integers(0, 50, n), length, label=f"{n} random ids, windows of {length}")
        ids = rng.integers(0, 50, 5)
        yield case(ids, 6, label="a window that is longer than the sequence", part="bad lengths")
        yield case(ids, 0, label="a window of length 0", part="bad lengths")

    def reference(ids, length):
        if not 0 < length <= len(ids):
            raise ValueError("the length must be from 1 to the number of ids")
        columns = [ids[j : j + len(ids) - length + 1] for j in range(length)]
        return np.stack(columns, axis=1)

    class misconceptions:
        # What only fails on bad input comes first: there, what fails before gives the same.
        def length_0_passes(ids, length):
            """A length of 0 passes. The shortest window has length 1: raise a ValueError for anything below."""
            if length > len(ids):
                raise ValueError
            return np.array([ids[i : i + length] for i in _starts(len(ids), length)])

        def too_long_passes(ids, length):
            """A window longer than the sequence passes and gives nothing at all. Raise a ValueError."""
            if length < 1:
                raise ValueError
            return np.array([ids[i : i + length] for i in _starts(len(ids), length)])

        def assertion(ids, length):
            """`assert` raises an AssertionError. The docstring promises a ValueError: `raise` it yourself."""
            assert 1 <= length <= len(ids)
            return np.array([ids[i : i + length] for i in _starts(len(ids), length)])

        def length_not_checked(ids, length):
            """Nothing checks the length. Below 1, or above the number of ids, there is no window: raise a ValueError."""
            return np.array([ids[i : i + length] for i in _starts(len(ids), length)])

        def ends_at_length(ids, length):
            """Your slices all end at the same place. Each window ends `length` places after its own beginning."""
            return np.array([ids[i:length] for i in _starts(len(ids), length)])

        def over_the_end(ids, length):
            """The last windows reach past the end and come out shorter, so they make no table. Count the whole ones only."""
            return np.array([ids[i : i + length] for i in range(len(ids))])

        def without_overlap(ids, length):
            """Your windows do not overlap. Each starts one place after the one before it."""
            return np.array([ids[i : i + length] for i in _starts(len(ids), length, length)])

        def last_window_missing(ids, length):
            """The last window is missing: the last one starts at n - length, so there are n - length + 1 of them."""
            return np.array([ids[i : i + length] for i in range(len(ids) - length)])

        def round_the_end(ids, length):
            """Windows that reach the end go on at the beginning. Only windows that fit in the sequence count."""
            return np.array([np.roll(ids, -i)[:length] for i in range(len(ids))])

        def filled_with_zeros(ids, length):
            """Windows that reach past the end are filled up with zeros. Only windows that fit in the sequence count."""
            longer = np.concatenate([ids, np.zeros(length - 1, ids.dtype)])
            return np.array([longer[i : i + length] for i in range(len(ids))])

        def transposed(ids, length):
            """Rows and columns are swapped: each window is a row, so the shape is (n - length + 1, length)."""
            return np.array([ids[i : i + length] for i in _starts(len(ids), length)]).T

        def one_too_long(ids, length):
            """Your windows are one too long: `ids[i : i + length]` ends before place i + length."""
            return np.array([ids[i : i + length + 1] for i in range(len(ids) - length)])

        def one_too_short(ids, length):
            """Your windows are one too short: a slice `ids[a:b]` ends before b, so b is a + length."""
            return np.array([ids[i : i + length - 1] for i in _starts(len(ids), length)])

        def backwards(ids, length):
            """The ids inside of each window are backwards. Keep their order."""
            return np.array([ids[i : i + length][::-1] for i in _starts(len(ids), length)])

        def last_window_first(ids, length):
            """The windows come from the end to the beginning. The first row is the window that starts at place 0."""
            return np.array([ids[i : i + length] for i in reversed(_starts(len(ids), length))])

        def list_of_windows(ids, length):
            """You return a list of windows. Turn it into one array: `np.array(windows)`."""
            return [ids[i : i + length] for i in _starts(len(ids), length)]

        def floats_for_ids(ids, length):
            """Your array holds floats: `np.zeros` makes floats unless you say `dtype=ids.dtype`. Ids stay whole numbers."""
            return np.array([ids[i : i + length] for i in _starts(len(ids), length)], dtype=float)

        def whole_numbers_for_prices(ids, length):
            """Your array holds whole numbers and cuts off what comes after the point. Keep the dtype of the input."""
            return np.array([ids[i : i + length] for i in _starts(len(ids), length)], dtype=int)

        def one_long_row(ids, length):
            """You joined all windows into one long row. Each window is a row of its own."""
            return np.concatenate([ids[i : i + length] for i in _starts(len(ids), length)])

        def places_instead_of_ids(ids, length):
            """You give the places (0, 1, 2, ...). What stands at these places in `ids` is asked for."""
            return np.array([np.arange(i, i + length) for i in _starts(len(ids), length)])

        def first_window_only(ids, length):
            """This is one window only. There is one for each place at which a whole window fits."""
            return np.array([ids[:length]])


def step(h, x, w_h, w_x, b):
    return np.tanh(h @ w_h + x @ w_x + b)


def _recurrence(rng, d, d_hidden):
    """Weights and bias of a size at which tanh neither does nothing nor saturates."""
    w_h = rng.standard_normal((d_hidden, d_hidden)) / np.sqrt(d_hidden)
    return w_h, rng.standard_normal((d, d_hidden)) / np.sqrt(d), 0.3 + 0.2 * rng.standard_normal(d_hidden)


@exercise(
    points=3,
    minutes=8,
    source="Elman 1990; written as in Goodfellow, Bengio and Courville 2016, section 10.2",
    forbids={"torch": "this chapter writes the step in NumPy"},
)
class rnn_step:
    """One step of a recurrent network: the new state from the old one and one token."""

    tolerance = close(1e-5, 1e-6, why="a float32 solution rounds sums of up to 12 terms and a tanh")

    def cases(rng):
        for d, d_hidden in [(1, 1), (2, 3), (5, 2), (4, 4), (int(rng.integers(5, 8)), 4)]:
            h, x = rng.uniform(-0.9, 0.9, d_hidden), rng.standard_normal(d)
            yield case(h, x, *_recurrence(rng, d, d_hidden), label=f"{d} numbers in the token, {d_hidden} in the state")

    def reference(h, x, w_h, w_x, b):
        state = []
        for j in range(len(b)):
            total = float(b[j])
            total += sum(float(h[i]) * float(w_h[i, j]) for i in range(len(h)))
            total += sum(float(x[i]) * float(w_x[i, j]) for i in range(len(x)))
            state.append(1 - 2 / (np.exp(2 * total) + 1))
        return np.array(state)

    class misconceptions:
        def no_tanh(h, x, w_h, w_x, b):
            """The tanh is missing: the state is tanh of the sum, which keeps it between -1 and 1."""
            return h @ w_h + x @ w_x + b

        def bias_missing(h, x, w_h, w_x, b):
            """The bias b is missing: add it before the tanh."""
            return np.tanh(h @ w_h + x @ w_x)

        def bias_after_tanh(h, x, w_h, w_x, b):
            """You add the bias after the tanh. It belongs inside, with the other two terms."""
            return np.tanh(h @ w_h + x @ w_x) + b

        def bias_subtracted(h, x, w_h, w_x, b):
            """You subtract the bias; it is added."""
            return np.tanh(h @ w_h + x @ w_x - b)

        def state_matrix_transposed(h, x, w_h, w_x, b):
            """The state's matrix is used transposed: `w_h @ h` is not `h @ w_h`. The state stands on the left, as a row."""
            return np.tanh(w_h @ h + x @ w_x + b)

        def both_matrices_transposed(h, x, w_h, w_x, b):
            """You put the matrices on the left. Here h and x are rows: `h @ w_h` and `x @ w_x`."""
            return np.tanh(w_h @ h + w_x @ x + b)

        def matrices_swapped(h, x, w_h, w_x, b):
            """The matrices are mixed up: w_h belongs to the state h, w_x to the token x."""
            return np.tanh(h @ w_x + x @ w_h + b)

        def state_forgotten(h, x, w_h, w_x, b):
            """The old state is not used: without h @ w_h the network has no memory."""
            return np.tanh(x @ w_x + b)

        def token_forgotten(h, x, w_h, w_x, b):
            """The token is not used: without x @ w_x nothing new is ever read."""
            return np.tanh(h @ w_h + b)

        def tanh_of_each_term(h, x, w_h, w_x, b):
            """You take the tanh of the terms one by one. Add all three first, then take one tanh."""
            return np.tanh(h @ w_h) + np.tanh(x @ w_x + b)

        def tanh_of_all_three(h, x, w_h, w_x, b):
            """You add up three tanh. There is one only, of the sum of all three terms."""
            return np.tanh(h @ w_h) + np.tanh(x @ w_x) + np.tanh(b)

        def tangent(h, x, w_h, w_x, b):
            """`np.tan` is the tangent of an angle and has no bounds. The function that squashes is tanh, with an h."""
            return np.tan(h @ w_h + x @ w_x + b)

        def tanh_of_the_state_term(h, x, w_h, w_x, b):
            """The tanh covers only the first term. Put the whole sum inside."""
            return np.tanh(h @ w_h) + x @ w_x + b

        def tanh_of_the_token_term(h, x, w_h, w_x, b):
            """The tanh covers only the token's term. Put the whole sum inside."""
            return h @ w_h + np.tanh(x @ w_x + b)

        def sigmoid(h, x, w_h, w_x, b):
            """You squash with the sigmoid, 1 / (1 + exp(-s)), which lies between 0 and 1. Here it is tanh."""
            return 1 / (1 + np.exp(-(h @ w_h + x @ w_x + b)))

        def relu(h, x, w_h, w_x, b):
            """You cut off negative numbers (ReLU). This network squashes with tanh."""
            return np.maximum(h @ w_h + x @ w_x + b, 0)

        def added_to_the_old_state(h, x, w_h, w_x, b):
            """You add the result to the old state. It takes the old state's place: the old one is already inside the sum."""
            return h + np.tanh(h @ w_h + x @ w_x + b)

        def entry_by_entry(h, x, w_h, w_x, b):
            """You multiply with `*`, entry by entry. A matrix product is written `@`."""
            return np.tanh(h * w_h + x * w_x + b)

        def product_of_both(h, x, w_h, w_x, b):
            """You multiply the two terms with each other. They are added."""
            return np.tanh((h @ w_h) * (x @ w_x) + b)

        def state_and_token(h, x, w_h, w_x, b):
            """You return a pair. Only the new state is asked for."""
            return np.tanh(h @ w_h + x @ w_x + b), x


@exercise(points=3, minutes=8, source="Elman 1990, figure 2, unrolled over the sequence", uses=("ch00.rnn_step",))
class run_rnn:
    """Run a recurrent network along a sequence and keep every state."""

    tolerance = close(1e-4, 1e-5, why="a float32 solution rounds at each of up to 9 steps")

    def cases(rng):
        for n, d, d_hidden in [(1, 2, 3), (4, 3, 2), (6, 3, 3), (int(rng.integers(7, 10)), 2, 5)]:
            h, x = rng.uniform(-0.9, 0.9, d_hidden), rng.standard_normal((n, d))
            label = f"{n} {'token' if n == 1 else 'tokens'} of {d} numbers, a state of {d_hidden}"
            yield case(h, x, *_recurrence(rng, d, d_hidden), label=label)

    def reference(h, x, w_h, w_x, b):
        joined = np.vstack([w_h, w_x])  # state and token, one behind the other, through one matrix
        states = np.zeros((len(x), len(h)))
        for t, token in enumerate(x):
            before = states[t - 1] if t else h
            states[t] = np.tanh(np.concatenate([before, token]) @ joined + b)
        return states

    class misconceptions:
        def return_inside_the_loop(h, x, w_h, w_x, b):
            """Only the first state arrives: `return` ends the function. It must stand behind the loop, not inside of it."""
            for token in x:
                return np.array([step(h, token, w_h, w_x, b)])

        def number_for_token(h, x, w_h, w_x, b):
            """`range` gives the numbers 0, 1, 2, ... The step wants the token itself, which is row t of x."""
            states = []
            for t in range(len(x)):
                h = step(h, t, w_h, w_x, b)
                states.append(h)
            return np.array(states)

        def state_and_token_swapped(h, x, w_h, w_x, b):
            """State and token are swapped: the step takes the state first, then the token."""
            states = []
            for token in x:
                h = step(token, h, w_h, w_x, b)
                states.append(h)
            return np.array(states)

        def as_wide_as_the_tokens(h, x, w_h, w_x, b):
            """Your table of states is as wide as the tokens. A state has d_hidden numbers, as h has."""
            states = np.zeros_like(x)
            for t, token in enumerate(x):
                states[t] = h = step(h, token, w_h, w_x, b)
            return states

        def one_long_row(h, x, w_h, w_x, b):
            """You joined all states into one long row. Each state is a row of its own."""
            states = []
            for token in x:
                h = step(h, token, w_h, w_x, b)
                states.append(h)
            return np.concatenate(states)

        def state_not_handed_on(h, x, w_h, w_x, b):
            """Every step starts from the first state. Hand the new state on: what a step returns goes into the next one."""
            return np.array([step(h, token, w_h, w_x, b) for token in x])

        def last_state_only(h, x, w_h, w_x, b):
            """You return the last state only. Collect the state after every token, one in each row."""
            for token in x:
                h = step(h, token, w_h, w_x, b)
            return h

        def first_state_included(h, x, w_h, w_x, b):
            """You also keep the state from before the first token. Row t is the state after token t: n rows in all."""
            states = [h]
            for token in x:
                states.append(step(states[-1], token, w_h, w_x, b))
            return np.array(states)

        def collected_before_the_step(h, x, w_h, w_x, b):
            """You keep each state before its step, so all rows are one too late. Append after the step."""
            states = []
            for token in x:
                states.append(h)
                h = step(h, token, w_h, w_x, b)
            return np.array(states)

        def from_the_end(h, x, w_h, w_x, b):
            """You read the sequence from its end. The first step reads the first token, `x[0]`."""
            states = []
            for token in x[::-1]:
                h = step(h, token, w_h, w_x, b)
                states.append(h)
            return np.array(states)

        def latest_state_first(h, x, w_h, w_x, b):
            """The states are in reverse order: row 0 is the state after the first token."""
            states = []
            for token in x:
                h = step(h, token, w_h, w_x, b)
                states.insert(0, h)
            return np.array(states)

        def list_of_states(h, x, w_h, w_x, b):
            """You return a list of states. Turn it into one array: `np.array(states)`."""
            states = []
            for token in x:
                h = step(h, token, w_h, w_x, b)
                states.append(h)
            return states

        def written_over(h, x, w_h, w_x, b):
            """All rows are the last state: one array was written over again and again. Keep a new one for each step."""
            for token in x:
                h = step(h, token, w_h, w_x, b)
            return np.array([h for _ in x])

        def state_added_up(h, x, w_h, w_x, b):
            """You add each new state to the old one. The new state takes the old one's place."""
            states = []
            for token in x:
                h = h + step(h, token, w_h, w_x, b)
                states.append(h)
            return np.array(states)

        def starts_at_zero(h, x, w_h, w_x, b):
            """You start from zeros. The first step starts from the state h that is given."""
            states, h = [], np.zeros(len(h))
            for token in x:
                h = step(h, token, w_h, w_x, b)
                states.append(h)
            return np.array(states)

        def last_token_missing(h, x, w_h, w_x, b):
            """One token is not read: there is a step, and a row, for each of the n tokens."""
            states = []
            for token in x[:-1]:
                h = step(h, token, w_h, w_x, b)
                states.append(h)
            return np.array(states)

        def always_the_first_token(h, x, w_h, w_x, b):
            """Every step reads the first token. Step t reads token t, `x[t]`."""
            states = []
            for _ in x:
                h = step(h, x[0], w_h, w_x, b)
                states.append(h)
            return np.array(states)

        def transposed(h, x, w_h, w_x, b):
            """Rows and columns are swapped: each state is a row, so the shape is (n, d_hidden)."""
            states = []
            for token in x:
                h = step(h, token, w_h, w_x, b)
                states.append(h)
            return np.array(states).T


@question(answer="c")
class shape_of_a_video:
    """A video has 30 frames. Each frame is a picture of 8 x 8 pixels, one number for each pixel. You make each frame one token. What is the shape of the sequence?"""

    a = (
        "(64, 30)",
        "That has a row for each pixel. A row is a token, and the tokens are the frames.",
    )
    b = (
        "(8, 240)",
        "All numbers are there, but a row would hold one line of each of the 30 frames. A row is one token: one frame.",
    )
    c = (
        "(30, 64)",
        "Right: 30 tokens, so 30 rows; each row holds the 8 * 8 = 64 numbers of one frame.",
    )
    d = (
        "(1920,)",
        "These are all 30 * 64 numbers one after the other: nothing says any more where a token ends.",
    )


@question(answer="b")
class ids_are_names:
    """In a vocabulary "a" has the id 4 and "b" has the id 5. What does it say that 4 and 5 are neighbours?"""

    a = (
        "That a and b mean something similar.",
        "The order of a vocabulary is a convention; with another order they would lie far apart and mean the same as before.",
    )
    b = (
        "Nothing: an id is a name written as a number. Its size has no meaning.",
        "Right: that is why a model never calculates with ids. It uses them to look up vectors.",
    )
    c = (
        "That a comes before b in the text.",
        "The place in the text is the place in the list of ids. The id only says which character it is.",
    )
    d = (
        "That b counts more than a.",
        "No: ids measure nothing. To calculate with them as if they did is the mistake that one-hot vectors avoid.",
    )


@question(answer=["a", "d"])
class belt_and_spotlight:
    """A sequence becomes twice as long. Which statements are true? Choose all that are."""

    a = (
        "The recurrent network needs twice as many steps, one after the other.",
        "Right: each step needs the state that the step before it made, so none can start early.",
    )
    b = (
        "With enough processors the recurrent network can take all its steps at the same time.",
        "No: step t cannot begin before step t - 1 is done, however many processors wait.",
    )
    c = (
        "In the spotlight, the way from the first token to the last one becomes twice as long.",
        "No: every token reaches every other directly, in one step, at any distance.",
    )
    d = (
        "The spotlight compares four times as many pairs of tokens.",
        "Right: n tokens make n * n pairs. That is the price of looking everywhere at once.",
    )
