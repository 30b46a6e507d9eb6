"""The C face: what is checked in is what the schema gives, and it compiles without a warning."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mirrord_protocol import cgen
from mirrord_protocol.schema import enumerants, load
from protocol_c import FLAGS, compiler

GENERATED = Path(__file__).parents[2] / "layer-unix" / "csrc" / "generated"


@pytest.mark.skipif(not GENERATED.exists(), reason="only a checkout has the layer beside the protocol")
def test_what_is_checked_in_is_up_to_date() -> None:
    advice = "run python -m mirrord_protocol.cgen packages/layer-unix/csrc/generated"

    assert (GENERATED / "wire.h").read_text() == cgen.header(), advice
    assert (GENERATED / "wire.c").read_text() == cgen.source(), advice


def test_it_compiles_alone_and_needs_nothing_but_memory(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "mirrord_protocol.cgen", str(tmp_path)], check=True, timeout=60)
    text = (tmp_path / "wire.c").read_text()
    subprocess.run(
        [*compiler(), *FLAGS, "-O2", "-Wconversion", "-c", tmp_path / "wire.c", "-o", tmp_path / "wire.o"],
        check=True,
        timeout=60,
    )

    assert text.count("#include") == 2
    assert "malloc" not in text


def test_usage() -> None:
    assert cgen.main([]) == 2
    assert cgen.main(["a", "b"]) == 2


def test_enums_have_the_names_agreed_on() -> None:
    text = cgen.header()
    for line in (
        "\tWIRE_ERRNO_NONE = 0,",
        "\tWIRE_ERRNO_E2BIG = 7,",
        "\tWIRE_LAYER_OPERATION_FILE_SYSTEM = 10,",
        "\tWIRE_LAYER_OUTCOME_FAILED = 2,",
        "\tWIRE_LAYER_FORM_FILLING = 2,",
        "\tWIRE_LAYER_NOTICE_GO = 2,",
        "\tWIRE_LAYER_OPERATION_HOSTNAME = 24,",
        "\tWIRE_LAYER_RESOLVE_CONFIGURED_ONLY = 3,",
        "\tWIRE_LAYER_SOCKET_UNIX = 4,",
        "struct wire_address {",
        "#define LAYER_REQUEST_SIZE 64",
        "#define LAYER_REPLY_SIZE 168",
        "\tenum wire_errno errno_code;",
    ):
        assert line in text
    assert text.count("\tWIRE_ERRNO_") == len(enumerants(load().Errno.schema.node))
