"""Programs that have credentials: `exec` of a kubeconfig's user. machine.py knows the format, driver.py runs them."""
