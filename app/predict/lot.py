"""Of many texts, those with the lowest digests, while they come one by one."""

from collections.abc import Iterator
from heapq import heappop, heappush

from core.db.repositories.kept_texts import UnsureText


class Lot:
    """At most so many different texts; the highest digest has to go first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._texts: dict[str, UnsureText] = {}
        # Negative, since a heap gives its lowest; those of `_texts` and no others.
        self._digests: list[int] = []
        self.characters = 0

    def __len__(self) -> int:
        return len(self._texts)

    def __iter__(self) -> Iterator[UnsureText]:
        return iter(self._texts.values())

    @property
    def highest(self) -> int:
        """The highest digest, as a number; of an empty lot there is none.

        Raises:
            IndexError: it is empty.
        """
        return -self._digests[0]

    def add(self, digest: str, text: UnsureText) -> int:
        """Take a text, unless it is there.

        Args:
            digest: of 64 hexadecimal figures.

        Returns:
            How many texts had to go for it, this one perhaps: none or one.
        """
        if digest in self._texts:
            return 0
        if len(self._texts) >= self._most and int(digest, 16) > self.highest:
            return 1
        self._texts[digest] = text
        self.characters += len(text.text)
        heappush(self._digests, -int(digest, 16))
        if len(self._texts) <= self._most:
            return 0
        self.drop_highest()
        return 1

    def drop_highest(self) -> None:
        """Let go of the text with the highest digest.

        Raises:
            IndexError: the lot is empty.
        """
        gone = self._texts.pop(f"{-heappop(self._digests):064x}")
        self.characters -= len(gone.text)
