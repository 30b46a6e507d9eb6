"""The image of a single static program, as an OCI archive: what the specification's image-layout.md asks for. Pure.

So small an image needs no tool; tools/image makes all others.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import Any

TYPE = "application/vnd.oci.image"


def program_archive(name: str, program: bytes, architecture: str, file: str) -> bytes:
    """Return the archive of an image of the full name `name`: it has one file, at the top, and runs it."""
    blobs: dict[str, bytes] = {}

    def blob(kind: str, content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = content
        return {"mediaType": f"{TYPE}.{kind}", "digest": f"sha256:{digest}", "size": len(content)}

    layer = blob("layer.v1.tar", _tar({file: program}, mode=0o755))
    configuration = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Entrypoint": [f"/{file}"]},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{TYPE}.manifest.v1+json",
        "config": blob("config.v1+json", json.dumps(configuration).encode()),
        "layers": [layer],
    }
    described = blob("manifest.v1+json", json.dumps(manifest).encode())
    described["annotations"] = {"org.opencontainers.image.ref.name": name, "io.containerd.image.name": name}
    index = {"schemaVersion": 2, "manifests": [described]}
    layout = {"imageLayoutVersion": "1.0.0"}
    return _tar({"oci-layout": json.dumps(layout).encode(), "index.json": json.dumps(index).encode(), **blobs})


def _tar(files: dict[str, bytes], mode: int = 0o644) -> bytes:
    """Return a tar archive that depends on the files alone."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()
