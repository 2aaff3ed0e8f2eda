"""What the OpenAPI document says of notify's pages. It is written into the repository and served nowhere."""

from __future__ import annotations

from collections.abc import Mapping

ABOUT = (
    "Pages behind the links in messages, for a phone and without script. Opening one changes nothing and shows nothing"
    " of a case: a PIN comes first. Forms are urlencoded and carry a nonce of the page they came from."
)
TAGS: Mapping[str, str] = {
    "pages": "What a person sees who follows a link, one path for each purpose.",
}
PARAMETERS: Mapping[str, str] = {
    "token": "The secret of the link.",
    "verb": "The answer whose form is wanted.",
}
