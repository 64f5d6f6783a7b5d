"""The filter language: what is understood, what is refused and where, and what each compiler makes of it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import orjson
import pytest
from django.http import QueryDict
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.core import filter_orm, filter_sql, filters
from apps.core.errors import InvalidBody
from apps.core.filters import Column, Columns, Condition, Kind
from apps.core.parameters import Parameters
from apps.core.segments import MARK, NameConverter, keep_slashes
from apps.organizations.models import Organization
from apps.telemetry.gate import gate

TEXT = Column("name", Kind.TEXT, "Name", is_full_text=True)
NUMBER = Column("latency", Kind.NUMBER, "Latency (s)")
TIME = Column("timestamp", Kind.TIME)
LIST = Column("tags", Kind.LIST, aliases=("traceTags",))
OBJECT = Column("metadata", Kind.TEXTS)
BOOLEAN = Column("public", Kind.BOOLEAN)
COLUMNS = Columns([TEXT, NUMBER, TIME, LIST, OBJECT, BOOLEAN])
EXPRESSIONS: dict[str, filter_sql.Expression] = {column.name: column.name for column in COLUMNS}


def one(type: str, column: str, operator: str, value: Any, **more: Any) -> list[dict[str, Any]]:
    return [{"type": type, "column": column, "operator": operator, "value": value, **more}]


def test_nothing_is_no_condition():
    assert filters.parse(None, COLUMNS) == filters.parse("", COLUMNS) == filters.parse("[]", COLUMNS) == ()


@pytest.mark.parametrize(
    "given",
    [
        one("string", "name", "starts with", "a"),
        one("string", "name", "matches", "a"),
        one("stringOptions", "Name", "none of", ["a", "b"]),
        one("number", "Latency (s)", ">=", 1.5),
        one("datetime", "timestamp", "<", "2026-11-21T08:00:00+02:00"),
        one("arrayOptions", "traceTags", "all of", []),
        one("stringObject", "metadata", "contains", "x", key="k"),
        one("stringObject", "metadata", "is not set", "", key="k"),
        one("string", "name", "is not empty", ""),
        one("boolean", "public", "<>", True),
        one("null", "name", "is not null", ""),
    ],
)
def test_conditions_are_read_from_text_and_from_what_it_holds(given):
    (condition,) = filters.parse(orjson.dumps(given).decode(), COLUMNS)
    assert (condition,) == filters.parse(given, COLUMNS)
    assert (condition.type, condition.operator) == (given[0]["type"], given[0]["operator"])
    assert given[0]["column"] in (condition.column.name, condition.column.label, *condition.column.aliases)


def test_a_moment_is_read_to_the_microsecond():
    (condition,) = filters.parse(
        one("datetime", "timestamp", "<", "2026-11-21T08:00:00.000001+02:00"), COLUMNS
    )
    assert condition.value == 1_795_240_800_000_001


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("[", ["filter"]),
        ("{}", ["filter"]),
        (["x"], ["filter", 0]),
        (one("string", "nothing", "=", "a"), ["filter", 0, "column"]),
        (one("number", "name", "=", 1), ["filter", 0, "type"]),
        (one("string", "name", "like", "a"), ["filter", 0, "operator"]),
        (one("stringObject", "metadata", "matches", "a", key="k"), ["filter", 0, "operator"]),
        (one("stringObject", "metadata", "=", "a", key=3), ["filter", 0, "key"]),
        (one("string", "name", "=", "a\0"), ["filter", 0, "value"]),
        (one("string", "name", "=", "\ud800"), ["filter", 0, "value"]),
        (one("number", "latency", "=", float("inf")), ["filter", 0, "value"]),
        (one("number", "latency", "=", 10**400), ["filter", 0, "value"]),
        (one("number", "latency", "=", True), ["filter", 0, "value"]),
        (one("datetime", "timestamp", ">", "2026-11-21T08:00:00"), ["filter", 0, "value"]),
        (one("stringOptions", "name", "any of", []), ["filter", 0, "value"]),
        (one("stringOptions", "name", "any of", [1]), ["filter", 0, "value"]),
        (one("boolean", "public", "=", "true"), ["filter", 0, "value"]),
        (one("string", "name", "=", "a") * 101, ["filter"]),
    ],
)
def test_a_refusal_names_the_part(given, path):
    with pytest.raises(InvalidBody) as refused:
        filters.parse(given, COLUMNS)
    assert [list(issue.path) for issue in refused.value.issues] == [path]


words = st.text(alphabet="ab\n%_\\'\"ü ", max_size=4)
rows = st.fixed_dictionaries(
    {
        "name": words,
        "latency": st.none() | st.floats(-1e6, 1e6),
        "tags": st.lists(words, max_size=3),
        "metadata": st.dictionaries(words, words, max_size=2),
        "public": st.booleans(),
    }
)
conditions = st.one_of(
    st.builds(
        Condition, st.just(TEXT), st.just("string"), st.sampled_from(filters.OPERATORS["string"]), words
    ),
    st.builds(
        Condition, st.just(TEXT), st.just("stringOptions"), st.sampled_from(["any of", "none of"]),
        st.lists(words, min_size=1, max_size=3).map(tuple),
    ),
    st.builds(
        Condition, st.just(NUMBER), st.just("number"), st.sampled_from(filters.OPERATORS["number"]),
        st.floats(-1e6, 1e6),
    ),
    st.builds(
        Condition, st.just(LIST), st.just("arrayOptions"), st.sampled_from(filters.OPERATORS["arrayOptions"]),
        st.lists(words, max_size=3).map(tuple),
    ),
    st.builds(
        Condition, st.just(OBJECT), st.just("stringObject"),
        st.sampled_from(filters.OPERATORS["stringObject"]), words, words,
    ),
    st.builds(Condition, st.just(BOOLEAN), st.just("boolean"), st.sampled_from(["=", "<>"]), st.booleans()),
    st.builds(
        Condition, st.sampled_from([TEXT, LIST, OBJECT, NUMBER]), st.just("null"),
        st.sampled_from(["is null", "is not null"]), st.just(""),
    ),
)  # fmt: skip


def passes(condition: Condition, row: dict[str, Any]) -> bool:
    """What a condition means, in Python."""
    held, value, operator = row[condition.column.name], condition.value, condition.operator
    if condition.type == "null":
        return (held in (None, "", [], {})) == (operator == "is null")
    if condition.type == "stringObject":
        held = held.get(condition.key, "")
    if held is None:
        return False
    return {
        "=": lambda: held == value,
        "<>": lambda: held != value,
        "contains": lambda: value in held,
        "does not contain": lambda: value not in held,
        "starts with": lambda: held.startswith(value),
        "ends with": lambda: held.endswith(value),
        ">": lambda: held > value,
        "<": lambda: held < value,
        ">=": lambda: held >= value,
        "<=": lambda: held <= value,
        "any of": lambda: held in value if isinstance(held, str) else bool(set(held) & set(value)),
        "none of": lambda: held not in value if isinstance(held, str) else not set(held) & set(value),
        "all of": lambda: set(value) <= set(held),
        "is not empty": lambda: held != "",
        "is set": lambda: held != "",
        "is not set": lambda: held == "",
    }[operator]()


ROW = (
    "SELECT {name:String} AS name, {latency:Nullable(Float64)} AS latency, {tags:Array(String)} AS tags,"
    " mapFromArrays({keys:Array(String)}, {values:Array(String)}) AS metadata, {public:Bool} AS public"
)


@settings(max_examples=300)
@given(rows, st.lists(conditions, min_size=1, max_size=4))
def test_the_store_answers_what_a_condition_means(row, asked):
    binder = filter_sql.Binder()
    compiled = filter_sql.compile_all(asked, EXPRESSIONS, binder)
    held = row | {"keys": list(row["metadata"]), "values": list(row["metadata"].values())}
    held |= binder.parameters
    answer = gate().query(f"SELECT {', '.join(compiled)} FROM ({ROW})", held, purpose="test")[0]
    assert [bool(held) for held in answer] == [passes(condition, row) for condition in asked]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "asked",
    [
        one("string", "name", "=", "Acme"),
        one("string", "name", "contains", "cm"),
        one("string", "name", "does not contain", "cm"),
        one("string", "name", "starts with", "A"),
        one("string", "name", "starts with", "a"),
        one("string", "name", "contains", "CM"),
        one("string", "name", "does not contain", "CM"),
        one("string", "name", "ends with", "me"),
        one("string", "name", "ends with", ""),
        one("string", "name", "contains", ""),
        one("string", "name", "is not empty", ""),
        one("stringOptions", "name", "none of", ["Acme"]),
        one("null", "name", "is null", ""),
        one("datetime", "timestamp", ">", "2020-01-01T00:00:00Z"),
    ],
)
def test_the_relational_database_answers_the_same(asked):
    for name in ("Acme", "Zeta", ""):
        Organization.objects.create(name=name)
    paths: dict[str, filter_orm.Path] = {"name": "name", "timestamp": "created_at"}
    (condition,) = parsed = filters.parse(asked, COLUMNS)
    found = set(
        Organization.objects.filter(filter_orm.compile_all(parsed, paths)).values_list("name", flat=True)
    )
    if condition.type == "datetime":
        assert found == {"Acme", "Zeta", ""}
    else:
        assert found == {name for name in ("Acme", "Zeta", "") if passes(condition, {"name": name})}


def test_a_filter_wins_over_the_simple_parameter_of_its_column():
    simple = [filters.equals(TEXT, "a"), filters.any_of(LIST, ["t"])]
    asked = filters.parse(one("string", "Name", "=", "b"), COLUMNS)
    assert filters.winning(simple, asked) == (simple[1], *asked)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("page=0", ["page"]),
        ("limit=101", ["limit"]),
        ("limit=x&page=²", ["page", "limit"]),
        ("at=2026-11-21", ["at"]),
        ("flag=1", ["flag"]),
    ],
)
def test_parameters_are_refused_by_name(query, names):
    parameters = Parameters(QueryDict(query))
    parameters.page()
    parameters.moment("at")
    parameters.boolean("flag")
    with pytest.raises(InvalidBody) as refused:
        parameters.check()
    assert [issue.path[0] for issue in refused.value.issues] == names


def test_parameters_are_read():
    parameters = Parameters(QueryDict("page=&limit=10&e=a&e=b&t=x,y&at=2026-11-21T08:00:00+02:00&flag=true"))
    page = parameters.page()
    assert (page.number, page.limit, page.offset) == (1, 10, 0)
    assert page.meta(11) == {"page": 1, "limit": 10, "totalItems": 11, "totalPages": 2}
    assert parameters.many("e") == ("a", "b")
    assert parameters.many("t", split=True) == ("x", "y")
    assert parameters.moment("at") == 1_795_240_800_000_000
    assert parameters.boolean("flag") is True
    parameters.check()


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters=MARK)))
def test_a_name_survives_its_way_through_a_path(name):
    decoded = keep_slashes(quote(name, safe="").encode())
    assert "/" not in decoded
    assert NameConverter().to_python(decoded) == name
