"""How a cluster is reached, as a kubeconfig says."""
