"""Masks leave no digit, secret or address; a line matches its own template; counts of halves add up to the whole."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import add

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mortis.records import Window
from mortis.signals import masking
from mortis.signals.masking import mask
from mortis.signals.template_counts import MOST_SCOPES, Buckets, TemplateCounts, count_entries
from mortis.signals.templates import MOST_IN_LEAF, OTHER, WILDCARD, Templates, TemplateTree, merge_siblings, tokens_of
from mortis.sources.logs import LogEntry

PIECES = [
    "password=", "token: ", "Bearer ", "Basic ", "Authorization: ", "user=", "error: ", "column ", 'msg="', '"GET ',
    "/a/b", "1.2.3.4", "12:30:45", "2013-08-01", "http://", "@", "<num>", "<*>", "<path>", "eyJ", "sk-", " ", ",", "'",
]  # fmt: skip
lines = st.lists(
    st.one_of(
        st.text(max_size=6),
        st.text("0123456789abcdefABCxyz._-:/@=+,;'\"`<>[](){}\\? %~&!$#|*", max_size=12),
        st.sampled_from(PIECES),
    ),
    max_size=10,
).map("".join)
words = st.sampled_from(["model", "loaded", "started", "by", "anna", "bob", "v2", "17", "10.0.0.1", "a1b2c3d4", "/x/y"])
messages = st.lists(words, max_size=5).map(" ".join)

BEGINS = datetime(2013, 8, 1, tzinfo=UTC)
BUCKETS = Buckets(
    Window(BEGINS, BEGINS + timedelta(hours=6)), Window(BEGINS + timedelta(hours=6), BEGINS + timedelta(hours=8)), 3600
)


@given(lines)
def test_masking_again_changes_nothing_and_no_digit_is_left(line):
    masked = mask(line)
    assert mask(masked) == masked
    assert not re.search(r"\d", masked)
    assert masked == " ".join(masked.split())


SECRETS = {
    "anna.smith@example.com": "mail to <anna.smith@example.com>, please",
    "root": "login failed for root@localhost",
    "hunter": "password=hunter&next=/",
    "correct horse": 'password: "correct horse battery"',
    "hunter2": '{"user": "x", "password": "hunter2"}',
    "dXNlcjpwYXNz": "Authorization: Basic dXNlcjpwYXNz",
    "abcdef": "Authorization: Bearer abcdef",
    "opensesame": "got Bearer opensesame from client",
    "letmein": "access_token=letmein, retrying",
    "s3cr3t,too": "secret=s3cr3t,too",
    "swordfish": "connecting to postgresql://anna:swordfish@db/prod?sslmode=off",
    "Carla": "no passenger named 'Carla Jones' on board",
    "carla": "user=carla has left",
    "eyJhbGciOi": "header eyJhbGciOi.eyJzdWIiOiIxIn0.abc-def",
    "AbCdEfGhIj": "key sk-proj-AbCdEfGhIj expired",
    "IOSFODNN": "key AKIAIOSFODNN7EXAMPLE expired",
    "C7e42F292c": "pushed with ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "UmFuZG9tQmFzZTY": "blob UmFuZG9tQmFzZTY0U3RyaW5n9X2k1Q==",
    "170": "call +49 170 5550123",
    "10.1.2": "from 10.1.2.3:8080",
    "fe80": "from fe80::1ff:fe23:4567:890a%eth0",
    "4111": "card 4111-1111-1111-1111 refused",
    "/home/anna": "cannot open /home/anna/model.bin",
    "Users": r"cannot open C:\Users\anna\model.bin",
    "id=": "GET /predict?id=7&name=anna",
}


@pytest.mark.parametrize(("secret", "line"), SECRETS.items(), ids=SECRETS)
def test_personal_data_and_secrets_are_masked(secret, line):
    assert secret in line
    assert secret not in mask(line)


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ("blk_-1608999687919862906 terminating", "blk_<num> terminating"),
        ("Finished task 3.0 in stage 9.0 (TID 398).", "Finished task <num> in stage <num> (TID <num>)."),
        ('10.1.1.1,10.1.1.2 "GET /v2/54f/detail HTTP/1.1" 200', "<ip> GET <path> HTTP/<num> <num>"),
        ("took 12.5ms, 35%, -24 of 1,234.5", "took <num>ms, <num>%, <num> of <num>"),
        ("instance b9000564-fe1a-409b-b8cc-1e88b294cd1d up", "instance <uuid> up"),
        ("model v2.3.1 on node-7", "model v<num> on node-<num>"),
        ("KeyError: 'dep_delay'", "KeyError: dep_delay"),
        ("KeyError: 'anna'", "KeyError: <str>"),
        ("column 'distance' is missing", "column distance is missing"),
        ("can't find child", "can't find child"),
        ("std::vector<int> in java.lang.Object@1b2c3d", "std::vector<int> in java.lang.Object@<hex>"),
        ("2013-08-01T06:00:00.123Z 06:00:00 08/01/2013", "<time> <time> <time>"),
        ("hdfs://10.0.0.1:9000/a+1 at 0x7f3a", "<url> at <id>"),
    ],
)  # fmt: skip
def test_what_varies_is_masked_and_what_tells_lines_apart_stays(line, masked):
    assert mask(line) == masked


def test_words_kept_for_masking_are_bounded(monkeypatch):
    """Neither many words nor long ones fill the memory, and what comes out is the same."""
    monkeypatch.setattr(masking, "CACHED_WORDS", 50)
    long = "x" * 5_000
    for word in nonsense(2_000, 8):
        assert mask(f"{word} {long}") == f"{word} {long}"
    assert len(masking._words) <= 50
    assert max(map(len, masking._words)) <= masking.LONGEST_CACHED


def learned(texts, **options):
    """The tree that has learned the masked texts, and the number that it gave each."""
    tree = TemplateTree(**options)
    return tree, [tree.learn(tokens_of(mask(text))) for text in texts]


@given(st.lists(messages, max_size=40))
def test_a_line_matches_its_own_template(texts):
    """In the tree frozen: the template that it was given covers it, and so does the one that it matches."""
    tree, numbers = learned(texts)
    templates, final = tree.frozen()
    for text, number in zip(texts, numbers, strict=True):
        line = tokens_of(mask(text))
        for own in (templates.tokens[final[number]], templates.tokens[templates.match(line)]):
            assert all(mine in (WILDCARD, its) or mine[0] == its[0] == "<" for mine, its in zip(own, line, strict=True))


@given(st.lists(messages, max_size=30), st.lists(messages, max_size=10))
def test_a_match_is_the_covering_template_with_the_fewest_wildcards(texts, others):
    """As a plain loop over all templates finds it, for lines that were learned and for others."""
    templates, _ = learned(texts)[0].frozen()

    def covers(template, line):
        return len(template) == len(line) and all(
            mine in (WILDCARD, its) or (mine.startswith("<") and its.startswith("<"))
            for mine, its in zip(template, line, strict=True)
        )

    for text in (*texts, *others):
        line = tokens_of(mask(text))
        covering = [i for i, template in enumerate(templates.tokens) if covers(template, line)]
        best = min(covering, key=lambda i: (templates.tokens[i].count(WILDCARD), i), default=None)
        assert templates.match(line) == best


def test_names_early_in_a_line_become_one_wildcard():
    """Drain's tree branches by the first words; where ten templates differ in one of them alone, it is variable."""
    names = ("anna", "bob", "carla", "dmitri", "emeka", "fatima", "gao", "hanna", "ivan", "jun")
    templates, final = learned([f"{name} has left the building" for name in names])[0].frozen()
    assert templates.tokens == ((WILDCARD, "has", "left", "the", "building"),)
    assert set(final) == {0}
    few, _ = learned([f"{name} has left the building" for name in names[:9]])[0].frozen()
    assert len(few) == 9


def test_variable_words_in_two_places_are_merged_one_after_the_other():
    pairs = [(a, b, "joined") for a in "abc" for b in "xyz"]
    assert set(merge_siblings(pairs, fewest=3)) == {(WILDCARD, WILDCARD, "joined")}


def test_kinds_of_masks_are_one_when_lines_are_compared():
    """A hexadecimal number may happen to have no letter."""
    templates = Templates((("commit", "<hex>", "deployed"),))
    assert templates.match(("commit", "<num>", "deployed")) == 0
    assert templates.match(("commit", "main", "deployed")) is None


def nonsense(n, length):
    """That many random words of letters that no mask takes for a hash."""
    letters = np.random.default_rng(5).choice(list("ghijklmnop"), (n, length))
    return ["".join(row) for row in letters]


def test_templates_are_bounded_and_the_rest_is_told():
    """Free text behind the same first words ends in one leaf; different beginnings in OTHER when there are too many."""
    some = nonsense(5_000, 5)
    tree, numbers = learned(["user says: " + " ".join(some[i : i + 9]) for i in range(0, 4_500, 9)])
    assert len(tree) == MOST_IN_LEAF
    assert OTHER not in numbers
    tree, numbers = learned([" ".join(some[i : i + 5]) for i in range(0, 2_500, 5)], most=60)
    assert len(tree) == 60
    assert numbers.count(OTHER) > 300


def entries(texts, *, late=False, rng):
    """Entries of the messages with random times in a window and levels."""
    start, hours = (6 * 3600, 2) if late else (0, 6)
    return [
        LogEntry(
            int(BEGINS.timestamp()) + start + rng.randrange(hours * 3600),
            rng.choice(["", "INFO", "ERROR"]),
            text,
            rng.choice([(), (("service", "api"),), (("host", "a"), ("version", "v1"))]),
            i,
        )
        for i, text in enumerate(texts)
    ]


def counted(found, tree, *, late=False):
    """Counts by the frozen templates."""
    templates, _ = tree.frozen()
    number = {text: templates.match(tokens_of(mask(text))) for text in {entry.message for entry in found}}
    return count_entries(found, number.__getitem__, BUCKETS, file="app.log", in_incident=late)


@given(st.lists(messages, min_size=1, max_size=40), st.randoms(use_true_random=False), st.booleans())
def test_counts_of_parts_add_up_to_those_of_the_whole(texts, rng, late):
    """With the same frozen templates: any split, any order, and nothing added changes nothing."""
    tree, _ = learned(texts)
    found = entries(texts, late=late, rng=rng)
    whole = counted(found, tree, late=late)
    shuffled = rng.sample(found, len(found))
    cuts = sorted(rng.choices(range(len(found) + 1), k=3))
    parts = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(found)], strict=True)]
    assert reduce(add, (counted(part, tree, late=late) for part in parts), TemplateCounts()) == whole
    assert TemplateCounts() + whole == whole == whole + TemplateCounts()
    assert sum(int(n.sum()) for n in whole.rows.values()) == len(found) == sum(whole.places.values())


@given(st.lists(messages, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_counts_are_those_of_a_plain_loop(texts, rng):
    tree, _ = learned(texts)
    templates, _ = tree.frozen()
    found = [*entries(texts, rng=rng), *entries(texts, late=True, rng=rng)]
    expected = Counter(
        (templates.match(tokens_of(mask(e.message))), e.level, (e.seconds - int(BEGINS.timestamp())) // 3600)
        for e in found
    )
    whole = counted(found[: len(texts)], tree) + counted(found[len(texts) :], tree, late=True)
    cells = {(*row, i): n for row, lines in whole.rows.items() for i, n in enumerate(lines.tolist()) if n}
    assert cells == expected
    first = {
        number: min(e.seconds for e in found[len(texts) :] if templates.match(tokens_of(mask(e.message))) == number)
        for number in whole.firsts
    }
    assert {number: seconds for number, (seconds, *_) in whole.firsts.items()} == first


@given(st.lists(messages, min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_the_order_of_the_baselines_lines_changes_no_total(texts, rng):
    """Templates may differ in detail, the lines by level and bucket don't."""
    found = entries(texts, rng=rng)
    totals = []
    for order in (found, rng.sample(found, len(found))):
        tree, numbers = learned([entry.message for entry in order])
        _, final = tree.frozen()
        by_line = dict(zip(order, [final[number] for number in numbers], strict=True))
        counts = counted(order, tree)
        levels = {level for _, level in counts.rows}
        totals.append(
            {level: sum(n for (_, own), n in counts.rows.items() if own == level).tolist() for level in levels}
        )
        assert len(by_line) == len(order)
    assert totals[0] == totals[1]


def test_counts_of_different_buckets_are_not_added():
    with pytest.raises(ValueError, match="counts of 2 and of 3 buckets can't be added"):
        TemplateCounts(2) + TemplateCounts(3)


def test_numbers_that_become_one_are_added_up():
    rows = {(0, "INFO"): np.array([1, 2]), (1, "INFO"): np.array([3, 4]), (OTHER, ""): np.array([5, 0])}
    firsts = {0: (9, "b", 1), 1: (7, "a", 2)}
    merged = TemplateCounts(2, rows, {}, firsts).renumbered(lambda number: min(number, 0))
    assert {row: n.tolist() for row, n in merged.rows.items()} == {(0, "INFO"): [4, 6], (OTHER, ""): [5, 0]}
    assert merged.firsts == {0: (7, "a", 2)}


def test_scopes_kept_apart_are_bounded():
    """A file whose lines each state a host of their own counts the further ones as stating none."""
    start = int(BEGINS.timestamp())
    found = [LogEntry(start, "INFO", "up", (("host", f"h{i}"),), i) for i in range(MOST_SCOPES + 300)]
    counts = count_entries(found, lambda _: 0, BUCKETS, file="app.log", in_incident=False)
    assert len(counts.places) == MOST_SCOPES + 1
    assert counts.places[0, False, ("app.log", ())] == 300


@pytest.mark.parametrize(
    ("baseline", "incident", "seconds"),
    [
        (timedelta(days=60), timedelta(days=14), 43_200),
        (timedelta(days=7), timedelta(hours=6), 900),
        (timedelta(days=60), timedelta(hours=2), 900),
        (timedelta(hours=1), timedelta(minutes=5), 60),
        (timedelta(minutes=2), timedelta(seconds=30), 60),
    ],
)
def test_buckets_are_as_long_as_both_windows_allow(baseline, incident, seconds):
    """Two dozen in the shorter window where that doesn't make too many."""
    middle = BEGINS + baseline
    buckets = Buckets.over(Window(BEGINS, middle), Window(middle, middle + incident))
    assert buckets.seconds == seconds
    assert len(buckets) == -(-baseline // timedelta(seconds=seconds)) + -(-incident // timedelta(seconds=seconds))
