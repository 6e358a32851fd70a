"""A host whose columns lie in PostgreSQL: a real server, asked through SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from ascribe.core.errors import SourceError
from ascribe.core.federated.table import Context, Table
from ascribe.serve.federated.features import open_features
from ascribe.serve.federated.link import Link
from ascribe.serve.federated.scored import Asked, Scorer
from ascribe.serve.federated.settings import PartySettings
from tests.postgres import running

from .servers import hosting, looped
from .splits import split

psycopg = pytest.importorskip("psycopg")
pytest.importorskip("sqlalchemy")

COLUMNS = ("Age", "b", "count", "money", "short", "yes")
MADE = """
CREATE SCHEMA people;
CREATE TABLE people.rows (id text PRIMARY KEY, "Age" double precision, b real, count integer, money numeric(12, 4),
                          short smallint, yes boolean, secret text);
INSERT INTO people.rows VALUES ('007', 1.5, -2.0, 3, 12.3456, 7, true, 'x'),
                               ('7', 3.25, NULL, 4, NULL, NULL, false, 'x'),
                               ('x y''"', 0, 'NaN', -1, -0.0001, 0, NULL, 'x');
CREATE TABLE numbered (id bigint PRIMARY KEY, b double precision, d double precision);
CREATE TABLE twice (id text, b double precision);
INSERT INTO twice VALUES ('a', 1), ('a', 2);
"""


@pytest.fixture(scope="module")
def at() -> Iterator[str]:
    with running() as url:
        with psycopg.connect(url) as held:
            held.execute(MADE)
            world = split(1)
            with held.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO numbered VALUES (%s, %s, %s)",
                    [(i, float(x[1]), float(x[3])) for i, x in enumerate(world.X)],
                )
        yield url.replace("postgresql:", "postgresql+psycopg:")


def test_columns_of_every_kind_of_number_come_in_the_order_of_the_ids(at):
    features = open_features(f"{at}#people.rows", COLUMNS, 5.0)
    table, found = features.find(["7", "nobody", "x y'\"", "007", "7"])
    context = Context("host:1", 5)
    seven = [3.25, np.nan, 4, np.nan, np.nan, 0]
    wanted = [seven, [np.nan] * 6, [0, np.nan, -1, -0.0001, 0, np.nan], [1.5, -2, 3, 12.3456, 7, 1], seven]
    np.testing.assert_array_equal(table.matrix(COLUMNS, context), wanted)
    assert not context.code.any()
    assert found.tolist() == [True, False, True, True, True]
    assert "secret" not in table.columns
    many, there = features.find([f"n{i}" for i in range(1200)] + ["007"])
    assert (len(many), int(there.sum())) == (1201, 1)
    features.close()


def test_ids_are_data_and_never_sql(at):
    features = open_features(f"{at}#people.rows", ("b",), 5.0)
    _, found = features.find(["'; DROP TABLE people.rows; --", "007' OR '1'='1", ":i0", "%s"])
    assert not found.any()
    assert features.find(["007"])[1].all()
    features.close()


def test_an_id_that_no_text_of_the_database_can_hold_is_not_there(at):
    """A NUL among ids that were gathered from several callers is its own caller's matter."""
    features = open_features(f"{at}#people.rows", ("b",), 5.0)
    assert features.find(["7", "a\0b", "007"])[1].tolist() == [True, False, True]
    features.close()


def test_a_host_before_the_database_answers_as_the_whole_model(at):
    """Ids are numbers there and texts on the wire."""
    world = split(1)
    guest, bank = world.halves["guest"], world.halves["bank"]
    features = open_features(f"{at}#numbered", bank.inputs, 5.0)
    names = [str(i) for i in range(200)]
    with hosting(bank, features) as host, looped() as loop:
        scorer = Scorer(guest, [Link(guest, "host:bank", host, PartySettings())], PartySettings(), None)
        found = loop.run(scorer.score([*names, "201"], Table.of_rows([*world.of("guest").values(), {}]), Asked("q")))
        loop.run(scorer.close())
    np.testing.assert_allclose(found.answer.margin[:200, 0], world.margin, atol=1e-5)
    assert found.answer.code[200] == 2113


@pytest.mark.parametrize(("table", "why"), [("twice", "twice"), ("nothing", "does not answer"), ("people.rows", "")])
def test_what_is_wrong_with_a_table_is_one_line_without_the_password(at, table, why):
    secret = at.partition("@")[0].rpartition(":")[2]
    columns = ("b",) if why else ("nowhere",)
    features = open_features(f"{at}#{table}", columns, 5.0)
    with pytest.raises(SourceError, match=why or "does not answer") as caught:
        features.find(["a"])
    assert "\n" not in str(caught.value)
    assert len(secret) > 8
    assert secret not in str(caught.value)
    features.close()


def test_a_database_that_is_gone_is_a_failed_source():
    features = open_features("postgresql+psycopg://postgres@127.0.0.1:1/postgres#rows", ("b",), 1.0)
    with pytest.raises(SourceError, match="does not answer"):
        features.find(["a"])
    features.close()
