"""How the cluster is reached and as whom, from a kubeconfig or from inside a pod."""
