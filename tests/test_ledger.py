"""The ledger: what came too late or reached others never stands before what fits, and silence is told for itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mortis.causes.catalogue import catalogue
from mortis.changes import ranking
from mortis.changes.kinds import KINDS, LINKS, kinds_of
from mortis.changes.ledger import put_together
from mortis.changes.ranking import BELIEF, FITS, linked, rank_changes
from mortis.changes.review import period_of, review
from mortis.changes.scopes import Served, scope_fit
from mortis.records import Cause, Change, ChangedPart, Failure, Impact, Interval, Onset, Rate, Slice, Window
from mortis.sources.changes import ChangesRead
from mortis.sources.changes.paths import kind_of_path

LOW, BEST, HIGH = (datetime(2024, 5, 20, hour, tzinfo=UTC) for hour in (6, 7, 9))
ONSET = Onset(BEST, LOW, HIGH, "abrupt")
BASELINE = Window(datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 5, 15, tzinfo=UTC))
INCIDENT = Window(datetime(2024, 5, 15, tzinfo=UTC), datetime(2024, 5, 29, tzinfo=UTC))
ALL = Interval(0.97, 0.9, 1.04)
UNIT = Cause("D3", "Unit", "confirmed", 0.95, features=("distance",), scope="region = east", share_of_drop=ALL)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def change(id_="events.1", kind="deploy", at=LOW, summary="roll out", **other):
    return Change(id_, kind, at, summary, **other)


def ranked(*changes, onset=ONSET, causes=(UNIT,), **other):
    ledger = rank_changes(changes, onset=onset, causes=causes, **other)
    return {one.id: one for one in ledger.changes}


def test_what_names_the_very_part_of_a_cause_comes_before_what_came_with_it():
    parts = Cause("M5", "Incompatible parts", "supported", 0.7, features=("similarity",), share_of_drop=ALL)
    encoder = change("events.2", summary="encoder 2.0 for requests; items stay as they are indexed")
    found = ranked(change("events.1", summary="shorter subject lines"), encoder, causes=(parts,))
    assert next(iter(found)) == "events.2"
    assert "it names encoder" in found["events.2"].verdict


IDS = st.sampled_from(
    ["events.1", "events.2", "events.3", "git.1a2b3c4", "git.5d6e7f8", "git.v1", "schema.1", "config.1"]
)
TIMES = st.none() | st.timedeltas(-30 * DAY, 20 * DAY).map(lambda gap: BEST + gap)
SCOPES = st.dictionaries(
    st.sampled_from(["region", "service", "version", "env"]),
    st.sampled_from(["east", "west", "v1", "v2", "billing", "staging", "production"]),
    max_size=2,
)
SUMMARIES = st.sampled_from(
    ["roll out 1a2b3c4", "deploy v1 to all", "revert 1a2b3c4", "distance in km", "flag", "update docs", "east only"]
)
PARTS = st.lists(
    st.builds(
        ChangedPart,
        st.sampled_from(["distance (unit)", "commit", "model.threshold"]),
        st.none() | st.just("miles"),
        st.sampled_from(["km", "1a2b3c4"]),
    ),
    max_size=2,
).map(tuple)
CHANGES = st.builds(
    Change,
    id=IDS,
    kind=st.sampled_from([*sorted(KINDS), "code, config", "feature flag", "moon phase", ""]),
    time=TIMES,
    summary=SUMMARIES,
    scope=SCOPES,
    parts=PARTS,
    source=st.sampled_from(["repo", "deploys.csv", "other.csv"]),
)
CAUSES = st.lists(
    st.builds(
        Cause,
        id=st.sampled_from([*catalogue(), "unknown"]),
        name=st.just("name"),
        verdict=st.sampled_from(["confirmed", "supported", "inconclusive", "refuted", "not_tested"]),
        confidence=st.just(0.5),
        features=st.sampled_from([(), ("distance",)]),
        scope=st.sampled_from(["", "region = east", "(version) = v2"]),
    ),
    max_size=4,
)
HITS = st.lists(SCOPES, max_size=2)
ONSETS = st.none() | st.builds(
    lambda start, before, after, recovered: Onset(
        start, start - before, start + after, "gradual", start + recovered if recovered else None
    ),
    st.timedeltas(-DAY, DAY).map(lambda gap: BEST + gap),
    st.timedeltas(timedelta(0), 2 * DAY),
    st.timedeltas(timedelta(0), 2 * DAY),
    st.none() | st.timedeltas(timedelta(0), 5 * DAY),
)
WORLDS = {"onset": ONSETS, "hit": HITS, "causes": CAUSES, "baseline": st.none() | st.just(BASELINE)}


class TestLaws:
    @given(st.lists(CHANGES, max_size=8), st.fixed_dictionaries(WORLDS))
    def test_every_change_gets_a_ranking_in_0_to_1_and_a_verdict_that_agrees(self, changes, world):
        ledger = rank_changes(changes, **world)
        assert all(0 <= one.ranking <= 1 for one in ledger.changes)
        assert [one.ranking for one in ledger.changes] == sorted((one.ranking for one in ledger.changes), reverse=True)
        words = {one.verdict.partition(": ")[0] for one in ledger.changes}
        assert words <= {"fits", "possible", "unlikely", "refuted"}
        assert {one.id for one in ledger.changes if one.verdict.startswith("fits: ")} == set(ledger.fitting)
        assert all((one.ranking == 0) == one.verdict.startswith("refuted: ") for one in ledger.changes)
        assert len({one.id for one in ledger.changes}) == len(ledger.changes)

    @given(st.lists(CHANGES, max_size=8), st.fixed_dictionaries(WORLDS), st.randoms(use_true_random=False))
    def test_the_order_in_which_changes_are_handed_over_makes_no_difference(self, changes, world, dice):
        shuffled = list(changes)
        dice.shuffle(shuffled)
        assert rank_changes(changes, **world) == rank_changes(shuffled, **world)

    @given(
        CHANGES,
        st.fixed_dictionaries(WORLDS | {"onset": ONSETS.filter(bool)}),
        st.timedeltas(timedelta(seconds=1), 9 * DAY),
    )
    def test_what_came_after_the_onset_never_ranks_above_its_like_inside(self, one, world, late):
        onset = world["onset"]
        inside, after = (
            rank_changes([replace(one, time=time)], **world).changes[0] for time in (onset.high, onset.high + late)
        )
        assert after.ranking == 0 <= inside.ranking
        assert after.verdict.startswith("refuted: came ")

    @given(
        CHANGES,
        st.fixed_dictionaries(WORLDS | {"onset": ONSETS.filter(bool)}),
        st.tuples(st.floats(0, 10), st.floats(0, 10)),
    )
    def test_of_two_alike_the_one_nearer_to_the_onset_ranks_no_lower(self, one, world, days):
        near, far = sorted(days)
        world |= {"baseline": None}
        low = world["onset"].low
        first, second = (rank_changes([replace(one, time=low - gap * DAY)], **world).changes[0] for gap in (near, far))
        assert first.ranking >= second.ranking

    @given(
        st.lists(CHANGES, max_size=8),
        st.fixed_dictionaries(WORLDS),
        st.dictionaries(st.just("region"), st.just("west"), min_size=1),
    )
    def test_a_scope_that_contradicts_all_who_were_hit_is_refuted(self, changes, world, scope):
        world |= {"hit": [{"region": "east"}, {"region": "north", "device": "ios"}], "causes": ()}
        for one in rank_changes([replace(one, scope=scope) for one in changes], **world).changes:
            assert one.verdict.startswith("refuted: ")

    @given(st.lists(CHANGES, max_size=8))
    def test_put_together_is_done_once_and_loses_nothing(self, changes):
        """What is put together stays as it is; every part, source and kind is still there."""
        together = put_together(changes)
        assert put_together(together) == together
        assert {part for one in changes for part in one.parts} == {part for one in together for part in one.parts}
        assert {one.source for one in changes} == {source for one in together for source in one.source.split("; ")}
        assert [one.time is None for one in together] == sorted(one.time is None for one in together)
        timed = [one.time for one in together if one.time]
        assert timed == sorted(timed)


class TestTime:
    @pytest.mark.parametrize(
        ("at", "said"),
        [
            (LOW, "came inside the onset's interval"),
            (HIGH, "came inside the onset's interval"),
            (BEST + HOUR, "came inside the onset's interval"),
            (LOW - timedelta(minutes=20), "came 20 minutes before the onset's interval"),
            (HIGH + 3 * DAY, "refuted: came 3 days after the onset's interval"),
            (HIGH + timedelta(seconds=1), "refuted: came less than a minute after the onset's interval"),
            (BASELINE.start - 2 * DAY, "refuted: came 2 days before the baseline, which was served with it"),
            (None, "nobody recorded when it came"),
            (LOW.replace(hour=0), "may have come inside the onset's interval, as no more than its day is recorded"),
            (LOW.replace(hour=0) - DAY, "came 1 day before the onset's interval"),
            (LOW.replace(hour=0) + DAY, "refuted: came 15 hours after the onset's interval"),
        ],
    )
    def test_the_verdict_tells_the_time_against_the_interval(self, at, said):
        assert said in ranked(change(at=at), baseline=BASELINE)["events.1"].verdict

    def test_a_change_where_the_metric_recovered_may_be_the_remedy(self):
        onset = replace(ONSET, recovered=HIGH + 2 * DAY)
        found = ranked(change("events.1", at=HIGH + 2 * DAY), change("events.2", at=HIGH + DAY), onset=onset)
        assert found["events.1"].verdict.endswith("so it may be what mended it")
        assert "mended" not in found["events.2"].verdict

    def test_without_an_onset_no_time_is_held_against_a_change(self):
        (one,) = ranked(change(at=HIGH + 9 * DAY), onset=None).values()
        assert "no onset is known" in one.verdict
        assert one.ranking > 0


class TestScope:
    def test_an_innocent_deploy_shortly_before_the_onset_is_refuted_by_its_scope(self):
        innocent = change("events.1", at=LOW - 2 * HOUR, scope={"region": "west", "service": "arrivals"})
        causal = change("events.2", "schema", at=BEST, summary="distances in km", scope={"region": "east"})
        found = ranked(innocent, causal)
        assert found["events.1"].verdict == (
            "refuted: came 2 hours before the onset's interval, but its scope is region = west and service = arrivals, "
            "and the failure is where region = east"
        )
        assert found["events.2"].verdict.startswith("fits: ")
        assert found["events.2"].ranking == 1.0

    def test_another_service_is_refuted_where_it_is_known_to_stand_apart(self):
        model = Served("arrivals", {"service": {"Billing", "login"}})
        fits = {
            name: scope_fit({"service": name}, [{"region": "east"}], model=model).reach
            for name in ("billing", "billing, login", "weather-feed", "arrivals", "Arrivals, billing")
        }
        assert fits == {
            "billing": "elsewhere",
            "billing, login": "elsewhere",
            "weather-feed": "not comparable",
            "arrivals": "hit",
            "Arrivals, billing": "hit",
        }

    @pytest.mark.parametrize(
        ("scope", "hit", "reach"),
        [
            ({}, [{"region": "east"}], "not stated"),
            ({"env": "production"}, [{"region": "east"}], "not stated"),
            ({"environment": "staging"}, [], "elsewhere"),
            ({"Dest Region": "East"}, [{"dest_region": "east"}], "hit"),
            ({"region": "east, west"}, [{"region": "west"}], "hit"),
            ({"region": "us-*"}, [{"region": "us-east-1"}], "hit"),
            ({"region": "us-*"}, [{"region": "eu-west-1"}], "elsewhere"),
            ({"version": "v2"}, [{"(version)": "v2"}], "hit"),
            ({"model_version": "v1"}, [{"version": "v2"}], "elsewhere"),
            ({"region": "west"}, [{"region": "east"}, {"carrier": "UA"}], "not comparable"),
            ({"region": "west"}, [{"region": "east"}, {"region": "west"}], "hit"),
            ({"region": "west", "service": "x"}, [{"region": "east"}], "elsewhere"),
            ({"distance": "100"}, [{"distance": ">= 60"}], "not comparable"),
            ({"region": "west"}, [], "not comparable"),
            ({"region": "west"}, [{}], "not comparable"),
            ({"airport": "ewr"}, [{"origin": "EWR", "delay": ">= 34"}], "hit"),
            ({"airport": "LGA"}, [{"origin": "EWR"}], "not comparable"),
            ({"shard": "7"}, [{"hour": "7"}], "not comparable"),
        ],
    )
    def test_a_scope_is_held_against_each_group_that_was_hit(self, scope, hit, reach):
        assert scope_fit(scope, hit).reach == reach

    @pytest.mark.parametrize(
        ("scope", "reach"),
        [
            ({"service": "arrivals-api"}, "hit"),
            ({"service": "arrivals", "version": "1.4.2"}, "hit"),
            ({"service": "arrivals", "region": "west"}, "not comparable"),
            ({"version": "1.4.2"}, "not comparable"),
        ],
    )
    def test_a_scope_is_the_models_own_where_nothing_else_narrows_it(self, scope, reach):
        assert scope_fit(scope, [{"carrier": "UA"}], model=Served("arrivals")).reach == reach

    def test_contradicting_the_slices_or_the_causes_is_enough(self):
        """Both describe the same failure; a column of the one must not excuse what the other rules out."""
        one = change(scope={"region": "LGA", "service": "arrivals"})
        found = ranked(
            one, hit=[{"region": "EWR"}], causes=[replace(UNIT, scope="origin = EWR")], model=Served("arrivals")
        )
        assert found["events.1"].verdict.endswith("and the failure is where region = EWR")
        found = ranked(
            one, hit=[{"carrier": "UA"}], causes=[replace(UNIT, scope="region = EWR")], model=Served("arrivals")
        )
        assert found["events.1"].verdict.startswith("refuted: ")

    def test_whom_a_standing_cause_hit_counts_and_whom_a_refuted_one_hit_does_not(self):
        one = change(scope={"version": "v1"})
        served = Cause("M1", "", "confirmed", 0.95, parameters={"version": "v2", "replaced": "v1"})
        assert ranked(one, causes=[served])["events.1"].verdict.startswith("refuted: ")
        assert not ranked(one, causes=[replace(served, verdict="refuted")])["events.1"].verdict.startswith("refuted: ")


class TestKind:
    def test_links_name_causes_of_the_catalogue_and_known_kinds_with_a_reason(self):
        assert set(LINKS) <= set(catalogue())
        for by_kind in LINKS.values():
            for kind, link in by_kind.items():
                assert kind in KINDS
                assert 0.5 <= link.weight <= 1
                assert link.reason

    def test_every_cause_that_somebody_brings_about_has_a_kind(self):
        """What needs no change: a changed relation's own drift, seasons, and ordinary variation."""
        assert set(catalogue()) - set(LINKS) == {"W3", "E5"}

    def test_every_kind_that_a_path_makes_is_known(self):
        paths = (
            "a.py",
            "a.sql",
            "a.yaml",
            "a.lock",
            "a.onnx",
            "Dockerfile",
            "a.tf",
            "a.md",
            "tests/a",
            "a.csv",
            "helm/a",
        )
        assert {kind_of_path(path) for path in paths} <= KINDS

    @pytest.mark.parametrize(
        ("stated", "kinds"),
        [
            ("code, config", ("code", "config")),
            ("Deployment", ("deploy",)),
            ("feature-flag", ("config",)),
            ("GPU driver", ("hardware", "environment")),
            ("moon phase", ()),
        ],
    )
    def test_peoples_words_for_kinds_are_known(self, stated, kinds):
        assert kinds_of(stated) == kinds

    def test_the_causal_kind_ranks_above_others_that_came_at_the_same_time(self):
        kinds = ("schema", "hardware", "dependency", "docs", "moon phase", "deploy", "label")
        found = ranked(*(change(f"events.{i}", kind, at=LOW) for i, kind in enumerate(kinds)), causes=[UNIT])
        order = [one.kind for one in found.values()]
        assert order[:3] == ["schema", "deploy", "moon phase"]
        refuted = {one.kind: one.verdict for one in found.values() if one.ranking == 0}
        assert refuted.keys() == {"hardware", "dependency", "docs", "label"}
        assert refuted["hardware"].endswith("but a change of hardware doesn't bring about D3")
        assert "D3 is confirmed, and the schema states units" in found["events.0"].verdict

    @pytest.mark.parametrize("verdict", ["supported", "inconclusive"])
    def test_a_kind_is_not_refuted_by_a_cause_that_is_not_confirmed(self, verdict):
        found = ranked(change("events.1", "hardware", at=LOW), causes=[replace(UNIT, verdict=verdict)])
        assert found["events.1"].ranking > 0

    def test_a_kind_is_not_refuted_where_much_of_the_drop_is_unexplained_or_another_cause_is_open(self):
        part = replace(UNIT, share_of_drop=Interval(0.4, 0.3, 0.5))
        open_one = Cause("H2", "Accelerator", "inconclusive", 0.3)
        for causes in ([part], [UNIT, open_one]):
            assert ranked(change("events.1", "hardware", at=LOW), causes=causes)["events.1"].ranking > 0

    def test_what_names_the_feature_is_not_refuted_by_its_kind(self):
        found = ranked(change("events.1", "hardware", at=LOW, summary="distance from a new sensor"), causes=[UNIT])
        assert found["events.1"].ranking > 0

    def test_a_causal_change_some_days_old_stands_before_one_of_the_wrong_kind_without_a_scope(self):
        found = ranked(change("events.1", "schema", at=LOW - 3 * DAY), change("events.2", "hardware", at=LOW))
        assert list(found) == ["events.1", "events.2"]

    @pytest.mark.parametrize(
        ("id_", "kind"),
        [("P1", "dependency"), ("M3", "config"), ("H2", "environment"), ("M1", "model"), ("D4", "schema")],
    )
    def test_each_cause_looks_for_its_own_kinds(self, id_, kind):
        causes = [Cause(id_, "", "confirmed", 0.95)]
        found = ranked(*(change(f"events.{i}", one) for i, one in enumerate(sorted(KINDS))), causes=causes)
        best = max(one.ranking for one in found.values())
        assert next(one for one in found.values() if one.kind == kind).ranking == best

    def test_a_schema_that_differs_in_other_columns_alone_did_not_bring_it_about(self):
        """The pair of files lists every column that differs; a record without columns, or of a word of it, may have."""
        gate, metres = ChangedPart("gate", None, "string"), ChangedPart("distance (unit)", "miles", "metres")
        changes = [
            change("schema.1", "schema", at=LOW, parts=(gate,)),
            change("schema.2", "schema", at=LOW, parts=(gate, metres)),
            change("schema.3", "schema", at=LOW, parts=(ChangedPart("distance_flown", "int", "float"),)),
            change("events.1", "schema", at=LOW),
            change("git.1a2b3c4", "schema", at=LOW, parts=(ChangedPart("schemas/boards.json", "1a", "2b"),)),
        ]
        found = ranked(*changes)
        assert found["schema.1"].verdict.endswith("it alters gate, and D3 is of distance")
        assert found["schema.1"].ranking < min(one.ranking for id_, one in found.items() if id_ != "schema.1")
        (cause,) = linked([UNIT], rank_changes(changes, onset=ONSET, causes=[UNIT]))
        assert "schema.2" in cause.changes
        assert "schema.1" not in cause.changes

    def test_the_less_a_cause_is_believed_the_less_its_kinds_count(self):
        by_belief = {
            verdict: ranked(change(kind="schema"), causes=[replace(UNIT, verdict=verdict, scope="")])[
                "events.1"
            ].ranking
            for verdict in BELIEF
        }
        assert by_belief["confirmed"] > by_belief["supported"] > by_belief["inconclusive"]


class TestNames:
    @pytest.mark.parametrize(
        ("summary", "changed"),
        [
            ("Distance in km", ()),
            ("new feed", (ChangedPart("distance (unit)", "miles", "km"),)),
            ("new feed", (ChangedPart("column 3 renamed (a guess)", "dist", "distance"),)),
            ("useDistanceInKm", ()),
        ],
    )
    def test_a_change_that_names_the_feature_ranks_higher(self, summary, changed):
        plain = change("events.1", summary="new feed")
        naming = change("events.2", summary=summary, parts=changed)
        found = ranked(plain, naming)
        assert found["events.2"].ranking > found["events.1"].ranking
        assert found["events.2"].verdict.endswith("it names distance")

    def test_a_part_of_a_word_names_nothing(self):
        found = ranked(change(summary="distanced and outdistance"))
        assert "it names" not in found["events.1"].verdict

    def test_a_value_that_was_hit_is_a_name_but_a_number_is_none(self):
        found = ranked(
            change("events.1", summary="EWR is moved"),
            change("events.2", summary="1 is moved"),
            causes=(),
            hit=[{"origin": "EWR"}, {"flag": "1"}],
        )
        assert "it names EWR" in found["events.1"].verdict
        assert "it names" not in found["events.2"].verdict


COMMIT = change(
    "git.1a2b3c4",
    "code",
    LOW - 9 * HOUR,
    "Distances in km (Anna; 1 file)",
    parts=(ChangedPart("feed.py", "a", "b"),),
    source="repo",
)
TAG = change(
    "git.v1.4", "deploy", LOW - 9 * HOUR, "tag v1.4", parts=(ChangedPart("commit", None, "1a2b3c4"),), source="repo"
)


class TestTogether:
    def test_a_deploy_that_names_a_commit_or_its_tag_takes_it_live(self):
        for summary in ("feed to 1a2b3c4", "feed v1.4", "feed (commit 1a2b3c4d5e6f)"):
            deploy = change("events.1", at=LOW, summary=summary, source="deploys.csv", scope={"region": "east"})
            (one,) = put_together([COMMIT, TAG, deploy][:: -1 if "v1.4" in summary else 1])
            assert (one.id, one.time, one.scope) == ("events.1", LOW, {"region": "east"})
            assert one.kind == "deploy, code"
            assert "git.1a2b3c4: Distances in km" in one.summary
            assert set(one.parts) == {*COMMIT.parts, *TAG.parts}
            assert one.source == "deploys.csv; repo"

    def test_a_tag_on_a_commit_is_one_thing_with_it_only_if_set_at_once(self):
        (one,) = put_together([TAG, COMMIT])
        assert (one.id, one.kind) == ("git.v1.4", "deploy, code")
        late = replace(TAG, time=COMMIT.time + 2 * DAY)
        assert [one.id for one in put_together([late, COMMIT])] == ["git.1a2b3c4", "git.v1.4"]

    def test_a_commit_that_two_deploys_name_was_taken_live_by_both(self):
        east, west = (
            change(f"events.{i}", at=LOW + i * DAY, summary=f"1a2b3c4 to {to}") for i, to in enumerate(("east", "west"))
        )
        together = put_together([west, COMMIT, east])
        assert [one.id for one in together] == ["events.0", "events.1"]
        assert all("Distances in km" in one.summary for one in together)

    @pytest.mark.parametrize(
        "deploy",
        [
            change(at=LOW, summary="revert 1a2b3c4"),
            change(at=LOW, summary="roll back to v1.4"),
            change(at=COMMIT.time - 2 * HOUR, summary="deploy 1a2b3c4"),
            change(at=None, summary="deploy 1a2b3c4"),
            change(at=LOW, summary="deploy 1a2b3c"),
            change(at=LOW, summary="deploy 1a2b3c5d"),
            change(at=LOW, summary="deploy v1.40"),
        ],
    )
    def test_what_takes_back_came_before_or_names_another_stands_beside(self, deploy):
        assert deploy.id in {one.id for one in put_together([deploy, COMMIT, TAG])}
        assert any(one.id.startswith("git") for one in put_together([deploy, COMMIT, TAG]))

    def test_what_two_sources_tell_alike_within_minutes_is_one(self):
        one = change("events.7", at=LOW, source="a.csv")
        again = change("events2.3", at=LOW + timedelta(minutes=4), source="b.csv")
        (kept,) = put_together([again, one])
        assert (kept.id, kept.time, kept.source) == ("events.7", LOW, "a.csv; b.csv")
        assert len(put_together([one, replace(again, time=LOW + HOUR)])) == 2
        assert len(put_together([one, replace(again, scope={"region": "east"})])) == 2

    def test_ids_that_two_sources_share_are_told_apart(self):
        ids = [one.id for one in put_together([change(summary="a"), change(summary="b"), change(summary="c")])]
        assert ids == ["events.1", "events.1-2", "events.1-3"]


class TestStatement:
    def test_where_nothing_fits_it_says_why_and_what_was_not_handed_over(self):
        ledger = rank_changes(
            [
                change("events.1", at=HIGH + DAY),
                change("events.2", at=HIGH + 2 * DAY),
                change("events.3", scope={"region": "west"}),
                change("events.4", "docs"),
            ],
            onset=ONSET,
            causes=[UNIT],
            unrecorded=["dependency files", "configuration"],
        )
        assert ledger.fitting == ()
        assert ledger.statement == (
            "4 changes are on record, and none fits the failure (2 came after the onset, 1 reached others than those "
            "hit, 1 can't bring about what is confirmed); not on record: dependency files, configuration"
        )

    def test_a_lead_is_named_where_nothing_fits_but_something_may(self):
        ledger = rank_changes([change("events.1", "code", summary="tidy up")], onset=ONSET, causes=[UNIT])
        assert ledger.statement == (
            "1 change is on record, and none fits the failure (1 possible); the first to look at is events.1 (tidy up)"
        )

    def test_without_any_change_it_names_what_was_not_handed_over(self):
        assert rank_changes([], onset=ONSET, unrecorded=["data schemas"]).statement == (
            "no change is on record; not on record: data schemas"
        )

    def test_a_cause_that_needs_no_change_is_named(self):
        season = Cause("W3", "", "supported", 0.8)
        assert "; W3 needs none" in rank_changes([change(at=HIGH + DAY)], onset=ONSET, causes=[season]).statement

    def test_the_best_is_named_where_one_fits(self):
        ledger = rank_changes([change("schema.1", "schema", summary="distance in km")], onset=ONSET, causes=[UNIT])
        assert ledger.statement == "1 change is on record, 1 fits the failure, best schema.1 (distance in km)"

    def test_a_cause_bears_the_changes_that_fit_it(self):
        fitting = change("schema.1", "schema", summary="distance in km", scope={"region": "east"})
        ledger = rank_changes([fitting, change("events.1", "hardware")], onset=ONSET, causes=[UNIT])
        other = Cause("E2", "", "refuted", 0.05)
        assert [one.changes for one in linked([UNIT, other], ledger)] == [("schema.1",), ()]


class TestReview:
    def failure(self, verdict="failure", onset=ONSET):
        figure = Interval(0.9, 0.88, 0.92, 1000)
        return Failure(
            verdict=verdict,
            metric="precision",
            kind="quality",
            baseline=figure,
            incident=figure,
            shift=figure,
            onset=onset,
            impact=Impact(100, figure),
            label_maturity=None,
            reason="",
            definition="",
            error_means="",
            better="up",
            baseline_window=BASELINE,
            incident_window=INCIDENT,
            detected_at=INCIDENT.end + DAY,
            bucket_seconds=3600,
        )

    def test_the_period_reaches_from_the_baseline_until_it_was_noticed(self):
        assert period_of(self.failure()) == Window(BASELINE.start, INCIDENT.end + DAY)

    def test_confirmed_slices_say_who_was_hit(self):
        confirmed = Slice({"region": "east"}, "", Rate(), Rate(), Interval(0, 0, 0), 1, 1, 0.01, True)
        read = ChangesRead((change(scope={"region": "west"}),), ("a note",), ("configuration",))
        found = review(read, self.failure(), slices=[confirmed])
        assert found.ledger.changes[0].verdict.startswith("refuted: ")
        unconfirmed = review(read, self.failure(), slices=[replace(confirmed, held_out=False)])
        assert not unconfirmed.ledger.changes[0].verdict.startswith("refuted: ")
        assert [one.id for one in found.evidence] == ["changes.ledger", "changes.sources"]
        assert "configuration" in found.not_checked[0].what

    def test_where_nothing_failed_nothing_is_ranked(self):
        found = review(ChangesRead((change(),), (), ()), self.failure("no_failure", None))
        assert found.ledger.statement == "1 change is on record; none was ranked, as no failure was found"
        assert [(one.ranking, one.verdict) for one in found.ledger.changes] == [(0.0, "")]
        assert found.not_checked == ()


def test_thresholds_are_in_order():
    """A change of the right kind inside the interval fits though it names nothing; one of the wrong kind never does."""
    inside = ranking.REACHED["not stated"] * ranking.NAMES_NOTHING
    assert inside * BELIEF["supported"] >= FITS > inside * ranking.KIND_UNDECIDED
    assert ranking.KIND_UNFIT < FITS
