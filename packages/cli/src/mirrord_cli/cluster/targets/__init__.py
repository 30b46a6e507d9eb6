"""From a target's name to one container of one pod, and what there is to choose from."""
