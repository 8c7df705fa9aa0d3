"""Other right answers to m18."""

import collections
import itertools
import re

import torch


class write_backwards:
    def format_string(number, width):
        return f"{number:0{width}d}"[::-1]

    def zeros_behind(number, width):
        return str(number)[::-1].ljust(width, "0")

    def division(number, width):
        text = ""
        for _ in range(width):
            number, digit = divmod(number, 10)
            text += str(digit)
        return text

    def reversed_join(number, width):
        return "".join(reversed("0" * (width - len(str(number))) + str(number)))


class chain_of_thought:
    def digits_as_text(x, y, digits):
        parts, total = [], 0
        for i, digit in enumerate(reversed(str(y).zfill(digits))):
            row = x * int(digit) * 10**i
            total += row
            text = write_backwards(row, digits + 1 + i)
            parts.append(text if i == 0 else text + "=" + write_backwards(total, digits + 1 + i))
        return "+".join(parts)

    def running_total(x, y, digits):
        total = x * (y % 10)
        text = write_backwards(total, digits + 1)
        for place in range(1, digits):
            row, width = x * (y // 10**place % 10) * 10**place, digits + 1 + place
            total += row
            text += f"+{write_backwards(row, width)}={write_backwards(total, width)}"
        return text

    def accumulated(x, y, digits):
        rows = [x * (y // 10**i % 10) * 10**i for i in range(digits)]
        text = f"{rows[0]:0{digits + 1}d}"[::-1]
        for i, total in list(enumerate(itertools.accumulate(rows)))[1:]:
            text += "+" + f"{rows[i]:0{digits + 1 + i}d}"[::-1] + "=" + f"{total:0{digits + 1 + i}d}"[::-1]
        return text

    def sums_from_the_end_of_y(x, y, digits):
        text = str(x * (y % 10)).zfill(digits + 1)[::-1]
        for i in range(1, digits):
            total = x * (y % 10 ** (i + 1))
            row = total - x * (y % 10**i)
            text += "+" + str(row).zfill(digits + 1 + i)[::-1] + "=" + str(total).zfill(digits + 1 + i)[::-1]
        return text


class product_line:
    def pieces(x, y, digits, thought=True):
        line = question(x, y, digits)  # noqa: F821  (of the lesson's first cell)
        if thought:
            line = line + chain_of_thought(x, y, digits)
            line = line + ";"
        return line + str(x * y).zfill(2 * digits) + chr(10)

    def two_returns(x, y, digits, thought=True):
        asked, answer = f"{x:0{digits}d}*{y:0{digits}d}=", f"{x * y:0{2 * digits}d}\n"
        if not thought:
            return asked + answer
        return f"{asked}{chain_of_thought(x, y, digits)};{answer}"

    def answer_turned_twice(x, y, digits, thought=True):
        answer = write_backwards(x * y, 2 * digits)[::-1]
        middle = [chain_of_thought(x, y, digits), ";"] if thought else []
        return "".join([question(x, y, digits), *middle, answer, "\n"])  # noqa: F821


class encode_lines:
    def places(lines, vocabulary):
        return torch.tensor([[vocabulary.index(c) for c in line] for line in lines])

    def loops(lines, vocabulary):
        table = torch.zeros(len(lines), len(lines[0]), dtype=torch.int64)
        for i, line in enumerate(lines):
            for j, c in enumerate(line):
                table[i, j] = vocabulary.find(c)
        return table

    def stacked(lines, vocabulary):
        return torch.stack([torch.tensor([vocabulary.index(c) for c in line]) for line in lines])

    def int32(lines, vocabulary):
        return torch.tensor([[list(vocabulary).index(c) for c in line] for line in lines], dtype=torch.int32)


class decode_line:
    def loop(ids, vocabulary):
        text = ""
        for i in ids:
            text += vocabulary[i]
            if text[-1] == "\n":
                break
        return text

    def find(ids, vocabulary):
        text = "".join(vocabulary[int(i)] for i in ids)
        end = text.find("\n")
        return text if end < 0 else text[: end + 1]

    def expression(ids, vocabulary):
        return re.match(r"[^\n]*\n?", "".join(map(vocabulary.__getitem__, ids.tolist())))[0]


class masked_targets:
    def where(rows, prompt, ignored=-100):
        places = torch.arange(1, rows.shape[1])
        return rows[:, :-1], torch.where(places < prompt, ignored, rows[:, 1:])

    def masked_fill(rows, prompt, ignored=-100):
        hidden = torch.arange(rows.shape[1]) < prompt
        return rows[:, :-1].clone(), rows.masked_fill(hidden, ignored)[:, 1:]

    def joined(rows, prompt, ignored=-100):
        front = torch.full((len(rows), prompt - 1), ignored)
        return rows[:, :-1], torch.cat([front, rows[:, prompt:]], dim=1)

    def copied_first(rows, prompt, ignored=-100):
        targets = rows.clone()
        targets[:, :prompt] = ignored
        return [rows[:, :-1], targets[:, 1:]]


class read_answer:
    def expression(line, mark=";"):
        found = re.search(rf"{re.escape(mark)}([0-9]+)\n\Z", line)
        return int(found[1]) if found else None

    def split(line, mark=";"):
        if mark not in line or line[-1] != "\n":
            return None
        answer = line.split(mark)[-1].strip("\n")
        return int(answer) if answer.isdecimal() else None

    def errors(line, mark=";"):
        if not line.endswith("\n"):
            return None
        try:
            answer = line[line.rindex(mark) + 1 : -1]
            return int(answer) if set(answer) <= set("0123456789") else None
        except ValueError:
            return None


class evaluate_pairs:
    def all_lines_first(write, pairs, digits, thought=True, batch=500):
        asked, lines = [question(x, y, digits) for x, y in pairs], []  # noqa: F821
        while len(lines) < len(asked):
            lines += write(asked[len(lines) : len(lines) + batch])
        mark = ";" if thought else "="
        good = [read_answer(line, mark) == x * y for (x, y), line in zip(pairs, lines, strict=True)]
        exact = [line == product_line(x, y, digits, thought) for (x, y), line in zip(pairs, lines, strict=True)]
        wrong = [(x, y, line) for (x, y), line, g in zip(pairs, lines, good, strict=True) if not g]
        return {"total": len(good), "right": sum(good), "exact": sum(exact), "wrong": wrong}

    def a_running_batch(write, pairs, digits, thought=True, batch=500):
        found = {"total": 0, "right": 0, "exact": 0, "wrong": []}
        waiting = []
        for i, pair in enumerate(pairs):
            waiting.append(pair)
            if len(waiting) == batch or i == len(pairs) - 1:
                lines = write([question(*one, digits) for one in waiting])  # noqa: F821
                for (x, y), line in zip(waiting, lines, strict=True):
                    found["total"] += 1
                    found["exact"] += int(line == product_line(x, y, digits, thought))
                    if read_answer(line, "=;"[thought]) == x * y:
                        found["right"] += 1
                    else:
                        found["wrong"] += [[x, y, line]]
                waiting = []
        return found

    def right_is_what_is_not_wrong(write, pairs, digits, thought=True, batch=500):
        wrong, exact = [], 0
        for part in (pairs[i : i + batch] for i in range(0, len(pairs), batch)):
            for pair, line in zip(part, write([question(*pair, digits) for pair in part]), strict=True):  # noqa: F821
                exact += line == product_line(*pair, digits, thought=thought)
                answer = read_answer(line, mark=";" if thought else "=")
                if answer is None or answer != pair[0] * pair[1]:
                    wrong.append((*pair, line))
        return {"wrong": wrong, "exact": exact, "right": len(pairs) - len(wrong), "total": len(pairs)}


class count_carries:
    def digit_sums(a, b):
        total = sum(map(int, str(a))) + sum(map(int, str(b))) - sum(map(int, str(a + b)))
        return total // 9

    def as_text(a, b):
        width, carry, count = max(len(str(a)), len(str(b))), 0, 0
        for p, q in zip(reversed(str(a).zfill(width)), reversed(str(b).zfill(width)), strict=True):
            carry = 1 if int(p) + int(q) + carry > 9 else 0
            count += carry
        return count

    def cut_off(a, b):
        return sum(a % 10**i + b % 10**i >= 10**i for i in range(1, 1 + len(str(a + b))))


class errors_by_group:
    def counters(groups, wrong):
        totals = collections.Counter(groups)
        errors = collections.Counter(g for g, w in zip(groups, wrong, strict=True) if w)
        return [(g, errors[g], totals[g]) for g in sorted(totals)]

    def sums(groups, wrong):
        return [
            [g, sum(w for k, w in zip(groups, wrong, strict=True) if k == g), groups.count(g)]
            for g in sorted(set(groups))
        ]

    def grouped(groups, wrong):
        table = []
        for g, part in itertools.groupby(sorted(zip(groups, wrong, strict=True)), key=lambda pair: pair[0]):
            flags = [w for _, w in part]
            table.append((g, sum(flags), len(flags)))
        return table
