"""The score: each answer held against the truth as a person would, sums that hold, real rules beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from mortis.lab.plots import PLOTS
from mortis.lab.truth import CaseTruth, PlantedTruth
from mortis.problems import InputProblem
from mortis.scoring.judging import judged
from mortis.scoring.mix import BESIDES, FIRST_PUBLISHED, SHARES, half_of, planned
from mortis.scoring.naive import distances
from mortis.scoring.page import confidence_plot, kinds_plot
from mortis.scoring.running import Outcome, outcome, outcomes
from mortis.scoring.summary import scored
from mortis.scoring.table import score_json, score_lines

ONSET = datetime(2024, 5, 20, 6, tzinfo=UTC)
FAULT = PlantedTruth("D3", ("income",), {"factor": 60.0}, "", {}, ONSET, "abrupt", 0.5, 0.9, "deploy: features-411")
TRUTH = CaseTruth("D3", "credit", 1, 2, "cause", "f1", 0.5, 0.3, 0.5, (FAULT,))
HEALTHY = replace(TRUTH, plot="healthy", answer="no_failure", faults=())


def cause(id_="D3", verdict="confirmed", **other):
    share = {"value": 0.92, "low": 0.8, "high": 1.0}
    usual = {
        "confidence": 0.95,
        "features": ["income"],
        "parameters": {"factor": 60.2, "kind": "unit"},
        "share_of_drop": share,
    }
    return {"id": id_, "verdict": verdict, "test": {"result": ""}} | usual | other


def answer(*causes, verdict="failure", best=ONSET + timedelta(hours=5)):
    moments = (best, best - timedelta(days=1), best + timedelta(days=1))
    onset = dict(zip(("best", "low", "high"), (moment.isoformat() for moment in moments), strict=True))
    changes = [{"id": "events.3", "summary": "income in another unit (tag features-411)"}]
    return {
        "causes": list(causes),
        "failure": {"verdict": verdict, "onset": onset},
        "changes": changes,
        "not_checked": [{"what": "models", "why": "none", "needs": "the model file"}],
    }


def judge(truth, answered):
    return judged(truth, answered, seconds=1.0)


class TestJudging:
    def test_a_right_answer_is_right_in_all(self):
        one = judge(TRUTH, answer(cause(), cause("D1", "refuted")))
        assert (
            one.first,
            one.among,
            one.feature,
            one.parameters,
            one.change,
            one.onset_covered,
            one.share_covered,
        ) == (True,) * 7
        assert (one.onset_hours, one.share_error, one.confidence, one.told, one.false_cause) == (
            5.0,
            0.02,
            0.95,
            "D3",
            False,
        )

    @pytest.mark.parametrize(
        ("causes", "first", "among"),
        [
            ((cause("M2"), cause()), False, True),
            ((cause("M2"), cause("D1"), cause("D2"), cause()), False, False),
            ((cause(verdict="inconclusive"),), False, True),
            ((cause(verdict="refuted"),), False, False),
            ((cause(verdict="not_tested"),), False, False),
            ((), False, False),
        ],
    )
    def test_first_is_only_what_was_named_first(self, causes, first, among):
        one = judge(TRUTH, answer(*causes))
        assert (one.first, one.among) == (first, among)

    def test_the_right_kind_with_another_feature_or_figure_is_told_apart(self):
        one = judge(TRUTH, answer(cause(features=["age"], parameters={"factor": 3600.0})))
        assert (one.first, one.feature, one.parameters) == (True, False, False)

    def test_a_cause_that_was_not_named_has_no_right_feature(self):
        one = judge(TRUTH, answer(cause("M2")))
        assert (one.feature, one.parameters, one.share_error) == (False, False, None)

    def test_a_version_must_be_named(self):
        truth = replace(TRUTH, faults=(replace(FAULT, kind="M2", features=(), parameters={}, version="v1"),))
        right, wrong = (answer(cause("M2", features=[], parameters={"version": name})) for name in ("v1", "v3"))
        assert (judge(truth, right).parameters, judge(truth, wrong).parameters) == (True, False)

    @pytest.mark.parametrize(
        ("answered", "first", "false_cause"),
        [
            (answer(verdict="no_failure"), True, False),
            (answer(verdict="cannot_tell"), True, False),
            (answer(verdict="failure"), False, False),
            (answer(cause(), verdict="failure"), False, True),
            (answer(cause(verdict="inconclusive"), verdict="no_failure"), True, False),
        ],
    )
    def test_where_nothing_failed_any_named_cause_is_false(self, answered, first, false_cause):
        one = judge(HEALTHY, answered)
        assert (one.first, one.false_cause) == (first, false_cause)

    def test_unknown_is_right_where_nobody_can_tell(self):
        truth = replace(TRUTH, plot="withheld", answer="unknown", needed=("models",))
        assert judge(truth, answer(cause(verdict="not_tested"))).first
        assert judge(truth, answer(cause(verdict="not_tested"))).asks
        assert not judge(truth, answer(cause())).first

    def test_two_causes_may_come_in_either_order(self):
        truth = replace(TRUTH, plot="two", answer="several", faults=(FAULT, replace(FAULT, kind="D1")))
        assert judge(truth, answer(cause("D1"), cause("D3"))).first
        assert not judge(truth, answer(cause("D1"), cause("M2"), cause("D3"))).first


class TestMix:
    @given(cases=st.integers(1, 400), seed=st.integers(0, 9))
    def test_cases_are_as_many_as_wanted_each_with_a_base_that_suits_and_a_seed_of_its_own(self, cases, seed):
        found = planned(cases, seed)
        assert len(found) == len({one.seed for one in found}) == cases
        assert found == planned(cases, seed)

    def test_families_have_their_shares(self):
        found = planned(1240, 1)
        families = [PLOTS[one.plot].family or one.plot for one in found]
        for name, share in [*SHARES.items(), *BESIDES.items()]:
            assert families.count(name) == pytest.approx(10 * share, abs=1)

    def test_the_halves_of_the_seeds_share_no_case(self):
        assert (half_of(FIRST_PUBLISHED - 1), half_of(FIRST_PUBLISHED)) == ("development", "published")
        last, first = planned(9_999, FIRST_PUBLISHED - 1, kind="D3")[-1], planned(1, FIRST_PUBLISHED, kind="D3")[0]
        assert last.seed < first.seed

    def test_an_unknown_kind_is_told_with_what_exists(self):
        with pytest.raises(InputProblem, match="no kind is named 'D33'; there are"):
            planned(3, 1, kind="D33")


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=8).filter(
        lambda pairs: all(sum(column) for column in zip(*pairs, strict=True))
    )
)
def test_distances_are_scipys(pairs):
    one, other = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    assert distances(one[None, :], other)[0] == pytest.approx(jensenshannon(one, other, base=2), abs=1e-7)


@pytest.fixture(scope="module")
def found():
    return outcomes([*planned(2, 3, kind="D3"), *planned(1, 3, kind="healthy")], jobs=1, watch=lambda _: None)


class TestScore:
    def test_a_case_alone_has_the_same_outcome(self, found):
        again = outcome(found[0].planned)
        assert again.judged
        assert replace(again.judged, seconds=0) == replace(found[0].judged, seconds=0)
        assert again.guessed == found[0].guessed

    def test_everything_adds_up(self, found):
        score = scored(found, seed=3, half="development")
        assert (score.first.n, score.false_causes.n, score.cases) == (2, 1, 3)
        assert sum(one.first.n for one in score.kinds) == 3
        assert sum(n for answers in score.confusion.values() for n in answers.values()) == 3
        assert sum(band.right.n for band in score.bands) == sum(one.judged.confidence is not None for one in found)

    def test_a_case_on_which_the_program_broke_is_wrong_and_told(self, found):
        broke = Outcome(found[0].planned, broke="ValueError: no")
        score = scored([*found, broke], seed=3, half="development")
        assert score.first.n == 3
        assert "ValueError: no" in "\n".join(score_lines(score))

    def test_a_case_that_could_not_be_made_counts_for_nothing(self, found):
        unmade = Outcome(found[0].planned, unmade="can't be seen")
        score = scored([*found, unmade], seed=3, half="development")
        assert (score.first.n, score.unmade) == (2, 1)

    def test_json_holds_every_share_with_its_interval(self, found):
        data = json.loads(score_json(scored(found, seed=3, half="development")))
        assert 0 <= data["first"]["low"] <= data["first"]["share"] <= data["first"]["high"] <= 1
        assert len(data["naive"]) == 4

    def test_plots_are_pictures(self, found):
        from xml.etree import ElementTree as ET

        score = scored(found, seed=3, half="development")
        for text in (kinds_plot(score.kinds), confidence_plot(score.bands)):
            assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314  the project's own text
