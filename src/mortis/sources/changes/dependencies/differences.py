"""What differs between two lists of packages, those that compute first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from mortis.problems import counted, listed
from mortis.records import Change, ChangedPart
from mortis.sources.changes.dependencies.packages import (
    SIZES,
    Covers,
    Package,
    PackageList,
    canonical,
    same_version,
    satisfies,
    step,
)

Aspect = Literal[
    "version", "presence", "build", "hashes", "source", "option", "wanted", "extras", "where", "files",
    "moved", "undecided",
]  # fmt: skip
# What can move a model's output comes first: what runs, then what it was made of, then what may be installed next.
ASPECTS: tuple[Aspect, ...] = (
    "version", "presence", "build", "hashes", "source", "option", "wanted", "extras", "where", "files",
)  # fmt: skip
_NARROWEST: tuple[Covers, ...] = ("asked", "installed", "possible")
TOOLS = frozenset({"pip", "setuptools", "wheel"})  # which some lists leave out by custom
_UNTOLD: tuple[Aspect, ...] = ("moved", "undecided")  # counted in the remarks alone
SHOWN = 3
HASH_DIGITS = 12

# Libraries in whose code a model's inputs become its outputs, so that another release may answer otherwise with the
# same model file: arrays and their kernels, learners, runtimes, tokenizers, decoders of images, the interpreter itself.
_COMPUTING = """
python numpy scipy numba llvmlite numexpr pandas polars pyarrow scikit-learn statsmodels
lightgbm xgboost xgboost-cpu py-xgboost libxgboost catboost category-encoders onnx onnxruntime onnxruntime-gpu skl2onnx
torch pytorch torchvision torchaudio triton tensorflow tensorflow-cpu keras jax jaxlib ml-dtypes tensorrt openvino
transformers tokenizers sentencepiece tiktoken sentence-transformers accelerate peft bitsandbytes vllm
spacy thinc gensim opencv-python opencv-python-headless pillow scikit-image librosa faiss-cpu faiss-gpu
cupy cudatoolkit cudnn nccl blas libblas openblas libopenblas mkl intel-openmp llvm-openmp libgomp onednn
"""
COMPUTING = frozenset(_COMPUTING.split())
COMPUTING_PREFIXES = ("nvidia-", "cuda-", "libcu", "cupy-cuda", "jax-cuda", "tensorrt-", "rocm-")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs: what it was and is, in which respect, and for a version by how much (see `step`).

    `wheres` are conditions that stand in the part's texts, and are too long for a summary.
    """

    part: ChangedPart
    aspect: Aspect
    size: str = ""
    wheres: tuple[str, ...] = ()

    def __str__(self) -> str:
        told = str(ChangedPart(self.part.name, self._brief(self.part.before), self._brief(self.part.after)))
        return f"{told} ({self.size})" if self.size else told

    def _brief(self, text: str | None) -> str | None:
        """A side's text without conditions, and of an enumeration the first few."""
        for where in self.wheres:
            text = text and text.replace(f" ({where})", "")
        return text and listed(text.split(", "), most=SHOWN)


@dataclass(frozen=True, slots=True)
class Differences:
    """What differs between two lists, what matters most first, and remarks about what was not compared."""

    found: tuple[Difference, ...]
    remarks: tuple[str, ...] = ()


def computes(name: str) -> bool:
    """Whether a model's output may depend on a package of that name.

    >>> computes("numpy"), computes("nvidia-cublas-cu12"), computes("Python"), computes("requests")
    (True, True, True, False)
    """
    name = canonical(name)
    return name in COMPUTING or name.startswith(COMPUTING_PREFIXES)


def libraries_changed(change: Change) -> tuple[ChangedPart, ...]:
    """The parts of a change that are libraries on which a model's output may depend.

    >>> parts = (ChangedPart("numpy", "1.26.4", "2.1.0"), ChangedPart("requests", "2.31.0", "2.32.0"))
    >>> [part.name for part in libraries_changed(Change("c", "dependency", None, "", parts=parts))]
    ['numpy']
    """
    return tuple(part for part in change.parts if computes(part.name))


def summarised(found: Iterable[Difference]) -> str:
    """The first differences in words, with the number of the rest."""
    return listed(map(str, found), most=SHOWN)


def differences(before: PackageList, after: PackageList) -> Differences:
    """What differs between two lists of packages.

    Lists of two kinds are compared in what both state. Where one names only what was asked for or is installed, and
    the other all that may be, what only the latter names is no difference. Remarks tell what could not be compared.
    """
    alike = before.format == after.format and {before.covers, after.covers} != {"installed", "possible"}
    terms = _Terms(alike, partial=not alike and before.covers != after.covers)
    old, new = _by_name(before.packages), _by_name(after.packages)
    named = _told_of(before, after, terms)
    every = [one for name in sorted(named) for one in _of_package(old.get(name, []), new.get(name, []), terms)]
    found = [one for one in every if one.aspect in ASPECTS] + list(_of_options(before.options, after.options, terms))
    untold: dict[str, int] = {kind: sum(one.aspect == kind for one in every) for kind in _UNTOLD}
    untold["alone"] = len((before.names | after.names) - named - TOOLS)
    return Differences(tuple(sorted(found, key=_rank)), tuple(_remarks(before, after, untold, terms)))


@dataclass(frozen=True, slots=True)
class _Terms:
    """Whether two lists are of one kind, and if not, whether one names more packages than the other can."""

    alike: bool
    partial: bool


def _told_of(before: PackageList, after: PackageList, terms: _Terms) -> frozenset[str]:
    """The names of which both lists tell whether the package is there."""
    every, both = before.names | after.names, before.names & after.names
    if terms.alike:
        return every
    if terms.partial:
        return min((before, after), key=_reach).names - (TOOLS - both)
    return both if before.covers == "possible" else every - (TOOLS - both)  # of which groups a lock is, it doesn't say


def _reach(one: PackageList) -> int:
    return _NARROWEST.index(one.covers)


def _by_name(packages: Iterable[Package]) -> Mapping[str, list[Package]]:
    named: dict[str, list[Package]] = defaultdict(list)
    for one in packages:
        named[one.name].append(one)
    return named


def _of_package(old: list[Package], new: list[Package], terms: _Terms) -> Iterator[Difference]:
    """What differs between the entries of one name: first those under the same condition, then what is left."""
    wheres = {one.where for one in old} & {one.where for one in new}
    gone, come = ([one for one in ones if one.where not in wheres] for ones in (old, new))
    pairs = [(a, b) for a in old for b in new if a.where == b.where]
    if len(gone) == len(come) == 1:
        pairs.append((gone.pop(), come.pop()))
    several = max(len(old), len(new)) > 1
    for a, b in pairs:
        aspect = _aspect(a, b, terms)
        if aspect:
            part = ChangedPart(a.name, _told(a, b, aspect, several=several), _told(b, a, aspect, several=several))
            size = step(a.version, b.version) if aspect == "version" else ""
            yield Difference(part, aspect, size, (a.where,) if a.where == b.where else ())
    if (gone or come) and (terms.alike or not (old and new and _agree(old, new))):
        part = ChangedPart((old or new)[0].name, _all(gone), _all(come))
        yield Difference(
            part, "version" if gone and come else "presence", "", tuple(one.where for one in (*gone, *come))
        )


def _aspect(a: Package, b: Package, terms: _Terms) -> Aspect | None:
    """The first respect in which two entries differ, or in which they can't be compared."""
    old, new = _comparable(a, b)
    placed = a.source != b.source and (terms.alike or bool(a.source and b.source))
    asked: Iterable[tuple[Aspect | None, bool]] = (
        ((version := _version_aspect(a, b, terms)), version is not None),
        ("build", bool(a.build and b.build) and a.build != b.build),
        ("hashes", bool(old and new) and old.isdisjoint(new)),
        ("source", placed and not (old and new)),
        ("extras", terms.alike and a.extras != b.extras),
        ("where", terms.alike and a.where != b.where),
        ("files", terms.alike and old != new),
        ("moved", placed),  # the same content from another place tells the least
    )
    return next((aspect for aspect, differs in asked if differs), None)


def _version_aspect(a: Package, b: Package, terms: _Terms) -> Aspect | None:
    if a.version and b.version:
        return None if same_version(a.version, b.version) or (not terms.alike and _agree([a], [b])) else "version"
    if bool(a.version) == bool(b.version) or terms.alike:
        return "wanted" if (a.version, a.wanted) != (b.version, b.wanted) else None
    pin, asked = (a, b) if a.version else (b, a)
    fits = satisfies(pin.version, asked.wanted)
    return "undecided" if fits is None else None if fits else "wanted"


def _agree(old: list[Package], new: list[Package]) -> bool:
    """Whether the versions in one list are among those in the other: a lock names those of every machine."""
    one, other = ({version for package in ones for version in package.version.split(" and ")} for ones in (old, new))
    return one <= other or other <= one


def _comparable(a: Package, b: Package) -> tuple[set[str], set[str]]:
    """The hashes of both by the algorithms that both state."""
    kinds = {one.partition(":")[0] for one in a.hashes} & {one.partition(":")[0] for one in b.hashes}
    old, new = ({one for one in package.hashes if one.partition(":")[0] in kinds} for package in (a, b))
    return old, new


def _told(one: Package, other: Package, aspect: Aspect, *, several: bool) -> str:
    """What an entry states in the respect in which it differs from another."""
    stated = one.version or one.wanted or ("" if one.source else "any version")
    more = {
        "build": one.build,
        "hashes": _hashes(one, other),
        "files": _hashes(one, other),
        "source": f"from {one.source or 'the usual index'}",
        "extras": f"[{', '.join(one.extras)}]" if one.extras else "without extras",
        "where": f"({one.where or 'always'})",
    }.get(aspect) or (f"from {one.source}" if one.source and one.source != other.source else "")
    where = f"({one.where})" if several and one.where and aspect != "where" else ""
    return " ".join(filter(None, (stated, more, where)))


def _hashes(one: Package, other: Package) -> str:
    """A package's hash, shortened; of several, their number and how many the other has too."""
    mine, others = _comparable(one, other)
    if len(mine) == len(others) == 1:
        kind, _, digest = next(iter(mine)).partition(":")
        return f"{kind}:{digest[:HASH_DIGITS]}"
    return f"({len(mine)} hashes, {len(mine & others)} in both)"


def _all(ones: list[Package]) -> str | None:
    """Entries that have no counterpart, each with its condition; None where there are none."""
    return ", ".join(_told(one, one, "presence", several=True) for one in ones) or None


def _of_options(before: Mapping[str, str], after: Mapping[str, str], terms: _Terms) -> Iterator[Difference]:
    for name in sorted(before.keys() | after.keys() if terms.alike else before.keys() & after.keys()):
        if before.get(name) != after.get(name):
            yield Difference(ChangedPart(name, before.get(name), after.get(name)), "option")


def _rank(one: Difference) -> tuple[bool, int, int, str, list[str]]:
    """What sorts differences: the same whichever list comes first."""
    size = one.size.partition(" ")[0]
    return (
        not computes(one.part.name),
        ASPECTS.index(one.aspect),
        SIZES.index(size) if size in SIZES else len(SIZES),
        one.part.name,
        sorted((one.part.before or "", one.part.after or "")),
    )


def _remarks(before: PackageList, after: PackageList, untold: Mapping[str, int], terms: _Terms) -> Iterator[str]:
    """What was left out of the comparison, and why."""
    yield from dict.fromkeys(filter(None, (before.remark, after.remark)))
    if not terms.alike:
        yield "the files are of two kinds, so only what both state was compared"
    if terms.alike and before.covers != after.covers:
        yield "only one of the files pins every package, so what the other doesn't name may have been there all along"
    if untold["alone"]:
        yield f"{counted(untold['alone'], 'package')} named by one of the two alone, and perhaps there all along"
    if untold["undecided"]:
        yield f"{counted(untold['undecided'], 'constraint')} not written after PEP 440, and not compared with versions"
    if untold["moved"]:
        yield f"{counted(untold['moved'], 'package')} with the same hashes from another place"
    hashed = [any(one.hashes for one in each.packages) for each in (before, after)]
    if hashed[0] != hashed[1]:
        yield f"hashes stand only in the file {'before' if hashed[0] else 'after'} the change, and were not compared"
