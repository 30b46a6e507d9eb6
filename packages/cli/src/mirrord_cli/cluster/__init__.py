"""The cluster, as the command line sees it: how it is reached, what is looked for in it, what is started there."""
