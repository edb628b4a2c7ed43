"""`mortis init`: what is drafted loads, says what the tables hold, and gives its reasons."""

from __future__ import annotations

import re
import shutil
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from mortis.case import Case, Predictions
from mortis.case.reading import load_yaml
from mortis.drafting import Draft, draft_case
from mortis.drafting.names import _NAMES, is_personal, match, plain, words
from mortis.drafting.writing import scalar
from mortis.engine import Engine, open_engine
from mortis.problems import InputProblem, printable

ROWS = 60
START = datetime(2012, 3, 1, tzinfo=UTC)
TIMES = [START + timedelta(hours=12 * i) for i in range(ROWS)]
ALTERNATE = [i % 2 for i in range(ROWS)]
THIRDS = [("a", "b", "c")[i % 3] for i in range(ROWS)]
FIVES = [i // 5 for i in range(ROWS)]
UNIT = [round(i / ROWS, 3) for i in range(ROWS)]
HOSTILE = [
    "yes", "1", "a: b", "# c", 'say "x"', "it's", "null", "~", "été", "a\nb", "- x", "{x}", "[y", "*", "&a", "!t", "%",
    "@", "`", "0x10", "1e3", "2013-08-01", "=", "<<", "日本", "a,b", " lead", "y", "No", "back\\slash", "tab\there",
    "\u2028", "\x85",
]  # fmt: skip


@pytest.fixture
def engine():
    with closing(open_engine()) as made:
        yield made


def wrote(folder: Path, name: str, columns: dict[str, Any]) -> str:
    """The table under that name, in the format its suffix names."""
    table = pa.table(columns)
    if name.endswith(".csv"):
        pyarrow.csv.write_csv(table, folder / name)
    else:
        pyarrow.parquet.write_table(table, folder / name)
    return name


def loaded(draft: Draft, folder: Path) -> Case:
    (folder / "incident.yaml").write_text(draft.text, encoding="utf-8", newline="\n")
    return Case.load(folder / "incident.yaml")


def drafted(folder: Path, engine: Engine, *names: str) -> Case:
    return loaded(draft_case(names, root=folder, engine=engine), folder)


def log(**columns: Any) -> dict[str, Any]:
    """A prediction log of two classes, with columns added or (None) taken away."""
    plain_log = {
        "timestamp": TIMES,
        "request_id": [f"r{i:03}" for i in range(ROWS)],
        "y_pred": ALTERNATE,
        "income": UNIT,
    }
    return {name: values for name, values in (plain_log | columns).items() if values is not None}


def problem(folder: Path, engine: Engine, *names: str) -> str:
    with pytest.raises(InputProblem) as caught:
        draft_case(names, root=folder, engine=engine)
    message = str(caught.value)
    assert "\n" not in message
    return message


# Real files


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
@pytest.mark.parametrize("kind", ["", "dq_"])
def test_car_loan_needs_no_edit(shared_data, tmp_path, engine, order, kind):
    """NannyML's reference, analysis and targets in any order become one log with its baseline and its labels."""
    names = [f"synthetic_car_loan_{kind}reference.parquet", f"synthetic_car_loan_{kind}analysis.parquet"]
    names.append("synthetic_car_loan_analysis_target.parquet")
    folder = shared_data("nannyml-car-loan")
    tables = [str(folder / names[i]) for i in order]
    case = drafted(tmp_path, engine, *tables)
    stated = case.predictions
    assert stated.table == [str(folder / names[0]), str(folder / names[1])]
    assert (stated.time, stated.id, stated.prediction, stated.score) == ("timestamp", "id", "y_pred", "y_pred_proba")
    assert stated.label == "repaid"
    assert set(stated.segments) == {"salary_range", "repaid_loan_on_prev_car", "size_of_downpayment"}
    assert (case.model.task, case.model.positive) == ("binary", 1)
    assert case.labels is not None
    assert (case.labels.id, case.labels.label, case.labels.table) == ("id", "repaid", str(folder / names[2]))
    assert case.windows.baseline == (datetime(2018, 1, 1, tzinfo=UTC), datetime(2018, 10, 30, tzinfo=UTC))
    assert case.windows.incident is None
    assert case.training is None


def test_car_loan_reference_alone(shared_data, tmp_path, engine):
    """A label that no known name betrays is found by having the prediction's values; its reason says to check it."""
    table = str(shared_data("nannyml-car-loan/synthetic_car_loan_reference.parquet"))
    draft = draft_case([table], root=tmp_path, engine=engine)
    assert loaded(draft, tmp_path).predictions.label == "repaid"
    assert any(line.startswith("predictions.label = repaid: ") and "check" in line for line in draft.guesses)


def test_compas_has_a_score_that_is_no_probability(shared_data, tmp_path, engine):
    """ProPublica's table: people's names are sensitive and no segments; the decile is judged as a figure per row."""
    published = shared_data("compas/compas-scores-two-years.csv")
    with pytest.raises(InputProblem, match="has two columns named 'decile_score'; rename one"):
        draft_case([str(published)], root=tmp_path, engine=engine)
    head, rows = published.read_text().split("\n", 1)
    names = head.split(",")
    renamed = [f"{name}_again" if name in names[:i] else name for i, name in enumerate(names)]
    (tmp_path / "compas.csv").write_text(",".join(renamed) + "\n" + rows)
    draft = draft_case([str(tmp_path / "compas.csv")], root=tmp_path, engine=engine)
    case = loaded(draft, tmp_path)
    assert (case.predictions.time, case.predictions.id) == ("compas_screening_date", "id")
    assert (case.predictions.score, case.model.task) == ("decile_score", "score")
    assert case.sensitive == ["name", "first", "last", "dob"]
    assert {"sex", "race"} <= set(case.predictions.segments)
    assert any("no probability" in line for line in draft.guesses)


def test_compas_discretized_has_no_times(shared_data, tmp_path, engine):
    message = problem(tmp_path, engine, str(shared_data("compas/compas_discretized.csv")))
    assert message.startswith("predictions.time: no column of times was found in ")
    assert "there are age, charge, race, sex, #prior, stay, class, predicted" in message


def test_adult_has_no_header(shared_data, tmp_path, engine):
    """A file of an unknown kind is refused by its suffix; as CSV, for its missing line of names."""
    source = shared_data("adult/adult.data")
    assert "unknown kind of file '.data'" in problem(tmp_path, engine, str(source))
    shutil.copy(source, tmp_path / "adult.csv")
    message = problem(tmp_path, engine, "adult.csv")
    assert message.startswith("adult.csv: the first line holds no column names (they read ")
    assert message.endswith("put a line with the names of the columns before the rows")


def test_robustspot_is_pointed_to_error_counts(shared_data, tmp_path, engine):
    """Counts by attribute have nothing to judge: the command that takes them is named with its columns."""
    source = shared_data("robustspot-rs") / "case11_0916_1677942333.csv"
    message = problem(tmp_path, engine, str(source))
    assert message.startswith("nothing to judge in ")
    assert f"`mortis errors --table {source} --errors value --count cnt --time min --baseline A..B" in message


def test_a_series_is_pointed_to_signals(shared_data, tmp_path, engine):
    source = shared_data("nab/data/realKnownCause/machine_temperature_system_failure.csv")
    assert f"`mortis signals --metrics {source} --symptom NAME" in problem(tmp_path, engine, str(source))


# The peers' names


@pytest.mark.parametrize(
    ("peer", "renamed", "roles"),
    [
        (
            "NannyML",
            {"timestamp": TIMES, "y_pred": ALTERNATE, "y_pred_proba": UNIT, "y_true": ALTERNATE},
            {"time": "timestamp", "prediction": "y_pred", "score": "y_pred_proba", "label": "y_true"},
        ),
        (
            "Evidently",
            {"datetime": TIMES, "prediction": ALTERNATE, "target": ALTERNATE},
            {"time": "datetime", "prediction": "prediction", "label": "target"},
        ),
        (
            "Arize",
            {
                "prediction_id": [f"p{i}" for i in range(ROWS)],
                "prediction_ts": [int(t.timestamp()) for t in TIMES],
                "prediction_label": THIRDS,
                "prediction_score": UNIT,
                "actual_label": THIRDS,
                "model_version": ["1.0"] * ROWS,
            },
            {
                "time": "prediction_ts",
                "id": "prediction_id",
                "prediction": "prediction_label",
                "label": "actual_label",
                "version": "model_version",
            },
        ),
        (
            "Deepchecks",
            {"index_name": list(range(ROWS)), "datetime_name": TIMES, "label": ALTERNATE, "pred": ALTERNATE},
            {"time": "datetime_name", "id": "index_name", "label": "label", "prediction": "pred"},
        ),
        (
            "SageMaker",
            {
                "eventTime": [t.isoformat() for t in TIMES],
                "inferenceId": [f"i{i}" for i in range(ROWS)],
                "prediction": ALTERNATE,
                "probability": UNIT,
                "groundTruth": ALTERNATE,
            },
            {
                "time": "eventTime",
                "id": "inferenceId",
                "prediction": "prediction",
                "score": "probability",
                "label": "groundTruth",
            },
        ),
        (
            "Vertex AI",
            {"logging_time": TIMES, "deployed_model_id": ["77"] * ROWS, "predicted_label": THIRDS},
            {"time": "logging_time", "version": "deployed_model_id", "prediction": "predicted_label"},
        ),
        (
            "home-made",
            {"Created At": TIMES, "UUID": [f"u{i}" for i in range(ROWS)], "YHat": ALTERNATE, "Latency-MS": UNIT},
            {"time": "Created At", "id": "UUID", "prediction": "YHat", "latency_ms": "Latency-MS"},
        ),
    ],
)
def test_the_peers_names_are_known(tmp_path, engine, peer, renamed, roles):
    """A log with a peer's column names needs no edit, and the reasons name the peer."""
    draft = draft_case([wrote(tmp_path, "log.parquet", renamed)], root=tmp_path, engine=engine)
    stated = loaded(draft, tmp_path).predictions
    assert {role: getattr(stated, role) for role in roles} == roles
    assert peer == "home-made" or f"named like {peer}'s" in " ".join(draft.guesses)


@pytest.mark.parametrize("role", _NAMES)
def test_names_are_known_in_any_spelling(role):
    """Case and separators don't matter, and each name is preferred to those after it."""
    listed_names = [entry.partition("(")[0] for entry in _NAMES[role].split()]
    for name in listed_names:
        fits = [
            match(one, role) for one in (name, name.upper(), name.replace("_", "-"), name.title().replace("_", " "))
        ]
        assert all(fit == fits[0] for fit in fits), name
    ranks = [fit.rank for fit in (match(name, role) for name in listed_names) if fit]
    assert len(ranks) == len(listed_names)
    assert ranks[0] == min(ranks)


@pytest.mark.parametrize(
    "name", ["income", "car_value", "debt_to_income_ratio", "region", "bytes", "format", "product_name"]
)
def test_features_play_no_role(name):
    assert not any(match(name, role) for role in _NAMES)
    assert not is_personal(name)


# What the values say


def test_an_id_is_nearly_unique(tmp_path, engine):
    """A repeated id identifies something else than a prediction."""
    table = wrote(tmp_path, "log.parquet", log(request_id=[i % 7 for i in range(ROWS)]))
    assert drafted(tmp_path, engine, table).predictions.id is None


def test_a_score_lies_in_the_unit_interval(tmp_path, engine):
    """`credit_score` is a feature; `default_probability` in 0..1 is a score."""
    table = wrote(tmp_path, "log.parquet", log(credit_score=[500 + i for i in range(ROWS)], default_probability=UNIT))
    assert drafted(tmp_path, engine, table).predictions.score == "default_probability"


def test_a_prediction_of_fractions_is_a_score(tmp_path, engine):
    table = wrote(tmp_path, "log.parquet", log(y_pred=None, prediction=UNIT, target=ALTERNATE))
    stated = drafted(tmp_path, engine, table).predictions
    assert (stated.prediction, stated.score) == (None, "prediction")


def test_a_latency_in_seconds_is_not_taken_for_milliseconds(tmp_path, engine):
    table = wrote(tmp_path, "log.parquet", log(latency_s=UNIT))
    draft = draft_case([table], root=tmp_path, engine=engine)
    assert loaded(draft, tmp_path).predictions.latency_ms is None
    assert "latency_s counts in s; it must be milliseconds" in draft.text


def test_a_label_s_arrival_is_not_the_prediction_s_time(tmp_path, engine):
    late = [t + timedelta(days=3) for t in TIMES]
    table = wrote(tmp_path, "log.parquet", {"labelled_at": late, **log(timestamp=None), "departed_at": TIMES})
    assert drafted(tmp_path, engine, table).predictions.time == "departed_at"


def test_a_birthday_is_no_time_of_a_prediction(tmp_path, engine):
    table = wrote(
        tmp_path, "log.parquet", {"dob": TIMES, **log(timestamp=None), "moment": [t.isoformat() for t in TIMES]}
    )
    case = drafted(tmp_path, engine, table)
    assert case.predictions.time == "moment"
    assert case.sensitive == ["dob"]


@pytest.mark.parametrize("per", [1, 1_000, 1_000_000, 1_000_000_000])
def test_numbers_since_1970_are_times(tmp_path, engine, per):
    """Seconds, milliseconds, microseconds and nanoseconds give the same baseline."""
    table = wrote(tmp_path, "log.parquet", log(timestamp=None, ts=[int(t.timestamp()) * per for t in TIMES]))
    case = drafted(tmp_path, engine, table)
    assert case.predictions.time == "ts"
    assert case.windows.baseline == (START, datetime(2012, 3, 18, tzinfo=UTC))


def test_small_numbers_are_no_times(tmp_path, engine):
    table = wrote(tmp_path, "log.parquet", log(timestamp=None, time=list(range(ROWS))))
    assert problem(tmp_path, engine, table).startswith(
        "predictions.time: no column of times was found in log.parquet; there are"
    )


def test_times_in_another_notation_are_told(tmp_path, engine):
    table = wrote(tmp_path, "log.csv", log(timestamp=[f"{t:%d.%m.%Y %H.%M} Uhr" for t in TIMES]))
    message = problem(tmp_path, engine, table)
    assert "timestamp can't be read as times ('01.03.2012 00.00 Uhr'); write them as ISO 8601" in message


def test_a_wrong_time_among_right_ones_is_told(tmp_path, engine):
    texts = [t.isoformat() for t in TIMES]
    texts[4] = "soon"
    draft = draft_case([wrote(tmp_path, "log.parquet", log(timestamp=texts))], root=tmp_path, engine=engine)
    assert any("row 5 reads 'soon'" in line for line in draft.guesses)


def test_segments_are_few_valued_known_ones_first_and_not_personal(tmp_path, engine):
    columns = {f"c{i}": THIRDS for i in range(6)} | {
        "region": THIRDS,
        "email": THIRDS,
        "many": [f"{i}" for i in range(ROWS)],
    }
    table = wrote(tmp_path, "log.parquet", log(**columns, one=["x"] * ROWS))
    case = drafted(tmp_path, engine, table)
    assert case.predictions.segments == ["region", "c0", "c1", "c2", "c3"]
    assert case.sensitive == ["email"]


# Tasks


@pytest.mark.parametrize(
    ("columns", "task", "positive"),
    [
        ({"y_true": ALTERNATE}, "binary", 1),
        ({"y_true": [bool(i) for i in ALTERNATE], "y_pred": [bool(i) for i in ALTERNATE]}, "binary", 1),
        ({"y_true": [2 * i - 1 for i in ALTERNATE]}, "binary", 1),
        ({"y_true": [("no", "Yes")[i] for i in ALTERNATE]}, "binary", "Yes"),
        ({"y_true": [("ham", "spam")[i] for i in ALTERNATE]}, "binary", "spam"),
        ({"y_true": ["cat" if i % 5 else "dog" for i in range(ROWS)]}, "binary", "dog"),
        ({"y_true": [1 + (i % 5 == 0) for i in range(ROWS)], "y_pred": [1 + i for i in ALTERNATE]}, "binary", 2),
        ({"y_true": ["1" if i else "0" for i in ALTERNATE]}, "binary", "1"),
        ({"y_true": THIRDS, "y_pred": THIRDS}, "multiclass", None),
        ({"y_true": [i % 4 for i in range(ROWS)], "y_pred": [i % 4 for i in range(ROWS)]}, "multiclass", None),
        ({"y_true": UNIT, "y_pred": [7.5 * u for u in UNIT]}, "regression", None),
        ({"y_true": [i % 40 for i in range(ROWS)], "y_pred": list(range(ROWS))}, "regression", None),
        ({"y_true": [i % 4 for i in range(ROWS)], "y_pred": UNIT}, "regression", None),
        ({"y_pred": None, "score": UNIT}, "score", None),
        ({"y_pred": None, "grade": [i % 10 for i in range(ROWS)]}, "score", None),
        ({"y_pred": None, "latency_ms": UNIT}, None, None),
        ({}, "binary", 1),
        ({"y_pred": None, "score": UNIT, "query_id": FIVES, "relevance": ALTERNATE}, "ranking", None),
        ({"y_pred": None, "score": UNIT, "group": FIVES, "relevance": [i % 4 for i in range(ROWS)]}, "ranking", None),
        ({"y_pred": None, "score": UNIT, "group": FIVES, "y_true": ALTERNATE}, "binary", 1),
        ({"query_id": FIVES, "y_true": ALTERNATE}, "binary", 1),
    ],
)  # fmt: skip
def test_the_task_follows_from_the_values(tmp_path, engine, columns, task, positive):
    case = drafted(tmp_path, engine, wrote(tmp_path, "log.parquet", log(**columns)))
    assert case.model.task == task
    assert case.model.positive == positive
    assert type(case.model.positive) is type(positive)
    assert (case.predictions.group is not None) == (task == "ranking")


@pytest.mark.parametrize("prefix", ["y_pred_proba_", "proba_", "P ", ""])
def test_each_class_has_its_score(tmp_path, engine, prefix):
    shares = {f"{prefix}{name}": UNIT for name in "abc"}
    case = drafted(tmp_path, engine, wrote(tmp_path, "log.parquet", log(y_pred=THIRDS, y_true=THIRDS, **shares)))
    assert case.predictions.score == {name: f"{prefix}{name}" for name in "abc"}


def test_of_two_classes_the_positive_one_s_score_is_taken(tmp_path, engine):
    table = wrote(tmp_path, "log.parquet", log(y_true=ALTERNATE, proba_0=UNIT, proba_1=UNIT))
    assert drafted(tmp_path, engine, table).predictions.score == "proba_1"


def test_labels_written_otherwise_than_predictions_are_told(tmp_path, engine):
    table = wrote(tmp_path, "log.parquet", log(y_true=[("no", "yes")[i] for i in ALTERNATE]))
    draft = draft_case([table], root=tmp_path, engine=engine)
    assert any("the prediction y_pred reads 0, 1: write both alike" in line for line in draft.guesses)


def test_missing_labels_are_told(tmp_path, engine):
    draft = draft_case([wrote(tmp_path, "log.parquet", log())], root=tmp_path, engine=engine)
    assert any(line.startswith("predictions.label: no column is named like a label") for line in draft.guesses)


# Several tables


def test_every_table_finds_its_place(tmp_path, engine):
    """Log, labels, training set, offline features, metrics, call graph and events are told apart, in whatever order."""
    ids = log()["request_id"]
    features = {"income": UNIT, "age": list(range(ROWS))}
    names = [
        wrote(tmp_path, "deploys.csv", {"time": TIMES, "kind": THIRDS, "summary": THIRDS}),
        wrote(tmp_path, "cpu.csv", {"ts": TIMES, "cpu": UNIT}),
        wrote(tmp_path, "calls.csv", {"caller": THIRDS, "callee": THIRDS}),
        wrote(tmp_path, "notes.parquet", {"remark": THIRDS, "author": THIRDS}),
        wrote(tmp_path, "history.parquet", {**features, "late": ALTERNATE}),
        wrote(tmp_path, "store.parquet", {"request_id": ids, **features}),
        wrote(tmp_path, "feedback.csv", {"request_id": ids, "late": ALTERNATE, "labelled_at": TIMES}),
        wrote(tmp_path, "predictions.parquet", log(age=features["age"])),
    ]
    draft = draft_case(names, root=tmp_path, engine=engine)
    case = loaded(draft, tmp_path)
    assert case.predictions.table == "predictions.parquet"
    assert case.labels is not None
    assert (case.labels.table, case.labels.label, case.labels.time) == ("feedback.csv", "late", "labelled_at")
    assert case.training is not None
    assert (case.training.table, case.training.label) == ("history.parquet", "late")
    assert case.offline_features is not None
    assert (case.offline_features.table, case.offline_features.id) == ("store.parquet", "request_id")
    assert [(one.table, one.time) for one in case.metrics] == [("cpu.csv", "ts")]
    assert case.graph == "calls.csv"
    assert [one.events for one in case.changes] == ["deploys.csv"]
    assert any(line.startswith("notes.parquet is not used: ") for line in draft.guesses)


def test_a_table_named_train_is_the_training_set(tmp_path, engine):
    """Even where it holds predictions and times."""
    both = log(y_true=ALTERNATE)
    names = [wrote(tmp_path, "train_2011.parquet", both), wrote(tmp_path, "served.parquet", log())]
    case = drafted(tmp_path, engine, *names)
    assert case.predictions.table == "served.parquet"
    assert case.training is not None
    assert (case.training.table, case.training.label) == ("train_2011.parquet", "y_true")


def test_labels_join_by_values_where_names_differ(tmp_path, engine):
    labels = {"trace_id": log()["request_id"], "verdict": ALTERNATE}
    case = drafted(tmp_path, engine, wrote(tmp_path, "a.parquet", log()), wrote(tmp_path, "b.parquet", labels))
    assert case.labels is not None
    assert (case.predictions.id, case.labels.id, case.labels.label) == ("request_id", "trace_id", "verdict")


def test_a_key_is_found_by_its_values_alone(tmp_path, engine):
    """A column that both tables hold, with a value of its own in every row, joins them whatever its name."""
    loans = [f"L{i}" for i in range(ROWS)]
    labels = {"contract": loans, "repaid": ALTERNATE}
    table = wrote(tmp_path, "a.parquet", log(request_id=None, contract=loans))
    case = drafted(tmp_path, engine, table, wrote(tmp_path, "b.parquet", labels))
    assert case.labels is not None
    assert (case.predictions.id, case.labels.id, case.labels.label) == ("contract", "contract", "repaid")


def test_daily_files_are_one_log(tmp_path, engine):
    """Files without a name for before and after are one log, in the order of their times; a column may come or go."""
    halves = {"day2": slice(30, 60), "day1": slice(0, 30)}
    names = [wrote(tmp_path, f"{n}.csv", {k: v[s] for k, v in log().items()}) for n, s in halves.items()]
    case = drafted(tmp_path, engine, *names)
    assert case.predictions.table == ["day1.csv", "day2.csv"]
    assert case.windows.baseline == (START, datetime(2012, 3, 18, tzinfo=UTC))


def test_reference_and_current_are_the_windows(tmp_path, engine):
    """The baseline is the reference's time, and a label that only the reference holds is the log's label."""
    reference = {k: v[:40] for k, v in log(repaid=ALTERNATE).items()}
    names = [wrote(tmp_path, "reference.csv", reference)]
    names.append(wrote(tmp_path, "current.csv", {k: v[40:] for k, v in log().items()}))
    case = drafted(tmp_path, engine, *names)
    assert case.windows.baseline == (START, TIMES[40])
    assert case.predictions.label == "repaid"


def test_overlapping_parts_are_told(tmp_path, engine):
    names = [wrote(tmp_path, name, log()) for name in ("a.parquet", "b.parquet")]
    draft = draft_case(names, root=tmp_path, engine=engine)
    assert any("their times overlap" in line for line in draft.guesses)


def test_a_log_of_other_columns_is_left_aside(tmp_path, engine):
    other = {"timestamp": TIMES, "y_pred": ALTERNATE, "p": UNIT, "q": UNIT, "r": UNIT, "s": UNIT}
    names = [wrote(tmp_path, "b.parquet", other), wrote(tmp_path, "a.parquet", log(t1=UNIT, t2=UNIT, t3=UNIT))]
    draft = draft_case(names, root=tmp_path, engine=engine)
    assert loaded(draft, tmp_path).predictions.table == "a.parquet"
    assert any(line.startswith("b.parquet is not used: a prediction log of other columns") for line in draft.guesses)


# Windows


def test_one_moment_gives_no_baseline(tmp_path, engine):
    table = wrote(tmp_path, "log.parquet", log(timestamp=[START] * ROWS))
    draft = draft_case([table], root=tmp_path, engine=engine)
    assert loaded(draft, tmp_path).windows.baseline is None
    assert "all rows bear one time" in draft.text


@settings(max_examples=15)
@given(seconds=st.integers(1, 10**9), first=st.datetimes(datetime(1990, 1, 1), datetime(2050, 1, 1)))  # noqa: DTZ001
def test_the_baseline_is_the_first_part_of_the_log(tmp_path_factory, seconds, first):
    """Whatever the log's length: it begins no later than the log, ends before it does, and isn't empty."""
    folder = tmp_path_factory.mktemp("log")
    begin = first.replace(tzinfo=UTC, microsecond=0)
    end = begin + timedelta(seconds=seconds)
    table = wrote(folder, "log.parquet", {"timestamp": [begin, end], "y_pred": [0, 1]})
    with closing(open_engine()) as engine:
        baseline = drafted(folder, engine, table).windows.baseline
    assert baseline is not None
    assert begin - timedelta(days=1) < baseline[0] <= begin < baseline[1] <= end


# The text


def test_every_key_of_the_case_file_is_shown(tmp_path, engine):
    draft = draft_case([wrote(tmp_path, "log.parquet", log())], root=tmp_path, engine=engine)
    shown = set(re.findall(r"^ *#? *(\w+):", draft.text, flags=re.MULTILINE))
    assert set(Case.model_fields) - {"root"} <= shown
    assert set(Predictions.model_fields) <= shown


def test_what_is_commented_out_would_load_too(tmp_path, engine):
    """Taking the # away from every key makes a case file again, with nothing unknown in it."""
    draft = draft_case([wrote(tmp_path, "log.parquet", log())], root=tmp_path, engine=engine)
    full = re.sub(r"^( *)# ( *\w+:)", r"\1\2", draft.text, flags=re.MULTILINE)
    case = loaded(Draft(full, ()), tmp_path)
    assert case.training is not None
    assert case.predictions.group == "query_id"
    assert case.windows.incident is not None


def test_each_guess_is_one_line_with_its_reason(tmp_path, engine):
    """Every value stated in the file but the plain defaults is said, with the reason that stands in the file."""
    table = wrote(tmp_path, "log.parquet", log(y_true=ALTERNATE, **{"a\nb": THIRDS}))
    draft = draft_case([table], root=tmp_path, engine=engine)
    said = {line.partition(" = ")[0] for line in draft.guesses if " = " in line}
    roles = {"table", "time", "id", "prediction", "label", "segments"}
    assert said == {"model.task", "model.positive", "windows.baseline", *(f"predictions.{role}" for role in roles)}
    for line in draft.guesses:
        assert line == printable(line)
        assert line.partition(": ")[2]


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5))
def test_scalars_survive_yaml(value):
    """What is written on one line is read back as it was, as a key's value and inside lists and mappings."""
    text = f"k: {scalar(value)}  # comment\nnext: 1\n"
    assert load_yaml(text)[0] == {"k": value, "next": 1}
    assert len(scalar(value).splitlines()) == 1


def free_name(name: str) -> bool:
    """Whether a name says nothing of a role."""
    return not (any(match(name, role) for role in _NAMES) or is_personal(name))


names_from_hell = st.sampled_from(HOSTILE) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1
)


@settings(max_examples=25)
@given(st.lists(names_from_hell, min_size=4, max_size=4, unique_by=lambda name: name.casefold()))
@example(["yes", "1", "a: b", "# c"])
@example(['say "x"', "it's", "null", "a\nb"])
@example(["été", "{x}", "2013-08-01", "- x"])
@example(["日本", "back\\slash", "\u2028", "\x85"])
def test_hostile_column_names_survive(tmp_path_factory, names):
    """Whatever the columns are called, the draft loads and names them as they are."""
    assume(all(free_name(name) for name in names))
    time, key, label, segment = names
    folder = tmp_path_factory.mktemp("hostile")
    ids = [f"k{i}" for i in range(ROWS)]
    wrote(folder, "log.parquet", {time: TIMES, key: ids, segment: THIRDS, "y_pred": ALTERNATE})
    wrote(folder, "labels.parquet", {key: ids, label: ALTERNATE})
    with closing(open_engine()) as engine:
        case = drafted(folder, engine, "log.parquet", "labels.parquet")
    assert (case.predictions.time, case.predictions.id, case.predictions.segments) == (time, key, [segment])
    assert case.labels is not None
    assert (case.labels.id, case.labels.label) == (key, label)


def test_hostile_file_names_survive(tmp_path, engine):
    names = ["it's a: log #1, [x].parquet", "été \u2028 {y}.parquet"]
    for name in names:
        case = drafted(tmp_path, engine, wrote(tmp_path, name, log()))
        assert case.predictions.table == name


# Problems


def test_no_table_is_a_problem(tmp_path, engine):
    assert problem(tmp_path, engine) == (
        "init: no table was handed in; name the prediction log, as in `mortis init predictions.parquet`"
    )


def test_nothing_to_judge_says_what_to_name(tmp_path, engine):
    table = wrote(tmp_path, "log.parquet", {"timestamp": TIMES, "colour": THIRDS})
    assert problem(tmp_path, engine, table) == (
        "nothing to judge in log.parquet: no column of predictions, scores or latencies among timestamp, colour; "
        "name one y_pred, y_pred_proba or latency_ms, or state it in a case file (`mortis schema case`)"
    )


def test_an_empty_log_is_told(tmp_path, engine):
    table = wrote(tmp_path, "log.parquet", {name: values[:0] for name, values in log().items()})
    assert problem(tmp_path, engine, table) == (
        "log.parquet has columns but no values in them; hand over a log with predictions"
    )


def test_a_header_of_values_is_no_header(tmp_path, engine):
    (tmp_path / "log.csv").write_text("39,77516,13,x\n50,83311,13,y\n", encoding="utf-8")
    assert "log.csv: the first line holds no column names" in problem(tmp_path, engine, "log.csv")


@given(st.text())
def test_words_and_plain_names_agree(name):
    """A name's words hold nothing that its plain form lacks."""
    assert set("".join(words(name))) <= set(plain(name)) | set(name.casefold())
