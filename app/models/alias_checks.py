"""Whether a word can be an alias, and a model what it points at."""

from sqlalchemy.orm import Session

from app.models.errors import AliasReserved
from app.models.references import ALIAS
from core.db.repositories.models import LATEST, ModelRepository
from core.db.tables import ModelRow
from core.errors import ErrorItem, Gone, ValidationFailed
from core.ids import ModelId, TenantId, is_id


def check_word(alias: str) -> None:
    """Refuse a word that cannot be, or must not become, an alias of one's own.

    Raises:
        AliasReserved: it is `latest`.
        ValidationFailed: it is no word of the right form.
    """
    if alias == LATEST:
        raise AliasReserved(
            f"`{LATEST}` is the newest version and cannot be moved. Call an alias of your own, "
            "or delete the bad version."
        )
    if ALIAS.fullmatch(alias) is None:
        message = (
            "An alias has 1 to 64 of a-z, 0-9, '.', '_' and '-', begins with a letter or a digit, "
            "and does not read as a version (3, v3)."
        )
        raise ValidationFailed(message, errors=[ErrorItem("path:alias", "bad-alias", message)])


def find_target(session: Session, tenant: TenantId, name: str, model_id: str) -> ModelRow:
    """The model that an alias of this name shall point at; hold the name first.

    Raises:
        ValidationFailed: the tenant has none of this id, or it is a model of another name.
        Gone: it was deleted.
    """
    if not is_id(model_id, prefix="model"):
        raise _refusal(
            "id-required", f"{model_id!r} is no id of a model (model_…); an alias points at one."
        )
    model = ModelRepository(session).get(tenant, ModelId(model_id))
    if model is None:
        raise _refusal("not-found", f"There is no model {model_id!r}.")
    if model.deleted_at is not None:
        raise Gone("model", model_id, pointer="/model_id")
    if model.name != name:
        raise _refusal("other-name", f"{model_id} is a model of the name {model.name!r}.")
    return model


def _refusal(code: str, message: str) -> ValidationFailed:
    return ValidationFailed(message, errors=[ErrorItem("/model_id", code, message)])
