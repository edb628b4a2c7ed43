"""The document in every format: complete, small enough, honest, and deaf to what its data try."""

from __future__ import annotations

import base64
import hashlib
import html as html_text
import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any, get_args

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from example_postmortem import (
    HOSTILE,
    NAN,
    SCRIPT,
    bare,
    enormous,
    example,
    healthy,
    latency,
    presentable,
    unknown,
    untellable,
)
from mortis import records
from mortis.document import (
    FORMATS,
    as_data,
    as_html,
    as_json,
    as_markdown,
    formats,
    notebook_frame,
    postmortem_schema,
    render,
)
from mortis.document.html import MOST_BYTES, _asset
from mortis.document.limits import LEVELS
from mortis.document.markdown import code, prose
from mortis.document.svg import clean
from mortis.document.wording import headline, summary
from mortis.problems import InputProblem
from mortis.records import Cause, Evidence, Interval, Postmortem

CASES: list[Callable[[], Postmortem]] = [example, presentable, bare, unknown, healthy, untellable, latency]
BRIEF = replace(bare().failure, series=())
VALIDATOR = jsonschema.Draft202012Validator(postmortem_schema())
LITERALS = {
    word for name in dir(records) if get_args(getattr(records, name)) for word in get_args(getattr(records, name))
} | {"new", "surged", "gone", "up", "down", "before", "with", "after"}

# The keys of postmortem.json that scripts read, as the project promises them.
PROMISED: dict[str, Any] = {
    "schema_version": None,
    "case": {"title": None, "model": None, "inputs": [{"path": None, "rows": None, "fingerprint": None}]},
    "failure": {
        "verdict": None,
        "metric": None,
        "kind": None,
        "baseline": {"value": None, "low": None, "high": None, "n": None},
        "incident": {"value": None, "low": None, "high": None, "n": None},
        "onset": {"best": None, "low": None, "high": None, "shape": None},
        "impact": {"predictions": None, "excess_errors": {"value": None, "low": None, "high": None}},
        "label_maturity": None,
    },
    "causes": [
        {
            "id": None,
            "name": None,
            "verdict": None,
            "confidence": None,
            "features": None,
            "parameters": None,
            "scope": None,
            "changes": None,
            "share_of_drop": {"value": None, "low": None, "high": None},
            "evidence_for": None,
            "evidence_against": None,
            "test": {"name": None, "result": None},
        }
    ],
    "unexplained_share": {"value": None, "low": None, "high": None},
    "answer": None,
    "signals": [{"name": None, "score": None, "onset": None, "direction": None, "order": None}],
    "log_templates": [{"template": None, "class": None, "baseline": None, "incident": None, "q": None}],
    "changes": [{"id": None, "kind": None, "time": None, "summary": None, "ranking": None, "verdict": None}],
    "slices": [
        {
            "conditions": None,
            "query": None,
            "baseline": {"errors": None, "n": None},
            "incident": {"errors": None, "n": None},
            "contribution": None,
            "score": None,
            "q": None,
            "held_out": None,
        }
    ],
    "evidence": [{"id": None, "question": None, "statement": None, "status": None, "query": None}],
    "actions": [{"title": None, "type": None, "addresses": None, "acceptance": None}],
    "guards": [
        {"id": None, "check": None, "fails_on_incident": None, "passes_on_baseline": None, "false_alarm_rate": None}
    ],
    "not_checked": [{"what": None, "why": None, "needs": None}],
}


class Page(HTMLParser):
    """A page's tags, attributes and text as a browser's parser sees them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)

    def values(self, attribute: str) -> list[str]:
        return [value or "" for _, attributes in self.tags if (value := attributes.get(attribute)) is not None]

    @property
    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(tag, tuple(attributes)) for tag, attributes in self.tags]

    @property
    def text(self) -> str:
        return squeezed("".join(self.texts))


def squeezed(text: str) -> str:
    return " ".join(text.replace("\u2068", "").replace("\u2069", "").split())


def with_text(value: Any, text: str) -> Any:
    """A copy of the record in which every free text is replaced."""
    if isinstance(value, str):
        return value if value in LITERALS else text
    if isinstance(value, tuple):
        return tuple(with_text(item, text) for item in value)
    if isinstance(value, dict):
        return {f"{text}{i}": with_text(item, text) for i, item in enumerate(value.values())}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: with_text(getattr(value, f.name), text) for f in fields(value)})
    return value


def missing(promise: Any, found: Any, path: str = "") -> list[str]:
    """The promised keys that are not there."""
    if isinstance(promise, dict):
        if not isinstance(found, dict):
            return [path]
        absent = [f"{path}.{key}" for key in promise if key not in found]
        return absent + [
            gap for key in promise if key in found for gap in missing(promise[key], found[key], f"{path}.{key}")
        ]
    if isinstance(promise, list):
        return [gap for item in found[:1] for gap in missing(promise[0], item, f"{path}[]")]
    return []


# JSON


@pytest.mark.parametrize("case", CASES)
def test_json_keeps_to_its_schema(case):
    """Every postmortem.json validates against the schema that `mortis schema postmortem` prints."""
    data = json.loads(as_json(case()))
    jsonschema.validate(data, postmortem_schema(), format_checker=jsonschema.FormatChecker())


def test_the_schema_is_a_schema_and_says_no():
    """It is valid itself, and refuses a document without its keys or with a wrong verdict."""
    jsonschema.Draft202012Validator.check_schema(postmortem_schema())
    data = json.loads(as_json(example()))
    for spoilt in ({**data, "answer": "perhaps"}, {key: data[key] for key in data if key != "failure"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(spoilt, postmortem_schema())


def test_json_has_the_promised_keys():
    """Scripts find every key that was promised to them."""
    assert missing(PROMISED, json.loads(as_json(example()))) == []


@pytest.mark.parametrize("case", CASES)
def test_json_is_read_and_written_again_alike(case):
    """Reading and writing changes nothing, the order of keys included; the same document gives the same text."""
    text = as_json(case())
    assert json.dumps(json.loads(text), ensure_ascii=False, indent=2) + "\n" == text
    assert as_json(case()) == text
    text.encode()


@given(st.floats(), st.floats(), st.integers(0, 10**12))
def test_json_never_holds_what_is_no_number(value, low, n):
    """NaN and infinity are null; any other float comes back exactly."""
    text = as_json(replace(bare(), failure=BRIEF, unexplained_share=Interval(value, low, NAN, n)))
    back = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} in JSON"))["unexplained_share"]
    assert back["value"] == (value if math.isfinite(value) else None)
    assert back["high"] is None
    VALIDATOR.validate(json.loads(text))


def test_json_takes_numpy_numbers():
    """Figures that are still NumPy's are written as numbers."""
    data = as_data(Interval(np.float64(0.5), np.float64("nan"), np.float32(1), np.int64(7)))  # type: ignore[arg-type]
    assert json.dumps(data) == '{"value": 0.5, "low": null, "high": 1.0, "n": 7}'


def test_times_in_json_are_rfc_3339_in_utc():
    """A moment has a date, a clock and Z, at midnight too."""
    assert json.loads(as_json(example()))["failure"]["onset"]["best"] == "2013-08-01T00:00:00Z"


# HTML


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_changes_the_page(text):
    """With any text in place of every other, the page has the same elements with the same attributes."""
    tame, wild = Page(as_html(with_text(example(), "tame"))), Page(as_html(with_text(example(), text)))
    assert wild.shape == tame.shape


@pytest.mark.parametrize("text", [text for text in HOSTILE if len(text) < 200])
def test_hostile_text_is_still_readable(text):
    """It stands on the page letter for letter, save signs that no document may hold."""
    assert squeezed(clean(text)) in Page(as_html(with_text(example(), text))).text


@pytest.mark.parametrize("case", CASES)
def test_the_page_loads_nothing_and_runs_only_its_own_script(case):
    """One style sheet and one script, both named by hash in the policy; no address, no handler, no inline style."""
    text = as_html(case())
    page = Page(text)
    (policy,) = [
        a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "style"]
    assert not page.values("src")
    assert all(link.startswith("#") for link in page.values("href"))
    style = re.findall(r"<style>(.*?)</style>", text, flags=re.DOTALL)[0]
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize("case", [*CASES, enormous])
def test_every_link_leads_somewhere(case):
    """Each anchor that is linked to exists, and no id stands twice."""
    page = Page(as_html(case()))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in page.values("href")} <= set(ids)
    assert {word for label in page.values("aria-labelledby") for word in label.split()} <= set(ids)


def test_evidence_with_ids_alike_keeps_anchors_apart():
    """Ids that differ in signs an anchor cannot hold, or not at all, still lead to one place each."""
    twins = tuple(Evidence(id_, "?", "!") for id_ in ("a b", "a?b", "a-b", "a b"))
    page = Page(as_html(replace(example(), evidence=twins)))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert sum(id_.startswith("ev-") for id_ in ids) == 4


def test_claims_lead_to_their_evidence():
    """The first screen links its answers to the evidence they rest on."""
    text = as_html(example())
    top = text[: text.index('<section id="timeline"')]
    for id_ in (
        "clarify.baseline",
        "clarify.incident",
        "clarify.shift",
        "clarify.onset",
        "causes.D3.repair",
        "errors.slice-1",
    ):
        assert f'href="#ev-{id_}"' in top


def test_the_page_is_never_larger_than_promised():
    """Whatever the data hold, the file stays within 1.5 MB, and says what it leaves out."""
    text = as_html(enormous())
    assert len(text.encode()) <= MOST_BYTES
    assert "more slices are in postmortem.json" in text
    assert "more characters" in text
    assert len(as_markdown(enormous()).encode()) <= MOST_BYTES
    assert len(as_html(with_text(example(), '"' * 100_000)).encode()) <= MOST_BYTES


def test_long_names_that_begin_alike_stay_apart():
    """Cutting names of columns merges no columns."""
    names = {f"{'long' * 200}{i}": str(i) for i in range(3)}
    found = replace(example().slices[0], conditions=names, examples=())
    text = Page(as_html(replace(example(), slices=(found,)))).text
    assert all(f"= {i}" in text for i in range(3))


def test_levels_of_detail_tighten():
    """Each attempt at fitting cuts more than the one before."""
    for looser, tighter in pairwise(LEVELS):
        assert (looser.text, looser.value, looser.items) > (tighter.text, tighter.value, tighter.items)


def test_a_usual_report_is_cut_nowhere():
    """Of a post-mortem of usual size nothing is left out."""
    assert "postmortem.json" not in as_html(presentable())
    assert len(as_html(presentable()).encode()) < 150_000


def test_rendering_is_repeatable():
    """The same post-mortem gives the same text in every format."""
    for name in FORMATS:
        assert render(example(), name) == render(example(), name)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [0, 1])
def test_text_has_enough_contrast(theme):
    """Every pair of text and ground that the style sheet uses meets WCAG AA (4.5 to 1) in both themes."""
    themes = re.findall(r":root \{(.*?)\}", _asset("report.css"), flags=re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", themes[theme]))
    for text in ("ink", "soft", "faint", "accent", "harm"):
        assert contrast(colours[text], colours["paper"]) >= 4.5, text
    for text, ground in (
        ("ink", "wash"),
        ("ink", "mark"),
        ("accent", "accent-wash"),
        ("paper", "harm"),
        ("faint", "mark"),
    ):
        assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)


def test_a_notebook_shows_the_page_in_a_frame_of_its_own():
    """The frame holds the very page, may run its script, and cannot reach the notebook."""
    frame = notebook_frame(example())
    ((tag, attributes),) = Page(frame).tags
    assert tag == "iframe"
    assert attributes["sandbox"] == "allow-scripts"
    assert attributes["srcdoc"] == as_html(example())
    assert example()._repr_html_() == frame
    assert html_text.escape(SCRIPT) in notebook_frame(replace(example(), case=replace(example().case, title=SCRIPT)))


# What it says


def first_screen(postmortem: Postmortem) -> dict[str, str]:
    return {claim.question: " ".join([claim.text, *claim.details]) for claim in summary(postmortem)}


def test_a_failure_is_told_with_figures():
    """What, how much, since when, why with how sure, who, and what to do."""
    said = first_screen(example())
    assert headline(example().failure) == "Precision fell from 0.910 to 0.842"
    assert said["Since when"].startswith("2013-08-01 UTC 95\u202f% interval: 2013-07-31 to 2013-08-02.")
    assert (
        "Unit change in distance (model version v7). Confirmed, confidence 97\u202f%. Repair and re-score:"
        in said["Cause"]
    )
    assert "distance = [2000, 5000) and model_version = v7: 6.6\u202f% wrong before, 37.3\u202f%" in said["Who was hit"]
    assert "842 (95\u202f% interval: 754 to 931, n = 12,204)" in said["Who was hit"]
    assert said["What to do"].startswith("Divide distance by 1.609")


def test_no_failure_is_an_answer():
    """It says so, says why, and looks for neither cause nor culprit."""
    page = Page(as_html(healthy())).text
    assert headline(healthy().failure) == "No failure found"
    assert set(first_screen(healthy())) == {"Why not"}
    assert "No cause was sought, as nothing failed." in page
    assert "Compared window" in page


def test_cannot_tell_says_what_is_missing():
    """The headline claims nothing, and the reader learns what to hand over."""
    said = first_screen(untellable())
    assert headline(untellable().failure) == "Cannot tell whether precision failed"
    assert said["What is missing"].startswith("The labels of 2013-08-01 to 2013-08-15.")
    assert said["Cause"] == "Not sought, as it is not certain that anything failed."


def test_an_unknown_cause_is_said_plainly():
    """Without a test: why there was none. With tests: what became of the hypotheses."""
    assert first_screen(bare())["Cause"] == (
        "Unknown. No hypothesis was tested, because no changes, models or training set were handed over. "
        "To find it, hand over changes, models and training."
    )
    said = first_screen(unknown())["Cause"]
    assert said.startswith("Unknown. No hypothesis survived its test. Of 2 hypotheses: 1 ruled out, 1 not tested.")


@pytest.mark.parametrize("render_one", [as_html, as_markdown])
def test_steps_not_taken_say_so(render_one):
    """Each empty section names its reason and what it needs; none is silently left out."""
    text = html_text.unescape(render_one(bare()))
    assert text.count("Not checked: ") == 4
    assert "Cause: unknown." in text


def test_an_operational_failure_bears_its_unit():
    """Latency is told in milliseconds, with the hour."""
    assert headline(latency().failure) == "Latency p95 rose from 184\u202fms to 413\u202fms"
    said = first_screen(latency())["Since when"]
    assert said.startswith("2024-03-03 12:00 UTC")
    assert "recovered by 2024-03-04 16:00" in said
    assert "+228\u202fms" in as_html(latency())


def test_ruled_out_and_untested_causes_stand_in_the_document():
    """What was looked at is told whatever came out."""
    for text in (as_html(example()), as_markdown(example())):
        for cause in example().causes:
            assert cause.name in text
        assert "ruled out" in text
        assert "not tested" in text


def test_several_causes_are_all_named():
    """Each with its own verdict."""
    full = example()
    both = replace(full, answer="several")
    said = first_screen(both)["Causes"]
    assert said.startswith("Unit change in distance (model version v7); and Season (weekends).")
    assert "Unit change: confirmed, confidence 97\u202f%." in said
    assert "Season: supported" in said


def test_an_answer_without_its_cause_is_unknown():
    """Where the answer promises a cause that does not stand, none is claimed."""
    cause = Cause("D1", "Nulls", "inconclusive", 0.3)
    assert first_screen(replace(example(), causes=(cause,)))["Cause"].startswith("Unknown. No hypothesis survived")


# Markdown


def parsed(text: str) -> list[Any]:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)


def markdown_shape(text: str) -> list[str]:
    shape = []
    for token in parsed(text):
        shape.append(token.type)
        shape += [
            child.type for child in token.children or () if child.type not in ("text", "text_special", "softbreak")
        ]
    return shape


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_changes_the_markdown(text):
    """With any text in place of every other, the document has the same headings, tables, links and spans."""
    assert markdown_shape(as_markdown(with_text(example(), text))) == markdown_shape(
        as_markdown(with_text(example(), "tame"))
    )


@pytest.mark.parametrize("case", CASES)
def test_markdown_holds_no_markup_but_anchors_and_its_tables_are_whole(case):
    """The only HTML is the evidence's anchors; every row of a table has as many cells as its head."""
    cells: list[int] = []
    for token in parsed(as_markdown(case())):
        assert token.type != "html_block"
        markup = [child.content for child in token.children or () if child.type == "html_inline"]
        assert all(re.fullmatch(r'<a id="evidence-\d+">|</a>', one) for one in markup)
        if token.type == "thead_open":
            cells = []
        if token.type == "tr_open":
            cells.append(0)
        if token.type in ("td_open", "th_open"):
            cells[-1] += 1
        if token.type == "table_close":
            assert len(set(cells)) == 1


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"]), min_size=1, max_size=40))
def test_markdown_escapes_read_back(text):
    """Prose and code spans in a table's cell read as the text that went in."""
    if clean(text) != text or text == "–":
        return
    for written, kind in ((prose(text), "text"), (code(text), "code_inline")):
        tokens = parsed(f"| a |\n| --- |\n| x{written} |\n")
        inline = [token for token in tokens if token.type == "inline"][-1]
        said = "".join(
            child.content for child in inline.children or () if child.type in ("text", "text_special", "code_inline")
        )
        if kind == "text" or "\\|" not in text:
            assert said == f"x{text}", kind


def test_markdown_says_what_the_page_says():
    """The answers of the first screen stand in both."""
    page, text = Page(as_html(presentable())).text, as_markdown(presentable())
    for claim in summary(presentable()):
        for part in (claim.text, *claim.details):
            assert squeezed(part) in page
            assert prose(part) in text


# The door to other formats


def test_every_format_is_reached_by_name():
    """Built-in formats stand in the registry under their file extension; another name is the user's mistake."""
    assert formats()[:3] == ("html", "md", "json")
    assert render(bare(), "md") == as_markdown(bare())
    with pytest.raises(InputProblem, match="--format pdf: no such format; there are html, md, json"):
        render(bare(), "pdf")


def test_importing_the_document_costs_nothing():
    """Templates and schemas are loaded by what uses them."""
    program = "import sys, mortis.document; print({'jinja2', 'pydantic', 'numpy', 'markupsafe'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_moments_of_other_zones_are_told_in_utc():
    """A time with another offset is shown as its UTC moment."""
    from datetime import timedelta, timezone

    east = datetime(2013, 8, 5, 11, 20, tzinfo=timezone(timedelta(hours=2)))
    shown = replace(example(), failure=replace(example().failure, detected_at=east))
    assert as_json(shown) == as_json(example())
    assert "2013-08-05 09:20" in as_html(shown)
    assert east.astimezone(UTC).hour == 9
