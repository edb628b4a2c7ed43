"""Who calls whom is read from pairs and from matrices alike; what is neither is refused in one line."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mortis.problems import InputProblem
from mortis.sources.graph import read_calls

CALLS = (("search", "db"), ("web", "db"), ("web", "search"))
TABLES = {
    "pairs.csv": "caller,callee\nweb,search\nweb,db\nsearch,db\nweb,db\n",
    "other words.csv": "weight,Source,Target\n3,web,search\n1,web,db\n2,search,db\n",
    "matrix.csv": ",web,search,db\nweb,0,1,1.0\nsearch,0,0,2\ndb,0,0,0\n",
    "lines.jsonl": '{"caller": "web", "callee": "search"}\n{"caller": "web", "callee": "db"}\n'
    '{"caller": "search", "callee": "db"}\n{"caller": null, "callee": "db"}\n',
}


@pytest.mark.parametrize("name", TABLES)
def test_pairs_and_matrices_tell_the_same_calls(tmp_path, name):
    (tmp_path / name).write_text(TABLES[name], encoding="utf-8")
    assert read_calls(name, root=tmp_path).calls == CALLS


def test_parquet_is_read_too(tmp_path):
    caller, callee = zip(*CALLS, strict=True)
    pq.write_table(pa.table({"callee": callee, "caller": caller}), tmp_path / "calls.parquet")
    assert read_calls("calls.parquet", root=tmp_path).calls == CALLS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "holds no calls; hand over columns `caller` and `callee`, or a matrix"),
        ("caller,callee\n,\n", "holds no calls"),
        ("caller,called\nweb,db\n", "holds no calls"),
        (",web,db\nweb,yes,no\ndb,no,no\n", "holds no calls"),
    ],
)
def test_what_holds_no_calls_is_refused_in_one_line(tmp_path, text, message):
    (tmp_path / "g.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputProblem, match=rf"^graph: g\.csv {message}[^\n]*$"):
        read_calls("g.csv", root=tmp_path)


def test_a_missing_graph_is_told(tmp_path):
    with pytest.raises(InputProblem, match=r"^--graph: no such file: nowhere\.csv"):
        read_calls("nowhere.csv", root=tmp_path, key="--graph")
