"""What is refused about models."""

from core.errors import ServiceError


class ResourceInUse(ServiceError):
    """Aliases point at this model: move or delete them first, so that nobody who calls by them
    is left without an answer. Or unfinished jobs predict with it or start from it: cancel them,
    or wait for their end."""

    status = 409
    code = "resource-in-use"
    title = "The model is in use"


class AliasReserved(ServiceError):
    """`latest` is the newest version that is not deleted, and the service alone moves it.

    If it could be moved by hand, the next job would silently move it back. Let clients call an
    alias of your own, which moves when you say so; to take a bad newest version from those who
    call the bare name, delete it, and `latest` falls back to the version before.
    """

    status = 409
    code = "alias-reserved"
    title = "The alias is kept by the service"


class TooManyAliases(ServiceError):
    """A name has as many aliases as it may have; delete one that nobody calls."""

    status = 409
    code = "too-many-aliases"
    title = "Too many aliases"


class NotAName(ServiceError):
    """Aliases belong to a name, and this is the id of a model; its `name` is what to ask with."""

    status = 404
    code = "not-found"
    title = "Not found"

    def __init__(self, model_id: str) -> None:
        super().__init__(f"Aliases belong to a name; {model_id} is an id. Ask by the model's name.")
