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
def during(during):
    """One region's client sends both numbers a thousandfold."""
    sent = during
    for name in ("delay", "load"):
        sent = scaled(sent, name, 1000.0)
    return answered(sent, models()["good"].score(sent.features))


def test_two_fields_of_one_sender_are_one_payload(before, during):
    facts = facts_of(before, during, repairs=[unit("delay"), unit("load", fit=0.8)], profile=profile_of(before, during))
    weighed = weigh(facts)
    first = weighed.causes[0]
    assert (first.id, first.verdict, first.features, first.scope) == (
        "P4",
        "supported",
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
    said = "several fields have another form at once where region is us, by its sender, or by what feeds these fields"
    assert one.statement == f"{said}: delay (unit), load (unit)"


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


def change(summary="the bus goes live", **more):
    return Change("events.1", "product", INCIDENT.start, summary, **more)


@pytest.mark.parametrize(
    ("record", "verdict"),
    [
        (change("client 5.0 of us out"), "supported"),
        (change("client 5.0 of asia out"), "supported"),
        (change(scope={"region": "us"}), "confirmed"),
        (change(scope={"plan": "us"}), "supported"),
    ],
    ids=["too short a name", "another's", "its scope", "another column's scope"],
)
def test_a_payload_is_confirmed_where_a_release_of_its_sender_is_on_record(before, during, record, verdict):
    facts = facts_of(before, during, repairs=[unit("delay"), unit("load")], changes=[record])
    found = next(one for one in decide_repairs(facts) if one.id == "P4")
    assert (found.verdict, found.parameters.get("release")) == (verdict, "events.1" if verdict == "confirmed" else None)


def test_one_field_alone_stays_what_it_is_whatever_is_on_record(before, during):
    repairs = [unit("delay")]
    facts = facts_of(before, during, repairs=repairs, changes=[change(scope={"region": "us"})])
    assert of_one_sender(repairs, facts) == repairs


def test_another_kind_of_fault_that_fits_the_field_better_is_kept(before, during):
    sentinel = repair_of("sentinel", "delay", lambda sample: sample, region=Region("region", "us"), fit=0.99)
    kept = of_one_sender([sentinel, unit("delay", fit=0.61), unit("load", fit=0.61)], facts_of(before, during))
    assert [one.kind for one in kept] == [PAYLOAD, "sentinel"]


def test_what_a_payload_holds_is_not_said_to_have_changed_in_no_field(before, during):
    facts = facts_of(before, during, repairs=[unit("delay"), unit("load")])
    units = next(one for one in decide_repairs(facts) if one.id == "D3")
    assert (units.verdict, "see P4" in units.result) == ("refuted", True)


def test_of_parts_that_struck_more_and_less_the_least_is_sure(before, during):
    (one,) = of_one_sender([unit("delay"), unit("load", share=0.55)], facts_of(before, during))
    assert one.share == 0.55


@pytest.mark.parametrize(("factor", "told"), [(1024.0, True), (3.6, False)])
def test_a_payloads_factor_is_told_where_all_numbers_have_about_the_same(before, during, factor, told):
    (one,) = of_one_sender([unit("delay"), unit("load", fit=0.8, factor=factor)], facts_of(before, during))
    assert one.parameters.get("factor") == (1000.0 if told else None)
