"""Prompts put together from others: whatever they are made of, it ends, and is what it would be by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.prompts.drafts import read_draft
from apps.prompts.references import (
    MAX_DEPTH,
    MAX_EXPANDED,
    Node,
    Reference,
    Unresolvable,
    references,
    resolve,
)

NAMES = ["a", "b", "c", "d"]
pieces = st.one_of(
    st.text(alphabet="xyz@|=\\$ {}", max_size=5),
    st.builds("@@@langfusePrompt:name={}|label=l@@@".format, st.sampled_from([*NAMES, "nobody"])),
    st.builds("@@@langfusePrompt:name={}|version=1@@@".format, st.sampled_from(NAMES)),
)
contents = st.lists(pieces, max_size=4).map("".join)


def by_hand(name: str, texts: dict[str, str], above: tuple[str, ...] = ()) -> str | None:
    """What the text of a prompt becomes; None when it cannot be put together."""
    if name in above or name not in texts or len(above) == MAX_DEPTH:
        return None
    text = texts[name]
    for reference in references(text):
        inner = by_hand(reference.name, texts, (*above, name))
        if inner is None:
            return None
        which = f"version={reference.number}" if reference.number else f"label={reference.label}"
        marker = f"@@@langfusePrompt:name={reference.name}|{which}@@@"
        text = text.replace(marker, inner.replace("@@@", "\ue000"))  # what is put in is not looked at again
    return text


@given(st.fixed_dictionaries(dict.fromkeys(NAMES, contents)))
def test_a_prompt_is_what_it_would_be_by_hand(texts: dict[str, str]):
    nodes = {name: Node(f"id-{name}", name, 1, True, text) for name, text in texts.items()}
    expected = by_hand("a", texts)
    try:
        content, graph = resolve(nodes["a"], lambda reference: nodes.get(reference.name))
    except Unresolvable:
        assert expected is None
        return
    assert expected is not None and content == expected.replace("\ue000", "@@@")
    assert (graph is None) == (not references(texts["a"]))
    if graph is not None:
        assert graph["root"]["id"] == "id-a" and "id-a" in graph["dependencies"]


@given(st.text(), st.integers(1, 2**31 - 1), st.text("abc-_.", min_size=1, max_size=36))
def test_references_are_read(text: str, number: int, label: str):
    name = text.replace("|", "").replace("@", "").replace("\n", "").replace("\r", "") or "x"
    by_number = f"@@@langfusePrompt:name={name}|version={number}@@@"
    by_label = f"@@@langfusePrompt:name={name}|label={label}@@@"
    assert references(by_number + by_label + by_number) == [
        Reference(name, number, ""),
        Reference(name, None, label),
    ]


def test_growth_ends_early():
    nodes = {"p0": Node("p0", "p0", 1, True, "x" * 1000)}
    for level in range(1, MAX_DEPTH):
        text = f"@@@langfusePrompt:name=p{level - 1}|version=1@@@" * 100
        nodes[f"p{level}"] = Node(f"p{level}", f"p{level}", 1, True, text)
    with pytest.raises(Unresolvable, match=str(MAX_EXPANDED)):
        resolve(nodes["p4"], lambda reference: nodes[reference.name])


def test_references_to_nothing_end_too():
    nodes = {"p0": Node("p0", "p0", 1, True, "")}
    for level in range(1, MAX_DEPTH):
        text = "".join(f"@@@langfusePrompt:name=p{level - 1}|label={n}@@@" for n in range(200))
        nodes[f"p{level}"] = Node(f"p{level}", f"p{level}", 1, True, text)
    with pytest.raises(Unresolvable, match=str(MAX_EXPANDED)):
        resolve(nodes["p4"], lambda reference: nodes[reference.name])


names = st.from_regex(r"[a-z][a-z0-9_]{0,3}", fullmatch=True)
messages = st.lists(
    st.one_of(
        st.fixed_dictionaries({"role": st.sampled_from(["user", "system"]), "content": contents}),
        st.fixed_dictionaries({"type": st.just("placeholder"), "name": names}),
    ),
    max_size=5,
)


@given(messages)
def test_messages_are_kept_as_they_came(given_messages: list[dict[str, str]]):
    draft = read_draft({"name": "x", "type": "chat", "prompt": given_messages})
    assert draft.content == given_messages
