"""Several fields of one sender that look otherwise at once are its payload (P4), not faults of each field."""

from __future__ import annotations

import numpy as np
import pytest

from mortis.causes.payloads import PAYLOAD, of_one_sender
from mortis.causes.repairs import decide_repairs
from mortis.causes.weighing import weigh
from mortis.integrity.kinds.repair import Region
from mortis.records import Change
from weighable import (  # type: ignore[import-not-found]  # pytest finds it in the folder above
    INCIDENT,
    answered,
    facts_of,
    models,
    profile_of,
    repair_of,
    served,
)


def scaled(sample, name, factor):
    rows = sample.features["region"] == "us"
    return sample.with_feature(name, np.where(rows, sample.features[name] * factor, sample.features[name]))


def unit(name, *, where=("region", "us"), fit=0.95, factor=1000.0, share=1.0):
    region = Region(*where)
    return repair_of(
        "unit",
        name,
        lambda sample: scaled(sample, name, 1 / factor),
        region=region,
        fit=fit,
        share=share,
        parameters={"factor": factor},
        statement=f"{name} is multiplied by {factor:g}{region.text()}",
    )


@pytest.fixture
def before(rng):
    return served(rng, 3000)


@pytest.fixture
def during(rng):
    """One region's client sends both numbers a thousandfold."""
    sent = served(rng, 3000, window=INCIDENT)
    for name in ("delay", "load"):
        sent = scaled(sent, name, 1000.0)
    return answered(sent, models()["good"].score(sent.features))


def test_two_fields_of_one_sender_are_one_payload(before, during):
    facts = facts_of(before, during, repairs=[unit("delay"), unit("load", fit=0.8)], profile=profile_of(before, during))
    weighed = weigh(facts)
    first = weighed.causes[0]
    assert (first.id, first.verdict, first.features, first.scope) == (
        "P4",
        "confirmed",
        ("delay", "load"),
        "region = us",
    )
    assert first.parameters == {"kind": PAYLOAD, "caller": "us", "factor": 1000.0}
    assert [one.id for one in weighed.causes].count("P4") == 1
    assert weighed.answer == "cause"


def test_undoing_a_payload_undoes_each_field(before, during):
    (one,) = of_one_sender([unit("delay"), unit("load")], facts_of(before, during))
    again = one.undo(during)
    for name in ("delay", "load"):
        np.testing.assert_allclose(again.features[name], scaled(during, name, 1 / 1000).features[name])
    assert one.statement == (
        "the payload has another form where region is us: delay is multiplied by 1000, load is multiplied by 1000"
    )


@pytest.mark.parametrize(
    "other",
    [
        unit("load", where=("region", "eu")),
        unit("load", fit=0.3),
        unit("load", share=0.2),
        repair_of("null", "load", lambda sample: sample, region=Region("region", "us"), fit=0.95),
    ],
    ids=["elsewhere", "hardly fits", "few rows", "no other form"],
)
def test_fields_that_dont_go_together_stay_faults_of_each(before, during, other):
    repairs = [unit("delay"), other]
    assert of_one_sender(repairs, facts_of(before, during)) == repairs


def test_what_a_machine_does_is_no_payload(before, during):
    repairs = [unit(name, where=("replica", "r1")) for name in ("delay", "load")]
    assert of_one_sender(repairs, facts_of(before, during)) == repairs


@pytest.mark.parametrize(
    ("release", "id_"),
    [("client 5.0 of US out", "P4"), ("client 5.0 of asia out", "D3"), ("the bus goes live", "D3")],
)
def test_one_field_is_a_payload_where_a_release_on_record_names_the_sender(before, during, release, id_):
    change = Change("events.1", "product", INCIDENT.start, release)
    found = decide_repairs(facts_of(before, during, repairs=[unit("delay")], changes=[change]))
    assert next(iter(found)).id == id_


@pytest.mark.parametrize(("factor", "told"), [(1024.0, True), (3.6, False)])
def test_a_payloads_factor_is_told_where_all_numbers_have_about_the_same(before, during, factor, told):
    (one,) = of_one_sender([unit("delay"), unit("load", fit=0.8, factor=factor)], facts_of(before, during))
    assert one.parameters.get("factor") == (1000.0 if told else None)
