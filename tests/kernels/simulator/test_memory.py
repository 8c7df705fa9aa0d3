"""Accesses outside of a tensor and races are Python errors that say where."""

from __future__ import annotations

import pytest
import torch
import triton
import triton.language as tl

from kernels.simulator import OutOfBounds, Race, simulate


@triton.jit
def copy_kernel(x, y, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    value = tl.load(x + i, mask=i < n)
    tl.store(y + i, value, mask=i < n)


def test_a_right_mask_is_no_error():
    x, y = torch.arange(100.0), torch.zeros(100)
    simulate(copy_kernel, (4,))(x, y, 100, 32)
    assert torch.equal(x, y)


def test_a_load_beyond_the_end_names_program_line_and_tensor():
    with pytest.raises(OutOfBounds) as caught:
        simulate(copy_kernel, (4,))(torch.zeros(100), torch.zeros(120), 120, 32)
    message = str(caught.value)
    assert "program (3, 0, 0), line " in message
    assert "`value = tl.load(x + i, mask=i < n)`" in message
    assert "reads 20 of 24 elements outside of x (100,). Offset 100 " in message


def test_a_store_beyond_the_end_changes_nothing():
    memory = torch.zeros(200)
    with pytest.raises(OutOfBounds, match=r"writes 20 of 24 elements outside of y \(100,\)"):
        simulate(copy_kernel, (4,))(torch.ones(120), memory[:100], 120, 32)
    assert memory[100:].sum() == 0


@triton.jit
def far_kernel(x, y):
    tl.store(y, tl.load(x + 1_000_000_000))


def test_an_access_far_away_does_not_end_python():
    with pytest.raises(OutOfBounds, match="Offset 1000000000 "):
        simulate(far_kernel, (1,))(torch.zeros(1), torch.zeros(1))


@triton.jit
def before_kernel(x, y):
    tl.store(y, tl.load(x - 1))


def test_an_access_before_the_beginning_of_a_view():
    memory = torch.zeros(10)
    with pytest.raises(OutOfBounds, match="Offset -1 "):
        simulate(before_kernel, (1,))(memory[5:], torch.zeros(1))


def test_the_pointer_tells_the_tensor_even_if_it_ends_in_another():
    memory = torch.zeros(200)
    x, y = memory[:100], memory[100:]
    with pytest.raises(OutOfBounds, match=r"outside of x \(100,\)"):
        simulate(copy_kernel, (4,))(x, y, 101, 32)


@triton.jit
def rows_kernel(x, y, stride, columns, BM: tl.constexpr, BN: tl.constexpr):
    row, column = tl.arange(0, BM)[:, None], tl.arange(0, BN)[None, :]
    tl.store(y + row * BN + column, tl.load(x + row * stride + column, mask=column < columns, other=0.0))


def test_what_lies_between_the_rows_of_a_view_is_outside_of_it():
    x, y = torch.zeros(4, 10)[:, :6], torch.zeros(4, 8)
    simulate(rows_kernel, (1,))(x, y, 10, 6, 4, 8)
    with pytest.raises(OutOfBounds, match=r"reads 8 of 32 .* lies between the elements of this view"):
        simulate(rows_kernel, (1,))(x, y, 10, 8, 4, 8)


def test_an_empty_tensor_has_no_element():
    with pytest.raises(OutOfBounds):
        simulate(copy_kernel, (1,))(torch.zeros(0), torch.zeros(4), 4, 4)


def test_a_pointer_without_a_known_tensor_is_checked_too():
    @triton.jit
    def kernel(table, y):
        pointer = tl.load(table).to(tl.pointer_type(tl.float32))
        tl.store(y, tl.load(pointer))

    x, y = torch.ones(1), torch.zeros(1)
    with pytest.raises(OutOfBounds):
        simulate(kernel, (1,))(torch.tensor([x.data_ptr()]), y)


@triton.jit
def write_all_kernel(y):
    tl.store(y, tl.program_id(0))


@triton.jit
def read_neighbour_kernel(x, y, n):
    i = tl.program_id(0)
    tl.store(x + i, 1.0)
    tl.store(y + i, tl.load(x + (i + 1) % n))


@triton.jit
def write_neighbour_kernel(x, y, n):
    i = tl.program_id(0)
    tl.store(y + i, tl.load(x + i))
    tl.store(x + (i + 1) % n, 1.0)


@triton.jit
def mixed_kernel(x, y, n):
    if tl.program_id(0) == 0:
        tl.store(x, 1.0)
    else:
        tl.atomic_add(x, 1.0)


RACES = [  # kernel, tensors, what is said
    (write_all_kernel, 1, r"program \(1, 0, 0\), line .* writes an element of y .* program \(0, 0, 0\) writes too"),
    (read_neighbour_kernel, 2, r"writes an element of x .* that program \(0, 0, 0\) reads"),
    (write_neighbour_kernel, 2, r"reads an element of x .* that program \(0, 0, 0\) writes"),
    (mixed_kernel, 2, r"updates an element of x .* that program \(0, 0, 0\) writes"),
]


@pytest.mark.parametrize(("kernel", "tensors", "words"), RACES, ids=lambda value: getattr(value, "__name__", ""))
def test_races(kernel, tensors, words):
    arguments = [torch.zeros(4) for _ in range(tensors)] + [4] * (tensors - 1)
    with pytest.raises(Race, match=words):
        simulate(kernel, (4,))(*arguments)


def test_a_store_after_several_programs_have_read():
    @triton.jit
    def kernel(x, y, n):
        i = tl.program_id(0)
        tl.store(y + i, tl.load(x))
        if i == n - 1:
            tl.store(x, 1.0)

    with pytest.raises(Race, match=r"writes an element of x .* that another program reads"):
        simulate(kernel, (4,))(torch.zeros(4), torch.zeros(4), 4)
    simulate(kernel, (1,))(torch.zeros(4), torch.zeros(4), 1)


def test_races_can_be_ignored():
    y = torch.zeros(4)
    simulate(write_all_kernel, (4,), races=False)(y)
    assert y[0] == 3


def test_a_program_may_come_back_to_its_own_elements():
    @triton.jit
    def kernel(y):
        i = tl.program_id(0)
        tl.store(y + i, 1.0)
        tl.store(y + i, tl.load(y + i) + 1)

    y = torch.zeros(4)
    simulate(kernel, (4,))(y)
    assert y.tolist() == [2.0] * 4


def test_atomic_additions_do_not_race():
    @triton.jit
    def kernel(y):
        tl.atomic_add(y, 1.0)

    y = torch.zeros(1)
    simulate(kernel, (5,))(y)
    assert y.item() == 5


@triton.jit
def locked_kernel(lock, total, LOCKED: tl.constexpr):
    if LOCKED:
        while tl.atomic_cas(lock, 0, 1) == 1:
            pass
    tl.store(total, tl.load(total) + 1.0)
    if LOCKED:
        tl.atomic_xchg(lock, 0)


def test_a_lock_orders_programs():
    lock, total = torch.zeros(1, dtype=torch.int32), torch.zeros(1)
    simulate(locked_kernel, (5,))(lock, total, True)
    assert total.item() == 5
    with pytest.raises(Race):
        simulate(locked_kernel, (5,))(lock, total, False)


@triton.jit
def last_adds_kernel(parts, counter, total, N: tl.constexpr, ORDER: tl.constexpr):
    tl.store(parts + tl.program_id(0), 1.0)
    if tl.atomic_add(counter, 1, sem=ORDER) == N - 1:
        tl.store(total, tl.sum(tl.load(parts + tl.arange(0, N)), 0))


def test_a_counter_orders_programs_unless_it_is_relaxed():
    parts, total = torch.zeros(4), torch.zeros(1)
    simulate(last_adds_kernel, (4,))(parts, torch.zeros(1, dtype=torch.int32), total, 4, "acq_rel")
    assert total.item() == 4
    with pytest.raises(Race):
        simulate(last_adds_kernel, (4,))(parts, torch.zeros(1, dtype=torch.int32), total, 4, "relaxed")


def test_an_atomic_sum_of_floats_orders_nothing():
    @triton.jit
    def kernel(total, y):
        tl.atomic_add(total, 1.0)
        tl.store(y, 1.0)

    with pytest.raises(Race, match="of y"):
        simulate(kernel, (2,))(torch.zeros(1), torch.zeros(1))
