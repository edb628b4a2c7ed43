"""A corruption is confirmed where undoing it takes the fall back, and refuted where it does not."""

from __future__ import annotations

import numpy as np
import pytest

from mortis.causes.repairs import CAUSE_OF_KIND, ELSEWHERE, LOOKED_FOR, decide_repairs
from mortis.integrity.kinds.repair import Reenactment, Region
from weighable import (  # type: ignore[import-not-found]  # pytest finds it in the folder above
    INCIDENT,
    corrupted,
    facts_of,
    repair_of,
    served,
)


def times(factor, name="delay", value=None, of="region"):
    """An undo that multiplies a feature, in the rows of one region where it is named."""

    def undo(sample):
        rows = np.ones(len(sample), bool) if value is None else sample.features[of] == value
        return sample.with_feature(name, np.where(rows, sample.features[name] * factor, sample.features[name]))

    return undo


@pytest.fixture
def during(during):
    """Delay in seconds instead of minutes, in the region us."""
    hit = during.features["region"] == "us"
    return corrupted(during, "delay", np.where(hit, during.features["delay"] * 60, during.features["delay"]))


def unit(factor=1 / 60, **more):
    given = {
        "region": Region("region", "us"),
        "parameters": {"factor": 1 / factor},
        "statement": f"delay x {1 / factor:g}",
    }
    return repair_of("unit", "delay", times(factor, value="us"), **(given | more))


def decided(before, during, *repairs, **more):
    return [one for one in decide_repairs(facts_of(before, during, repairs=repairs, **more)) if one.test != "look"]


@pytest.mark.parametrize("metric", ["accuracy", "f1", "auroc", "log_loss"])
def test_undoing_the_true_corruption_takes_the_whole_fall_back(before, during, metric):
    found = decided(before, during, unit(), metric=metric)[0]
    assert (found.id, found.verdict, found.scope, found.features) == ("D3", "confirmed", "region = us", ("delay",))
    assert found.parameters == {"kind": "unit", "factor": pytest.approx(60)}
    assert found.share.low <= 1 <= found.share.high


def test_a_wrong_factor_is_refuted(before, during):
    """Multiplied once more, instead of divided."""
    assert decided(before, during, unit(60))[0].verdict == "refuted"


def test_a_factor_that_overshoots_is_not_confirmed_though_the_metric_recovers(before, during):
    """A tree can't tell 0.02 minutes from 2; the feature's distribution can."""
    found = decided(before, during, unit(1 / 60_000))[0]
    assert found.verdict in ("inconclusive", "refuted")


def test_a_harmless_repair_is_refuted(before, during):
    """A feature the model hardly heeds is put right, and nothing comes of it."""
    found = decided(before, during, repair_of("sign", "noise", times(-1, "noise"), statement="noise turned"))[0]
    assert found.verdict == "refuted"


def test_of_rivals_for_the_same_rows_one_stands(before, during):
    """The exact inverse and values drawn from like rows both mend: what gives the true values back stands."""

    def donors(sample):
        drawn = np.random.default_rng(0).choice(before.features["delay"], len(sample))
        hit = sample.features["region"] == "us"
        return sample.with_feature("delay", np.where(hit, drawn, sample.features["delay"]))

    rival = repair_of(
        "sentinel", "delay", donors, donors=True, fit=0.94, statement="sentinel", region=Region("region", "us")
    )
    for order in ((unit(), rival), (rival, unit())):
        found = {one.id: one for one in decided(before, during, *order) if one.features}
        assert (found["D3"].verdict, found["D2"].verdict) == ("confirmed", "refuted")
        assert "fits better or takes back more" in found["D2"].result


def test_what_lost_values_cost_is_measured_on_the_baseline(rng, before):
    """No other column tells of delay: stand-ins bring nothing back, though its loss is all that happened."""
    clean = served(rng, 3000, window=INCIDENT)
    during, lost = (
        corrupted(one, "delay", np.where(one.features["region"] == "us", -1.0, one.features["delay"]))
        for one in (clean, before)
    )

    def stand_ins(sample):
        drawn = np.random.default_rng(0).choice(before.features["delay"], len(sample))
        rows = sample.features["region"] == "us"
        return sample.with_feature("delay", np.where(rows, drawn, sample.features["delay"]))

    def repair(kind, example):
        return repair_of(kind, "delay", stand_ins, donors=True, reenacted=example, region=Region("region", "us"))

    example = Reenactment(before, before.with_feature("delay", lost.features["delay"]))
    found = decided(before, during, repair("constant", example))[0]
    assert (found.verdict, found.share.low <= 1 <= found.share.high) == ("confirmed", True)
    assert "done again in the baseline's rows" in found.result
    assert decided(before, during, repair("constant", None))[0].share.high < 1
    # The same loss explains nothing where it didn't happen.
    harmless = Reenactment(before, before)
    assert decided(before, during, repair("constant", harmless))[0].verdict == "refuted"


@pytest.mark.parametrize(("fit", "verdict"), [(0.8, "confirmed"), (0.4, "inconclusive")])
def test_where_only_a_part_is_turned_back_the_fit_tells_whether_the_feature_returned(before, during, fit, verdict):
    """Half of what was struck is put right: the feature still differs, as it would by wrong guesses of which rows."""

    def half(sample):
        rows = (sample.features["region"] == "us") & (np.arange(len(sample)) % 4 > 0)
        return sample.with_feature("delay", np.where(rows, sample.features["delay"] / 60, sample.features["delay"]))

    found = decided(before, during, repair_of("unit", "delay", half, fit=fit, share=0.5))[0]
    assert found.verdict == verdict


def test_another_parameter_of_what_stands_is_not_another_cause(before, during):
    """Two factors for one feature: one outcome, with the one that fits better."""
    near = unit(1 / 59, fit=0.5, statement="delay x 59")
    found = [one for one in decided(before, during, near, unit()) if one.id == "D3"]
    assert [one.parameters["factor"] for one in found] == [pytest.approx(60)]


def test_repairs_of_different_rows_are_no_rivals(rng, before):
    clean = served(rng, 3000, window=INCIDENT)
    factor = np.select([clean.features["region"] == "us", clean.features["region"] == "eu"], [60.0, 0.01], 1.0)
    during = corrupted(clean, "delay", clean.features["delay"] * factor)
    other = repair_of("unit", "delay", times(100, value="eu"), region=Region("region", "eu"), statement="eu")
    found = [one for one in decided(before, during, unit(), other) if one.features]
    assert {one.scope: one.verdict for one in found} == {"region = us": "confirmed", "region = eu": "confirmed"}


def test_without_a_model_a_corruption_stays_untested(before, during):
    found = decided(before, during, unit(), models={})[0]
    assert (found.verdict, found.share) == ("not_tested", None)
    assert "no model file was handed over" in found.result


def test_what_moved_a_feature_farther_is_suspected_more_where_nothing_can_be_tested(rng, before):
    """A fit says how well a corruption describes a change, not how large the change is."""
    clean = served(rng, 3000, window=INCIDENT)
    during = clean.with_feature("noise", np.where(np.arange(3000) < 60, 9.0, clean.features["noise"]))
    during = during.with_feature("delay", during.features["delay"] * 60)
    little = repair_of("sentinel", "noise", times(1, "noise"), fit=0.95, statement="noise is 9")
    much = repair_of("unit", "delay", times(1 / 60), fit=0.7, statement="delay x 60")
    found = {one.features: one.confidence for one in decided(before, during, little, much, models={}) if one.features}
    assert found[("delay",)] > found[("noise",)] >= 0.1


def test_what_was_looked_for_and_not_found_is_refuted_and_what_was_not_looked_for_is_silent(before, during):
    looked_for = (*LOOKED_FOR, "M5")
    assert {one.id: one.verdict for one in decided(before, during)} == dict.fromkeys(looked_for, "refuted")
    assert list(decide_repairs(facts_of(before, during, repairs=None))) == []


def test_categories_that_trade_places_are_another_cause_than_new_names(rng, before):
    """Places traded among known names point to the model's codes, new names to the source."""
    clean = served(rng, 3000, window=INCIDENT)
    for names, id_ in (({"us": "eu", "eu": "us"}, "S3"), ({"us": "USA"}, "D4")):
        struck = np.array([names.get(v, v) for v in clean.features["region"]], dtype=object)
        back = {new: old for old, new in names.items()}

        def undo(sample, back=back):
            return sample.with_feature("region", np.array([back.get(v, v) for v in sample.features["region"]], object))

        facts = facts_of(before, corrupted(clean, "region", struck), repairs=[repair_of("remap", "region", undo)])
        assert next(iter(decide_repairs(facts))).id == id_


def test_every_kind_of_corruption_has_its_cause():
    """What the kinds' modules call themselves is known here."""
    import re
    from pathlib import Path

    import mortis.integrity.kinds

    folder = Path(mortis.integrity.kinds.__file__).parent
    text = "".join(file.read_text(encoding="utf-8") for file in folder.glob("*.py"))
    told = set(re.findall(r'Told\(\s*"(\w+)"', text)) | set(re.findall(r'"(\w+)" if constant else "(\w+)"', text)[0])
    assert told <= {*CAUSE_OF_KIND, *ELSEWHERE}
