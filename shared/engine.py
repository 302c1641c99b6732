"""The engines behind the ports, put together: what every service is given."""

from dataclasses import dataclass

from shared.blobs import Blobs
from shared.bus.port import Bus
from shared.documents.port import Documents
from shared.grants import Signer
from shared.search.port import Search


@dataclass(frozen=True, slots=True)
class Engine:
    """Ports in use, and the key that signs tokens and grants."""

    documents: Documents
    bus: Bus
    search: Search
    blobs: Blobs
    signer: Signer
