"""Variables that are never taken from a target, even where they are named: they speak of its machine, not of its work.

A path, a library or an option for a runtime is wrong on this machine. Wildcards as in `feature.env.exclude`.
"""

from __future__ import annotations

BUILT_IN: tuple[bytes, ...] = (
    # Where programs, homes and temporary files are, and which terminal one is on.
    b"PATH", b"PWD", b"OLDPWD", b"HOME", b"HOMEPATH", b"SHLVL", b"_", b"TMPDIR", b"TERM",
    # What the dynamic loader does with them happens here.
    b"LD_*", b"GLIBC_TUNABLES", b"GCONV_PATH",
    # Java
    b"CLASSPATH", b"JAVA_EXE", b"JAVA_HOME", b"JAVA_TOOL_OPTIONS", b"_JAVA_OPTIONS", b"JDK_JAVA_OPTIONS",
    b"CATALINA_HOME",
    # Python, Go, Ruby, .NET
    b"PYTHONPATH", b"PYTHONHOME", b"VIRTUAL_ENV", b"GOPATH", b"GOMODCACHE", b"GOROOT", b"GEM_*", b"BUNDLE*", b"RUBY*",
    b"DOTNET_STARTUP_HOOKS", b"DOTNET_EnableDiagnostics",
    # Ours, and logs that would flood the developer's own tools.
    b"MIRRORD_*", b"RUST_LOG",
)  # fmt: skip
