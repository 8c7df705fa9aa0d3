"""Other right answers to m20."""

import collections
import itertools
import re

from course.supplied.m18 import count_carries, product_line, read_answer


class zero_padded:
    def expression(line, digits):
        found = re.match(r"(\d+)\*(\d+)=", line)
        x, y = int(found[1]), int(found[2])
        if len(str(x)) > digits or len(str(y)) > digits:
            raise ValueError("too long")
        return product_line(x, y, digits, thought=True)

    def places(line, digits):
        star, equals = line.index("*"), line.index("=")
        x, y = int(line[:star]), int(line[star + 1 : equals])
        if not (x < 10**digits and y < 10**digits):
            raise ValueError(line)
        return product_line(x, y, digits)

    def a_loop(line, digits):
        numbers = [0]
        for character in line:
            if character == "=":
                break
            if character == "*":
                numbers.append(0)
            else:
                numbers[-1] = 10 * numbers[-1] + int(character)
        for number in numbers:
            if number // 10**digits:
                raise ValueError
        return product_line(*numbers, digits)


class curriculum_batch:
    def accumulated(draw, step, stages, size, rehearsal=0.1):
        ends = list(itertools.accumulate(steps for _, steps in stages))
        now = min(sum(step >= end for end in ends), len(stages) - 1)
        if now == 0:
            return draw(stages[0][0], size)
        old = int(rehearsal * size)
        each, spare = divmod(old, now)
        pairs = [p for i in range(now) for p in draw(stages[i][0], each + 1 if i < spare else each)]
        pairs.extend(draw(stages[now][0], size - old))
        return pairs

    def one_at_a_time(draw, step, stages, size, rehearsal=0.1):
        over = []
        for digits, steps in stages[:-1]:
            if step < steps:
                break
            step -= steps
            over.append(digits)
        of = [over[i % len(over)] for i in range(int(rehearsal * size))] if over else []
        order = sorted(range(len(of)), key=lambda i: over.index(of[i]))
        return [draw(of[i], 1)[0] for i in order] + draw(stages[len(over)][0], size - len(of))

    def counted(draw, step, stages, size, rehearsal=0.1):
        schedule = [number for number, (_, steps) in enumerate(stages) for _ in range(steps)]
        now = schedule[step] if step < len(schedule) else len(stages) - 1
        counts = [0] * (now + 1)
        for k in range(int(rehearsal * size)):
            if now:
                counts[k % now] += 1
        counts[now] = size - sum(counts)
        return tuple(p for i, n in enumerate(counts) for p in draw(stages[i][0], n))


class product_carries:
    def as_text(x, y, digits):
        count, total = 0, 0
        for place, d in enumerate(str(y).zfill(digits)[::-1]):
            carry = 0
            for c in str(x).zfill(digits)[::-1]:
                carry = (int(c) * int(d) + carry) // 10
                count += 1 if carry else 0
            row = int(d) * x * 10**place
            count, total = count + count_carries(row, total), total + row
        return count

    def cut_off(x, y, digits):
        rows = [x * (y // 10**i % 10) for i in range(digits)]
        inside = sum(x % 10**k * (y // 10**i % 10) // 10**k > 0 for i in range(digits) for k in range(1, digits + 1))
        before = [sum(row * 10**i for i, row in enumerate(rows[:n])) for n in range(digits)]
        return inside + sum(count_carries(a, row * 10**i) for i, (a, row) in enumerate(zip(before, rows, strict=True)))

    def without_count_carries(x, y, digits):
        count = 0
        for place in range(digits):
            digit, low = y // 10**place % 10, y % 10**place
            rest, carry = x, 0
            while rest or carry:
                carry = (rest % 10 * digit + carry) // 10
                count += bool(carry)
                rest //= 10
            a, b, carry = x * low, x * digit * 10**place, 0
            while a or b:
                carry = int(a % 10 + b % 10 + carry > 9)
                count, a, b = count + carry, a // 10, b // 10
        return count


class first_fault:
    def walked(line, wanted):
        part, row, behind = "", 1, False
        for place, right in enumerate(wanted):
            if not behind:
                part, behind = "row 1", right == "="
                continue
            if right == "+":
                row += 1
                part = f"row {row}"
            elif right == "=":
                part = f"sum {row}"
            elif right == ";":
                part = "answer"
            if place >= len(line) or line[place] != right:
                return place, part
        return None

    def pieces(line, wanted):
        if line == wanted:
            return None
        place = 0
        while place < len(line) and line[place] == wanted[place]:
            place += 1
        parts = re.split(r"(?=[+=;])", wanted)  # the question has no sign in front, row 1 opens with the question's "="
        end, row = 0, 1
        for number, part in enumerate(parts):
            end += len(part)
            row += part[0] == "+"
            if place < end:
                name = {"+": "row", "=": "sum", ";": "answer"}[part[0]]
                return place, "row 1" if number == 1 else name if name == "answer" else f"{name} {row}"

    def padded(line, wanted):
        line = line.ljust(len(wanted), "?")
        for place in range(len(wanted)):
            if line[place] != wanted[place]:
                signs = [c for c in wanted[wanted.index("=") + 1 : place + 1] if c in "+=;"]
                if not signs:
                    return [place, "row 1"]
                names = {"+": f"row {1 + signs.count('+')}", "=": f"sum {1 + signs.count('+')}", ";": "answer"}
                return [place, names[signs[-1]]]
        return None


class ErrorBook:
    class Deque:
        def __init__(self, capacity):
            self.queue = collections.deque(maxlen=None)
            self.capacity = capacity

        @property
        def pairs(self):
            return list(self.queue)

        def update(self, pairs, right):
            for pair, good in zip(pairs, right, strict=True):
                if pair in self.queue:
                    self.queue.remove(pair)
                if not good:
                    self.queue.append(pair)
            while len(self.queue) > self.capacity:
                self.queue.popleft()

        def batch(self, fresh, share):
            count = min(int(share * len(fresh)), len(self.queue))
            chosen = [self.queue[i] for i in range(count)]
            self.queue.rotate(-count)
            return chosen + fresh[: len(fresh) - count]

    class Dictionary:
        def __init__(self, capacity):
            self.known, self.capacity = {}, capacity

        @property
        def pairs(self):
            return list(self.known)

        def update(self, pairs, right):
            for pair, good in zip(pairs, right, strict=True):
                self.known.pop(tuple(pair), None)
                if not good:
                    self.known[tuple(pair)] = True
            for pair in self.pairs[: max(0, len(self.known) - self.capacity)]:
                del self.known[pair]

        def batch(self, fresh, share):
            chosen = self.pairs[: int(share * len(fresh))]
            for pair in chosen:
                del self.known[pair]
                self.known[pair] = True
            return [*chosen, *fresh][: len(fresh)]

    class NewLists:
        def __init__(self, capacity):
            self.pairs = []
            self.capacity = capacity

        def update(self, pairs, right):
            for pair, good in zip(pairs, right, strict=True):
                self.pairs = [p for p in self.pairs if p != pair] + ([] if good else [pair])
            if len(self.pairs) > self.capacity:
                self.pairs = self.pairs[len(self.pairs) - self.capacity :]

        def batch(self, fresh, share):
            out = []
            for _ in range(min(int(share * len(fresh)), len(self.pairs))):
                out.append(self.pairs.pop(0))
            self.pairs.extend(out)
            return tuple(out) + tuple(fresh[: len(fresh) - len(out)])


class rejection_sample:
    def loops(pairs, attempts, most=1):
        kept = []
        for i in range(len(pairs)):
            x, y = pairs[i]
            mine = []
            for line in attempts[i]:
                if len(mine) == most:
                    break
                if read_answer(line) == x * y and line not in mine:
                    mine.append(line)
            kept.extend(mine)
        return kept

    def seen(pairs, attempts, most=1):
        kept = []
        for pair, lines in zip(pairs, attempts, strict=True):
            seen = set()
            for line in lines:
                answer = read_answer(line)
                if answer is not None and answer == pair[0] * pair[1] and line not in seen and len(seen) < most:
                    seen.add(line)
                    kept.append(line)
        return kept

    def chained(pairs, attempts, most=1):
        def of(pair, lines):
            right = (line for line in lines if read_answer(line) == pair[0] * pair[1])
            return itertools.islice(dict.fromkeys(right), most)

        return tuple(itertools.chain.from_iterable(map(of, pairs, attempts)))
