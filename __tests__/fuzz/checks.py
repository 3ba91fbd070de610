"""What schemathesis doesn't ask by itself: that nothing of a request comes back as HTML, scripts being among it."""

import random
from typing import Any

import schemathesis

#: Texts that a browser would run, or that open a tag or an attribute, were they taken for HTML.
_MARKUP = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "'-alert(1)-'",
    "</title><script>alert(1)</script>",
    "javascript:alert(1)//<b>",
)

#: Of the requests that need not be right, so many get a script.
_SHARE = 0.3


@schemathesis.hook
def before_call(_context: Any, case: schemathesis.Case, _kwargs: dict[str, Any]) -> None:  # noqa: ANN401 - as schemathesis calls it
    """Puts a script into a field of a request that is wrong anyway."""
    if case.meta is None or not case.meta.generation.mode.is_negative:
        return
    if isinstance(case.body, dict) and case.body and random.random() < _SHARE:  # noqa: S311 - chance, no secret
        case.body[random.choice(sorted(map(str, case.body)))] = random.choice(_MARKUP)  # noqa: S311


@schemathesis.check
def nothing_comes_back_as_html(
    _context: schemathesis.CheckContext, response: schemathesis.Response, _case: schemathesis.Case
) -> None:
    """An answer of the API is JSON, and even taken for HTML it opens no tag."""
    kind = (response.headers.get("content-type") or [""])[0]
    text = response.text or ""
    if "html" in kind.lower():
        raise AssertionError(f"The API answers with {kind}: {text[:200]}")
    if "<" in text:
        raise AssertionError(f"The answer has a letter that opens a tag: {text[:200]}")
    if (response.headers.get("x-content-type-options") or [""])[0].lower() != "nosniff":
        raise AssertionError("The answer lets browsers guess its type: x-content-type-options is not nosniff")
