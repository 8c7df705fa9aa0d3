"""The doctor's findings, for people."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from autograder.doctor.examination import Examination, machine
from autograder.doctor.probes import GROUPS
from autograder.untrusted.jail import LAYERS


def show(found: Examination, console: Console) -> None:
    """Print the examination for people."""
    console.print(f"{machine()}\n", highlight=False)
    if found.error:
        console.print(found.error, style="bold red", markup=False, highlight=False)
    if found.findings:
        console.print(_table(found))
    for group, text in found.remedies().items():
        console.print(f"\n[bold]{group}[/]: {text}", highlight=False)
    tried_count, open_count = len(found.findings), sum(bool(f.open) for f in found.findings)
    console.print(f"\n{tried_count} probes in {found.seconds:.0f} s, {open_count} open.", highlight=False)
    verdict = "Students' code can be run here." if found.holds else (
        "Nothing is graded here, unless you allow it with --allow-weaker-isolation: do so only for submissions that "
        "you trust. The container is the better way (deploy/README.md)."
    )  # fmt: skip
    console.print(verdict, style="green" if found.holds else "bold red", highlight=False)


def _table(found: Examination) -> Table:
    table = Table("layer", "tried from inside", "", box=None, pad_edge=False, header_style="bold")
    for group, text in GROUPS.items():
        reason = found.missing.get(group)
        state = "" if group not in LAYERS else f"[bold red]missing[/] {reason}" if reason else "[green]there[/]"
        table.add_row(f"[bold]{group}[/]", f"[dim]{text}[/]", state, end_section=False)
        for finding in found.findings:
            if finding.group == group:
                table.add_row(
                    "", finding.name, f"[bold red]OPEN[/] {finding.open}" if finding.open else "[green]holds[/]"
                )
    return table
