"""Cases of the lab: reproducible to the byte, whole without their truth, and as bad as the truth says."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, mean_absolute_error, ndcg_score, precision_score, recall_score

from mortis.case import Case
from mortis.investigation import investigate
from mortis.lab.bases import BASES, service_of
from mortis.lab.course import BLOCK, SHAPES, course_of
from mortis.lab.making import AMPLIFIED, LEAST_SHARE, played, share_of_drop
from mortis.lab.measuring import measured
from mortis.lab.plots import PLOTS
from mortis.lab.traffic import DAY, Traffic
from mortis.lab.truth import read_truth
from mortis.lab.writing import write_case
from mortis.problems import InputProblem


@pytest.fixture(scope="module")
def incident():
    return played("D3", "credit", 1)


@pytest.fixture(scope="module")
def made(incident, tmp_path_factory):
    return write_case(incident, tmp_path_factory.mktemp("lab"))


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_same_arguments_give_the_same_bytes(made, tmp_path):
    again = write_case(played("D3", "credit", 1), tmp_path)
    assert files_of(tmp_path) == files_of(made.case_file.parent.parent)
    assert again.truth == made.truth


def test_another_seed_gives_another_case(made, tmp_path):
    other = write_case(played("D3", "credit", 2), tmp_path)
    assert (tmp_path / "case/predictions.parquet").read_bytes() != (
        made.case_file.parent / "predictions.parquet"
    ).read_bytes()
    assert other.truth != made.truth


def test_the_truth_comes_back_from_its_file(made):
    assert read_truth(made.case_file.parent.parent / "truth.json") == made.truth


def test_the_truth_lies_outside_of_the_case_and_is_not_needed_there(made, tmp_path):
    """The investigation of the case alone, moved away from its truth, is the one that had the truth beside it."""
    alone = tmp_path / "moved"
    shutil.copytree(made.case_file.parent, alone)
    beside, apart = (investigate(Case.load(path)) for path in (made.case_file, alone / "incident.yaml"))
    assert replace(beside, provenance=None) == replace(apart, provenance=None)
    texts = [content for name, content in files_of(alone).items() if name.endswith((".yaml", ".csv", ".json", ".txt"))]
    assert texts
    assert not any(word in content for content in texts for word in (b"truth", b"planted", b"D3", b"fault"))


def test_the_metric_falls_as_far_as_the_truth_says(made, incident):
    """By scikit-learn's figure on the written tables."""
    from pyarrow import parquet

    folder = made.case_file.parent
    log = parquet.read_table(folder / "predictions.parquet").join(
        parquet.read_table(folder / "labels.parquet"), "request_id", join_type="inner"
    )
    at = log["asked_at"].cast("int64").to_numpy() / 1e6
    since = at >= made.truth.faults[0].onset.timestamp()
    figure = f1_score(log["y_true"].to_numpy()[since], log["y_pred"].to_numpy()[since])
    # A few labels arrive after somebody looked.
    assert figure == pytest.approx(made.truth.incident, abs=0.01)
    assert made.truth.incident < made.truth.without - 0.02
    assert incident.fall == pytest.approx(made.truth.without - made.truth.incident, abs=2e-3)


def test_only_those_in_scope_since_the_onset_are_hit(incident):
    one = incident.acting[0]
    hit, traffic = one.hits(incident.traffic), incident.traffic
    assert hit.any()
    assert (traffic.at[hit] >= one.course.onset.timestamp()).all()
    for column, value in one.fault.scope.items():
        assert (traffic.columns[column][hit] == value).all()
    served, healthy = (each.served[one.fault.features[0]] for each in (incident.traffic, incident.healthy))
    changed = ~np.isclose(served, healthy, equal_nan=True)
    assert (changed <= hit).all()


@pytest.mark.parametrize("theirs", ["case/incident.yaml", "case/notes.txt", "truth.json"])
def test_somebody_elses_files_are_not_overwritten(incident, tmp_path, theirs):
    (tmp_path / theirs).parent.mkdir(exist_ok=True)
    (tmp_path / theirs).write_text("title: mine\n")
    with pytest.raises(InputProblem, match="is not the lab's: choose another folder"):
        write_case(incident, tmp_path)
    assert files_of(tmp_path) == {theirs: b"title: mine\n"}


def test_a_case_of_the_labs_is_made_anew(incident, made, tmp_path):
    write_case(played("healthy", "credit", 1), tmp_path)
    write_case(incident, tmp_path)
    assert files_of(tmp_path) == files_of(made.case_file.parent.parent)


class TestPlots:
    def test_two_faults_hit_features_of_their_own_and_share_the_drop(self):
        incident = played("two", "credit", 3)
        first, second = (one.fault for one in incident.acting)
        assert not set(first.features) & set(second.features)
        assert incident.plot.answer == "several"
        shares = list(share_of_drop(incident))
        assert all(one >= LEAST_SHARE for one in shares)

    def test_an_amplifier_sends_more_of_the_traffic_where_the_fault_is(self):
        incident = played("amplified", "credit", 3)
        (one,), (replica,) = incident.acting, incident.acting[0].fault.scope.values()
        since = one.course.onset.timestamp() + AMPLIFIED.total_seconds()
        at, asked = incident.traffic.at, incident.traffic.columns["replica"] == replica
        assert asked[at < since].mean() < 0.5 < asked[at >= since].mean()
        assert incident.traffic.served_by[(at >= since) & asked][0] == one.fault.version

    def test_outside_of_the_catalogue_answers_only_change_places(self):
        incident = played("outside", "credit", 3)
        hour = incident.traffic.at // 3600
        served, healthy = (one.score[np.lexsort((one.score, hour))] for one in (incident.traffic, incident.healthy))
        assert (served == healthy).all()
        assert (incident.traffic.score != incident.healthy.score).mean() > 0.05

    def test_what_is_withheld_is_not_in_the_case(self, tmp_path):
        made = write_case(played("withheld", "credit", 3), tmp_path)
        text = made.case_file.read_text()
        assert made.truth.needed == ("models", "changes", "logs")
        assert not any(f"\n{name}:" in text for name in made.truth.needed)
        assert not [*(tmp_path / "case/models").iterdir()]

    @pytest.mark.parametrize("plot", ["healthy", "noisy", "E5"])
    def test_where_nothing_failed_no_answer_differs(self, plot):
        incident = played(plot, "credit", 3)
        assert incident.plot.answer == "no_failure"
        assert (incident.traffic.score == incident.healthy.score).all()
        assert incident.fall == 0


@pytest.mark.parametrize(
    ("kind", "base", "said"),
    [
        ("D33", "credit", "no kind is named 'D33'"),
        ("D3", "credits", "no base is named 'credits'.*did you mean 'credit'"),
    ],
)
def test_unknown_names_are_told_with_what_exists(kind, base, said):
    with pytest.raises(InputProblem, match=said):
        played(kind, base, 1)


@given(shape=st.sampled_from(SHAPES), seed=st.integers(0, 99), seconds=st.integers(-700_000, 1_400_000))
def test_a_fault_is_never_there_before_its_onset_and_never_stronger_than_whole(shape, seed, seconds):
    onset = BASES["credit"].starts[0]
    course = course_of(onset, shape, np.random.default_rng(seed))
    strength = course.strength(np.array([onset.timestamp() + seconds]))[0]
    assert 0 <= strength <= (seconds >= 0)
    assert course.strength(np.array([onset.timestamp() + BLOCK / 2]))[0] > 0


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_comes_to_its_full_strength(shape):
    onset = BASES["credit"].starts[0]
    course = course_of(onset, shape, np.random.default_rng(5))
    assert course.strength(np.arange(onset.timestamp(), onset.timestamp() + 7 * DAY, 600)).max() == 1


class TestMetrics:
    """scikit-learn's figures are the oracle."""

    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 500).astype(float)
    score = np.clip(y * 0.3 + rng.random(500) * 0.7, 0, 1)

    def traffic(self, **columns):
        n = len(self.y)
        at = np.arange(n)
        return Traffic(
            np.array([str(i) for i in range(n)], object),
            at,
            columns,
            self.y,
            self.y,
            at,
            score=self.score,
            prediction=(self.score >= 0.5).astype(float),
            latency_ms=self.score,
        )

    @pytest.mark.parametrize(
        ("metric", "oracle"),
        [("f1", f1_score), ("precision", precision_score), ("recall", recall_score), ("mae", mean_absolute_error)],
    )
    def test_of_predictions(self, metric, oracle):
        assert measured(self.traffic(), BASES["credit"], metric) == pytest.approx(oracle(self.y, self.score >= 0.5))

    @pytest.mark.parametrize(("metric", "found"), [("f1", 0.0), ("recall", 0.0), ("precision", np.nan)])
    def test_where_nothing_was_called_positive(self, metric, found):
        """F1 is 0 where there were positives to find: a case in which all are missed is a failure like others."""
        silent = replace(self.traffic(), prediction=np.zeros(len(self.y)))
        assert measured(silent, BASES["credit"], metric) == pytest.approx(found, nan_ok=True)

    def test_of_rankings(self):
        base = replace(BASES["credit"], group="query")
        query = np.repeat(np.arange(50), 10).astype(str).astype(object)
        y, score = self.y.reshape(50, 10), self.score.reshape(50, 10)
        expected = np.mean([ndcg_score([one], [other], k=10) for one, other in zip(y, score, strict=True) if one.any()])
        assert measured(self.traffic(query=query), base, "ndcg@10") == pytest.approx(expected)


def test_every_plot_suits_some_base():
    assert all(any(plot.suits(base) for base in BASES.values()) for plot in PLOTS.values())


def test_services_are_trained_once():
    assert service_of("credit") is service_of("credit")
