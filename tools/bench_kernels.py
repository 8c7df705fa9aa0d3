"""Measure every kernel against torch's own on a GPU: right first, then quick.

Each way of each case is held against float64, then timed (the median of triton.testing.do_bench). Ceilings are measured
in the same run: a matrix multiplication of 8192 x 8192 x 8192 in bfloat16, and a copy of 2 GiB. Rows are printed as
they come and written as CSV with a plot of attention; ratios are of this one run. The exit status is 1 if a kernel of
ours is wrong or does not run; it says nothing about times.

With --dry-run the same goes on a machine without a GPU, in the simulator, with few numbers and without any time: a
simulator's time says nothing about a kernel.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from tools.kernel_bench import attention, others, report
from tools.kernel_bench.case import Plan
from tools.kernel_bench.measure import Ceilings, Row, Timer, ceilings, gpu_timer, measure

DRY_LENGTHS = (130,)  # two tiles of queries, whole tiles of keys and a part of one
MAKERS = {**others.MAKERS, "flash_attention": attention.cases}
ONE_HEAD = "attention is held against float64 by the first head; rows by the first 64"


def main() -> int:
    """Measure, print and write."""
    options = _options()
    plan = _plan(options)
    options.out.mkdir(parents=True, exist_ok=True)
    timer, top = (None, None) if options.dry_run else (gpu_timer, ceilings(gpu_timer, plan.device))
    about = _about(plan, top)
    print(about, f"({ONE_HEAD})\n")
    rows = _measure_all(plan, options, timer, top, about)
    _print_attention(rows)
    if timer is None:
        print("\nThis was a dry run: nothing was timed, so columns of times, rates, shares and ratios are empty.")
    else:
        report.plot(options.out / "attention.png", rows, about)
    failed = [row for row in rows if row.failed]
    print(f"\n{len(rows)} rows in {options.out}, {len(failed)} of ours wrong or not run")
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dry-run", action="store_true", help="without a GPU, in the simulator: no times")
    parser.add_argument("--out", type=Path, default=Path("build/bench-kernels"), help="folder (build/bench-kernels)")
    parser.add_argument("--only", nargs="+", choices=MAKERS, metavar="KERNEL", help=", ".join(MAKERS))
    parser.add_argument("--skip", nargs="+", default=[], metavar="WAY", help="ways to leave out, such as ping-pong")
    parser.add_argument("--lengths", nargs="+", type=int, metavar="N", help="attention's lengths (512 to 16384)")
    return parser.parse_args()


def _plan(options: argparse.Namespace) -> Plan:
    if not options.dry_run and not torch.cuda.is_available():
        sys.exit("There is no GPU that torch can use. ARGS=--dry-run does all but the timing, in the simulator.")
    lengths = options.lengths or (DRY_LENGTHS if options.dry_run else Plan.lengths)
    return Plan("cpu" if options.dry_run else "cuda", options.dry_run, lengths=tuple(lengths))


def _measure_all(
    plan: Plan, options: argparse.Namespace, timer: Timer | None, top: Ceilings | None, about: str
) -> list[Row]:
    """Print and keep rows as they come, so that a run that is cut off leaves what it had."""
    rows: list[Row] = []
    print(*report.table([]), sep="\n")
    for case in itertools.chain.from_iterable(MAKERS[kernel](plan) for kernel in options.only or MAKERS):
        new = measure(case.without(options.skip), timer, top)
        rows += new
        print(*map(report.line_of, new), sep="\n", flush=True)
        report.write_csv(options.out / "kernels.csv", rows, about)
    return rows


def _print_attention(rows: list[Row]) -> None:
    if any(row.kernel == "flash_attention" for row in rows):
        print("\n### The ladder, forward\n", *report.ladder(rows), sep="\n")
        print("\n### Targets (ratio to torch's best backend, lengths 4096 to 8192)\n", *report.targets(rows), sep="\n")


def _about(plan: Plan, top: Ceilings | None) -> str:
    import triton

    versions = f"torch {torch.__version__}, triton {triton.__version__}, {str(plan.dtype).removeprefix('torch.')}"
    if top is None:
        return f"Dry run in the simulator, {versions}"
    name = torch.cuda.get_device_name()
    return f"{name}, {versions}; ceilings {top.tflops:.0f} TFLOP/s (matmul), {top.gbs:.0f} GB/s (copy)"


if __name__ == "__main__":
    sys.exit(main())
