"""Every link in a document leads somewhere."""

from urllib.parse import urlsplit

import pytest

from tests.docs.markdown import ROOT, Document, document, documents


@pytest.mark.parametrize("page", documents(), ids=lambda page: page.path)
def test_links_inside_the_repository_resolve(page: Document) -> None:
    broken = [link for link in page.links() if not _resolves(page, link)]
    assert broken == []


def test_the_front_page_leads_to_every_document() -> None:
    pages = {page.path: page for page in documents()}
    reached, waiting = set(), ["README.md"]
    while waiting:
        page = pages[waiting.pop()]
        reached.add(page.path)
        targets = {_target(page, link) for link in page.links() if not urlsplit(link).scheme}
        waiting += (targets & pages.keys()) - reached
    assert {path for path in pages if path.startswith("docs/")} <= reached


def _resolves(page: Document, link: str) -> bool:
    parts = urlsplit(link)
    if parts.scheme:
        return parts.scheme in ("http", "https")
    target = _target(page, link)
    if not (ROOT / target).exists():
        return False
    return not parts.fragment or parts.fragment in document(target).anchors()


def _target(page: Document, link: str) -> str:
    path = urlsplit(link).path
    if not path:
        return page.path
    return str((ROOT / page.path).parent.joinpath(path).resolve().relative_to(ROOT))
