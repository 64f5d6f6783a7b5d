"""The encoder against the engine itself: what is written is what is read."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.telemetry.gate import gate
from apps.telemetry.native import block, codec

TEXT = st.text(st.characters(codec="utf-8"), max_size=40) | st.text("ab\"'\\\t\n\0{}", max_size=10)
COMMON = st.sampled_from(["", "a", "gpt-5", "\\N", "it's"])
MICROS = st.integers(0, 9_214_646_400_000_000)
COSTS = st.decimals(-999_999, 999_999, places=12)
TYPES: dict[str, st.SearchStrategy[Any]] = {
    "String": TEXT,
    "LowCardinality(String)": COMMON,
    "Bool": st.booleans(),
    "UInt8": st.integers(0, 2**8 - 1),
    "UInt16": st.integers(0, 2**16 - 1),
    "UInt32": st.integers(0, 2**32 - 1),
    "UInt64": st.integers(0, 2**64 - 1),
    "Int64": st.integers(-(2**63), 2**63 - 1),
    "DateTime64(6, 'UTC')": MICROS,
    "Decimal(18, 12)": COSTS,
    "Decimal(38, 12)": st.decimals(-(10**20), 10**20, places=12),
    "Nullable(DateTime64(6, 'UTC'))": st.none() | MICROS,
    "Nullable(Bool)": st.none() | st.booleans(),
    "Nullable(Decimal(18, 12))": st.none() | COSTS,
    "Array(LowCardinality(String))": st.lists(COMMON, max_size=4),
    "Array(UInt64)": st.lists(st.integers(0, 2**64 - 1), max_size=3),
    "Map(String, String)": st.dictionaries(TEXT, TEXT, max_size=3),
    "Map(LowCardinality(String), UInt64)": st.dictionaries(COMMON, st.integers(0, 2**64 - 1), max_size=3),
    "Map(LowCardinality(String), Decimal(18, 12))": st.dictionaries(COMMON, COSTS, max_size=3),
}
NAMES = {type_name: f"c{place}" for place, type_name in enumerate(TYPES)}
_numbers = itertools.count()


@pytest.fixture(scope="module")
def table() -> str:
    """A table with one column of every type."""
    columns = ", ".join(f"{name} {type_name}" for type_name, name in NAMES.items())
    gate().execute(
        f"CREATE TABLE IF NOT EXISTS native_test (run UInt64, place UInt64, {columns})"
        " ENGINE = MergeTree ORDER BY (run, place)",
        purpose="test",
    )
    return "native_test"


def read_back(run: int) -> list[tuple[Any, ...]]:
    columns = ", ".join(
        f"toUnixTimestamp64Micro({name})" if "DateTime64" in type_name else name
        for type_name, name in NAMES.items()
    )
    sql = f"SELECT {columns} FROM native_test WHERE run = {{run:UInt64}} ORDER BY place"
    return [tuple(row) for row in gate().query(sql, {"run": run}, purpose="test")]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(*TYPES.values()), min_size=1, max_size=5))
def test_every_type_comes_back_as_it_went(table: str, rows: list[tuple[Any, ...]]) -> None:
    run = next(_numbers)
    columns: list[tuple[str, str, list[Any]]] = [
        ("run", "UInt64", [run] * len(rows)),
        ("place", "UInt64", list(range(len(rows)))),
    ]
    for place, (type_name, name) in enumerate(NAMES.items()):
        columns.append((name, type_name, [row[place] for row in rows]))
    gate().insert(table, block(columns, len(rows)), purpose="test")
    assert read_back(run) == rows


def test_nothing_given_is_empty(table: str) -> None:
    run = 10**9
    missing = ["String", "LowCardinality(String)", "Array(UInt64)", "Map(String, String)"]
    columns = [("run", "UInt64", [run])] + [(NAMES[kind], kind, [None]) for kind in missing]
    gate().insert(table, block(columns, 1), purpose="test")
    row = dict(zip(TYPES, read_back(run)[0], strict=True))
    assert [row[kind] for kind in missing] == ["", "", [], {}]


def test_long_text_and_many_rows(table: str) -> None:
    run, texts = 10**9 + 1, ["é" * 1_000_000, "x" * 16_383, "y" * 16_384, ""]
    columns = [
        ("run", "UInt64", [run] * 4),
        ("place", "UInt64", [0, 1, 2, 3]),
        (NAMES["String"], "String", texts),
    ]
    gate().insert(table, block(columns, 4), purpose="test")
    assert [row[0] for row in read_back(run)] == texts


def test_a_lone_surrogate_is_replaced(table: str) -> None:
    run = 10**9 + 2
    columns = [("run", "UInt64", [run]), (NAMES["String"], "String", ["a\ud800b"])]
    gate().insert(table, block(columns, 1), purpose="test")
    assert read_back(run)[0][0] == "a?b"


def test_decimals_may_be_given_in_units(table: str) -> None:
    run, kind = 10**9 + 3, "Decimal(18, 12)"
    gate().insert(table, block([("run", "UInt64", [run]), (NAMES[kind], kind, [5])], 1), purpose="test")
    assert dict(zip(TYPES, read_back(run)[0], strict=True))[kind] == Decimal("0.000000000005")


@pytest.mark.parametrize("name", ["Float32", "Decimal(5, 2)", "Map(UInt8, String)", "Tuple(String)"])
def test_an_unknown_type_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no encoder"):
        codec(name)
