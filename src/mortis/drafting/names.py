"""What columns and tables are called in the wild: the names of each role, and who writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

RoleName = Literal[
    "time",
    "id",
    "prediction",
    "score",
    "label",
    "version",
    "latency_ms",
    "error",
    "group",
    "label_time",
    "count",
    "errors",
]
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")
_WEAK = 1000

# Role -> names in the order they are preferred, and in brackets who writes them so.
_NAMES: dict[RoleName, str] = {
    "time": """
        prediction_ts(Arize) prediction_timestamp(Arize) prediction_time predicted_at scored_at served_at
        inference_time inference_timestamp request_time request_timestamp requested_at logging_time(Vertex_AI)
        event_time(SageMaker) event_timestamp timestamp(NannyML) ts timestamp_field(Vertex_AI)
        datetime_name(Deepchecks) datetime time scheduled_at created_at logged_at received_at date_time date day
        hour minute min epoch unix_time created dt""",
    "id": """
        prediction_id(Arize) request_id inference_id(SageMaker) event_id(SageMaker) row_id record_id
        transaction_id trace_id correlation_id id uuid guid index_name(Deepchecks) index identifier key""",
    "prediction": """
        y_pred(NannyML) prediction(Evidently) prediction_label(Arize) predicted_label pred_label predicted_class
        pred_class predicted pred preds predictions yhat y_hat predicted_value pred_value prediction_value
        model_prediction model_output predict output forecast decision""",
    "score": """
        y_pred_proba(NannyML) prediction_score(Arize) y_score y_proba y_prob pred_proba pred_prob
        predicted_proba predicted_probability prediction_probability prediction_proba
        prediction_probas(Evidently) probability(SageMaker) proba prob score scores probabilities confidence
        model_score risk_score grade rating""",
    "label": """
        y_true(NannyML) target(Evidently) actual_label(Arize) label(Deepchecks) ground_truth(SageMaker)
        ground_truth_label true_label actual_class true_class actual_value actual_score(Arize) actual actuals
        truth true_value labels y outcome observed relevance relevance_label(Arize) relevance_labels(Arize)
        relevance_score(Arize) expected class clicked""",
    "version": """
        model_version(Arize) served_version version model_version_id(Vertex_AI) deployed_model_id(Vertex_AI)
        model_id model_revision model_tag revision release build deployment model_name model""",
    "latency_ms": """
        latency_ms latency_millis latency_milliseconds latency duration_ms response_time_ms response_time
        response_ms request_latency elapsed_ms inference_time_ms inference_ms processing_time_ms took_ms
        runtime_ms""",
    "error": "error is_error has_error errored failed is_failed failure request_failed exception",
    "group": """
        query_id qid prediction_group_id(Arize) search_id query ranking_group group_id list_id session_id group""",
    "label_time": """
        labelled_at labeled_at label_time label_timestamp label_ts labelled_time actual_ts actual_timestamp
        ground_truth_time ground_truth_timestamp outcome_time arrived_at observed_at resolved_at settled_at
        confirmed_at feedback_at feedback_time updated_at""",
    "count": "cnt count counts total n_total n num number requests rows calls attempts",
    "errors": "errors error_count n_errors failures failed fails fail bad value",
}
# Words that give a role away at a name's end; it must bear other words besides.
_ENDINGS: dict[RoleName, tuple[str, ...]] = {
    "time": ("timestamp", "ts", "datetime", "time", "at", "date"),
    "id": ("id", "uuid", "guid"),
    "prediction": ("pred", "prediction", "predicted", "hat"),
    "score": ("proba", "probability", "prob", "score"),
    "label": ("label", "target", "truth", "actual"),
    "version": ("version",),
    "latency_ms": ("latency",),
}
# Words that give a role away at a name's beginning.
_BEGINNINGS: dict[RoleName, tuple[str, ...]] = {
    "prediction": ("predicted", "pred"),
    "score": ("probability", "proba", "prob"),
    "label": ("actual", "true"),
}
_OTHER_UNIT = frozenset({"s", "sec", "secs", "second", "seconds", "us", "ns", "min", "minutes"})


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PERSONAL = _set("""
    email mail phone mobile telephone address street dob birth birthday birthdate birthplace ssn ip surname lastname
    firstname fullname passport iban username nickname maiden zipcode postcode passenger patient""")
_PERSONAL_ALONE = _set("name first last zip")
_NAMED_PERSONS = _set("first last full middle given family user customer client passenger patient person employee")

TRAINING_WORDS = _set("train training trainset")
BEFORE_WORDS = _set("reference ref baseline before")
AFTER_WORDS = _set("analysis current production prod after incident serving monitoring")
LABEL_WORDS = _set("label labels target targets truth actual actuals outcome outcomes feedback")
OFFLINE_WORDS = _set("offline store featurestore")
USUAL_SEGMENTS = _set("""
    region country state city market store site device platform os browser client channel source category type tier plan
    segment cohort gender sex age race""")
# What stands before the class in the name of a class's score, without separators.
CLASS_SCORE_NAMES = _set("""
    ypredproba proba prob probability p score predproba predprob predictedprobability predictionprobability
    predictionproba predictionscore yscore yproba yprob""")
YES_WORDS = _set("yes y true t positive pos 1")
WATCHED_WORDS = _set("fraud bad default churn churned spam late sick click clicked fail failed")
_GENERIC = _set("prediction predictions log logs data model all full sample test part the")


@dataclass(frozen=True, slots=True)
class Match:
    """How well a name fits a role (the lower the rank the better), and why."""

    rank: int
    why: str

    @property
    def exact(self) -> bool:
        """Whether the whole name is known, not just its end."""
        return self.rank < _WEAK


def words(name: str) -> tuple[str, ...]:
    """The words of a name in lower case, at separators and at changes of case.

    >>> words("modelVersion"), words("y_pred-proba"), words("IPAddress2")
    (('model', 'version'), ('y', 'pred', 'proba'), ('ip', 'address', '2'))
    """
    return tuple(word.casefold() for word in _WORD.findall(name))


def plain(name: str) -> str:
    """A name without case and separators, so that `Y_Pred`, `y-pred` and `yPred` are one.

    >>> plain("Y_Pred Proba")
    'ypredproba'
    """
    return re.sub(r"[\W_]+", "", name.casefold())


def _known(text: str) -> Mapping[str, tuple[int, str]]:
    entries = (entry.rstrip(")").partition("(") for entry in text.split())
    return {plain(name): (rank, whose.replace("_", " ")) for rank, (name, _, whose) in enumerate(entries)}


_KNOWN: dict[RoleName, Mapping[str, tuple[int, str]]] = {role: _known(text) for role, text in _NAMES.items()}


def match(name: str, role: RoleName) -> Match | None:
    """How well a column's name fits a role; None where it doesn't.

    >>> match("y_pred_proba", "score")
    Match(rank=0, why="named like NannyML's")
    >>> match("departed_at", "time")
    Match(rank=1004, why="its name ends in 'at'")
    >>> match("latency_seconds", "latency_ms") is None
    True
    """
    known = _KNOWN[role].get(plain(name))
    if known:
        rank, whose = known
        return Match(rank, f"named like {whose}'s" if whose else f"named like {_noun(role)}")
    return _by_part(words(name), role)


def _by_part(parts: tuple[str, ...], role: RoleName) -> Match | None:
    endings, beginnings = _ENDINGS.get(role, ()), _BEGINNINGS.get(role, ())
    refused = is_label_time(parts, role) or (role == "label" and parts[:1] and parts[0].startswith("pred"))
    if len(parts) < 2 or refused:
        return None
    if parts[-1] in endings:
        return Match(_WEAK + endings.index(parts[-1]), f"its name ends in {parts[-1]!r}")
    if parts[0] in beginnings:
        return Match(_WEAK + len(endings) + beginnings.index(parts[0]), f"its name begins with {parts[0]!r}")
    return None


def is_label_time(parts: tuple[str, ...], role: RoleName) -> bool:
    """Whether a name that looks like a time is that of a label's arrival, which the prediction's time is not."""
    return role == "time" and "".join(parts) in _KNOWN["label_time"]


def other_unit(name: str) -> str | None:
    """The unit of a latency that isn't counted in milliseconds, by its name.

    >>> other_unit("latency_s"), other_unit("latency_ms")
    ('s', None)
    """
    parts = words(name)
    timed = parts[:1] and {"latency", "duration", "response", "elapsed"} & set(parts[:-1])
    return parts[-1] if timed and parts[-1] in _OTHER_UNIT else None


def is_personal(name: str) -> bool:
    """Whether a column is named like personal data.

    >>> [name for name in ("dob", "first_name", "product_name", "clientIp", "last") if is_personal(name)]
    ['dob', 'first_name', 'clientIp', 'last']
    """
    parts = words(name)
    if len(parts) == 1 and parts[0] in _PERSONAL_ALONE:
        return True
    return bool(_PERSONAL & {*parts, plain(name)}) or ("name" in parts and bool(_NAMED_PERSONS & set(parts)))


def model_name(stem: str) -> str:
    """A name for the model, from the name of its prediction log; 'model' where that says nothing.

    >>> model_name("car_loan_reference"), model_name("predictions-2013-08")
    ('car_loan', 'model')
    """
    dull = _GENERIC | BEFORE_WORDS | AFTER_WORDS | TRAINING_WORDS
    return "_".join(word for word in words(stem) if word not in dull and not word.isdigit()) or "model"


def _noun(role: RoleName) -> str:
    special = {
        "latency_ms": "a latency",
        "label_time": "a label's arrival",
        "errors": "a count of errors",
        "id": "an id",
    }
    return special.get(role, f"a {role}")
