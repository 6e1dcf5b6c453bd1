"""Files that are refused, and what each refusal is called."""

import json
from dataclasses import dataclass, field

import pyarrow as pa

from tests.app.datasets.files import MIB, TEXTS, csv_file, jsonl_file, packed, parquet_file


@dataclass(frozen=True)
class Bad:
    """A file that is refused."""

    story: str
    name: str
    content: bytes
    status: int
    code: str
    says: str = ""
    fields: dict[str, str] = field(default_factory=dict)


def extension_typed() -> bytes:
    texts = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16] * 40, pa.binary(16)))
    return parquet_file({"text": TEXTS, "key": texts})


CONTAINERS_AND_TABLES = [
    Bad("zero bytes", "a.csv", b"", 422, "empty-file"),
    Bad("zero bytes, packed", "a.csv.gz", packed(b""), 422, "empty-file"),
    Bad("a zip named csv", "a.csv", b"PK\x03\x04" + b"0" * 99, 422, "file-type-mismatch", "zip"),
    Bad("7z named csv", "a.csv", b"7z\xbc\xaf\x27\x1c" + b"0" * 99, 422, "file-type-mismatch"),
    Bad("a program", "a.txt", b"\x7fELF" + b"0" * 99, 422, "file-type-mismatch"),
    Bad("a PDF", "a.txt", b"%PDF-1.7" + b"0" * 99, 422, "file-type-mismatch"),
    Bad("a pickle", "a.jsonl", b"\x80\x04\x95" + b"0" * 99, 422, "file-type-mismatch"),
    Bad("gzip named csv", "a.csv", packed(csv_file()), 422, "file-type-mismatch", "gzip"),
    Bad("csv named gz", "a.csv.gz", csv_file(), 422, "file-type-mismatch"),
    Bad("packed twice", "a.csv.gz", packed(packed(csv_file())), 422, "file-type-mismatch"),
    Bad("csv named parquet", "a.parquet", csv_file(), 422, "file-type-mismatch"),
    Bad("parquet named csv", "a.csv", parquet_file(), 422, "file-type-mismatch"),
    Bad("a gzip cut short", "a.csv.gz", packed(csv_file())[:-9], 422, "malformed-gzip"),
    Bad("an unknown extension", "a.xlsx", csv_file(), 422, "unsupported-format", ".csv"),
    Bad("no extension", "a", csv_file(), 422, "unsupported-format"),
    Bad("a header alone", "a.csv", b"text\n", 422, "empty-dataset"),
    Bad("a byte order mark alone", "a.csv", b"\xef\xbb\xbf", 422, "empty-dataset"),
    Bad("blank lines alone", "a.jsonl", b"\n\n", 422, "empty-dataset"),
    Bad(
        "no column text",
        "a.csv",
        b"id,body\n1,x\n",
        422,
        "missing-column",
        "'id', 'body'",
    ),
    Bad("the wrong delimiter", "a.csv", b"id;text\n1;x\n", 422, "missing-column", "delimiter"),
    Bad(
        "a label column that is not there",
        "a.csv",
        csv_file(),
        422,
        "missing-column",
        "'label'",
        fields={"label_column": "label"},
    ),
    Bad(
        "a key that no JSON line has",
        "a.jsonl",
        jsonl_file([]),
        422,
        "missing-column",
        fields={"text_column": "body"},
    ),
    Bad(
        "a column of a txt file",
        "a.txt",
        csv_file(),
        422,
        "missing-column",
        fields={"text_column": "body"},
    ),
    Bad(
        "UTF-16 without its mark",
        "a.csv",
        csv_file().decode().encode("utf-16-le"),
        422,
        "invalid-encoding",
        "Byte 1:",
    ),
    Bad(
        "UTF-16 asked for, without its mark",
        "a.csv",
        csv_file().decode().encode("utf-16-le"),
        422,
        "invalid-encoding",
        fields={"encoding": "utf-16"},
    ),
    Bad("Latin-1", "a.csv", b"text\ncaf\xe9\n", 422, "invalid-encoding", "Byte 8 (0xe9)"),
    Bad("Latin-1, packed", "a.txt.gz", packed(b"caf\xe9"), 422, "invalid-encoding", "Byte 3"),
    Bad("cp1252 quotes", "a.jsonl", b'{"text": "\x93"}', 422, "invalid-encoding", "Byte 10"),
    Bad("a ragged row", "a.csv", b"id,text\n1,a\n2\n", 422, "malformed-row", "Line 3"),
    Bad("a row too long", "a.csv", b"id,text\n1,a,b\n", 422, "malformed-row", "Line 2"),
    Bad(
        "a quote never closed",
        "a.csv",
        b'text\n"never closed\n' + b"x\n" * 20,
        422,
        "malformed-row",
        "Line 2",
    ),
    Bad(
        "a quote that swallows the file",
        "a.csv",
        csv_file([*TEXTS, '"never closed', *["x"] * 2000]),
        422,
        "malformed-row",
        "Line 42",
        fields={"on_bad_row": "skip"},
    ),
    Bad("text after a quote", "a.csv", b'text\n"a"b\n', 422, "malformed-row", "Line 2"),
    Bad("a field over 1 MiB", "a.csv", csv_file(["a" * (MIB + 1)]), 422, "field-too-large"),
    Bad("a header over 1 MiB", "a.csv", csv_file(header="a" * (MIB + 1)), 422, "malformed-row"),
    Bad(
        "10,000 columns",
        "a.csv",
        csv_file(header="text," + ",".join(map(str, range(9999)))),
        422,
        "too-many-columns",
    ),
    Bad(
        "10,000 keys",
        "a.jsonl",
        jsonl_file([json.dumps({"text": "a", **{str(n): n for n in range(9999)}})]),
        422,
        "too-many-columns",
    ),
    Bad("a column twice", "a.csv", b"text,text\na,b\n", 422, "duplicate-column"),
]

ROWS_AND_COLUMNS = [
    Bad("only empty rows", "a.txt", b" \n\t\n\n", 422, "empty-dataset", "3 empty-text"),
    Bad("one text 100 times", "a.csv", csv_file(["same"] * 100), 422, "insufficient-data"),
    Bad("five rows", "a.csv", csv_file(TEXTS[:5]), 422, "insufficient-data", "5 different"),
    Bad("31 texts", "a.txt", csv_file(TEXTS[:30]), 422, "insufficient-data", "31 different"),
    Bad("a JSON string a line", "a.jsonl", jsonl_file(['"a"']), 422, "malformed-row", "Line 1"),
    Bad("a number a line", "a.ndjson", jsonl_file(["1"]), 422, "malformed-row", "a number"),
    Bad("a numeric text", "a.jsonl", jsonl_file(['{"text": 1}']), 422, "malformed-row"),
    Bad("broken JSON", "a.jsonl", jsonl_file(['{"text": ']), 422, "malformed-row", "Line 1"),
    Bad("NaN", "a.jsonl", jsonl_file(['{"text": "a", "x": NaN}']), 422, "malformed-row", "NaN"),
    Bad("a key twice", "a.jsonl", jsonl_file(['{"text": "a", "text": "b"}']), 422, "malformed-row"),
    Bad("deep nesting", "a.jsonl", jsonl_file(["[" * 100_000]), 422, "malformed-row"),
    Bad("a long integer", "a.jsonl", jsonl_file(['{"text": ' + "9" * 5000]), 422, "malformed-row"),
    Bad(
        "an endless JSON line",
        "a.jsonl",
        b'{"text": "' + b"a" * 20 * MIB,
        422,
        "line-too-long",
        "Line 1",
    ),
    Bad("an endless line of text", "a.txt", b"a" * (MIB + 1), 422, "line-too-long"),
    Bad(
        "a JSON list as JSONL",
        "a.jsonl",
        json.dumps([{"text": text} for text in TEXTS]).encode(),
        422,
        "malformed-row",
        "one JSON list",
    ),
    Bad(
        "a JSON list over several lines as JSONL",
        "a.jsonl",
        json.dumps([{"text": text} for text in TEXTS], indent=1).encode(),
        422,
        "malformed-row",
        "one JSON list",
    ),
    Bad("a Parquet cut short", "a.parquet", parquet_file()[:-20], 422, "malformed-parquet"),
    Bad(
        "a Parquet with a broken footer",
        "a.parquet",
        parquet_file()[:-40] + b"\xff" * 32 + parquet_file()[-8:],
        422,
        "malformed-parquet",
    ),
    Bad("magic and nothing else", "a.parquet", b"PAR1PAR1", 422, "malformed-parquet"),
    Bad("encrypted", "a.parquet", b"PARE" + b"0" * 99 + b"PARE", 422, "unsupported-parquet"),
    Bad("an extension type", "a.parquet", extension_typed(), 422, "unsupported-parquet"),
    Bad(
        "no rows", "a.parquet", parquet_file({"text": pa.array([], "string")}), 422, "empty-dataset"
    ),
    Bad(
        "integers as text", "a.parquet", parquet_file({"text": [1] * 40}), 422, "wrong-column-type"
    ),
    Bad(
        "structs as text",
        "a.parquet",
        parquet_file({"text": [{"a": "b"}] * 40}),
        422,
        "wrong-column-type",
        "struct",
    ),
    Bad(
        "bytes as text", "a.parquet", parquet_file({"text": [b"a"] * 40}), 422, "wrong-column-type"
    ),
    Bad("another column", "a.parquet", parquet_file({"b": TEXTS}), 422, "missing-column", "'b'"),
    Bad(
        "an endless text in Parquet",
        "a.parquet",
        parquet_file({"text": [*TEXTS, "a" * (MIB + 1)]}),
        422,
        "field-too-large",
        "Line 41",
    ),
    Bad(
        "a gzip bomb",
        "a.txt.gz",
        packed((b"a" * 999 + b"\n") * 80_000),
        422,
        "decompression-limit",
    ),
    Bad(
        "a Parquet bomb",
        "a.parquet",
        parquet_file(
            {"text": ["a" * MIB + str(n) for n in range(80)]},
            compression="zstd",
            use_dictionary=False,
        ),
        422,
        "decompression-limit",
    ),
    Bad(
        "a column of ids as labels",
        "a.csv",
        csv_file([f"t{n},{n}" for n in range(1001)], header="text,label"),
        422,
        "too-many-labels",
        fields={"label_column": "label"},
    ),
]

REFUSED = [*CONTAINERS_AND_TABLES, *ROWS_AND_COLUMNS]
