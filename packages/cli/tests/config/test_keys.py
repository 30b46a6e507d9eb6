"""The definition itself: complete, and one name for one thing."""

from __future__ import annotations

from msgspec import Struct

from mirrord_cli.config.key import keys_of
from mirrord_cli.config.keys import Config, all_keys


def test_paths_are_dotted_and_sections_come_before_their_own() -> None:
    paths = [key.path for key in all_keys()]

    assert len(set(paths)) == len(paths)
    assert paths.index("feature.fs") < paths.index("feature.fs.mode")
    assert [key.path for key in keys_of(Config)] == [path for path in paths if "." not in path]


def test_each_key_is_described_in_a_sentence() -> None:
    for key in all_keys():
        assert key.description[0].isupper() and key.description.endswith("."), key.path


def test_variables_and_options_belong_to_one_key() -> None:
    variables = [key.variable for key in all_keys() if key.variable]
    options = [option for key in all_keys() for option in key.option]

    assert all(name.startswith("MIRRORD_") for name in variables)
    assert len(set(variables)) == len(variables)
    assert len(set(options)) == len(options)


def test_every_option_has_a_variable() -> None:
    assert [key.path for key in all_keys() if key.option and not key.variable and not key.section] == []


def test_flags_are_options() -> None:
    assert [key.path for key in all_keys() if key.says and not key.option] == []
    assert [key.path for key in all_keys() if key.section and key.option and not key.says] == []


def test_defaults() -> None:
    defaults = {key.path: key.default for key in all_keys() if key.section is None}

    assert defaults["feature.fs.mode"] == "read"
    assert defaults["feature.fs.cache_ttl"] == 1.0
    assert defaults["skip_build_tools"] is True
    assert defaults["target.path"] is None


def test_a_section_is_a_struct() -> None:
    for key in all_keys():
        assert (key.section is not None) == (isinstance(key.kind, type) and issubclass(key.kind, Struct))
