"""The gate: bound values, limits, migrations, and one owner for a directory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from apps.core.errors import ApiError, Unavailable
from apps.telemetry import migrations
from apps.telemetry.gate import Gate, QueryFailed, StoreInUse, gate
from apps.telemetry.native import block

ODD = [
    "it's",
    'a "b"',
    "back\\slash",
    "tab\t",
    "new\nline",
    "nul\0",
    "{x:String}",
    "%s",
    "é😀",
    "",
    "\\N",
    "'; DROP",
]


def test_values_are_bound() -> None:
    for value in ODD:
        assert gate().query("SELECT {v:String}", {"v": value}, purpose="test")[0][0] == value
    assert gate().query("SELECT {v:Array(String)}", {"v": ODD}, purpose="test")[0][0] == ODD
    sql = "SELECT arrayJoin({v:Array(Tuple(String, UInt64))}) AS t"
    rows = gate().query(sql, {"v": [(value, 2**63) for value in ODD]}, purpose="test")
    assert [row[0][0] for row in rows] == ODD


def test_a_count_is_asked_again_after_every_change_and_only_then(monkeypatch: pytest.MonkeyPatch) -> None:
    store, asked = gate(), []
    query = store.query

    def count(least: int) -> int:
        return store.count("SELECT count() FROM counted WHERE n >= {n:UInt64}", {"n": least}, purpose="test")

    store.execute("CREATE TABLE counted (n UInt64) ENGINE = MergeTree ORDER BY n", purpose="test")
    try:
        monkeypatch.setattr(
            store, "query", lambda *args, **kwargs: asked.append(args) or query(*args, **kwargs)
        )
        for number in range(1, 4):
            store.insert("counted", block([("n", "UInt64", [number])], 1), purpose="test")
            assert (count(0), count(0), count(2)) == (number, number, number - 1)
        store.execute("DELETE FROM counted WHERE n = 2", purpose="test")
        assert (count(0), count(2), count(2)) == (2, 1, 1)
        with pytest.raises(Unavailable):
            store.insert("missing", block([("n", "UInt64", [1])], 1), purpose="test")
        assert count(0) == 2  # of another table
        assert len(asked) == 4 * 2
        with pytest.raises(Unavailable):
            store.insert("counted", block([("m", "UInt64", [1])], 1), purpose="test")
        assert count(0) == 2  # who knows what a failure has left
        assert len(asked) == 4 * 2 + 1
    finally:
        store.execute("DROP TABLE counted", purpose="test")


def test_a_block_holds_nothing_of_the_one_before() -> None:
    """One file serves block after block, longer and shorter ones, stored or refused, huge ones too."""
    store = gate()
    store.execute(
        "CREATE TABLE kept (n UInt64, text String, CONSTRAINT c CHECK n < 5) ENGINE = MergeTree ORDER BY n",
        purpose="test",
    )
    try:
        sizes = [10, 20_000_000, 0, 3_000_000, 7]
        for number, size in enumerate(sizes):
            rows = [("n", "UInt64", [number]), ("text", "String", [str(number) * size])]
            store.insert("kept", block(rows, 1), purpose="test")
            with pytest.raises(Unavailable):
                rows = [("n", "UInt64", [5] * 3), ("text", "String", ["refused" * 100] * 3)]
                store.insert("kept", block(rows, 3), purpose="test")
        found = store.query("SELECT n, text FROM kept ORDER BY n", purpose="test")
        assert found == [(number, str(number) * size) for number, size in enumerate(sizes)]
    finally:
        store.execute("DROP TABLE kept", purpose="test")


def test_a_query_over_its_time_is_refused() -> None:
    with pytest.raises(ApiError) as refusal:
        gate().query("SELECT count() FROM numbers(100000000000)", purpose="test", seconds=0.2)
    assert refusal.value.status == 422
    assert refusal.value.body()["error"] == "Request timed out"


def test_a_query_over_its_memory_is_refused() -> None:
    with pytest.raises(ApiError) as refusal:
        gate().query("SELECT uniqExact(number, toString(number)) FROM numbers(300000000)", purpose="test")
    assert refusal.value.status == 422


def test_a_wrong_statement_is_our_mistake() -> None:
    with pytest.raises(QueryFailed, match="no_such_table"):
        gate().query("SELECT * FROM no_such_table", purpose="test")
    assert gate().query("SELECT 1", purpose="test")[0][0] == 1


def test_migrations_are_applied_once() -> None:
    assert gate().migrate() == []
    names = [
        row[0] for row in gate().query("SELECT name FROM schema_migrations ORDER BY name", purpose="test")
    ]
    assert names == [path.name for path in migrations.files()]
    for path in migrations.files():
        for statement in migrations.statements(path.read_text()):
            gate().execute(statement, purpose="test")  # each may be repeated


def test_either_the_tables_sync_or_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    def syncing_tables() -> set[str]:
        sql = "SELECT name FROM system.tables WHERE engine_full LIKE '%fsync_after_insert = 1%'"
        return {name for (name,) in gate().query(sql, purpose="test")}

    assert syncing_tables() == set()
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(gate(), "_syncs", False)  # as on a system without syncfs
        gate().migrate()
        assert {"observations", "observation_io", "traces", "scores"} <= syncing_tables()
    gate().migrate()
    assert syncing_tables() == set()


def test_every_column_is_explained() -> None:
    sql = "SELECT table, name FROM system.columns WHERE database = {d:String} AND comment = ''"
    bare = gate().query(sql, {"d": gate().database}, purpose="test")
    assert [row for row in bare if not row[0].endswith("_test")] == []


def test_a_second_owner_is_told_who_has_the_directory() -> None:
    path = gate().path
    assert path is not None
    with pytest.raises(StoreInUse, match=r"in use by process \d+.*LITEFUSE_DATA_DIR"):
        Gate(path=path)


def test_another_process_is_told_too(tmp_path: Path) -> None:
    program = (
        "from apps.telemetry.gate import Gate, StoreInUse\n"
        f"try: Gate(path=Path({str(gate().path)!r}))\n"
        "except StoreInUse as error: print(error.message)\n"
    )
    assert "is in use by process" in printed_by(program, tmp_path)


def test_the_engine_loads_nothing_that_is_not_used(tmp_path: Path) -> None:
    """Libraries of tables and arrays, tens of megabytes of an idle server."""
    program = (
        "import sys\n"
        "from apps.telemetry.gate import gate\n"
        "from apps.telemetry.native import block\n"
        "gate().execute('CREATE TABLE few (n UInt64) ENGINE = MergeTree ORDER BY n', purpose='test')\n"
        "gate().insert('few', block([('n', 'UInt64', [7])], 1), purpose='test')\n"
        "print(gate().query('SELECT n FROM few', purpose='test')[0][0])\n"
        "print(sorted({'numpy', 'pandas', 'pyarrow'} & sys.modules.keys()))\n"
    )
    assert printed_by(program, tmp_path).splitlines() == ["7", "[]"]


def printed_by(program: str, data: Path) -> str:
    """What a process of its own prints."""
    program = f"import django; django.setup()\nfrom pathlib import Path\n{program}"
    environment = {"DJANGO_SETTINGS_MODULE": "litefuse_web.settings", "LITEFUSE_DATA_DIR": str(data)}
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout


def test_an_unreachable_server_is_unavailable() -> None:
    with pytest.raises(Unavailable) as refusal:
        Gate(url="http://127.0.0.1:9/litefuse")
    assert refusal.value.retry_after
