"""How likely labels are at a model's answers, as the baseline has it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mortis.causes.facts import Bools
from mortis.causes.propensity import expit, logistic
from mortis.causes.relation import LEAST, bent
from mortis.profiles import Floats
from mortis.rows import Column, RowSample

MOST_NATS = 4.0  # that one row counts: a stray label must not decide


@dataclass(frozen=True, slots=True, eq=False)
class JudgedLabels:
    """Rows with what is expected of their labels at some answers (n,), and the log-likelihood of each label (n,)."""

    rows: RowSample
    expected: Floats
    likelihood: Floats

    @property
    def off(self) -> Floats:
        """How far each label lies above what is expected (n,)."""
        return np.asarray(np.asarray(self.rows.y, dtype=float) - self.expected)

    def within(self, inside: Bools) -> JudgedLabels:
        """The marked rows."""
        return JudgedLabels(self.rows.where(inside), self.expected[inside], self.likelihood[inside])

    def gain_over(self, other: JudgedLabels) -> float:
        """By how many nats the labels are likelier than under another judgement of the same rows."""
        return float(np.clip(self.likelihood - other.likelihood, -MOST_NATS, MOST_NATS).sum())


@dataclass(frozen=True, slots=True, eq=False)
class LabelLaw:
    """What labels follow at an answer: a logistic curve of classes, or of figures Laplace's law about a line.

    `usual` are the baseline's answers (n,), `line` the coefficients, `spread` how far figures lie from the line in the
    mean.
    """

    usual: Floats
    line: Floats
    spread: float = 1.0
    binary: bool = False

    @classmethod
    def of(cls, task: str, given: Floats, y: Column) -> LabelLaw:
        """The law of the baseline's labels at these finite answers (n,)."""
        labels = np.asarray(y, dtype=float)
        if task == "binary":
            beta, _ = logistic(_design(given, given), labels)
            return cls(given, np.asarray(beta, dtype=float), binary=True)
        line = np.polyfit(given, labels, 1) if np.ptp(given) > 0 else np.array([0.0, labels.mean()])
        off = np.abs(labels - np.polyval(line, given))
        return cls(given, np.asarray(line, dtype=float), max(float(off.mean()), 1e-9))

    def judged(self, rows: RowSample, given: Floats) -> JudgedLabels:
        """The rows' labels held against what is expected at these answers (n,)."""
        labels = np.asarray(rows.y, dtype=float)
        if self.binary:
            chance = np.clip(expit(_design(given, self.usual) @ self.line.astype(np.float32)), LEAST, 1 - LEAST)
            return JudgedLabels(rows, chance, np.log(np.where(labels == 1, chance, 1 - chance)))
        expected = np.asarray(np.polyval(self.line, given), dtype=float)
        return JudgedLabels(rows, expected, -np.abs(labels - expected) / self.spread - np.log(self.spread))


def _design(given: Floats, usual: Floats) -> npt.NDArray[np.float32]:
    return np.column_stack([np.ones(len(given)), bent(given, usual)]).astype(np.float32)
