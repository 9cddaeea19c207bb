"""How much one may ask for, and how much is done at once."""

from __future__ import annotations

from dataclasses import dataclass

#: Poems a request, characters of a poem, characters of a text to scan or to score.
COUNT = 16
MAX_LENGTH = 200
TEXT = 2000
#: Drafts of a poem, and characters of all drafts of one request.
CANDIDATES = 256
CHARACTERS = 1 << 16
#: Bytes of a request's body.
BODY = 1 << 16


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one process.

    free: poems without wishes, one draft each, that are written at once. drafts: of poems with
    wishes, those written at once; of more than one poem none would be ready sooner.
    queue: poems that wait, or are written. client: those of one client, and its other calls.
    backlog: seconds of work that may lie before a new poem. deadline: seconds for an answer.
    """

    free: int = 128
    drafts: int = 64
    queue: int = 512
    client: int = 32
    backlog: float = 20
    deadline: float = 60
