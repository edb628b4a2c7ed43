"""The registry: an MLflow server and a YAML file tell the same, and what is wrong is told in one line."""

from __future__ import annotations

import base64
import json
import socket
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_server import post  # type: ignore[import-not-found]  # pytest finds it beside this file
from mortis.problems import InputProblem, WorkProblem
from mortis.sources import registry
from mortis.sources.registry import RegisteredVersion, read_registry


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch):
    for name in ("TOKEN", "USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)


class TestMlflow:
    def test_what_was_registered_is_read_back(self, mlflow_server):
        """Versions with their times, sources, tags, runs; the alias says which is to be served."""
        before = datetime.now(UTC)
        post(mlflow_server, "registered-models/create", name="arrivals")
        tag = [{"key": "digest", "value": "sha256:0a1b"}]
        post(mlflow_server, "model-versions/create", name="arrivals", source="s3://models/1", tags=tag)
        post(mlflow_server, "model-versions/create", name="arrivals", source="s3://models/2", run_id="9f" * 16)
        post(mlflow_server, "registered-models/alias", name="arrivals", alias="champion", version="2")
        post(mlflow_server, "registered-models/alias", name="arrivals", alias="next", version="2")
        post(mlflow_server, "model-versions/transition-stage", name="arrivals", version="1", stage="Staging")
        first, second = read_registry(mlflow=mlflow_server, name="arrivals")
        assert (first.version, first.stage, first.source, first.digest) == (
            "1",
            "Staging",
            "s3://models/1",
            "sha256:0a1b",
        )
        assert (second.version, second.stage, second.run_id) == ("2", "", "9f" * 16)
        assert set(second.aliases) == {"champion", "next"}
        assert (first.is_current, second.is_current) == (False, True)
        assert first.status == second.status == "READY"
        assert first.created_at is not None
        assert second.created_at is not None
        assert before.timestamp() - 1 <= first.created_at.timestamp() <= second.created_at.timestamp()
        assert second.created_at.tzinfo is UTC

    def test_all_pages_are_read(self, mlflow_server, monkeypatch):
        monkeypatch.setattr(registry, "_PAGE_VERSIONS", 2)
        name = "it's paged"
        post(mlflow_server, "registered-models/create", name=name)
        for _ in range(5):
            post(mlflow_server, "model-versions/create", name=name, source="s3://models/x")
        versions = read_registry(mlflow=mlflow_server, name=name)
        assert [one.version for one in versions] == ["1", "2", "3", "4", "5"]

    def test_the_stage_production_decides_where_no_alias_does(self, mlflow_server):
        post(mlflow_server, "registered-models/create", name="staged")
        for _ in range(2):
            post(mlflow_server, "model-versions/create", name="staged", source="s3://models/x")
        post(mlflow_server, "model-versions/transition-stage", name="staged", version="1", stage="Production")
        assert [one.is_current for one in read_registry(mlflow=mlflow_server, name="staged")] == [True, False]

    def test_an_unknown_or_missing_name_is_told_with_those_that_exist(self, mlflow_server):
        post(mlflow_server, "registered-models/create", name="departures")
        with pytest.raises(InputProblem, match=r"knows no model 'departure'; did you mean 'departures'\? there are: "):
            read_registry(mlflow=mlflow_server, name="departure")
        post(mlflow_server, "registered-models/create", name="another")
        with pytest.raises(
            InputProblem, match=r"^registry\.name: state which model of http:.* is meant; there are: another"
        ):
            read_registry(mlflow=mlflow_server)

    def test_a_model_without_versions_has_none(self, mlflow_server):
        post(mlflow_server, "registered-models/create", name="empty")
        assert read_registry(mlflow=mlflow_server, name="empty") == ()


ONE_MODEL = json.dumps({"registered_models": [{"name": "m"}], "registered_model": {"name": "m"}}).encode()


class TestServersThatAnswerBadly:
    @pytest.mark.parametrize(
        ("status", "body", "message"),
        [
            (200, b"<html>hello</html>", "answers no JSON of MLflow; is it an MLflow server"),
            (200, b"[1]", "answers no JSON of MLflow"),
            (200, b"[" * 100_000, "answers no JSON of MLflow"),
            (200, b'{"model_versions": [{"name": "m"}]}', "in a form that is not MLflow's"),
            (200, b'{"model_versions": 3}', "in a form that is not MLflow's"),
            (200, b'{"registered_model": 3}', "in a form that is not MLflow's"),
            (200, b'{"model_versions": [{"version": 1, "creation_timestamp": 1e300}]}', "form that is not MLflow's"),
            (404, b"not here", "answers HTTP 404: is it an MLflow server"),
            (500, b'{"error_code": "INTERNAL_ERROR", "message": "disk\\nfull"}', "answers HTTP 500: disk full"),
            (401, b"", r"refuses access \(HTTP 401\); set MLFLOW_TRACKING_TOKEN"),
            (403, b"", r"refuses access \(HTTP 403\)"),
        ],
    )
    def test_it_is_told_in_one_line(self, answering, status, body, message):
        address, _ = answering(status, body)
        with pytest.raises(WorkProblem, match=f"^registry.mlflow: {address} [^\n]*{message}[^\n]*$"):
            read_registry(mlflow=address, name="m")

    def test_pages_without_end_are_told(self, answering):
        endless = {"registered_model": {}, "model_versions": [], "next_page_token": "again"}
        address, seen = answering(body=json.dumps(endless).encode())
        with pytest.raises(WorkProblem, match="gives more than 100 pages of model-versions/search"):
            read_registry(mlflow=address, name="m")
        assert len(seen) == 101

    def test_a_server_that_is_not_there_or_slow_is_told(self, answering, monkeypatch):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            free = f"http://127.0.0.1:{probe.getsockname()[1]}"
        with pytest.raises(WorkProblem, match=f"{free} can't be reached: [^\n]*; is the server running"):
            read_registry(mlflow=free, name="m")
        monkeypatch.setattr(registry, "TIMEOUT_SECONDS", 0.2)
        address, _ = answering(delay=1.0)
        with pytest.raises(WorkProblem, match=f"{address} can't be reached: timed out"):
            read_registry(mlflow=address, name="m")

    def test_a_redirect_is_not_followed_so_the_token_stays(self, answering, monkeypatch):
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
        other, seen = answering(body=ONE_MODEL)
        address, _ = answering(302, location=other)
        with pytest.raises(WorkProblem, match=r"redirects \(HTTP 302\)"):
            read_registry(mlflow=address, name="m")
        assert seen == []


class TestCredentials:
    def test_the_token_goes_into_the_header_and_into_no_message(self, answering, monkeypatch):
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
        address, seen = answering(body=ONE_MODEL)
        assert read_registry(mlflow=address) == ()
        assert {headers["Authorization"] for _, headers in seen} == {"Bearer t0ken"}
        assert all("t0ken" not in path for path, _ in seen)
        refusing, _ = answering(403, b'{"message": "no"}')
        with pytest.raises(WorkProblem) as problem:
            read_registry(mlflow=refusing)
        assert "t0ken" not in str(problem.value)
        assert "t0ken" not in repr(registry._Server.at(address))

    def test_an_addresss_own_credentials_win_and_are_not_shown(self, answering, monkeypatch):
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
        address, seen = answering(500)
        with pytest.raises(WorkProblem) as problem:
            read_registry(mlflow=address.replace("//", "//anna:p%40ss@"), name="m")
        assert "p%40ss" not in str(problem.value)
        assert seen[0][1]["Authorization"] == "Basic " + base64.b64encode(b"anna:p@ss").decode()

    def test_without_credentials_none_are_sent(self, answering):
        address, seen = answering(body=ONE_MODEL)
        read_registry(mlflow=address + "/", name="m")
        assert all("Authorization" not in headers for _, headers in seen)

    def test_this_machine_is_reached_without_a_proxy(self, answering, monkeypatch):
        proxy, at_proxy = answering(500)
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        address, seen = answering(body=ONE_MODEL)
        read_registry(mlflow=address, name="m")
        assert (len(at_proxy), len(seen)) == (0, 2)


class TestAddress:
    @pytest.mark.parametrize(
        "address",
        [
            "",
            "127.0.0.1:5000",
            "file:///etc/passwd",
            "ftp://host",
            "http://",
            "http://host:port",
            "http://[",
            "databricks",
        ],
    )
    def test_what_is_no_address_is_told(self, address):
        with pytest.raises(InputProblem, match=r"^registry\.mlflow: .* is no server's address; write it like http:"):
            read_registry(mlflow=address, name="m")

    def test_a_wrong_addresss_password_is_not_shown(self):
        with pytest.raises(InputProblem) as problem:
            read_registry(mlflow="ftp://anna:secret@host", name="m")
        assert "secret" not in str(problem.value)

    def test_one_place_is_stated(self, tmp_path):
        for both in ({}, {"mlflow": "http://127.0.0.1:1", "file": tmp_path}):
            with pytest.raises(InputProblem, match="state one of `mlflow`"):
                read_registry(**both)


WHOLE = """
name: arrivals
versions:
  - version: v10
    created_at: 2013-08-01T06:00:00+02:00
    aliases: [Champion]
    digest: "sha256:0a"
    source: models/v10.txt
  - {version: v9, created_at: 2013-07-01, status: READY, stage: Production, run_id: 12e4, digest: null}
"""


class TestFile:
    @pytest.fixture
    def written(self, tmp_path):
        def write(text):
            (tmp_path / "registry.yaml").write_text(text)
            return tmp_path / "registry.yaml"

        return write

    def test_what_is_stated_is_read_oldest_first_and_an_alias_goes_before_a_stage(self, written):
        assert read_registry(file=written(WHOLE), name="arrivals") == (
            RegisteredVersion(
                "v9", stage="Production", status="READY", created_at=datetime(2013, 7, 1, tzinfo=UTC), run_id="12e4"
            ),
            RegisteredVersion(
                "v10",
                aliases=("Champion",),
                created_at=datetime(2013, 8, 1, 4, tzinfo=UTC),
                source="models/v10.txt",
                digest="sha256:0a",
                is_current=True,
            ),
        )

    def test_a_bare_list_will_do_versions_sort_by_number_and_current_decides(self, written):
        text = "[{version: 10, aliases: champion}, {version: 9, current: true}, {version: 2.1}]"
        versions = read_registry(file=written(text))
        assert [(one.version, one.is_current) for one in versions] == [("2.1", False), ("9", True), ("10", False)]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("versions:\n  - [", "line 2: not YAML"),
            ("hello", "must list `versions`"),
            ("versions: {v1: a}", "must list `versions`"),
            ("- v1", r"versions\[0\]: must hold the key `version`"),
            ("- {stage: x}", r"versions\[0\]: must hold the key `version`"),
            ("- {version: 1, stages: x}", r"unknown key 'stages'; did you mean 'stage'\? keys there: version"),
            ("- {version: 1, created_at: soon}", r"versions\[0\]\.created_at: 'soon' is no time; write it like 2013"),
            ("- {version: 1, current: perhaps}", "'perhaps' is neither true nor false"),
            ("- {version: [1]}", r"versions\[0\]\.version: must be one value, not a list"),
            ("- {version: 1, aliases: [[a]]}", r"versions\[0\]\.aliases: must be one value"),
            ("- {version: 1}\n- {version: '1'}", "version '1' stands twice"),
            ("&a [*a]", "line 1: not YAML"),
            ("!!python/object/apply:os.system ['touch ran']", "must list `versions`|not YAML|must hold"),
        ],
    )
    def test_what_is_wrong_is_told_in_one_line(self, written, text, message):
        with pytest.raises(InputProblem, match=rf"^registry\.file: registry\.yaml[^\n]*{message}[^\n]*$"):
            read_registry(file=written(text))

    def test_another_models_file_and_a_missing_one_are_told(self, written, tmp_path):
        with pytest.raises(InputProblem, match="is the registry of 'arrivals', not of 'departures'"):
            read_registry(file=written(WHOLE), name="departures")
        with pytest.raises(InputProblem, match=r"no such file: none\.yaml"):
            read_registry(file=tmp_path / "none.yaml")
        with pytest.raises(WorkProblem, match="can't be read"):
            read_registry(file=tmp_path)


@given(
    versions=st.lists(
        st.builds(
            RegisteredVersion,
            version=st.from_regex(r"[a-z]?[0-9]{1,3}(\.[0-9])?", fullmatch=True),
            stage=st.sampled_from(["", "Production", "Staging"]),
            aliases=st.sampled_from([(), ("champion",), ("other",), ("Production", "x")]),
            is_current=st.booleans(),
        ),
        max_size=6,
    )
)
def test_the_strongest_sign_decides_and_a_weaker_one_never_adds(versions):
    marked = registry._with_current(versions)
    current = [one for one in marked if one.is_current]
    if any(one.is_current for one in versions):
        assert marked == versions
    elif any({"champion", "Production"} & set(one.aliases) for one in versions):
        assert all({"champion", "Production"} & set(one.aliases) for one in current)
        assert current
    else:
        assert [one.stage == "Production" for one in versions] == [one.is_current for one in marked]


def test_versions_without_times_sort_by_their_numbers():
    names = ["v10", "v9", "9", "1.10", "1.9", "candidate"]
    assert sorted(names, key=lambda name: registry._age(RegisteredVersion(name))) == [
        *("candidate", "v9", "v10"),
        *("1.9", "1.10", "9"),
    ]
