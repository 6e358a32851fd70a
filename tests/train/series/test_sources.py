"""The same rows from every place give the same series, bit for bit."""

import gzip
import sqlite3

import polars as pl
import pytest
from deltalake import write_deltalake

from ascribe.core.errors import InputError, LakeError, MissingExtra, SchemaError, SourceError
from ascribe.core.forecast.gaps import Rules
from ascribe.train.series.read import mended, read_series
from ascribe.train.series.sql import is_sql, shown
from tests.postgres import postgres
from tests.train.series.made import hourly, options, same

__all__ = ["postgres"]


@pytest.fixture(scope="module")
def table():
    return hourly()


@pytest.fixture(scope="module")
def expected(table):
    return mended(table, options(), Rules())


def test_files_long_and_wide(tmp_path, table, expected):
    table.write_parquet(tmp_path / "long.parquet")
    text = table.with_columns(pl.col("time").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    (tmp_path / "long.csv.gz").write_bytes(gzip.compress(text.write_csv(float_precision=17).encode()))
    for name in ("long.parquet", "long.csv.gz"):
        read = read_series(options(tmp_path / name))
        same(read.series, expected.series)
        assert read.origin["rows"] == len(table) and len(read.origin["sha256"]) == 64 and read.origin["data"] == name
        assert read.mends == () and read.quarantine.is_empty()
    table.pivot("link", index="time", values="bits").write_parquet(tmp_path / "wide.parquet")
    wide = read_series(options(tmp_path / "wide.parquet", value=("north", "south"), series=None))
    same(wide.series, expected.series)


def test_a_delta_table_and_its_versions(tmp_path, table, expected):
    lake = tmp_path / "lake"
    parted = table.with_columns(day=pl.col("time").dt.strftime("%Y-%m-%d"))
    half = parted.filter(pl.col("time") < table["time"][len(table) // 2])
    rest = parted.filter(pl.col("time") >= table["time"][len(table) // 2])
    write_deltalake(str(lake), half.to_arrow(), partition_by=["day"])
    write_deltalake(str(lake), rest.to_arrow(), mode="append")
    read = read_series(options(lake))
    same(read.series, expected.series)
    assert read.origin == {"data": str(lake), "lake_version": 1, "rows": len(table)}
    old = read_series(options(lake, version=0))
    assert old.series.steps == expected.series.steps // 2 and old.origin["lake_version"] == 0
    last = read_series(options(lake, last="3d"))
    same(last.series, expected.series.cut(24 * 17, 24 * 20))
    assert last.origin["rows"] < len(table) / 3  # older days were not read
    with pytest.raises(LakeError, match="is it a lake, and has it that version"):
        read_series(options(lake, version=7))
    with pytest.raises(SchemaError, match="no column byts; the data has time, link, bits, day"):
        read_series(options(lake, value=("byts",)))
    with pytest.raises(LakeError, match="no Delta table can be read"):
        read_series(options(tmp_path))


def test_sqlite(tmp_path, table, expected):
    with sqlite3.connect(tmp_path / "traffic.db") as held:
        held.execute("create table traffic (time text, link text, bits real)")
        rows = [(time.isoformat(), link, bits) for time, link, bits in table.iter_rows()]
        held.executemany("insert into traffic values (?, ?, ?)", rows)
    url = f"sqlite:///{tmp_path}/traffic.db"
    read = read_series(options(url, query="select * from traffic where '12:30' <> :x or 1".replace(":x", "'a:b'")))
    same(read.series, expected.series)
    assert read.origin["data"] == url
    with sqlite3.connect(tmp_path / "traffic.db") as held:  # SQLite keeps a text in a column of numbers
        held.execute("insert into traffic values ('2024-01-25T00:00:00Z', 'north', 'n/a')")
    mixed = read_series(options(url, query="select * from traffic"))
    same(mixed.series, expected.series)
    assert mixed.quarantine["reason"].to_list() == ["not a number in bits (n/a)"]


def test_postgresql(postgres, table, expected):
    """A real server; times with a zone, numbers as NUMERIC and as floats, LIKE and casts in the query."""
    import psycopg

    with psycopg.connect(postgres) as held:
        held.execute("create table traffic (time timestamptz, local timestamp, link text, bits float8, exact numeric)")
        rows = [(time, time.replace(tzinfo=None), link, bits, str(bits)) for time, link, bits in table.iter_rows()]
        with held.cursor() as cursor:
            cursor.executemany("insert into traffic values (%s, %s, %s, %s, %s)", rows)
            cursor.execute(
                "insert into traffic values (null, null, 'north', 1, 1), ('2024-01-02', null, 'other', 1, 1)"
            )
        held.commit()
    query = "select time, link, bits from traffic where link not like 'oth%' "
    query += "and coalesce(time::date, '2024-01-01') < '2030-01-01'"
    read = read_series(options(postgres, query=query))
    same(read.series, expected.series)
    assert read.quarantine["reason"].to_list() == ["no time"]
    query = "select local as time, link, exact as bits from traffic "
    query += "where local > timestamp '2024-01-01 00:30:00' - interval '1 h' order by random()"
    exact = read_series(options(postgres, query=query))
    same(exact.series, expected.series)
    told = str(read.lineage())
    assert read.origin["data"] == shown(postgres) and postgres.split(":")[2].split("@")[0] not in told


def test_a_password_is_in_no_message(postgres, tmp_path):
    password = postgres.split(":")[2].split("@")[0]
    wrong = postgres.replace(password, "hunter2hunter2")
    nowhere = "postgresql://reader:hunter2hunter2@127.0.0.1:1/none?sslpassword=hunter2hunter2"
    attempts = [
        (postgres, "select time, link, bits from absent", SourceError),
        (postgres, f"select '{password}'::int as time", SourceError),
        (postgres, None, InputError),
        (wrong, "select 1", SourceError),
        (nowhere, "select 1", SourceError),
        ("oracle+absent://reader:hunter2hunter2@h/x", "select 1", InputError),
        ("postgresql://reader:hunter2hunter2@h:notaport/x", "select 1", InputError),
        ("mysql://reader:hunter2hunter2@h/x", "select 1", MissingExtra),
    ]
    for url, query, kind in attempts:
        with pytest.raises(kind) as said:
            read_series(options(url, query=query))
        assert "hunter2" not in str(said.value) and password not in str(said.value)
        assert "\n" not in str(said.value)
        whole, exc = "", said.value
        while exc is not None:
            whole, exc = whole + str(exc), exc.__cause__
        assert "hunter2" not in whole and password not in whole


def test_what_cannot_be_read_is_said(tmp_path, table):
    table.head(0).write_parquet(tmp_path / "empty.parquet")
    table.write_parquet(tmp_path / "rows.parquet")
    with pytest.raises(InputError, match="has no rows"):
        read_series(options(tmp_path / "empty.parquet"))
    with pytest.raises(InputError, match="there is no file"):
        read_series(options(tmp_path / "absent.parquet"))
    with pytest.raises(InputError, match="--query is for a database"):
        read_series(options(tmp_path / "rows.parquet", query="select 1"))
    with pytest.raises(InputError, match="there is no series east: the data has north, south"):
        read_series(options(tmp_path / "rows.parquet", only=("east",)))
    with pytest.raises(InputError, match="a column has two parts"):
        options("x", value=("time",))
    with pytest.raises(InputError, match="whole seconds"):
        options("x", step="0.5s")
    assert not is_sql(r"C:\traffic.csv") and is_sql("sqlite:///x.db")
