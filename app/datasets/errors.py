"""What an upload can be refused for; the child that reads it and the API share these."""

from collections.abc import Iterable, Sequence

from core.errors import ErrorItem, ServiceError


class BadDataset(ServiceError):
    """A file that cannot be taken as a dataset."""

    status = 422
    code = "bad-dataset"
    title = "The file cannot be used"


class EmptyFile(BadDataset):
    """The file has no bytes."""

    code = "empty-file"
    title = "The file is empty"


class EmptyDataset(BadDataset):
    """The file was read to its end and holds no usable text."""

    code = "empty-dataset"
    title = "The dataset holds no text"


class InsufficientData(BadDataset):
    """Fewer different texts than anything can be learned from, or measured on (32)."""

    code = "insufficient-data"
    title = "Too few different texts"


class UnsupportedFormat(BadDataset):
    """The file's extension names none of the formats that are read.

    These are .csv, .tsv, .jsonl, .ndjson, .txt, each also with .gz after it, and .parquet.
    """

    code = "unsupported-format"
    title = "Unsupported file format"


class FileTypeMismatch(BadDataset):
    """The first bytes of the file are those of another format than its extension names."""

    code = "file-type-mismatch"
    title = "The content is not what the extension says"


class InvalidFileEncoding(BadDataset):
    """The bytes are not text in the encoding that was named (utf-8 unless `encoding` says so).

    A byte order mark is honoured; nothing else is guessed. The byte offset counts from 0,
    in the unpacked file if it was compressed.
    """

    code = "invalid-encoding"
    title = "The file is not in the encoding it was read with"


class MalformedRow(BadDataset):
    """A row cannot be read; `on_bad_row=skip` sets such rows aside where reading can go on."""

    code = "malformed-row"
    title = "A row cannot be read"


class LineTooLong(BadDataset):
    """A line is longer than 1 MiB, which no text to classify is."""

    code = "line-too-long"
    title = "A line is too long"


class FieldTooLarge(BadDataset):
    """A field is larger than 1 MiB, which no text to classify is."""

    code = "field-too-large"
    title = "A field is too large"


class TooManyColumns(BadDataset):
    """The file has more than 100 columns."""

    code = "too-many-columns"
    title = "Too many columns"


class DuplicateColumn(BadDataset):
    """Two columns have one name; which one was meant cannot be known."""

    code = "duplicate-column"
    title = "A column name appears twice"


class MissingColumn(BadDataset):
    """A column that was asked for is not in the file; the message lists those that are."""

    code = "missing-column"
    title = "A column is missing"

    def __init__(self, wanted: str, present: Iterable[str], *, hint: str = "") -> None:
        listed = ", ".join(repr(name[:80]) for name in present) or "none"
        super().__init__(f"There is no column {wanted[:80]!r}. The file has: {listed}.{hint}")


class TooManyLabels(BadDataset):
    """The label column has more than 1,000 different values: it is hardly one of labels."""

    code = "too-many-labels"
    title = "Too many different labels"


class TooManyRows(BadDataset):
    """More than 5,000,000 rows; split the file."""

    status = 413
    code = "too-many-rows"
    title = "Too many rows"


class MalformedGzip(BadDataset):
    """The file is cut short or damaged: gzip cannot unpack it."""

    code = "malformed-gzip"
    title = "The compressed file is damaged"


class MalformedParquet(BadDataset):
    """The file is cut short or damaged: it is no Parquet file that can be read."""

    code = "malformed-parquet"
    title = "The Parquet file is damaged"


class UnsupportedParquet(BadDataset):
    """Encrypted files, extension types and files of countless row groups are not read."""

    code = "unsupported-parquet"
    title = "Unsupported Parquet feature"


class WrongColumnType(BadDataset):
    """Text is read from columns of type string, large_string or dictionary of strings."""

    code = "wrong-column-type"
    title = "The column has the wrong type"


class DecompressionLimit(BadDataset):
    """The file unpacks to far more than its size, or took more memory or time than is given."""

    code = "decompression-limit"
    title = "The file unpacks to too much"


class MissingFile(BadDataset):
    """The form has no part named `file` that carries a file name.

    A second file is taken as `answers`, with a file name, too.
    """

    code = "missing-file"
    title = "No file was sent"


class TooManyFiles(BadDataset):
    """The form carries more than one `file`, or more than one file of `answers`."""

    code = "too-many-files"
    title = "More than one file was sent"


class MalformedMultipart(ServiceError):
    """The body is not a complete multipart/form-data document, or has too many parts."""

    status = 400
    code = "malformed-multipart"
    title = "The form could not be read"


class InsufficientStorage(ServiceError):
    """The disk would fall below what is kept free (5 GiB or 5 %, whichever is less)."""

    status = 507
    code = "insufficient-storage"
    title = "Not enough disk space"


class IdempotencyInProgress(ServiceError):
    """A request with this Idempotency-Key is still being served; ask again when it is done."""

    status = 409
    code = "idempotency-in-progress"
    title = "The first request is still being served"


class QuotaExceeded(ServiceError):
    """With it, the tenant's datasets and models would be over LLKD_MAX_TENANT_BYTES."""

    status = 413
    code = "quota-exceeded"
    title = "The storage quota is used up"


class NothingKept(ServiceError):
    """None of this model's texts are kept: `PUT /models/{name}/kept_texts` switches it on."""

    status = 409
    code = "nothing-kept"
    title = "No texts are kept"

    def __init__(self, model_id: str) -> None:
        super().__init__(f"None of the texts that {model_id} was asked about are kept.")


class ResourceInUse(ServiceError):
    """Queued or running jobs read this dataset; cancel them, or wait for their end."""

    status = 409
    code = "resource-in-use"
    title = "The dataset is in use"


def at_line(kind: type[BadDataset], line: int, message: str) -> BadDataset:
    """A refusal that names the line (or row, in files without lines) it is about."""
    item = ErrorItem(pointer=f"line:{line}", code=kind.code, message=message)
    return kind(f"Line {line}: {message}", errors=[item])


def rebuild(code: str, detail: str, errors: Sequence[ErrorItem]) -> ServiceError:
    """The refusal that the child process told of.

    The detail was written there; no constructor must write it again.
    """
    kinds: list[type[ServiceError]] = [*BadDataset.__subclasses__(), InsufficientStorage]
    kind = next(kind for kind in kinds if kind.code == code)
    refusal = kind.__new__(kind)
    ServiceError.__init__(refusal, detail, errors=errors)
    return refusal
