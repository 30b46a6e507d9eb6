"""Has everything that the end-to-end tests need before they start: a cluster, and images in it.

Where KUBECONFIG names a cluster whose nodes are elsewhere, the images can't be loaded: their archives are named.
"""

from __future__ import annotations

import os
import sys

from tests.cluster import building
from tests.cluster.__main__ import main as cluster_main
from tests.cluster.layout import HERE
from tests.e2e.kit import images
from tests.e2e.kit.cluster import CTR, Cluster


def main() -> int:
    """Prepare; the process's exit code."""
    if os.getuid():
        print("the end-to-end tests need root: images have files of any owner", file=sys.stderr)
        return 2
    cluster = Cluster.chosen()
    if cluster.kubeconfig == HERE.kubeconfig and (code := cluster_main(["up"])):
        return code
    archives = images.build(building.find_go(HERE))
    if cluster.ctr:
        images.load(archives, cluster.ctr)
    else:
        print(f"the cluster has to have these images, or set {CTR}; MIRRORD_E2E_IMAGES goes before the names:")
        for name, archive in archives.items():
            print(f"  {name}  {archive}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
