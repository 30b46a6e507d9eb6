"""The layer's own descriptors: a program neither sees nor loses them."""

from __future__ import annotations

import pytest

from layer_programs import Both

pytestmark = pytest.mark.programs


def test_descriptors_of_the_layer_survive_the_program(run_both: Both) -> None:
    run_both("descriptors")
