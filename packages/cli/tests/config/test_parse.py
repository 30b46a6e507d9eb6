"""Formats: the same values from each, and mistakes with their place."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrord_cli.config.parse import FORMATS, Malformed, line_of, parse

TREE = {"target": "process/1", "feature": {"env": {"include": ["A", "B"], "override": {"X": "é"}}, "fs": False}}
TEXTS = {
    ".json": '{"target": "process/1", "feature": {"env": {"include": ["A", "B"], "override": {"X": "é"}}, "fs": false}}',
    ".toml": 'target = "process/1"\n[feature]\nfs = false\n[feature.env]\ninclude = ["A", "B"]\noverride = {X = "é"}\n',
    ".yaml": "target: process/1\nfeature:\n  env:\n    include: [A, B]\n    override:\n      X: é\n  fs: false\n",
}


@pytest.mark.parametrize("extension", FORMATS)
def test_each_format_gives_the_same(extension: str) -> None:
    text = TEXTS[{"": ".json", ".yml": ".yaml"}.get(extension, extension)]

    assert parse(text, extension) == TREE


@pytest.mark.parametrize(
    ("extension", "text", "said"),
    [
        (".json", '{\n  "a": ', "line 2, column 8"),
        (".json", '{"a": 1, "a": 2}', "'a' stands twice"),
        (".json", '{"a": NaN}', "NaN"),
        (".json", "", "line 1"),
        (".json", "1" * 5000, "digits"),
        (".json", "[" * 100_000, "nested too deeply"),
        (".toml", "a = 1\nb = \n", "line 2"),
        (".toml", "a = 1\na = 2\n", "line 2"),
        (".yaml", "a: 1\nb: [\n", "line 3"),
        (".yaml", "a: 1\nb: 2\na: 3\n", "line 3, column 1: the key 'a' stands twice"),
        (".yaml", "? [a]\n: 1\n", "must be a string"),
        (".yaml", "a: !!python/object:os.system x\n", "could not determine a constructor"),
        (".yaml", "a: 1\n---\nb: 2\n", "another document"),
        (".yaml", "a: \x01\n", "special characters are not allowed"),
    ],
)
def test_mistakes_say_where_they_are(extension: str, text: str, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        parse(text, extension)


def test_an_empty_yaml_or_toml_file_says_nothing() -> None:
    assert parse("# nothing\n", ".yaml") == {}
    assert parse("# nothing\n", ".toml") == {}


def test_unknown_extension() -> None:
    with pytest.raises(KeyError):
        parse("", ".ini")


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ('{"feature": {\n"evn": 1}}', "feature.evn", 2),
        ("feature:\n  evn: 1\n", "feature.evn", 2),
        ("[feature]\nevn = 1\n", "feature.evn", 2),
        ("[feature.evn]\nx = 1\n", "feature.evn", 1),
        ("\n[evn.inner]\nx = 1\n", "feature.evn", 2),
        ('{"a": {"x": 1},\n "b": {"x": 2}}', "b.x", None),
        ('{"a": 1}', "", None),
        ('{\n"target": "pod/x"}', "target.path", 2),
        ('{"x": 1}', "target.path", None),
        ('{\n"local": ["("]}', "feature.fs.local[0]", 2),
    ],
)
def test_lines_of_keys(text: str, path: str, line: int | None) -> None:
    assert line_of(text, path) == line


@given(st.text(st.sampled_from("ab01.:-=[]{}\"'#,&*!?|>%@\n\t \\\u00e9\U0001f350"), max_size=30) | st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    for extension in (".json", ".toml", ".yaml"):
        with suppress(Malformed):
            parse(text, extension)
    line_of(text, "feature.fs.mode")
