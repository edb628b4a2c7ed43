"""Loan repayment predictions whose car values shift on 2019-03-31, in the case that `mortis init` makes of them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from planted import began, sound, told

from mortis import Case, investigate
from mortis.cli import main
from mortis.records import Evidence, Postmortem

SHIFTED = datetime(2019, 3, 31, tzinfo=UTC)
FEATURES = (
    *("car_value", "salary_range", "debt_to_income_ratio", "loan_length"),
    *("repaid_loan_on_prev_car", "size_of_downpayment", "driver_tenure"),
)


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, str], Postmortem]:
    """The post-mortem of the case as `mortis init` writes it from three tables of a folder, with nothing edited."""
    known: dict[str, Postmortem] = {}

    def run(folder: Path, variant: str) -> Postmortem:
        if variant not in known:
            here = tmp_path_factory.mktemp(variant or "plain")
            files = ["reference.parquet", "analysis.parquet", "analysis_target.parquet"]
            for file, prefix in zip(files, (variant, variant, ""), strict=True):
                shutil.copy(folder / f"synthetic_car_loan_{prefix}{file}", here / file)
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(here)
                patch.setattr(sys, "argv", ["mortis", "init", *files, "-o", "incident.yaml"])
                main()
            known[variant] = sound(investigate(Case.load(here)))
        return known[variant]

    return run


@pytest.fixture
def plain(solved, shared_data) -> Postmortem:
    """The loans as they are."""
    found: Postmortem = solved(shared_data("nannyml-car-loan"), "")
    return found


@pytest.fixture
def with_nulls(solved, shared_data) -> Postmortem:
    """The variant that has nulls in salary_range and driver_tenure, 10 % at first and 22 % from the shift on."""
    found: Postmortem = solved(shared_data("nannyml-car-loan"), "dq_")
    return found


def integrity(found: Postmortem) -> list[Evidence]:
    """What stood out in the served data, in the order of the report."""
    return [one for one in found.evidence if one.id.startswith("integrity.") and one.id != "integrity.checks"]


def features_named(found: Postmortem) -> list[str]:
    """The features of that evidence, each once."""
    named = [one.question.partition(":")[0] for one in integrity(found)]
    return [name for name in dict.fromkeys(named) if name in FEATURES]


@pytest.mark.parametrize("variant", ["plain", "with_nulls"])
def test_the_shift_is_found_as_init_wrote_the_case(request, variant):
    """Accuracy fails, and the onset interval holds the day of the shift."""
    found = request.getfixturevalue(variant)
    assert found.failure.metric == "accuracy"
    assert began(found, SHIFTED), told(found)
    assert (found.failure.onset.high - found.failure.onset.low).days <= 14
    assert found.slices[0].held_out
    assert found.failure.baseline.value == pytest.approx(0.944, abs=0.006)


def test_car_value_comes_first_of_the_features_that_moved(plain):
    """In the evidence on the served data, in what the world may have done, and in what was left untested."""
    assert features_named(plain)[0] == "car_value"
    ranked = [(one.id, one.verdict, one.features[0]) for one in plain.causes if one.features]
    assert next(one for one in ranked if one[0] == "W1") == ("W1", "inconclusive", "car_value"), told(plain)
    assert next(feature for _, verdict, feature in ranked if verdict == "not_tested") == "car_value"


def test_nothing_is_claimed_that_no_model_file_could_test(plain):
    """Without the model no fault in data or serving can be ruled out, so nothing stands, and all is unexplained."""
    assert plain.answer == "unknown"
    assert not any(one.verdict in ("confirmed", "supported") for one in plain.causes)
    assert plain.unexplained_share.value == 1


def test_columns_that_lost_values_are_named_with_their_shares(with_nulls):
    """Both have 10 % nulls in the baseline and 22 % in the incident, as counted in the tables."""
    nulls = {one.question.partition(":")[0]: one for one in integrity(with_nulls) if one.question.endswith(": nulls")}
    assert set(nulls) == {"salary_range", "driver_tenure"}
    for one in nulls.values():
        assert "10.0 % before, 22.0 % in the incident" in one.statement
        assert one.value.low <= 0.12 <= one.value.high


def test_faults_of_values_stand_before_columns_that_only_moved(with_nulls):
    """Both columns that lost values and the one with a value never seen come first, then the car's value.

    Of the dq tables the values 50% of size_of_downpayment stand in the analysis alone; no other column has new values.
    """
    told = [one.question for one in integrity(with_nulls)][:4]
    assert set(told[:2]) == {"salary_range: nulls", "driver_tenure: nulls"}
    assert told[2:] == ["size_of_downpayment: new values", "car_value: drift"]


def test_columns_without_nulls_are_not_said_to_have_lost_any(plain):
    assert not [one for one in integrity(plain) if one.question.endswith(": nulls")]
