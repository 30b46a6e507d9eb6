"""Templates: variables, the branch, filters, and what goes wrong."""

from __future__ import annotations

import pytest

from mirrord_cli.config.template import TemplateFailed, is_template, render


def unasked() -> str | None:
    raise AssertionError("nobody asked for the branch")


def test_only_texts_with_marks_are_templates() -> None:
    assert not is_template('{"feature": {"fs": {"mapping": {"a{1,2}": "${x}"}}}}')
    for text in ("{{ x }}", "{% if x %}", "{# a note #}"):
        assert is_template(text)


def test_variables() -> None:
    text = 'process/{{ get_env(name="PID") }} {{ get_env(name="NONE", default="else") }} {{ get_env("PID") }}\n'

    assert render(text, {"PID": "12"}, unasked) == "process/12 else 12\n"


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(TemplateFailed, match="NOWHERE isn't set"):
        render('{{ get_env(name="NOWHERE") }}', {}, unasked)


def test_the_branch() -> None:
    assert render("{{ git_branch }}", {}, lambda: "main") == "main"
    assert render('{{ git_branch | default(value="none") }}', {}, lambda: None) == "none"
    with pytest.raises(TemplateFailed, match="git_branch"):
        render("{{ git_branch }}", {}, lambda: None)


def test_filters_take_the_arguments_that_files_give_them() -> None:
    text = '{{ "Feature/X y" | slugify }} {{ "a/b" | replace(from="/", to="-") }} {{ "a/b" | replace("/", "+") }}'

    assert render(text, {}, unasked) == "feature-x-y a-b a+b"


def test_conditions() -> None:
    text = '{% if get_env(name="CI", default="") == "true" %}a{% else %}b{% endif %}'

    assert render(text, {"CI": "true"}, unasked) + render(text, {}, unasked) == "ab"


def test_text_is_not_escaped() -> None:
    assert render('{{ get_env(name="X") }}', {"X": "<&'\">"}, unasked) == "<&'\">"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\n{{ ", "line 2"),
        ("{{ key }}", "'key' is undefined"),
        ("{{ get_env() }}", "missing 1 required"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ ().__class__.__base__.__subclasses__() }}", "unsafe"),
        ("{% include '/etc/passwd' %}", "no loader"),
    ],
)
def test_mistakes(text: str, said: str) -> None:
    with pytest.raises(TemplateFailed, match=said):
        render(text, {}, unasked)
