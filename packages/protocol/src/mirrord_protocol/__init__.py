"""What mirrord's processes say to each other. The README of this package tells which module has what.

Nothing is imported here: the layer's C code is generated from the schema alone, and a session needs no server.
"""

__version__ = "0.1.0"
