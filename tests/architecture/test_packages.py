"""Names, versions and dependencies agree between the packages, their metadata and their code."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import re
import sys
import tomllib
from typing import Any

import pytest

from tests.architecture import tree
from tools import shape

DISTRIBUTIONS = {
    "capnp": "pycapnp",
    "dns": "dnspython",
    "nftables": "oxl-libnftables",
    "yaml": "pyyaml",
}  # where the import's name isn't the distribution's
BUILD_ONLY = {"hatchling", "ziglang"}  # asked for by the build and by the workspace's environment


def project(package: str) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((tree.ROOT / "packages" / package / "pyproject.toml").read_text())[
        "project"
    ]
    return project


@pytest.mark.parametrize("package", tree.PACKAGES)
def test_name_and_version_are_what_is_installed(package: str) -> None:
    metadata = project(package)

    assert metadata["name"] == f"mirrord-{package}"
    assert importlib.metadata.version(metadata["name"]) == metadata["version"]
    module = importlib.import_module(tree.PACKAGES[package])
    for name in ("__version__", "VERSION"):
        assert getattr(module, name, metadata["version"]) == metadata["version"]


@pytest.mark.parametrize("package", tree.PACKAGES)
def test_our_own_packages_are_asked_for_in_their_present_version(package: str) -> None:
    for dependency in project(package)["dependencies"]:
        if match := re.match(r"mirrord-([\w-]+)>=([\d.]+),", dependency):
            assert match[2] == project(match[1])["version"]


@pytest.mark.parametrize("package", tree.PACKAGES)
def test_dependencies_are_those_imported(package: str) -> None:
    declared = {re.split(r"[^\w-]", dependency)[0].lower() for dependency in project(package)["dependencies"]}
    imports = {
        module
        for path in tree.source(package).rglob("*.py")
        for module in shape.imported(ast.parse(path.read_text()))
        if module and module not in sys.stdlib_module_names and module != tree.PACKAGES[package]
    }
    wanted = {DISTRIBUTIONS.get(module, module).replace("_", "-") for module in imports} - BUILD_ONLY
    # The agent is started as a program of its own, never imported.
    started = {"mirrord-agent"} if package == "cli" else set()

    assert wanted | started == declared


@pytest.mark.parametrize("package", tree.PACKAGES)
def test_package_is_complete(package: str) -> None:
    folder = tree.ROOT / "packages" / package
    for name in ("README.md", "CHANGELOG.md", "LICENSE", f"src/{tree.PACKAGES[package]}/py.typed"):
        assert (folder / name).is_file(), name


def test_changelog_fragments_are_of_a_known_package_and_kind() -> None:
    fragments = [path.relative_to(tree.ROOT / "changelog.d") for path in tree.files(tree.ROOT / "changelog.d")]
    assert fragments
    for fragment in fragments:
        package, name = fragment.parts

        assert package in tree.PACKAGES
        assert re.fullmatch(r"[\w+-]+\.(breaking|feature|fix|doc|internal)\.md", name)
