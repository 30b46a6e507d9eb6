"""Configuration files may be templates: `{{ get_env(name="USER", default="me") }}`, `{{ git_branch }}`.

Jinja2 in a sandbox; the filters that mirrord's files use with named arguments take these here too. A text without
template marks is never rendered, so that it costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

MARKS = ("{{", "{%", "{#")


class TemplateFailed(ValueError):
    """A template can't be rendered; says why, and where if that is known."""


def is_template(text: str) -> bool:
    """Whether a text has template marks."""
    return any(mark in text for mark in MARKS)


def render(text: str, variables: Mapping[str, str], git_branch: Callable[[], str | None]) -> str:
    """Render a template with the variables of an environment; the branch is asked for only where it is used.

    Raises:
        TemplateFailed: It uses what isn't there, or isn't a template.
    """
    from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters |= {"default": _default, "d": _default, "replace": _replace, "slugify": _slugify}

    def get_env(name: str, default: object = None) -> object:
        if name in variables:
            return variables[name]
        if default is None:
            raise TemplateFailed(f"the variable {name} isn't set, and get_env was given no default")
        return default

    context: dict[str, object] = {"get_env": get_env}
    if re.search(r"\bgit_branch\b", text) and (branch := git_branch()):
        context["git_branch"] = branch
    try:
        return environment.from_string(text).render(context)
    except TemplateSyntaxError as error:
        raise TemplateFailed(f"line {error.lineno}: {error.message}") from None
    except TemplateError as error:
        raise TemplateFailed(str(error.message)) from None
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        raise TemplateFailed(str(error)) from None


def _default(given: object, value: object = "") -> object:
    from jinja2 import Undefined

    return value if isinstance(given, Undefined) else given


def _replace(given: object, *pair: str, **named: str) -> str:
    old, new = pair or (named.get("from", ""), named.get("to", ""))
    return str(given).replace(old, new)


def _slugify(given: object) -> str:
    return re.sub(r"[^a-z0-9]+", "-", str(given).lower()).strip("-")
