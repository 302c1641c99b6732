"""Links between the documents lead somewhere, headings too."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
DOCUMENTS: Final = (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("mitagger/**/*.md"))
LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
ANCHOR: Final = re.compile(r'<a id="([^"]+)">')


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_document_leads_somewhere(document: Path) -> None:
    assert [link for link in _links(document) if not _leads(document, link)] == []


def _links(document: Path) -> Iterator[str]:
    for link in LINK.findall(document.read_text(encoding="utf-8")):
        if not link.startswith(("http:", "https:", "mailto:")):
            yield link


def _leads(document: Path, link: str) -> bool:
    path, _, part = link.partition("#")
    target = (document.parent / path).resolve() if path else document
    return target.exists() and (not part or target.suffix != ".md" or part in _parts(target))


@cache
def _parts(document: Path) -> frozenset[str]:
    """What `#` can name in a document: its headings as GitHub writes them, and anchors."""
    text = document.read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ +(.+)$", prose, flags=re.MULTILINE)
    return frozenset(
        {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}
        | set(ANCHOR.findall(text))
    )
