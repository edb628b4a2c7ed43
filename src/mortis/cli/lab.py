"""`mortis lab`: incidents with a known cause, listed, made, and scored."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="lab",
    help="Incidents with a known cause: list the kinds, write cases to disk, score the diagnosis over many.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_kinds() -> None:
    """The kinds of incident that can be made, and the bases they can be put into."""
    from mortis.lab.bases import BASES
    from mortis.lab.plots import PLOTS

    print("kinds")
    for plot in PLOTS.values():
        fitting = [base.name for base in BASES.values() if plot.suits(base)]
        where = "all bases" if len(fitting) == len(BASES) else ", ".join(fitting)
        print(f"  {plot.name:<10} {plot.meaning} ({where})")
    print("\nbases")
    for base in BASES.values():
        print(f"  {base.name:<14} {base.meaning}")


@app.command()
def make(
    *,
    kind: Annotated[str, typer.Option("--kind", help="What goes wrong, as in `mortis lab list`.")],
    base: Annotated[str, typer.Option("--base", help="The service it goes wrong in.")],
    seed: Annotated[int, typer.Option("--seed", min=0, help="Which of its incidents; the same one each time.")] = 0,
    severity: Annotated[int | None, typer.Option("--severity", min=1, max=3, help="1 mild, 3 harsh.")] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the case and its truth are written.")],
) -> None:
    """Write a complete case, with the truth beside it (truth.json, which an investigation never reads)."""
    from mortis.lab.making import SEVERITIES, played
    from mortis.lab.writing import write_case

    made = write_case(played(kind, base, seed, severity=SEVERITIES[severity - 1] if severity else None), out)
    print(f"case    {made.case_file}\ntruth   {out / 'truth.json'}")
    print(f"next    mortis run {made.case_file}")


@app.command()
def score(
    *,
    cases: Annotated[int, typer.Option("--cases", min=1, help="How many cases.")] = 60,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Below 5000: development; from there on: published.")] = 1,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="How many cases at once.")] = 2,
    kind: Annotated[str | None, typer.Option("--kind", help="Cases of this kind alone.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    page: Annotated[Path | None, typer.Option("--page", metavar="FILE", help="Write a page with plots, too.")] = None,
) -> None:
    """Make cases in the mix of production, investigate each, and say how often the diagnosis is right."""
    from mortis.scoring.mix import half_of, planned
    from mortis.scoring.running import outcomes
    from mortis.scoring.summary import scored
    from mortis.scoring.table import score_json, score_lines

    wanted = planned(cases, seed, kind=kind)
    found = scored(outcomes(wanted, jobs=jobs, watch=partial(_told, cases=cases)), seed=seed, half=half_of(seed))
    print(score_json(found) if as_json else "\n".join(score_lines(found)))
    if page is not None:
        from mortis.scoring.page import write_page

        write_page(found, page)


def _told(done: int, cases: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {cases} cases", end="\n" if done == cases else "", file=sys.stderr, flush=True)
