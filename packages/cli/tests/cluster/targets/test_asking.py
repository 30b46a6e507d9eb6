"""Questions and answers."""

from __future__ import annotations

from mirrord_cli.cluster.targets.asking import Ask, Refusal, items, page


def test_a_page_has_a_limit_and_what_is_wanted() -> None:
    assert page("/x") == Ask("/x", (("limit", "500"),))
    assert dict(page("/x", labels="a=b", fields="c=d").query) == {
        "labelSelector": "a=b", "fieldSelector": "c=d", "limit": "500",
    }  # fmt: skip


def test_items() -> None:
    assert items({"items": [{"a": 1}]}) == [{"a": 1}]
    assert items({"items": None}) == items(Refusal(403, "no")) == []
