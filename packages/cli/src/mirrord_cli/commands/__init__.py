"""The commands of `mirrord`, one file each. Folder of input and output: they read, write, start.

group.py gathers them and is all that `mirrord --help` loads; a command's module is loaded when it is called.
"""
