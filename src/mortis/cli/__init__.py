"""The command line. Heavy modules are imported inside the commands that use them, so that `--help` is instant."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mortis.cli import lab
from mortis.problems import InputProblem, Problem, WorkProblem, listed, near

if TYPE_CHECKING:
    from mortis.case import Case
    from mortis.records import Postmortem

app = typer.Typer(
    name="mortis",
    help="Conducts the post-mortem of a machine-learning model that failed in production.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(lab.app)

INTERRUPTED = 130
CaseArgument = Annotated[Path, typer.Argument(metavar="CASE", help="The case file (incident.yaml), or its folder.")]
EngineOption = Annotated[str, typer.Option("--engine", metavar="NAME", help="The engine that runs the pass.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def main() -> None:
    """Run the command line; a Problem becomes one line on standard error and its exit code."""
    code: int | None
    try:
        code = app(prog_name="mortis", standalone_mode=False)  # Typer catches Ctrl-C and hands back the exit code
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Problem as problem:
        print(f"mortis: {problem}", file=sys.stderr)
        code = problem.exit_code
    except OSError as error:
        print(f"mortis: {error.filename or 'the system'}: {error.strerror or error}", file=sys.stderr)
        code = WorkProblem.exit_code
    except _WRONGLY_CALLED as error:
        print(f"mortis: {_called_wrongly(error)}", file=sys.stderr)
        code = InputProblem.exit_code
    if code == INTERRUPTED:
        print("mortis: interrupted; no result was written", file=sys.stderr)
    if code:
        sys.exit(code)


# What Typer raises for a wrong command line has no public name of its own; it is what BadParameter is a kind of.
_WRONGLY_CALLED: tuple[type[Exception], ...] = tuple(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)


def _called_wrongly(error: Any) -> str:
    """What is wrong with the command line, and which help tells what would be right."""
    message = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    return f"{message[:1].lower()}{message[1:]} (see `{context.command_path if context else 'mortis'} --help`)"


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        print(f"mortis {installed('mortis')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def demo(
    *,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where the case and its report are written.")
    ] = Path("mortis-demo"),
    fault: Annotated[str, typer.Option("--fault", help="What goes wrong: unit, nulls, version, world, none.")] = "unit",
) -> None:
    """Build a case from real flights of 2013 and investigate it."""
    from mortis.lab.demo import build_demo

    built = build_demo(out, fault=fault)
    print(f"case    {built.case_file}   (real flights; the truth lies in {out / 'truth.json'}, unread)")
    _investigate(built.case_file, out=out / "report", engine="duckdb", formats="html,md,json")


@app.command()
def init(
    tables: Annotated[list[str], typer.Argument(metavar="TABLE...", help="Files, globs or folders of tables.")],
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="The case file to write.")] = Path("incident.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite the case file.")] = False,
) -> None:
    """Look at tables and write a commented case file, saying what was guessed and why."""
    from mortis.drafting import draft_case
    from mortis.engine import open_engine

    _check_new(output, force=force, what="the case file", example="incident.yaml")
    with _Progress() as watch:
        engine = open_engine(watch=watch)
        try:
            draft = draft_case([_beside(table, output.parent) for table in tables], root=output.parent, engine=engine)
        finally:
            engine.close()
    _write(output.parent, {output.name: draft.text})
    for guess in draft.guesses:
        print(guess)
    print(f"\nwrote {output}; check it, then: mortis run {output}")


@app.command()
def run(
    case: CaseArgument,
    *,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where the report is written.")] = None,
    engine: EngineOption = "duckdb",
    formats: Annotated[str, typer.Option("--format", metavar="LIST", help="Any of html,md,json.")] = "html,md,json",
    unpickle: Annotated[bool, typer.Option("--unpickle", help="Open pickled models, which runs their code.")] = False,
    library: Annotated[bool, typer.Option("--library/--no-library", help="No effect yet: there is no library.")] = True,
) -> None:
    """Investigate a case and write postmortem.html, postmortem.md and postmortem.json."""
    del library  # there is no library yet; scripts may already say --no-library
    folder = out or (case if case.is_dir() else case.parent)
    _investigate(case, out=folder, engine=engine, formats=formats, unpickle=unpickle)


@app.command()
def clarify(case: CaseArgument, *, engine: EngineOption = "duckdb", as_json: JsonOption = False) -> None:
    """Step 1 alone: what failed, how much, and since when."""
    from mortis.investigation import clarify_case

    with _Progress() as watch:
        found = clarify_case(_load(case), engine=engine, watch=watch)
    if as_json:
        _print_json(found)
        return
    from mortis.document.terminal import failure_lines

    print("\n".join(failure_lines(found)))


@app.command()
def signals(
    case: Annotated[Path | None, typer.Argument(metavar="[CASE]", help="The case file; or give --metrics.")] = None,
    *,
    metrics: Annotated[str | None, typer.Option("--metrics", help="A table of series, instead of a case.")] = None,
    graph: Annotated[str | None, typer.Option("--graph", help="Who calls whom: columns caller and callee.")] = None,
    symptom: Annotated[str | None, typer.Option("--symptom", help="The series or service that failed.")] = None,
    baseline: Annotated[str | None, typer.Option("--baseline", metavar="A..B", help="Half-open, UTC.")] = None,
    incident: Annotated[str | None, typer.Option("--incident", metavar="A..B", help="Half-open, UTC.")] = None,
    engine: Annotated[
        str | None, typer.Option("--engine", metavar="NAME", help="For a CASE: duckdb if left out.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Step 2 alone: the metrics that moved and the log lines that changed; on a case, or on a table of series."""
    from mortis.document.terminal import signal_lines

    needed = {"--metrics": metrics, "--baseline": baseline, "--incident": incident}
    given = needed | {"--graph": graph, "--symptom": symptom}
    _check_either("signals", case, "--metrics", given=given, needed=needed)
    if case is not None:
        from mortis.investigation import signals_of_case

        with _Progress() as watch:
            found = signals_of_case(_load(case), engine=engine or "duckdb", watch=watch)
    else:
        if engine is not None:
            raise InputProblem("signals: --engine runs the pass over a CASE's predictions; leave it out with --metrics")
        from mortis.questions.signals import signals_of_metrics

        windows = str(baseline), str(incident)
        found = signals_of_metrics(str(metrics), graph=graph, symptom=symptom, windows=windows)
    if as_json:
        _print_json(found)
    else:
        print("\n".join(signal_lines(found.signals or (), found.log_templates, (found.evidence, found.not_checked))))


@app.command()
def changes(case: CaseArgument, *, engine: EngineOption = "duckdb", as_json: JsonOption = False) -> None:
    """Step 4 alone: what changed, and which change fits the failure."""
    from mortis.investigation import changes_of_case

    with _Progress() as watch:
        found = changes_of_case(_load(case), engine=engine, watch=watch)
    if as_json:
        _print_json(found)
        return
    from mortis.document.terminal import change_lines

    print("\n".join(change_lines(found.changes, (found.evidence, found.not_checked))))


@app.command()
def integrity(case: CaseArgument, *, engine: EngineOption = "duckdb", as_json: JsonOption = False) -> None:
    """Step 3 alone: whether data and model are what they should be."""
    from mortis.investigation import integrity_of_case

    with _Progress() as watch:
        found = integrity_of_case(_load(case), engine=engine, watch=watch)
    if as_json:
        _print_json(found)
        return
    from mortis.document.terminal import evidence_lines

    print("\n".join(evidence_lines(found)))


@app.command()
def fingerprint(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="The file, glob or folder of the training table.")],
    *,
    engine: EngineOption = "duckdb",
) -> None:
    """Print what tells a training table again, in any order of its rows: for `training.fingerprint`."""
    from mortis.engine import open_engine
    from mortis.sources.tables import open_table

    with _Progress() as watch:
        running = open_engine(engine, watch=watch)
        try:
            print(running.fingerprint(open_table(table, root=Path(), key="fingerprint")).text())
        finally:
            running.close()


@app.command()
def errors(
    case: Annotated[Path | None, typer.Argument(metavar="[CASE]", help="The case file; or give --table.")] = None,
    *,
    table: Annotated[str | None, typer.Option("--table", help="A table of counts, instead of a case.")] = None,
    errors_column: Annotated[str | None, typer.Option("--errors", metavar="COL", help="Its column of errors.")] = None,
    count: Annotated[str | None, typer.Option("--count", metavar="COL", help="Its column of totals.")] = None,
    time: Annotated[str | None, typer.Option("--time", metavar="COL", help="Its column of times.")] = None,
    baseline: Annotated[str | None, typer.Option("--baseline", metavar="A..B", help="Half-open, UTC.")] = None,
    incident: Annotated[str | None, typer.Option("--incident", metavar="A..B", help="Half-open, UTC.")] = None,
    engine: EngineOption = "duckdb",
    as_json: JsonOption = False,
) -> None:
    """Step 5 alone: the slices in which the errors rose; on a case, or on a table of counts."""
    from mortis.document.terminal import slice_lines

    given = {"--table": table, "--errors": errors_column, "--count": count, "--time": time}
    given |= {"--baseline": baseline, "--incident": incident}
    _check_either("errors", case, "a table of counts", given=given, needed=given)
    if case is not None:
        from mortis.investigation import errors_of_case

        with _Progress() as watch:
            found = errors_of_case(_load(case), engine=engine, watch=watch)
    else:
        from mortis.counts import errors_of_counts

        with _Progress() as watch:
            found = errors_of_counts(
                str(table),
                errors=str(errors_column),
                count=str(count),
                time=str(time),
                windows=(str(baseline), str(incident)),
                engine=engine,
                watch=watch,
            )
    if as_json:
        _print_json(found)
    else:
        print("\n".join(slice_lines(found)))


@app.command()
def snapshot(
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="The file to write; otherwise it is printed.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Record this environment (Python, packages, system, CPU, GPU, names of variables) for a later comparison."""
    if output is not None:
        _check_new(output, force=force, what="the snapshot", example="environment.json")
    from mortis.sources.snapshot import take_snapshot

    text = take_snapshot().to_json()
    if output is None:
        print(text, end="")
        return
    _write(output.parent, {output.name: text})
    print(f"wrote {output}; compare it in a case with: changes: [{{environment: {{before: ..., after: ...}}}}]")


@app.command()
def schema(what: Annotated[str, typer.Argument(metavar="case|postmortem")]) -> None:
    """Print the JSON Schema of the case file or of postmortem.json."""
    import json

    if what == "case":
        from mortis.case import Case

        print(json.dumps(Case.schema_json(), indent=2))
    elif what == "postmortem":
        from mortis.document import postmortem_schema

        print(json.dumps(postmortem_schema(), indent=2))
    else:
        guess = near(what, ("case", "postmortem")) or ";"
        raise InputProblem(f"schema {what}: no such schema{guess} there are case, postmortem")


def _check_either(
    command: str, case: Path | None, instead: str, *, given: Mapping[str, str | None], needed: Mapping[str, str | None]
) -> None:
    """Raises InputProblem where a command has a case and what stands in its place, or neither of them whole."""
    spare = [name for name, value in given.items() if value is not None]
    missing = [name for name, value in needed.items() if value is None]
    if case is not None and spare:
        raise InputProblem(f"{command}: give a CASE or {instead}, not both; leave out {case} or {listed(spare)}")
    if case is None and missing:
        raise InputProblem(f"{command}: give a CASE, or all of {listed(needed)}; missing: {listed(missing)}")


def _load(path: Path) -> Case:
    from mortis.case import Case

    return Case.load(path)


def _investigate(path: Path, *, out: Path, engine: str, formats: str, unpickle: bool = False) -> None:
    """Investigate the case at a path, write the wanted formats into `out`, and print the answer."""
    from mortis.document import formats as known_formats
    from mortis.document.terminal import summary_lines

    wanted = [name.strip() for name in formats.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in known_formats()]
    if unknown or not wanted:
        what = f"no such format {unknown[0]!r}" if unknown else "no format is named"
        raise InputProblem(f"--format: {what}; there are {listed(known_formats())}")
    _check_folder(out, "--out")
    case = _load(path)
    from mortis.investigation import investigate

    with _Progress() as watch:
        found = investigate(case, engine=engine, watch=watch, unpickle=unpickle)
    written = _write_all(found, wanted, out)
    print("\n".join(summary_lines(found)))
    print()
    for file in written:
        print(f"wrote   {file}")


def _write_all(found: Postmortem, formats: list[str], out: Path) -> list[Path]:
    """Every format rendered before the first is written, so that nothing is left half-done."""
    from mortis.document import render

    return _write(out, {f"postmortem.{name}": render(found, name) for name in formats})


def _check_new(output: Path, *, force: bool, what: str, example: str) -> None:
    """Raises a Problem where a file must not or can't be written, before any work is done for it."""
    if output.is_dir():
        raise InputProblem(f"-o {output}: it is a folder; name {what}, as in {output / example}")
    if output.exists() and not force:
        raise InputProblem(f"{output} exists; name another file with -o, or overwrite it with --force")
    _check_folder(output.parent, "-o")


def _check_folder(folder: Path, option: str) -> None:
    """Raises a Problem where nothing could be written into a folder, before any work is done for it."""
    standing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not standing.is_dir():
        raise InputProblem(f"{option}: {standing} is no folder; name another place with {option}")
    if not os.access(standing, os.W_OK):
        raise WorkProblem(f"{option}: folder {standing} can't be written to; name another place with {option}")


def _beside(table: str, folder: Path) -> str:
    """A table named on the command line, as a case file in that folder must name it."""
    return table if Path(table).is_absolute() else Path(os.path.relpath(table, folder)).as_posix()


def _write(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """Put texts into files of a folder: where one fails, all are as they were before, and so is the folder."""
    parts = {folder / name: folder / f".{name}.part" for name in texts}
    old: dict[Path, Path] = {}
    placed: list[Path] = []
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for part, text in zip(parts.values(), texts.values(), strict=True):
            part.write_text(text, encoding="utf-8")
        for file, part in parts.items():
            if file.is_file():
                old[file] = file.replace(folder / f".{file.name}.old")
            placed.append(part.replace(file))
    except (OSError, KeyboardInterrupt) as error:
        _take_back((*placed, *parts.values()), old, made)
        if isinstance(error, OSError):
            raise WorkProblem(f"{folder} can't be written to: {error.strerror}") from None
        raise
    for kept in old.values():
        kept.unlink(missing_ok=True)
    return list(parts)


def _take_back(written: Iterable[Path], old: Mapping[Path, Path], made: Iterable[Path]) -> None:
    """Undo what was written: older files come back to their places, and folders that were made go."""
    for file in written:
        file.unlink(missing_ok=True)
    for file, kept in old.items():
        kept.replace(file)
    for place in made:
        if place.is_dir():
            place.rmdir()


def _print_json(record: object) -> None:
    import json

    from mortis.document import as_data

    print(json.dumps(as_data(record), indent=2, ensure_ascii=False))


class _Progress:
    """A progress bar on standard error for whatever takes longer than two seconds; silent where that is no terminal."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._tasks: dict[str, Any] = {}
        self._begun = 0.0

    def __enter__(self) -> Any:
        import time

        self._begun = time.monotonic()
        return self._watch

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _watch(self, what: str, done: int, rows: int) -> None:
        import time

        if not sys.stderr.isatty() or time.monotonic() - self._begun < 2:
            return
        if self._bar is None:
            self._bar = self._start()
        if what not in self._tasks:
            for task in self._tasks.values():
                self._bar.remove_task(task)
            self._tasks = {what: self._bar.add_task(what, total=rows or None)}
        self._bar.update(self._tasks[what], completed=done, total=rows or None)

    @staticmethod
    def _start() -> Any:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("rows"))
        bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
        bar.start()
        return bar
