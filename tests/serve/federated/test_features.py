"""Places of a host's columns: each gives the same rows in the order of the ids, and says which there are."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from ascribe.core.errors import InputError, SourceError
from ascribe.core.federated.table import Context
from ascribe.serve.federated.features import open_features

ROWS = {"007": {"a": 1.5, "b": -2.0}, "7": {"a": 3.25}, "x y'\"": {"a": 0.0, "b": 1e300}}
ASKED = ["7", "nobody", "x y'\"", "007", "7"]
WANTED = np.array([[3.25, np.nan], [np.nan, np.nan], [0.0, 1e300], [1.5, -2.0], [3.25, np.nan]])


def columns():
    return {"id": list(ROWS), **{c: [row.get(c) for row in ROWS.values()] for c in "ab"}, "more": ["t"] * 3}


@contextmanager
def at_file(folder, kind):
    path = folder / f"f.{kind}"
    table = pa.table(columns())
    if kind == "parquet":
        pyarrow.parquet.write_table(table, path)
    elif kind == "feather":
        pyarrow.feather.write_feather(table, str(path))
    else:
        path.write_text('id,a,b,more\n007,1.5,-2,t\n7,3.25,,t\n"x y\'""",0,1e300,t\n')
    yield str(path)


@contextmanager
def at_sql(folder, kind):
    path = folder / "f.db"
    with closing(sqlite3.connect(path)) as held:
        held.execute('CREATE TABLE people (id TEXT PRIMARY KEY, "a" REAL, "b" REAL, more TEXT)')
        held.executemany("INSERT INTO people VALUES (?, ?, ?, 't')", [(n, r["a"], r.get("b")) for n, r in ROWS.items()])
        held.commit()
    yield f"sqlite{kind}:///{path}#people"


@contextmanager
def at_http(folder, kind):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert asked["columns"] == ["a", "b"]
            body = json.dumps({"rows": [ROWS.get(name) for name in asked["ids"]]}).encode()
            body = {"broken": b"{", "few": b'{"rows": []}'}.get(kind, body)
            self.send_response(500 if kind == "500" else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/features"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def at_cache(folder, kind):
    fakeredis = pytest.importorskip("fakeredis")
    import redis

    server = fakeredis.TcpFakeServer(("127.0.0.1", 0), server_type="redis")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host, port = server.server_address
    try:
        with redis.Redis(host=host, port=port) as client:
            for name, row in ROWS.items():
                client.hset(f"f:{name}", mapping=row)
        yield f"redis://{host}:{port}/0#f:"
    finally:
        server.shutdown()
        server.server_close()


PLACES = {
    "csv": (at_file, "csv"), "parquet": (at_file, "parquet"), "feather": (at_file, "feather"), "sqlite": (at_sql, ""),
    "sqlalchemy": (at_sql, "+pysqlite"), "http": (at_http, ""), "cache": (at_cache, ""),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_rows_come_in_the_order_of_the_ids(place, tmp_path):
    if place == "sqlalchemy":
        pytest.importorskip("sqlalchemy")
    opened, kind = PLACES[place]
    with opened(tmp_path, kind) as where:
        features = open_features(where, ("a", "b"), 5.0)
        table, found = features.find(ASKED)
        context = Context("host:1", 5)
        np.testing.assert_array_equal(table.matrix(("a", "b"), context), WANTED)
        assert not context.code.any()
        assert found.tolist() == [True, False, True, True, True]
        many, there = features.find([f"n{i}" for i in range(1200)] + ["007"])
        assert len(many) == 1201
        assert there.sum() == 1
        features.close()


def test_columns_that_the_model_does_not_want_are_not_even_kept(tmp_path):
    with at_file(tmp_path, "csv") as where:
        table, _ = open_features(where, ("a",), 1.0).find(["007"])
    assert set(table.columns) == {"a"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a,b\n1,2\n", "no column 'id'"),
        ("id,a\n1,2\n1,3\n", "id '1' twice"),
        ("id,c\n1,2\n", "no column of the model"),
        ("id,a,a\n1,2,3\n", "the column 'a' twice"),
        ("id,id,a\n1,2,3\n", "the column 'id' twice"),
    ],
    ids=["no id", "twice", "other columns", "a column twice", "ids twice"],
)
def test_a_file_that_cannot_be_used_is_refused_at_the_start(text, why, tmp_path):
    path = tmp_path / "f.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=why):
        open_features(str(path), ("a", "b"), 1.0)


def test_places_that_cannot_be_are_refused():
    for place, why in (
        ("ftp://a/b", "no place of features"), ("none.csv", "no file"),
        ("sqlite:///f.db", "names no table"), ("sqlite:///f.db#a;drop", "names no table"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=why):
            open_features(place, ("a",), 1.0)


@pytest.mark.parametrize("kind", ["broken", "few", "500"])
def test_a_service_that_answers_something_else_is_a_failed_source(kind, tmp_path):
    with at_http(tmp_path, kind) as where:
        features = open_features(where, ("a", "b"), 5.0)
        with pytest.raises(SourceError, match="service of features"):
            features.find(["007"])
        features.close()


def test_places_that_are_gone_are_failed_sources(tmp_path):
    for place in (f"sqlite:///{tmp_path}/none.db#people", "http://127.0.0.1:1/"):
        features = open_features(place, ("a", "b"), 0.5)
        with pytest.raises(SourceError):
            features.find(["007"])


def test_a_cache_that_is_gone_is_a_failed_source():
    pytest.importorskip("redis")
    with pytest.raises(SourceError, match="cache of features"):
        open_features("redis://127.0.0.1:1/0#f:", ("a",), 0.5).find(["007"])


def test_a_column_that_a_table_of_sqlite_lacks_is_a_failed_source_and_no_text(tmp_path):
    """SQLite takes a quoted name that is no column for a text of these letters."""
    with at_sql(tmp_path, "") as where:
        features = open_features(where, ("a", "nowhere"), 5.0)
        with pytest.raises(SourceError, match="nowhere"):
            features.find(["007"])
        other = f"{where.partition('#')[0]}#named"
        with closing(sqlite3.connect(tmp_path / "f.db")) as held:
            held.execute("CREATE TABLE named (key TEXT, a REAL)")
            held.commit()
        with pytest.raises(SourceError, match="no such column"):
            open_features(other, ("a",), 5.0).find(["007"])


@pytest.mark.parametrize("name", ["a%20b.db", "a?b.db", "a b.db"])
def test_a_file_of_sqlite_may_be_called_as_it_likes(name, tmp_path):
    with closing(sqlite3.connect(tmp_path / name)) as held:
        held.execute("CREATE TABLE people (id TEXT, a REAL)")
        held.execute("INSERT INTO people VALUES ('007', 1.5)")
        held.commit()
    assert open_features(f"sqlite:///{tmp_path}/{name}#people", ("a",), 5.0).find(["007"])[1].all()


def test_names_of_columns_in_other_letters_are_those_of_the_model(tmp_path):
    with closing(sqlite3.connect(tmp_path / "f.db")) as held:
        held.execute("CREATE TABLE people (ID TEXT, A REAL)")
        held.execute("INSERT INTO people VALUES ('007', 1.5)")
        held.commit()
    table, found = open_features(f"sqlite:///{tmp_path}/f.db#people", ("a",), 5.0).find(["007"])
    assert found.all()
    assert table.columns["a"].tolist() == [1.5]


@pytest.mark.parametrize("place", ["redis://127.0.0.1:port/0", "redis://127.0.0.1:70000/0", "other://a:port/b#t"])
def test_an_address_with_a_port_that_is_none_is_refused_at_the_start(place):
    pytest.importorskip("redis")
    pytest.importorskip("sqlalchemy")
    with pytest.raises(InputError, match=r"address|no URL"):
        open_features(place, ("a",), 1.0)


def test_a_file_may_have_columns_of_other_kinds_that_the_model_does_not_want(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text("id,a,since\n1,2,2024-01-31\n")
    table, _ = open_features(str(path), ("a",), 1.0).find(["1"])
    assert table.columns["a"].tolist() == [2]
    with pytest.raises(InputError, match=r"column 'since' .* is date32"):
        open_features(str(path), ("a", "since"), 1.0)


def test_a_cache_of_bytes_that_are_no_text_is_a_failed_source(tmp_path):
    redis = pytest.importorskip("redis")
    with at_cache(tmp_path, "") as where:
        address, _, prefix = where.partition("#")
        with redis.Redis.from_url(address) as client:
            client.hset(f"{prefix}bad", "a", b"\xff\xfe")
        with pytest.raises(SourceError, match="cache of features"):
            open_features(where, ("a", "b"), 5.0).find(["bad", "007"])
