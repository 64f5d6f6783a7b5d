"""The registry: names that last, scopes, the order of asking."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest

from apps.ingestion.mapping import registry, traceloop
from apps.ingestion.mapping.registry import NAMED, Bound, ask, for_span
from apps.ingestion.mapping.values import under
from tests.ingestion import dialects
from tests.support.mapping import VECTORS, decoded

# Conventions whose examples are written out, each in the test module of its name.
WRITTEN_OUT = {"adk", "flue", "genkit", "litellm", "livekit", "mlflow", "openclaw", "openrouter"}


def test_every_rule_has_a_name_of_its_own():
    names = [(rule.field, rule.name, rule.scope) for rule in NAMED]
    assert len(set(names)) == len(names)
    assert ("content", "langfuse.content", "") in names
    assert ("usage", "usage.from_conventions", "") in names
    assert all(name.isascii() and "<" not in name for _, name, _ in names)


def test_rules_of_another_scope_are_not_asked():
    for scope in {rule.scope for rule in NAMED}:
        rules = for_span(decoded({word: 1 for rule in NAMED for word in rule.words}, scope=scope))
        expected = [rule.rule for rule in NAMED if rule.scope in ("", scope)]
        asked = [rule for field in registry.fields(rules) for rule in getattr(rules, field.name)]
        assert asked == expected


def test_rules_of_conventions_that_a_span_does_not_speak_are_not_asked():
    assert traceloop.content not in for_span(decoded({"gen_ai.request.model": "m", "x": 1})).content
    assert traceloop.content in for_span(decoded({"traceloop.entity.input": "i"})).content


def test_a_bound_rule_answers_for_its_scope():
    rule = Bound("ai", lambda _: "answer")
    assert (rule(decoded(scope="ai")), rule(decoded(scope="other"))) == ("answer", None)


def test_the_first_answer_wins():
    assert ask((lambda _: None, lambda _: "", lambda _: "late"), decoded()) == ""
    assert ask((), decoded()) is None


class Watching(dict):
    """Notes which of its keys are read."""

    def __init__(self, *args):
        super().__init__(*args)
        self.read = set()

    def __getitem__(self, key):
        self.read.add(key)
        return super().__getitem__(key)

    def get(self, key, default=None):
        self.read.add(key)
        return super().get(key, default)

    def __contains__(self, key):
        self.read.add(key)
        return super().__contains__(key)


def test_reading_under_prefixes_can_be_watched():
    attributes = Watching({"a.1": 1, "b": 2, "c.x": 3})
    assert under(attributes, ("a.", "c.")) == [("a.1", 1), ("c.x", 3)]
    assert attributes.read == {"a.1", "c.x"}


@pytest.mark.parametrize("rule", NAMED, ids=[f"{rule.field}-{rule.name}" for rule in NAMED])
def test_rules_never_iterate_over_all_attributes(rule):
    """Otherwise nobody could tell which attributes a rule took."""

    class Closed(Watching):
        def items(self):
            raise AssertionError("use values.under")

        keys = values = items

    one = decoded(scope=rule.scope or "test")
    one.attributes = Closed({"unrelated.key": "x"})
    rule.rule(one)
    assert "unrelated.key" not in one.attributes.read


def test_every_rule_has_a_vector_in_which_it_decides():
    for module in pkgutil.iter_modules(dialects.__path__, f"{dialects.__name__}."):
        import_module(module.name)
    undecided = {(rule.field, rule.name) for rule in NAMED if rule.name.partition(".")[0] not in WRITTEN_OUT}
    for vector in VECTORS:
        arguments = {key: value for key, value in vector.span.items() if key != "sender"}
        one = decoded(vector.attributes, scope=vector.scope, **arguments)
        decided = set()
        for rule in NAMED:
            asked = rule.scope in ("", vector.scope) and rule.field not in decided
            if asked and rule.rule(one) is not None:
                undecided.discard((rule.field, rule.name))
                if rule.field != "tools":  # of which all are asked
                    decided.add(rule.field)
    assert not undecided
