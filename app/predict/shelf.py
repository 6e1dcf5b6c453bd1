"""Which models are in memory: a hard limit, kept before a model is loaded rather than after.

A model in use is never unloaded under those who use it; it leaves when they are done.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Condition

from app.predict import metrics
from app.predict.errors import ModelTooLarge, NoRoom
from app.predict.lanes import Lane
from app.predict.names import ModelRef
from app.predict.thresholds import Certifier, Uncertified
from core.ids import ModelId
from llkd.predictor import Predictor

NOT_LOADED = Uncertified("The model is not loaded yet.")


@dataclass(eq=False)
class Held:
    """A model in memory, or on its way there.

    Attributes:
        lane: its queue; those who wait for the load are counted there too.
        loaded: the predictor, once it is there; let go of when the model leaves.
        certifier: finds thresholds for a target, or says why it cannot.
        size: bytes reserved.
        users: requests that hold it.
        is_leaving: nobody new takes it; its bytes are free when its users are gone.
    """

    model: ModelRef
    lane: Lane
    loaded: "Future[Predictor]" = field(default_factory=Future)
    certifier: Certifier | Uncertified = NOT_LOADED
    size: int = 0
    users: int = 0
    is_leaving: bool = False

    @property
    def predictor(self) -> Predictor:
        """The model; only for its users, after `loaded` is done."""
        return self.loaded.result(timeout=0)


class Shelf:
    """The models in memory, by when they were used last. Safe to call from several threads.

    Args:
        room: bytes that all models together may take.
        unload: told of each model that leaves, after it was let go of; gives memory back.
    """

    def __init__(self, room: int, *, unload: Callable[[Held], None]) -> None:
        self.room = room
        self._unload = unload
        self._used = 0
        self._held: OrderedDict[ModelId, Held] = OrderedDict()
        self._leaving: list[Held] = []
        self._changed = Condition()
        self._closed = False

    @property
    def used(self) -> int:
        """Bytes reserved now."""
        return self._used

    def find(self, model: ModelRef) -> Held | None:
        """The model if it is here or on its way; its place in the line is not touched."""
        return self._held.get(model.id)

    def take(self, model: ModelRef) -> Held | None:
        """The model for one more user, who gives it back; None if it has to be put here."""
        with self._changed:
            held = self._held.get(model.id)
            if held is not None:
                held.users += 1
                self._held.move_to_end(model.id)
            return held

    def put(self, held: Held) -> None:
        """Make a place for a model that is to be loaded, for its first user; no bytes yet."""
        with self._changed:
            held.users += 1
            self._held[held.model.id] = held

    def give_back(self, held: Held) -> None:
        """One user less."""
        with self._changed:
            held.users -= 1
            if held.users == 0:
                self._changed.notify_all()

    def reserve(self, held: Held, size: int, *, patience_s: float) -> None:
        """Wait until so many bytes are free, unloading others for it, and take them.

        Raises:
            ModelTooLarge: there are not so many bytes at all.
            NoRoom: models in use did not leave in time.
        """
        if size > self.room:
            raise ModelTooLarge(held.model.id, needed=size, room=self.room)
        deadline = time.monotonic() + patience_s
        while True:
            with self._changed:
                victim = self._idle() if self._used + size > self.room else None
                if victim is None and self._used + size <= self.room:
                    self._used += size
                    held.size = size
                    metrics.LOADED_BYTES.set(self._used)
                    return
                if victim is None:
                    self._ask_to_leave(self._used + size - self.room)
                    left = deadline - time.monotonic()
                    if self._closed or left <= 0:
                        raise NoRoom(held.model.id)
                    self._changed.wait(left)
                    continue
            # Freeing a large model takes milliseconds, which nobody else has to wait for.
            self._let_go(victim)
            metrics.EVICTIONS.inc()

    def arrive(self, held: Held, predictor: Predictor, *, size: int) -> None:
        """Its model is loaded: tell who waits for it, and give back what only loading needed."""
        with self._changed:
            self._used -= held.size - size
            held.size = size
            # Before others are woken: whoever waits for room may ask this one to leave by now.
            held.loaded.set_result(predictor)
            metrics.LOADED_BYTES.set(self._used)
            metrics.LOADED.set(len(self._held))
            self._changed.notify_all()

    def forget(self, held: Held) -> None:
        """Take away a model whose load failed."""
        with self._changed:
            self._used -= held.size
            if self._held.get(held.model.id) is held:
                del self._held[held.model.id]
            metrics.LOADED_BYTES.set(self._used)
            metrics.LOADED.set(len(self._held))
            self._changed.notify_all()
        self._unload(held)

    def close(self) -> None:
        """Let nobody wait for room any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def clear(self) -> None:
        """Let go of every model, whoever uses it; nothing is being loaded any more."""
        with self._changed:
            everyone = [*self._held.values(), *self._leaving]
            self._held.clear()
            self._leaving.clear()
        for held in everyone:
            if not held.loaded.done():
                # Its turn never came, and somebody may wait for it.
                held.loaded.set_exception(NoRoom(held.model.id))
            self._let_go(held)

    def _idle(self) -> Held | None:
        """A loaded model without users, the one used longest ago; it is not to be found then."""
        for held in self._leaving:
            if held.users == 0:
                self._leaving.remove(held)
                return held
        for held in self._held.values():
            if held.users == 0 and held.loaded.done():
                del self._held[held.model.id]
                return held
        return None

    def _ask_to_leave(self, missing: int) -> None:
        """Let models in use end, those used longest ago, until enough bytes are to come free.

        Without this, models that are never idle would keep a newcomer out for ever.
        """
        missing -= sum(held.size for held in self._leaving)
        for held in list(self._held.values()):
            if missing <= 0:
                return
            if held.loaded.done():
                del self._held[held.model.id]
                held.is_leaving = True
                self._leaving.append(held)
                missing -= held.size

    def _let_go(self, held: Held) -> None:
        held.loaded = Future()
        self._unload(held)
        with self._changed:
            self._used -= held.size
            held.size = 0
            metrics.LOADED_BYTES.set(self._used)
            metrics.LOADED.set(len(self._held))
            self._changed.notify_all()
