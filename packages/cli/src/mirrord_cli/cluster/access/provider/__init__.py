"""Credentials by way of what is built into the kubernetes client: `auth-provider` of a kubeconfig's user."""
