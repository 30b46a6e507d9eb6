"""What Kubernetes takes as names, labels and quantities."""

from __future__ import annotations

import pytest

from mirrord_cli.config.names import (
    OBJECTS,
    image_fault,
    key_fault,
    label_fault,
    name_fault,
    quantity_fault,
    tag_fault,
    value_fault,
)


@pytest.mark.parametrize("text", ["a", "a-b", "0", "a" * 63])
def test_labels(text: str) -> None:
    assert label_fault(text) == name_fault(text) == value_fault(text) == key_fault(text) == ""


@pytest.mark.parametrize("text", ["", "A", "a.b", "-a", "a-", "a_b", "é", "a" * 64, "a\n"])
def test_no_labels(text: str) -> None:
    assert label_fault(text)


def test_names() -> None:
    assert name_fault("a.b-c.0") == ""
    assert all(map(name_fault, ["", ".", "a..b", "a.", "A", "a" * 254]))


def test_keys_and_values_of_labels() -> None:
    assert key_fault("a_B.c") == key_fault("example.test/name") == ""
    assert all(map(key_fault, ["", "/a", "a/", "A/b", "a/b/c", "-a", "a b"]))
    assert value_fault("") == value_fault("A_b.c") == ""
    assert all(map(value_fault, ["a b", "-a", "a/b", "a" * 64]))


def test_quantities() -> None:
    assert not any(map(quantity_fault, ["1", "0.5", ".5", "1.", "500m", "1Mi", "1k", "1e3", "+1", "100n"]))
    assert all(map(quantity_fault, ["", "1 Mi", "1mi", "Mi", "1KB", "1K", "much", "1e"]))


def test_images() -> None:
    assert image_fault("a") == image_fault("registry.test:5000/x/y:1.0") == image_fault("x@sha256:00") == ""
    assert all(map(image_fault, ["", "a b", "/a", "a:", "-a"]))
    assert tag_fault("1.0-rc_1") == ""
    assert all(map(tag_fault, ["", "a:b", ".a", "a" * 129]))


def test_objects_tell_where_the_fault_is() -> None:
    assert OBJECTS["labels"]({"a": "b", "c": "d e"}).startswith("the value 'd e' of c: ")
    assert OBJECTS["annotations"]({"a": "b c\n"}) == ""
    assert OBJECTS["annotations"]({"a b": ""}).startswith("the key 'a b': ")
    assert OBJECTS["quantities"]({"cpu": "x"}).startswith("the value 'x' of cpu: ")
