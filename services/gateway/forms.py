"""Multipart forms (RFC 7578) while they stream in: short text fields and at most one file, which is handed on in
parts and never held whole."""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from shared.errors import Invalid, TooLarge, Unsupported

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_FIELDS: Final = 30
# A legend may have 50,000 code points of up to 4 bytes each.
MAX_FIELD_BYTES: Final = 200_000

T = TypeVar("T")
Store = Callable[[str, AsyncIterable[bytes]], Awaitable[T]]


@dataclass(slots=True)
class Form(Generic[T]):
    """What came: text fields, and what `store` made of the file."""

    fields: dict[str, str] = field(default_factory=dict)
    file_name: str | None = None
    stored: T | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """A part begins."""

    name: str
    file_name: str | None


_END: Final = object()


async def read_form(content_type: str, chunks: AsyncIterable[bytes], store: Store[T]) -> Form[T]:
    """Reads a whole form; `store` gets the file's name and its content, once, and must read it to its end.

    Raises Unsupported when it is no multipart form, Invalid when it is broken, TooLarge.
    """
    form: Form[T] = Form()
    async with aclosing(_events(content_type, chunks)) as events:
        await _read(form, events, store)
    return form


async def _read(form: Form[T], events: AsyncIterator[object], store: Store[T]) -> None:
    async for event in events:
        if not isinstance(event, _Part):
            continue
        if event.file_name is None:
            if event.name in form.fields:
                raise Invalid(f"The field {event.name!r} stands twice.", field=event.name, remedy="Send it once.")
            if len(form.fields) >= MAX_FIELDS:
                raise TooLarge(f"The form has more than {MAX_FIELDS} fields.", remedy="Leave the unknown ones out.")
            form.fields[event.name] = await _text(event.name, _content(events))
        elif form.file_name is not None:
            raise Invalid("The form has more than one file.", field=event.name, remedy="Send one figure at a time.")
        else:
            form.file_name = event.file_name
            form.stored = await store(event.file_name, _content(events))


async def _content(events: AsyncIterator[object]) -> AsyncIterator[bytes]:
    async for event in events:
        if event is _END:
            return
        if isinstance(event, bytes):
            yield event


async def _text(name: str, content: AsyncIterable[bytes]) -> str:
    data = bytearray()
    async for chunk in content:
        data += chunk
        if len(data) > MAX_FIELD_BYTES:
            raise TooLarge(
                f"The field {name!r} has more than {MAX_FIELD_BYTES:,} bytes.", field=name, remedy="Shorten it."
            )
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Invalid(f"The field {name!r} is not UTF-8 text.", field=name, remedy="Send the form in UTF-8.") from error


async def _events(content_type: str, chunks: AsyncIterable[bytes]) -> AsyncGenerator[object]:
    """_Part, bytes of its content, _END, _Part, … Raises Unsupported, Invalid, TooLarge."""
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise Unsupported(
            "This takes a multipart form.", field="Content-Type", remedy="Send multipart/form-data (curl -F …)."
        )
    collector = _Collector()
    try:
        # The parser bounds the headers of a part itself: 8 of them, 4 kB.
        parser = MultipartParser(boundary, collector.callbacks())
        async for chunk in chunks:
            parser.write(chunk)
            while collector.events:
                yield collector.events.popleft()
        parser.finalize()
    except FormParserError as error:
        raise _broken() from error
    if not collector.whole:
        raise _broken()
    while collector.events:
        yield collector.events.popleft()


class _Collector:
    """Turns the parser's callbacks into a queue, which holds no more than one chunk makes."""

    def __init__(self) -> None:
        self.events: deque[object] = deque()
        self.whole = False
        self._name = bytearray()
        self._value = bytearray()
        self._disposition = b""

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": lambda data, start, end: self.events.append(bytes(data[start:end])),
            "on_part_end": lambda: self.events.append(_END),
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._disposition = b""

    def _header_end(self) -> None:
        if bytes(self._name).lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _headers_finished(self) -> None:
        kind, options = parse_options_header(self._disposition)
        name = options.get(b"name")
        if kind != b"form-data" or name is None:
            raise _broken()
        file_name = options.get(b"filename")
        self.events.append(
            _Part(name.decode(errors="replace"), None if file_name is None else file_name.decode(errors="replace"))
        )

    def _end(self) -> None:
        self.whole = True


def _broken() -> Invalid:
    return Invalid("The multipart form is broken or cut off.", remedy="Send it again, whole.")
