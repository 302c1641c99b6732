"""Asking BioPortal, or any server that answers as it does: the client of POST /annotator, and the annotator over it.

Texts leave the site, so nothing here happens unless the settings name the server (docs/bioportal.md).
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Annotated, Final, NoReturn

import httpx
import structlog
from pydantic import BaseModel, BeforeValidator, Field, TypeAdapter, ValidationError

from services.recommender.annotator import Annotation
from services.recommender.breaker import Breaker
from services.recommender.literal import upper
from services.recommender.packing import Pack, packed
from services.recommender.portal_concepts import Concepts, Told
from services.recommender.stop_words import OF_LEGENDS, STOP_WORDS
from services.recommender.surroundings import Surroundings
from shared import metrics
from shared.bus.retry import delay
from shared.errors import Invalid, PermanentError, TooLarge, Unavailable
from shared.events.legend import Analysis
from shared.vocabulary.artefact import Vocabularies

RULES: Final = "1"  # raise it when the same answers give other annotations
PACK_BYTES: Final = 100_000
ANSWER_BYTES: Final = 32 << 20
LONGEST_LABEL: Final = 4_000  # code points, as in our own vocabularies
LONGEST_IRI: Final = 2_000
ATTEMPTS: Final = 3
AT_ONCE: Final = 4
CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 60.0  # for the whole answer, however it trickles
# How likely a match is right: an order by what BioPortal's match types promise, not calibrated.
PREFERRED: Final = 0.9
SYNONYM: Final = 0.75

log = structlog.get_logger()


def _label(value: object) -> str:
    """Ontologies with several languages, or none, give lists and nulls; one odd class must not spoil an answer."""
    first = next(iter(value), "") if isinstance(value, list) else value
    return first[:LONGEST_LABEL] if isinstance(first, str) else ""


def _types(value: object) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


class _Class(BaseModel):
    id: Annotated[str, Field(alias="@id", min_length=1)]
    label: Annotated[str, BeforeValidator(_label), Field(alias="prefLabel")] = ""
    types: Annotated[tuple[str, ...], BeforeValidator(_types), Field(alias="semanticType")] = ()


class _Mention(BaseModel):
    start: Annotated[int, Field(alias="from")]  # 1-based
    end: Annotated[int, Field(alias="to")]  # inclusive
    match: Annotated[str, Field(alias="matchType")]
    text: str


class _Annotated(BaseModel):
    concept: Annotated[_Class, Field(alias="annotatedClass")]
    mentions: Annotated[list[_Mention], Field(alias="annotations")]


ANSWER: Final = TypeAdapter(list[_Annotated])


@dataclass(frozen=True, slots=True)
class Mention:
    """A mention that BioPortal found: half open, in code points of its text."""

    start: int
    end: int
    told: Told
    preferred: bool


class BioPortal:
    """The client. `turn` returns when one request may be sent (`pace.Pace`). It belongs to one event loop.

    What cannot mend by itself (a wrong key, an unknown ontology, a redirect) stops it for good: it sends no more and
    says why, until the process starts again with other settings.

    Raises Invalid where address or key cannot be sent.
    """

    def __init__(self, url: str, key: str, ontologies: Sequence[str], *, turn: Callable[[], Awaitable[None]]) -> None:
        if not (key.isascii() and key.isprintable()):
            raise Invalid(
                "BioPortal's key is no key.", field="bioportal_key", remedy="Copy it from your account there."
            )
        try:
            self.url = str(httpx.URL(url)).rstrip("/")
        except httpx.InvalidURL as error:
            raise Invalid("BioPortal's address is none.", field="bioportal", remedy="Correct it.") from error
        self.ontologies = tuple(ontologies)
        self._headers = {"Authorization": f"apikey token={key}", "Accept": "application/json"}
        self._turn = turn
        self._breaker = Breaker()
        self._stopped: Unavailable | None = None
        self._asking: set[asyncio.Task[list[tuple[Pack, str, list[_Annotated]]]]] = set()
        self._ssl = httpx.create_ssl_context()  # a tenth of a second, for all connections

    async def mentions(self, texts: Sequence[str]) -> list[list[Mention]]:
        """The mentions in each text, in no order. One request an ontology and 100 kB of text.

        Raises Unavailable where it cannot answer now; PermanentError where it takes one of these texts never.
        """
        found: list[list[Mention]] = [[] for _ in texts]
        strayed = 0
        asking = asyncio.create_task(self._answers(packed(texts, PACK_BYTES)))
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        for pack, ontology, answer in await asking:
            for one in answer:
                told = Told(ontology, one.concept.id[:LONGEST_IRI], one.concept.label, one.concept.types)
                for each in one.mentions:
                    start, end = each.start - 1, each.end
                    place = pack.home(start, end)
                    if place is None or upper(pack.text[start:end]) != upper(each.text):
                        strayed += 1
                        continue
                    found[place.text].append(Mention(place.start, place.end, told, each.match == "PREF"))
        if strayed:
            log.warning("mentions that cross texts, or do not stand where BioPortal says", mentions=strayed)
        return found

    def stop(self) -> None:
        """Gives up what it waits for, and asks no more."""
        self._stopped = Unavailable("BioPortal", "The recommender ends.")
        for task in self._asking:
            task.cancel()

    async def _answers(self, packs: Sequence[Pack]) -> list[tuple[Pack, str, list[_Annotated]]]:
        """Of every pack, for every ontology. A connection lives as long as a batch: at three requests a second, setting
        one up costs nothing that counts."""
        at_once = asyncio.Semaphore(AT_ONCE)
        timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
        async with httpx.AsyncClient(headers=self._headers, verify=self._ssl, timeout=timeout) as http:

            async def one(pack: Pack, ontology: str) -> tuple[Pack, str, list[_Annotated]]:
                async with at_once:
                    return pack, ontology, await self._asked(http, pack, ontology)

            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(one(pack, ontology)) for pack in packs for ontology in self.ontologies]
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from None
            return [task.result() for task in tasks]

    async def _asked(self, http: httpx.AsyncClient, pack: Pack, ontology: str) -> list[_Annotated]:
        """Tried several times."""
        for attempt in range(1, ATTEMPTS + 1):
            if self._stopped is not None:
                raise Unavailable(self._stopped.dependency, self._stopped.message, remedy=self._stopped.remedy)
            if self._breaker.open:
                raise Unavailable("BioPortal", "BioPortal failed several times in a row and is left alone for a while.")
            with metrics.BIOPORTAL_QUEUE_SECONDS.time():
                await self._turn()
            try:
                answer = await self._answer(http, pack, ontology)
            except (httpx.HTTPError, TimeoutError, _Odd) as error:
                self._breaker.failed()
                outcome = error.outcome if isinstance(error, _Odd) else "unreachable"
                metrics.BIOPORTAL_REQUESTS.labels(outcome).inc()
                # Of the error its type alone, for messages may quote what was sent.
                log.warning("BioPortal failed", ontology=ontology, outcome=outcome, error=type(error).__name__)
                if attempt < ATTEMPTS:
                    await asyncio.sleep(delay(attempt))
                continue
            except (Unavailable, PermanentError):
                metrics.BIOPORTAL_REQUESTS.labels("refused").inc()
                raise
            self._breaker.succeeded()
            metrics.BIOPORTAL_REQUESTS.labels("answered").inc()
            return answer
        raise Unavailable("BioPortal", remedy="It is asked again by itself.")

    async def _answer(self, http: httpx.AsyncClient, pack: Pack, ontology: str) -> list[_Annotated]:
        asked = {
            "text": pack.text,
            "ontologies": ontology,
            "longest_only": "true",
            "whole_word_only": "true",
            "exclude_numbers": "true",
            "exclude_synonyms": "false",
            "minimum_match_length": "3",
            "stop_words": ",".join((*STOP_WORDS, *OF_LEGENDS)),
            "include": "prefLabel,semanticType",
        }
        async with (
            asyncio.timeout(ANSWER_SECONDS),
            http.stream("POST", f"{self.url}/annotator", data=asked) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                self._refused(answer.status_code, ontology)
            body = bytearray()
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > ANSWER_BYTES:
                    raise TooLarge(f"BioPortal's answer has more than {ANSWER_BYTES:,} bytes.")
        try:
            return await asyncio.to_thread(ANSWER.validate_json, bytes(body))
        except ValidationError as error:  # HTML of something in between, or half an answer
            raise _Odd("unreadable") from error

    def _refused(self, status: int, ontology: str) -> NoReturn:
        """Raises what an answer of this status means."""
        if status == httpx.codes.UNAUTHORIZED:
            self._stop("a valid key of BioPortal", "BioPortal does not take the key.", "Set MITAGGER_BIOPORTAL_KEY.")
        if status == httpx.codes.FORBIDDEN:
            self._stop(
                f"leave to use {ontology} at BioPortal",
                f"BioPortal does not let this key use {ontology}.",
                "Ask there for access, or take it out of MITAGGER_BIOPORTAL_ONTOLOGIES.",
            )
        if status == httpx.codes.NOT_FOUND:
            self._stop(
                f"{ontology} at BioPortal",
                f"There is no annotator with an ontology {ontology} at this address.",
                "Correct MITAGGER_BIOPORTAL or MITAGGER_BIOPORTAL_ONTOLOGIES.",
            )
        if 300 <= status < 400:  # followed, the key would go to who knows whom
            self._stop("the address of BioPortal", "BioPortal's address redirects.", "Correct MITAGGER_BIOPORTAL.")
        if status == httpx.codes.TOO_MANY_REQUESTS:
            raise _Odd("throttled")
        if status >= 500 or status == httpx.codes.REQUEST_TIMEOUT:
            raise _Odd("failing")
        if status in (httpx.codes.REQUEST_ENTITY_TOO_LARGE, httpx.codes.REQUEST_URI_TOO_LONG):
            raise TooLarge("BioPortal takes no text of this size.")
        raise PermanentError(f"BioPortal refused a text with status {status}.")

    def _stop(self, dependency: str, message: str, remedy: str) -> NoReturn:
        self._stopped = Unavailable(dependency, message, remedy=f"{remedy} Then start the recommender again.")
        log.error("BioPortal is asked no more", reason=message, remedy=remedy)
        raise self._stopped


class BioPortalAnnotator:
    """Implements `annotator.Annotator`. Works in a thread, asks on the event loop on which it was made."""

    def __init__(self, portal: BioPortal, vocabularies: Vocabularies) -> None:
        self._portal = portal
        self._concepts = Concepts(vocabularies)
        self._loop = asyncio.get_running_loop()
        named = "\n".join((portal.url, *portal.ontologies, vocabularies.identity))
        self.version = f"bioportal-{RULES}+{hashlib.sha256(named.encode()).hexdigest()[:12]}"

    def annotate(self, analyses: Sequence[Analysis]) -> list[list[Annotation]]:
        asking = self._portal.mentions([analysis.text for analysis in analyses])
        try:
            found = asyncio.run_coroutine_threadsafe(asking, self._loop).result()
        except CancelledError as error:
            raise Unavailable("BioPortal", "The recommender ends.") from error
        return [self._annotations(*each) for each in zip(analyses, found, strict=True)]

    def _annotations(self, analysis: Analysis, mentions: Sequence[Mention]) -> list[Annotation]:
        around = Surroundings(analysis)
        found = []
        for one in mentions:
            concept = self._concepts.of(one.told)
            said = analysis.text[one.start : one.end]
            found.append(
                Annotation(
                    start=one.start,
                    end=one.end,
                    text=said,
                    concept=concept,
                    match="label" if one.preferred else "synonym",
                    name=concept.label if one.preferred else said,
                    scope="LABEL" if one.preferred else "SYNONYM",
                    score=PREFERRED if one.preferred else SYNONYM,
                    assertion=around.assertion(one.start, one.end),
                    panels=around.panels(one.start, one.end),
                    found_by=("BioPortal",),
                )
            )
        found.sort(key=lambda one: (one.start, one.end, one.concept.ontology, one.concept.curie))
        return found


class _Odd(Exception):
    """An answer that may be better next time."""

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome
