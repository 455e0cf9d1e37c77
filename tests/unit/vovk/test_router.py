"""Controllers and decorators: what is published, under which names and paths."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, TypedDict

import msgspec
import pytest

import kkjupyter as kk
from kkjupyter import vovk
from kkjupyter.vovk.server.router import Router
from kkjupyter.wire.vovk.schema.reading import read_files, read_schema


def routes(*controllers: Any, **options: Any) -> dict[str, str]:
    """Handlers by title, as ``"POST hello/stream-tokens"``."""
    handlers = [published.handler for published in Router(controllers, **options).handlers]
    return {one.title: f"{one.http_method} {one.route}" for one in handlers}


def test_names_and_paths() -> None:
    class HelloController(vovk.Controller):
        controller_name = "StreamingController"
        hello = (1, 2)

        @vovk.post.auto()
        def stream_tokens(self) -> Any: ...

        @vovk.get.auto(rule="0.1")
        def more_tokens(self) -> Any: ...

        @vovk.get.auto(name="getURLForXML")
        def get_url(self) -> Any: ...

        @vovk.put("items/{id}/:part")
        def put_item(self) -> Any: ...

        @vovk.patch("")
        def change(self) -> Any: ...

        @vovk.delete("/items/")
        def delete_(self) -> Any: ...

        @vovk.head("x")
        def look(self) -> Any: ...

        @vovk.options("x")
        def ask(self) -> Any: ...

        def not_published(self) -> Any: ...

    assert routes(HelloController) == {
        "StreamingController.streamTokens": "POST stream-tokens",
        "StreamingController.moreTokens": "GET streaming-controller/more-tokens",
        "StreamingController.getURLForXML": "GET get-url-for-xml",
        "StreamingController.putItem": "PUT items/{id}/:part",
        "StreamingController.change": "PATCH ",
        "StreamingController.delete": "DELETE items",
        "StreamingController.look": "HEAD x",
        "StreamingController.ask": "OPTIONS x",
    }


def test_what_the_class_line_says() -> None:
    class Base(vovk.Controller, name="BaseRPC", prefix="/v1/", names="as_is", rule="0.1"):
        @vovk.get.auto()
        def list_all(self) -> Any: ...

        @vovk.get("one")
        def get_one(self) -> Any: ...

    class Derived(Base, prefix="v2"):
        def get_one(self) -> Any: ...

        @vovk.get("two")
        def list_all(self) -> Any: ...

    assert routes(Base) == {
        "BaseRPC.list_all": "GET v1/base-r-p-c/list_all",
        "BaseRPC.get_one": "GET v1/one",
    }
    assert routes(Derived) == {
        "Derived.list_all": "GET v2/two",
        "Derived.get_one": "GET v2/one",
    }


def test_instances_and_other_names() -> None:
    class Counter(vovk.Controller):
        def __init__(self, start: int) -> None:
            self.start = start

        @vovk.get.auto()
        def value(self) -> Any:
            return self.start

        @vovk.get.auto()
        @staticmethod
        def fixed() -> Any:
            return 42

    published = Router({"CounterRPC": Counter(3)})
    controller = published.segment.controllers["CounterRPC"]
    assert (controller.name, controller.original_name) == ("CounterRPC", "Counter")
    assert [one.function() for one in published.handlers] == [3, 42]


def test_which_handler_a_path_means() -> None:
    class Paths(vovk.Controller, prefix="p/{tenant}"):
        @vovk.get("{anything}")
        def any_(self) -> Any: ...

        @vovk.get("v-{version}")
        def versioned(self) -> Any: ...

        @vovk.get("fixed")
        def fixed(self) -> Any: ...

        @vovk.post("fixed")
        def posted(self) -> Any: ...

    published = Router([Paths])

    def find(method: str, path: str) -> Any:
        found = published.find(method, path)
        return found and (found[0].handler.name, found[1])

    assert find("GET", "p/a/fixed") == ("fixed", {"tenant": "a"})
    assert find("GET", "p/a/v-2") == ("versioned", {"tenant": "a", "version": "2"})
    assert find("GET", "p/a/v-") == ("any", {"tenant": "a", "anything": "v-"})
    assert find("GET", "p/%C3%A9/a%2Fb%20c") == ("any", {"tenant": "é", "anything": "a/b c"})
    assert find("GET", "p/a/%66ixed") == ("fixed", {"tenant": "a"})
    assert find("POST", "p/a/fixed") == ("posted", {"tenant": "a"})
    for method, path in (("PUT", "p/a/fixed"), ("GET", "p/a"), ("GET", "p/a/b/c"), ("GET", "")):
        assert find(method, path) is None
    assert find("GET", "p/a%00b/fixed") == ("fixed", {"tenant": "ab"})
    assert find("GET", "p//fixed") is None


class Message(TypedDict):
    text: Annotated[str, msgspec.Meta(min_length=1)]


@dataclasses.dataclass
class Where:
    user_id: str
    post: int


class Tree(msgspec.Struct):
    children: list[Tree]


class Documented(vovk.Controller):
    @vovk.post.auto()
    async def chat(self, req: vovk.Request[Message, Where]) -> AsyncIterator[Message]:
        """Answer in pieces.

        One message for each
        word.
        """
        yield {"text": "x"}

    @vovk.get.auto()
    def get_post(self, params: Where) -> dict[str, int]:
        return {"post": params.post}

    @vovk.get("tree/{depth}/{name}", summary="A tree", description="")
    def tree(self, depth: int, name: Any) -> Tree:
        """Not shown."""
        return Tree([])

    @vovk.get.auto()
    def strange(self, body: NotThere, query: object) -> type:  # type: ignore[name-defined]  # noqa: F821
        return int


def test_what_the_schema_says() -> None:
    handlers = Router([Documented]).segment.controllers["Documented"].handlers
    chat = handlers["chat"]
    assert chat.streams
    assert set(chat.validation) == {"body", "query", "iteration"}
    assert chat.validation["body"] == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Message",
        "type": "object",
        "properties": {"text": {"type": "string", "minLength": 1}},
        "required": ["text"],
    }
    assert (chat.summary, chat.description) == (
        "Answer in pieces.",
        "One message for each\nword.",
    )
    assert handlers["getPost"].path == "get-post/{user_id}/{post}"
    assert not handlers["getPost"].streams
    assert handlers["getPost"].validation["output"]["type"] == "object"
    tree = handlers["tree"]
    assert tree.validation["params"]["properties"] == {"depth": {"type": "integer"}, "name": {}}
    assert tree.validation["output"]["$ref"] == "#/$defs/Tree"  # it contains itself
    assert (tree.summary, tree.description) == ("A tree", "")
    assert handlers["strange"].validation == {}


def test_schema_files(tmp_path: Path) -> None:
    vovk.write_schema(tmp_path / "one" / ".vovk-schema", [Documented], prefix="/v1/api")
    folder = tmp_path / "one" / ".vovk-schema"
    files = {path.name: json.loads(path.read_text("utf-8")) for path in folder.iterdir()}
    assert set(files) == {"_meta.json", "root.json"}
    schema = read_files(files)
    assert (schema.root_entry, schema.wire_format) == ("v1/api", "jsonlines")

    vovk.write_schema(tmp_path / "schema.json", [Documented])
    assert read_schema(json.loads((tmp_path / "schema.json").read_text())).wire_format == (
        "jsonlines"
    )

    for name, options in (("vovk-metadata.json", {}), ("other.json", {"legacy": True})):
        vovk.write_schema(tmp_path / name, [Documented], **options)
        metadata = json.loads((tmp_path / name).read_text("utf-8"))
        assert metadata["Documented"]["_handlers"]["tree"]["path"] == "tree/:depth/:name"
        assert read_schema(metadata).wire_format == "divider"

    with pytest.raises(kk.UsageError, match="old clients read one file"):
        vovk.write_schema(tmp_path / "folder", [Documented], legacy=True)


class Fine(vovk.Controller):
    @vovk.get("a")
    def one(self) -> Any: ...


class Empty(vovk.Controller):
    def one(self) -> Any: ...


class Demanding(vovk.Controller):
    def __init__(self, needed: int) -> None: ...

    @vovk.get("b")
    def one(self) -> Any: ...


class SameName(vovk.Controller):
    @vovk.get("a")
    def get_it(self) -> Any: ...

    @vovk.get("b")
    def getIt(self) -> Any: ...


class SamePath(vovk.Controller):
    @vovk.get("x/{id}")
    def one(self) -> Any: ...

    @vovk.get("x/:other")
    def two(self) -> Any: ...


class Asking(vovk.Controller):
    @vovk.get("x")
    def one(self, req: Any, params: Any, more: Any) -> Any: ...


class PrefixMethod(vovk.Controller):
    @vovk.get("x")
    def prefix(self) -> Any: ...  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("controllers", "said"),
    [
        (Fine, "takes a list"),
        ([object], "object is not a vovk.Controller"),
        ([Fine, 3], "int is not a vovk.Controller"),
        ([Fine, Fine], "two controllers have the name 'Fine'"),
        ([Empty], "Empty has no published methods"),
        ([Demanding], "give an instance"),
        ([SameName], "two methods of SameName are published as 'getIt'"),
        ([SamePath], r"SamePath.one and SamePath.two are both at GET x/:other"),
        ([Asking], "Asking.one: nothing fits its parameter 'more'"),
        ([PrefixMethod], "PrefixMethod.prefix is a setting"),
    ],
)
def test_what_cannot_be_published(controllers: Any, said: str) -> None:
    with pytest.raises(kk.UsageError, match=said):
        Router(controllers)


def test_decorators_written_wrongly() -> None:
    with pytest.raises(kk.UsageError, match="with parentheses"):
        vovk.get(lambda self: None)  # type: ignore[arg-type]
    with pytest.raises(kk.UsageError, match="has a route already"):
        vovk.get("a")(vovk.post("b")(lambda self: None))
    with pytest.raises(kk.UsageError, match="needs a method, not int"):
        vovk.get("a")(3)  # type: ignore[type-var]
    with pytest.raises(kk.UsageError, match="unknown rule '2'"):
        vovk.get.auto(rule="2")  # type: ignore[arg-type]
    with pytest.raises(kk.UsageError, match="did you mean 'as_is'"):

        class Wrong(vovk.Controller, names="asis"):  # type: ignore[arg-type]
            pass

    assert repr(vovk.get) == "vovk.get"
