"""Time and memory of the exact slice search: `python benchmarks/slices.py --rows 1000000 --columns 20 --values 10`.

The rows are half baseline, half incident. In the incident one slice of two conditions fails six times as often. Three
runs: the search on one half with confirmation on the other, the same on all rows without halves, and every slice
counted, nothing pruned.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from mortis.errors.counting import CodedRows, count_slices, tallies_of
from mortis.errors.slices import find_slices

BASE_RATE, HIT_RATE = 0.08, 0.5


def synthetic(rng: np.random.Generator, *, rows: int, columns: int, values: int, hit: bool, halves: bool) -> CodedRows:
    """Independent uniform columns; where `hit`, the slice c0 = 1 and c1 = 2 fails at 50 % instead of 8 %."""
    codes = rng.integers(0, values, (rows, columns), dtype=np.uint8)
    rate = np.full(rows, BASE_RATE)
    if hit:
        rate[(codes[:, 0] == 1) & (codes[:, 1] == 2)] = HIT_RATE
    errors = (rng.random(rows) < rate).astype(np.int64)
    names = tuple(f"c{index}" for index in range(columns))
    labels = (tuple(str(value) for value in range(values)),) * columns
    search = rng.random(rows) < 0.5 if halves else None
    return CodedRows(names, labels, codes, np.ones(rows, dtype=np.int64), errors, search)


def windows(options: argparse.Namespace, *, halves: bool) -> tuple[CodedRows, CodedRows]:
    """Baseline and incident."""
    rng = np.random.default_rng(0)
    shape = {"rows": options.rows // 2, "columns": options.columns, "values": options.values}
    return synthetic(rng, **shape, hit=False, halves=halves), synthetic(rng, **shape, hit=True, halves=halves)


def timed(baseline: CodedRows, incident: CodedRows) -> str:
    """What a search took and found."""
    start = time.perf_counter()
    report = find_slices(baseline, incident)
    seconds = time.perf_counter() - start
    found = report.slices[0].conditions if report.slices else "nothing"
    return f"{seconds:.2f} s for {report.searched:,} slices; {report.statement}; {found}"


def main() -> None:
    """Print seconds and peak memory of each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--values", type=int, default=10)
    options = parser.parse_args()
    searched_on_one_half = windows(options, halves=True)
    print(f"searched on one half, confirmed on the other: {timed(*searched_on_one_half)}")
    whole = windows(options, halves=False)
    print(f"searched on all rows: {timed(*whole)}")
    start = time.perf_counter()
    counted = sum(cells.codes.shape[0] for cells in count_slices(tallies_of(*whole), max_conditions=3, min_errors=1))
    print(
        f"every slice counted, nothing pruned: {time.perf_counter() - start:.2f} s for {counted:,} slices with errors"
    )
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB, input included")


if __name__ == "__main__":
    main()
