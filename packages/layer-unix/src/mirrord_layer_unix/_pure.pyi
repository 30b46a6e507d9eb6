# What the compiled module offers: cffi's two objects.
from typing import Any

ffi: Any
lib: Any
