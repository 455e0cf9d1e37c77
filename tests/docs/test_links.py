"""Links of the Markdown that is read at the repository, and of the site as it was built."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from sphinx.util.inventory import InventoryFile

import kkjupyter
from kkjupyter import vovk

from .pages import DOCS, ROOT, written_pages

SITE = ROOT / ".artifacts" / "site"
READ_AS_FILES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")


@pytest.mark.parametrize(
    "page", [*READ_AS_FILES, *written_pages()], ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_files_that_are_linked_exist(page: Path) -> None:
    for target in LINK.findall(page.read_text("utf-8")):
        parts = urlsplit(target)
        if parts.scheme or not parts.path:
            continue
        linked = (page.parent / parts.path).resolve()
        # Pages of lessons are made with the site; who reads at the repository has none.
        is_made = linked.parent == DOCS / "tutorial" and linked.name != "index.md"
        assert linked.exists(), f"{page.name} links {target}, which is not there"
        assert not is_made, f"{page.name} links {target}; link tutorial/index.md instead"


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = {name: value or "" for name, value in attrs}
        self.anchors.add(of.get("id", ""))
        if tag == "a" and "href" in of:
            self.links.append(of["href"])
        elif tag == "link" and of.get("rel") in ("stylesheet", "icon", "preload"):
            self.loads.append(of["href"])
        elif "src" in of:
            self.loads.append(of["src"])


@pytest.fixture(scope="module")
def site() -> dict[Path, _Page]:
    pages = {path: _Page(path.read_text("utf-8")) for path in SITE.rglob("*.html")}
    assert pages, f"there is no site in {SITE}: run `make docs`"
    return pages


def test_links_within_the_site_lead_somewhere(site: dict[Path, _Page]) -> None:
    broken: list[str] = []
    for path, page in site.items():
        for link in [*page.links, *page.loads]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            linked = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            fragment = unquote(parts.fragment)
            if not linked.exists() or (
                fragment and linked in site and fragment not in site[linked].anchors
            ):
                broken.append(f"{path.relative_to(SITE)}: {link}")
    assert not broken, "\n".join(broken)


def test_a_page_loads_nothing_from_elsewhere(site: dict[Path, _Page]) -> None:
    for path, page in site.items():
        elsewhere = [load for load in page.loads if urlsplit(load).scheme not in ("", "data")]
        assert not elsewhere, f"{path.relative_to(SITE)} loads {elsewhere}"


@pytest.fixture(scope="module")
def described() -> set[str]:
    """The Python names that the reference has an entry for."""
    inventory = InventoryFile.loads((SITE / "objects.inv").read_bytes(), uri="")
    kinds = (names for kind, names in inventory.data.items() if kind.startswith("py:"))
    return {name for names in kinds for name in names}


def test_every_public_name_has_its_place_in_the_reference(described: set[str]) -> None:
    verbs = {"get", "post", "put", "patch", "delete", "head", "options"}  # of one kind: Verb
    public = {*kkjupyter.__all__, *vovk.__all__} - verbs - {"vovk"}
    missing = public - {name.rpartition(".")[2] for name in described}
    assert not missing, f"the pages of docs/reference lack {missing}"


@pytest.mark.parametrize(
    "name",
    [
        "notebook.run.reply.Reply.dataframe",
        "traces.trace.TraceRow.payload_text",
        "vovk.client.call.VovkCall.status",
        "vovk.server.server.VovkServer",
    ],
)
def test_what_the_lessons_ask_results_for_is_in_the_reference(
    name: str, described: set[str]
) -> None:
    assert f"kkjupyter.{name}" in described


def test_the_reference_shows_nothing_private(site: dict[Path, _Page]) -> None:
    for page in (SITE / "reference").glob("*.html"):
        text = re.sub(r"<[^>]*>", "", page.read_text("utf-8"))
        private = re.findall(r"^_[a-z]\w*: .*", text, re.MULTILINE)
        assert "~typing." not in text, page.name
        assert not private, f"{page.name}: {private}"
