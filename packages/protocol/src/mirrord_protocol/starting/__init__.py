"""Starting an agent for a process of this machine."""
