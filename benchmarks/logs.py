"""A million log lines read, masked, put into templates and counted, beside a bare read: seconds and peak memory.

Run: python benchmarks/logs.py [--lines 1000000] [--folder build/bench]

Two files of half the lines each are drawn from seeds, over 200 bytes a line: plain text as Python's logging writes it,
with a traceback here and there, and JSON lines. Each is eight days long, of which the last is the incident; in it, the
plain text has a template of its own. The bare read decodes the bytes and splits them into lines. Everything runs in
one thread.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from mortis.case import LogsSource
from mortis.records import Window
from mortis.signals.logs import LogsFound, log_templates
from mortis.sources.logs import read_logs

MOST_SECONDS = 20.0
MOST_MEMORY_MIB = 1024
BEGINS = datetime(2024, 5, 1, tzinfo=UTC)
DAYS = 8
BASELINE = Window(BEGINS, BEGINS + timedelta(days=DAYS - 1))
INCIDENT = Window(BASELINE.end, BEGINS + timedelta(days=DAYS))
NAMES = ("anna", "bob", "carla", "dmitri", "emeka", "fatima", "gao", "hanna")
Found = TypeVar("Found")
Draw = Callable[[random.Random], str]


def hexadecimal(rng: random.Random, length: int) -> str:
    """That many random hexadecimal digits."""
    return f"{rng.getrandbits(4 * length):0{length}x}"


def uuid(rng: random.Random) -> str:
    """A random UUID."""
    digits = hexadecimal(rng, 32)
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def address(rng: random.Random) -> str:
    """A random private IP address."""
    return f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(256)}"


MESSAGES: tuple[tuple[int, str, str, Draw], ...] = (
    (
        30,
        "INFO",
        "serving.predict",
        lambda r: (
            f"request {uuid(r)} answered in {r.uniform(1, 300):.2f} ms by model arrivals-v{r.randrange(2, 4)} with "
            f"score {r.random():.4f}, {r.randrange(40)} features, client {address(r)}:{r.randrange(65536)}"
        ),
    ),
    (
        20,
        "INFO",
        "serving.access",
        lambda r: (
            f'{address(r)} "POST /v2/models/{hexadecimal(r, 32)}/predict?trace={r.randrange(10**6)} HTTP/1.1" '
            f"status: 200 len: {r.randrange(5000)} time: {r.random():.7f} agent 'python-requests/2.{r.randrange(32)}'"
        ),
    ),
    (
        15,
        "DEBUG",
        "serving.features",
        lambda r: (
            f"feature store lookup of {r.randrange(40)} keys for user={r.choice(NAMES)}{r.randrange(10**5)} took "
            f"{r.randrange(90)} ms (cache hit ratio {r.random():.3f}), shard {r.randrange(16)} of 16 on "
            f"node-{r.randrange(64)}"
        ),
    ),
    (
        15,
        "INFO",
        "pipeline.executor",
        lambda r: (
            f"Finished task {r.randrange(40)}.0 in stage {r.randrange(900)}.0 (TID {r.randrange(10**7)}). "
            f"{r.randrange(3000)} bytes result sent to driver, peak memory {r.uniform(1, 900):.1f} MB, "
            f"spilled {r.randrange(9)}"
        ),
    ),
    (
        10,
        "INFO",
        "pipeline.writer",
        lambda r: (
            f"batch {r.randrange(10**6)} written to s3://bucket/day=2024-05-0{r.randrange(1, 9)}/"
            f"part-{r.randrange(10**5):05d}.parquet with {r.randrange(10**6)} rows and {r.randrange(30)} columns, "
            f"checksum {hexadecimal(r, 40)}"
        ),
    ),
    (
        8,
        "WARN",
        "serving.queue",
        lambda r: (
            f"queue depth {r.randrange(900)} above {r.randrange(100)}, {r.choice(NAMES)} waits since {r.random():.3f} s"
        ),
    ),
    (2, "ERROR", "serving.predict", lambda r: f"request {uuid(r)} failed"),
)
FRAMES = [
    "Traceback (most recent call last):",
    '  File "/srv/app/predict.py", line 214, in answer',
    "    row = encode(row)",
]
NEW = "column dep_delay outside its training range: {} rows of {}"


def text_lines(rng: random.Random, lines: int) -> Iterator[str]:
    """Lines as Python's logging writes them; those of a traceback count."""
    weights = [message[0] for message in MESSAGES]
    step = timedelta(days=DAYS) / (lines / (1 + len(FRAMES) * weights[-1] / 100 + weights[-1] / 100))
    for i in range(lines):
        when = BEGINS + i * step
        _, level, name, draw = rng.choices(MESSAGES, weights)[0]
        text = draw(rng)
        if when in INCIDENT and i % 50 == 0:
            level, name, text = "WARN", "serving.features", NEW.format(rng.randrange(900), rng.randrange(10**5))
        yield f"{when:%Y-%m-%d %H:%M:%S},{when.microsecond // 1000:03d} - {name} - {level} - {text}"
        if level == "ERROR":
            yield from (*FRAMES, "KeyError: 'dep_delay'")


def json_lines(rng: random.Random, lines: int) -> Iterator[str]:
    """Lines as a structured logger writes them."""
    weights = [message[0] for message in MESSAGES]
    step = timedelta(days=DAYS) / lines
    for i in range(lines):
        when = BEGINS + i * step
        _, level, name, draw = rng.choices(MESSAGES, weights)[0]
        line = {
            "timestamp": when.isoformat(),
            "level": level.lower(),
            "logger": name,
            "message": draw(rng),
            "host": f"node-{rng.randrange(8)}",
            "version": "v2" if i % 3 else "v3",
        }
        yield json.dumps(line)


def write(file: Path, lines: Iterator[str], *, most: int) -> None:
    """So many of the lines into a file."""
    with file.open("w", encoding="utf-8") as stream:
        for _, line in zip(range(most), lines, strict=False):
            stream.write(line + "\n")


DRAWN: Mapping[str, Callable[[random.Random, int], Iterator[str]]] = {"log": text_lines, "jsonl": json_lines}


def bare_read(file: Path) -> int:
    """How many lines the file holds, decoded and split."""
    lines = 0
    with file.open("rb") as stream:
        while block := stream.readlines(1 << 20):
            lines += len(b"".join(block).decode().split("\n")) - 1
    return lines


def investigated(file: Path) -> LogsFound:
    """What the product finds in the file."""
    source = LogsSource(files=file.name)
    return log_templates(read_logs([source], root=file.parent, baseline=BASELINE, incident=INCIDENT))


def timed(work: Callable[[Path], Found], file: Path) -> tuple[float, float, Found]:
    """Seconds by the clock and of the processor, and what came of the work."""
    start, used = time.perf_counter(), time.process_time()
    found = work(file)
    return time.perf_counter() - start, time.process_time() - used, found


def measure(files: Sequence[Path], lines: int) -> None:
    """Print each file's figures, and those of both."""
    print(f"{'file':10s} {'MB':>6s} {'bare s':>8s} {'whole s':>8s} {'of processor':>13s}")
    size, seconds, used = 0.0, 0.0, 0.0
    for file in files:
        megabytes = file.stat().st_size / 1e6
        bare, _, _ = timed(bare_read, file)
        whole, own, found = timed(investigated, file)
        changed = "; ".join(f"{one.change}: {one.template}" for one in found.templates) or "none changed"
        figures = f"{megabytes:6.0f} {bare:8.2f} {whole:8.2f} {own:13.2f}"
        print(f"{file.suffix[1:]:10s} {figures}   {found.known} templates; {changed}", flush=True)
        size, seconds, used = size + megabytes, seconds + whole, used + own
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{lines:,} lines, {size:.0f} MB: {seconds:.1f} s, {used:.1f} s of the processor (at most {MOST_SECONDS:g} s); "
        f"peak memory {memory:,.0f} MiB (at most {MOST_MEMORY_MIB:,} MiB)"
    )


def main() -> None:
    """Write the files where they are missing, measure in a fresh process, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path("build/bench"))
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    drawn = {args.folder / f"lines-{args.lines}.{suffix}": draw for suffix, draw in DRAWN.items()}
    if args.measure:
        measure(list(drawn), args.lines)
        return
    args.folder.mkdir(parents=True, exist_ok=True)
    for file, draw in drawn.items():
        if not file.exists():
            print(f"writing {args.lines // 2:,} lines to {file}", flush=True)
            rng = random.Random(file.suffix)  # noqa: S311  draws no secrets
            write(file, draw(rng, args.lines // 2), most=args.lines // 2)
    # A process of its own, so that its peak memory is the measurement's alone.
    subprocess.run([sys.executable, *sys.argv, "--measure"], check=True)  # noqa: S603  this program itself, as called


if __name__ == "__main__":
    main()
