"""What Kubernetes takes as names, labels and quantities, so that a slip is told before a cluster is asked.

From its documentation, "Object Names and IDs", "Labels and Selectors", "Annotations" and "Quantity".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

LONGEST_LABEL = 63
LONGEST_NAME = 253
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.ASCII)
"""RFC 1123: a label."""
WORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?", re.ASCII)
QUANTITY = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?", re.ASCII)
IMAGE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_./:@-]*[A-Za-z0-9_])?", re.ASCII)
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)


def label_fault(text: str) -> str:
    """Return why a text is no name of a namespace, a service or a container; empty if it is one."""
    if not text:
        return "it is empty"
    if len(text) > LONGEST_LABEL:
        return f"it has more than {LONGEST_LABEL} characters"
    if not LABEL.fullmatch(text):
        return "it may have small letters, digits and hyphens, and begins and ends with a letter or digit"
    return ""


def name_fault(text: str) -> str:
    """Return why a text is no name of a pod, a workload or most else; empty if it is one."""
    if not text:
        return "it is empty"
    if len(text) > LONGEST_NAME:
        return f"it has more than {LONGEST_NAME} characters"
    if not all(LABEL.fullmatch(part) for part in text.split(".")):
        return "it may have small letters, digits, hyphens and dots, and begins and ends with a letter or digit"
    return ""


def key_fault(text: str) -> str:
    """Return why a text is no key of a label or an annotation; empty if it is one."""
    prefix, slash, name = text.rpartition("/")
    if slash and (fault := name_fault(prefix)):
        return f"the part before the slash: {fault}"
    if not name:
        return "it is empty"
    return _word_fault(name)


def value_fault(text: str) -> str:
    """Return why a text is no value of a label; empty if it is one."""
    return _word_fault(text) if text else ""


def _word_fault(text: str) -> str:
    if len(text) > LONGEST_LABEL:
        return f"it has more than {LONGEST_LABEL} characters"
    if not WORD.fullmatch(text):
        return "it may have letters, digits, `-`, `_` and `.`, and begins and ends with a letter or digit"
    return ""


def quantity_fault(text: str) -> str:
    """Return why a text is no quantity of a resource; empty if it is one."""
    return "" if QUANTITY.fullmatch(text) else "it is no quantity like `500m`, `2` or `200Mi`"


def image_fault(text: str) -> str:
    """Return why a text can't be an image's name; empty if it can. What a registry takes is for it to say."""
    if not text:
        return "it is empty"
    return "" if IMAGE.fullmatch(text) else "it is no image's name like `registry.example/mirrord-agent:1.0`"


def tag_fault(text: str) -> str:
    """Return why a text is no image's tag; empty if it is one."""
    return "" if TAG.fullmatch(text) else "it is no image's tag"


def _pairs(key: Callable[[str], str], value: Callable[[str], str]) -> Callable[[Mapping[str, str]], str]:
    def fault(found: Mapping[str, str]) -> str:
        for name, text in found.items():
            if why := key(name):
                return f"the key {name!r}: {why}"
            if why := value(text):
                return f"the value {text!r} of {name}: {why}"
        return ""

    return fault


def _any(_text: str) -> str:
    return ""


TEXTS: Mapping[str, Callable[[str], str]] = {
    "label": label_fault,
    "name": name_fault,
    "image": image_fault,
    "tag": tag_fault,
}
"""What notes in the definition call the forms of a text, and the function that finds its fault."""
OBJECTS: Mapping[str, Callable[[Mapping[str, str]], str]] = {
    "labels": _pairs(key_fault, value_fault),
    "annotations": _pairs(key_fault, _any),
    "quantities": _pairs(key_fault, quantity_fault),
}
"""Likewise, of an object of strings."""
