"""Dotenv files as people write them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mirrord_cli.environment.dotenv import BadLine, parse_dotenv

OWN = {b"USER": b"me", b"RAW": b"\xff"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=plain", "plain"),
        ("A = around \t", "around"),
        ("A=", ""),
        ("A=\n", ""),
        ("A=two words", "two words"),
        ("A=a#b", "a#b"),
        ("A=a # note", "a"),
        ("A=#note", ""),
        ("export A=x", "x"),
        ("  export\tA=x", "x"),
        ("A=x\r\n", "x"),
        ("\ufeffA=x", "x"),
        ("# note\n\n  # note\nA=x", "x"),
        (r"A=C:\new\$USER", r"C:\new$USER"),
        ("A='$USER \\n # \"x\"'", '$USER \\n # "x"'),
        ("A='two\nlines'", "two\nlines"),
        ('A="two\nlines" # note', "two\nlines"),
        (r'A="\n\t\r\"\\\$USER\q"', '\n\t\r"\\$USER\\q'),
        ('A="$USER-${USER}"', "me-me"),
        ("A=$USER-${USER}", "me-me"),
        ("A=$NOBODY.", "."),
        ("A=${USER", "${USER"),
        ("A=$1 $", "$1 $"),
        ("A=é", "é"),
        ("A=it's", "it's"),
    ],
)
def test_values(text: str, value: str) -> None:
    assert parse_dotenv(text.encode(), OWN) == {b"A": value.encode()}


def test_several_lines_and_what_was_set_before() -> None:
    text = b"USER=you\nexport B=\"$USER\"\nC.D-E='x'\nexport B C\nB=again # last\nF=$RAW\xfe"

    assert parse_dotenv(text, OWN) == {b"USER": b"you", b"B": b"again", b"C.D-E": b"x", b"F": b"\xff\xfe"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A=1\nnonsense\n", "line 2: it is not of the form NAME=value"),
        ("1A=x", "line 1"),
        ("A B=x", "line 1"),
        ("A=1\n\nB='x\n\n", "line 3: the ' is never closed"),
        ('A="x', 'line 1: the " is never closed'),
        ("A='x\n'y", "line 2: something follows the closing '"),
        ("A=x\0y", "line 1: the value holds a NUL character"),
    ],
)
def test_mistakes(text: str, said: str) -> None:
    with pytest.raises(BadLine) as caught:
        parse_dotenv(text.encode(), OWN)
    assert str(caught.value).startswith(said)


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z_]{1,4}", fullmatch=True),
        st.text(st.characters(exclude_characters="\0'", exclude_categories=["Cs"])),
        max_size=5,
    )
)
@example({"A": "\r\n"})
def test_what_is_in_single_quotes_comes_back(variables: dict[str, str]) -> None:
    text = "".join(f"{name}='{value}'\n" for name, value in variables.items())
    same = {name.encode(): value.replace("\r\n", "\n").encode() for name, value in variables.items()}

    assert parse_dotenv(text.encode(), {}) == same


@given(st.binary(max_size=60))
@example(b"A=" + b'"' + b"\\" * 50)
def test_anything_is_read_or_refused(data: bytes) -> None:
    try:
        found = parse_dotenv(data, OWN)
    except BadLine:
        return
    assert all(name and b"=" not in name and b"\0" not in value for name, value in found.items())
