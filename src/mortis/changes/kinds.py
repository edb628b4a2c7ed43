"""Which kinds of change bring about which causes, each with the reason: data, not code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

# What people call a kind in their own records.
_CALLED: Mapping[str, str] = {
    word: kind
    for kind, words in {
        "code": "commit merge source refactoring bugfix fix patch hotfix script query",
        "config": "configuration setting settings flag flags toggle threshold parameter parameters prompt routing "
        "policy",
        "data": "feed pipeline etl ingestion backfill dataset upstream vendor provider partner table source cron job",
        "dependency": "dependencies library libraries package packages upgrade lockfile requirements",
        "deploy": "deployment deployed release released rollout rollback roll revert revision tag promotion",
        "docs": "documentation readme",
        "environment": "env image container docker base os kernel driver runtime python cuda toolchain infra "
        "infrastructure platform timezone secret certificate network dns",
        "hardware": "gpu cpu node nodes machine machines instance instances scaling autoscaling capacity cluster "
        "disk memory replica replicas",
        "label": "labels labelling labeling annotation annotators rubric groundtruth",
        "measurement": "metric metrics dashboard telemetry logging sampling instrumentation monitor",
        "model": "models retrain retraining training weights checkpoint finetune embedding tokenizer index",
        "product": "launch campaign experiment abtest ab pricing ui interface frontend market",
        "schema": "schemas migration ddl contract column columns avro protobuf api",
        "tests": "",
    }.items()
    for word in (kind, *words.split())
}
KINDS = frozenset(_CALLED.values())

PARTS_NAMED: Mapping[str, tuple[str, ...]] = {
    "H5": ("cache", "caching"),
    "L3": ("retrained", "retraining", "training"),
    "M5": ("encoder", "embedding", "tokenizer", "preprocessor", "index", "indexed"),
    "P2": ("quantised", "quantized", "precision", "converted", "engine"),
    "P4": ("client", "caller", "payload"),
}
"""What records call the very part that a cause is about."""


@dataclass(frozen=True, slots=True)
class Link:
    """How readily a kind of change brings about a cause (0..1: 1 where it changes that very thing), and why."""

    kind: str
    weight: float
    reason: str


# Causes, the kind of change, its weight, and the reason. A release or a commit can carry anything, so it weighs less
# than the thing itself where both are on record.
_LINKS: tuple[tuple[str, str, float, str], ...] = (
    ("D1 D2", "schema", 1.0, "a field that is renamed or dropped arrives empty or as a default"),
    ("D1 D2 D6 D7", "data", 1.0, "a feed that fails hands on gaps, defaults or repeats"),
    ("D3 D4", "schema", 1.0, "the schema states units, types and allowed values"),
    ("D3 D4", "data", 1.0, "whoever provides the feed may change its units and words"),
    ("D5", "data", 1.0, "a feed that stands still repeats its values"),
    ("D5", "config", 0.8, "schedules and times to live are configured"),
    ("D5", "environment", 0.5, "a job that lost its rights or its network leaves old values in place"),
    ("D6 D7", "schema", 0.8, "a key that changed its type no longer joins, or joins twice"),
    ("D6", "hardware", 0.5, "a lost machine loses its part of the rows"),
    ("D8", "data", 1.0, "a reference table comes from its own job"),
    ("D1 D2 D3 D4 D6 D7", "config", 0.6, "units, defaults, sources and joins are often settings"),
    ("D1 D2 D3 D4 D5 D6 D7 D8", "deploy", 0.8, "a release of the feed, or of what reads it, carries such a change"),
    ("D1 D2 D3 D4 D5 D6 D7 D8", "code", 0.8, "code fills, converts and joins the fields"),
    ("S1", "code", 1.0, "one of the two code paths changed"),
    ("S1 S2", "dependency", 0.6, "a library may compute or order columns differently"),
    ("S2", "code", 1.0, "the code puts the columns in their order"),
    ("S2", "schema", 1.0, "columns that are added or moved shift the others"),
    ("S2", "model", 0.8, "a model trained on another order expects another order"),
    ("S3", "model", 1.0, "category codes come with the model"),
    ("S3", "code", 0.8, "the code maps categories to codes"),
    ("S3", "dependency", 0.8, "libraries have changed how they code categories"),
    ("S3", "data", 0.6, "new categories can renumber the old ones"),
    ("S4", "config", 1.0, "time zones are settings"),
    ("S4", "environment", 1.0, "the machine's time zone belongs to its environment"),
    ("S4", "data", 0.8, "a provider may switch between local time and UTC"),
    ("S4", "code", 0.8, "the code converts times"),
    ("S4", "dependency", 0.6, "time zone tables come as a package"),
    ("S5", "code", 1.0, "the training set is built by code"),
    ("S5", "data", 0.6, "a table that is filled later leaks"),
    ("S1 S2 S3 S4", "deploy", 0.8, "a release carries the code that serves features"),
    ("M1 L3", "model", 1.0, "it is the model that was changed"),
    ("M1 M6 L3", "deploy", 1.0, "a promotion is a deploy"),
    ("M1", "data", 0.5, "the new version learned from other data"),
    ("L3", "data", 1.0, "what the new version learned from is data"),
    ("L3", "label", 0.8, "the new version learned from these labels"),
    ("M1 L3", "config", 0.6, "which version serves is often a setting"),
    ("M2", "deploy", 1.0, "a rollout that is partial or mistaken serves the wrong version"),
    ("M2", "model", 1.0, "the artifact that was put in place may be another one"),
    ("M2", "config", 0.8, "routing to versions is a setting"),
    ("M2", "environment", 0.6, "an old image holds an old artifact"),
    ("M3", "config", 1.0, "thresholds and calibration are settings"),
    ("M3", "model", 0.8, "a new model's scores don't fit the old threshold"),
    ("M3", "code", 0.8, "post-processing is code"),
    ("M3", "deploy", 0.8, "a release carries settings and post-processing"),
    ("M4", "config", 1.0, "it is the configuration that was changed"),
    ("M4", "deploy", 0.8, "a release carries its configuration"),
    ("M4", "code", 0.6, "defaults stand in the code"),
    ("M5", "model", 1.0, "an embedding, tokenizer or index was exchanged without the others"),
    ("M5", "dependency", 0.8, "tokenizers come with libraries"),
    ("M5", "deploy", 0.8, "a release may bring one part and not the others"),
    ("M5", "config", 0.6, "which parts work together is configured"),
    ("M6", "model", 1.0, "the objective comes with the training"),
    ("M6", "config", 0.8, "weights of objectives are settings"),
    ("M6", "code", 0.6, "the objective is written in code"),
    ("P1", "dependency", 1.0, "it is a library that was changed"),
    ("P1", "environment", 1.0, "an image brings its own libraries"),
    ("P1", "deploy", 0.8, "a release builds a new image"),
    ("P1", "code", 0.5, "what looks like a library may be the serving code"),
    ("P2", "environment", 1.0, "compilers and drivers belong to the environment"),
    ("P2", "hardware", 0.8, "another device computes in another precision"),
    ("P2", "dependency", 0.8, "runtimes convert and quantise"),
    ("P2", "model", 0.8, "the model may have been converted anew"),
    ("P2", "config", 0.6, "precision is a setting of the runtime"),
    ("P2", "deploy", 0.6, "a release may bring a converted model"),
    ("P3", "code", 1.0, "it is the code that was changed"),
    ("P3", "deploy", 1.0, "a release brings the code"),
    ("P4", "schema", 1.0, "the contract with callers is a schema"),
    ("P4", "deploy", 0.8, "a caller's release changes what it sends"),
    ("P4", "code", 0.8, "a caller's code changes what it sends"),
    ("P4", "product", 0.8, "a caller's new client sends other fields"),
    ("H1", "hardware", 1.0, "less capacity overloads"),
    ("H1", "config", 0.8, "limits, timeouts and fallbacks are settings"),
    ("H1", "deploy", 0.8, "a slower release overloads the same machines"),
    ("H1", "environment", 0.8, "an environment with other limits is overloaded sooner"),
    ("H1", "product", 0.8, "a launch brings more requests"),
    ("H1 H3 H5", "code", 0.5, "code decides how a request is answered when resources run short"),
    ("H2", "environment", 1.0, "a driver that doesn't load makes the runtime fall back"),
    ("H2 H3", "hardware", 1.0, "the device was exchanged, or is defective"),
    ("H2", "dependency", 0.8, "a build without the accelerator falls back"),
    ("H2", "deploy", 0.8, "a new image may lack the driver"),
    ("H2", "config", 0.6, "which device is used is a setting"),
    ("H3", "environment", 0.6, "nodes with different environments answer differently"),
    ("H3", "deploy", 0.5, "a rollout moves work to other nodes"),
    ("H4", "config", 1.0, "schedules and orders of jobs are configured"),
    ("H4", "environment", 0.8, "the scheduler runs in an environment of its own"),
    ("H4", "deploy", 0.8, "a release at the time of a run leaves it half done"),
    ("H4", "data", 0.8, "a late input lets a job run on old data"),
    ("H4", "code", 0.6, "code states what waits for what"),
    ("H5", "config", 1.0, "times to live and keys of caches are settings"),
    ("H5", "deploy", 0.8, "a new version reads what the old one cached"),
    ("H5", "environment", 0.6, "a cache is shared by an environment"),
    ("W1 W2", "product", 0.8, "a launch, a campaign or a price brings other people and another behaviour"),
    ("W4", "product", 0.6, "a new rule invites to be gamed"),
    ("W5", "product", 1.0, "it is the product that was changed"),
    ("W5", "deploy", 0.6, "a release brings the interface"),
    ("E3", "product", 0.8, "a launch or a campaign changes who comes"),
    ("L1", "label", 1.0, "the rule for labels was changed"),
    ("L1", "data", 0.8, "labels come by a feed of their own"),
    ("L1", "code", 0.6, "the label is computed"),
    ("L1", "schema", 0.6, "a code of the label got another meaning"),
    ("L2", "config", 0.8, "whom the model acts on is a setting"),
    ("L2", "product", 0.6, "the product decides who is followed up"),
    ("L3", "data", 1.0, "the training data hold the fault"),
    ("L3", "model", 0.8, "a retraining took it in"),
    ("E1", "measurement", 1.0, "it is the measurement that was changed"),
    ("E1", "code", 0.8, "the metric is computed by code"),
    ("E1", "deploy", 0.6, "a release brings the code of the metric"),
    ("E2", "label", 0.8, "labels may come later than they did"),
    ("E2", "data", 0.6, "the feed of labels may be late"),
    ("E4", "measurement", 1.0, "logging or sampling was changed"),
    ("E4", "config", 0.8, "sampling rates are settings"),
    ("E4", "environment", 0.6, "a collector runs in the environment"),
    ("E4", "deploy", 0.8, "a release changes what is logged"),
)
LINKS: Mapping[str, Mapping[str, Link]] = {
    cause: {kind: Link(kind, weight, why) for causes, kind, weight, why in _LINKS if cause in causes.split()}
    for cause in sorted({cause for causes, *_ in _LINKS for cause in causes.split()})
}
"""Links by cause and kind. A cause without any needs no change: nothing that somebody did brings it about."""


def kinds_of(stated: str) -> tuple[str, ...]:
    """The known kinds that a change's own word for its kind means; none where it means none.

    >>> kinds_of("code, config"), kinds_of("Feature flag"), kinds_of("moon phase")
    (('code', 'config'), ('config',), ())
    """
    words = re.findall(r"[a-z]+", stated.lower())
    return tuple(dict.fromkeys(_CALLED[word] for word in words if word in _CALLED))
