"""Files that are taken although something is odd about them."""

from dataclasses import dataclass, field

import pyarrow as pa

from tests.app.datasets.files import MIB, TEXTS, csv_file, jsonl_file, packed, parquet_file


@dataclass(frozen=True)
class Tolerated:
    """A file that is taken, with this many rows set aside for these reasons."""

    story: str
    name: str
    content: bytes
    set_aside: dict[str, int] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)


TOLERATED = [
    Tolerated("a hostile file name", "../../etc/cron.d/x.csv", csv_file()),
    Tolerated("a Windows path", "C:\\x\\con.csv", csv_file()),
    Tolerated("a 4 kB file name", "n" * 4000 + ".csv", csv_file()),
    Tolerated("a right-to-left override in the name", "\u202egnp.csv", csv_file()),
    Tolerated("a byte order mark", "a.csv", b"\xef\xbb\xbf" + csv_file()),
    Tolerated("a byte order mark in JSONL", "a.jsonl", b"\xef\xbb\xbf" + jsonl_file([])),
    Tolerated("UTF-16 with its mark", "a.csv", csv_file().decode().encode("utf-16")),
    Tolerated(
        "UTF-16 big endian with its mark",
        "a.txt",
        b"\xfe\xff" + csv_file().decode().encode("utf-16-be"),
    ),
    Tolerated(
        "UTF-16 named, without its mark",
        "a.csv",
        csv_file().decode().encode("utf-16-le"),
        fields={"encoding": "utf-16-le"},
    ),
    Tolerated(
        "Latin-1 by name",
        "a.csv",
        csv_file([*TEXTS, "caf\xe9"]).decode().encode("latin-1"),
        fields={"encoding": "ISO-8859-1"},
    ),
    Tolerated(
        "ragged rows, to skip",
        "a.csv",
        csv_file(["1,a,b", *[f"{n},{n} x" for n in range(40)], "2"], header="id,text"),
        {"malformed-row": 2},
        {"on_bad_row": "skip"},
    ),
    Tolerated(
        "JSON lines to skip",
        "a.jsonl",
        jsonl_file(["[1]", '{"text": 1}', "{", "null"]),
        {"malformed-row": 4},
        {"on_bad_row": "skip"},
    ),
    Tolerated("NUL in a text", "a.csv", csv_file([*TEXTS, "a\0b"]), {"nul-byte": 1}),
    Tolerated(
        "lone surrogates",
        "a.jsonl",
        jsonl_file([r'{"text": "\ud800"}', r'{"text": "a\udc00b"}']),
        {"invalid-unicode": 2},
    ),
    Tolerated(
        "control characters and bidi overrides",
        "a.jsonl",
        jsonl_file([r'{"text": "a\u0001\u200b\u202e"}', r'{"text": "b\u001b[31m"}']),
    ),
    Tolerated(
        "a combining bomb beside honest marks",
        "a.csv",
        csv_file([*TEXTS, "x" + "\u0301" * 65, "x" + "\u0301" * 64, "e\u0301 שָׁלוֹם नमस्ते 👩‍👩‍👧"]),
        {"text-abusive": 1},
    ),
    Tolerated(
        "empty texts", "a.csv", csv_file([*TEXTS, '""', '"  "', '"\u00a0"']), {"empty-text": 3}
    ),
    Tolerated("a text of 1 MiB", "a.csv", csv_file([*TEXTS, "a" * MIB])),
    Tolerated("a line of 1 MiB", "a.txt", csv_file([*TEXTS, "a" * MIB])),
    Tolerated("CRLF", "a.csv", csv_file(end="\r\n")),
    Tolerated("blank lines in CSV", "a.csv", csv_file([*TEXTS, "", "", "last"])),
    Tolerated("a file that ends in a row", "a.csv", csv_file().rstrip()),
    Tolerated(
        "CRLF, blank lines and no end in JSONL",
        "a.jsonl",
        jsonl_file(["", "  "]).replace(b"\n", b"\r\n").rstrip(),
    ),
    Tolerated(
        "null texts",
        "a.jsonl",
        jsonl_file(['{"text": null}', '{"other": 1}']),
        {"null-text": 2},
    ),
    Tolerated(
        "nulls in Parquet", "a.parquet", parquet_file({"text": [*TEXTS, None]}), {"null-text": 1}
    ),
    Tolerated(
        "large strings", "a.parquet", parquet_file({"text": pa.array(TEXTS, pa.large_string())})
    ),
    Tolerated(
        "a dictionary of strings",
        "a.parquet",
        parquet_file({"text": pa.array([*TEXTS, None]).dictionary_encode()}),
        {"null-text": 1},
    ),
    Tolerated(
        "a Parquet string that is not UTF-8",
        "a.parquet",
        parquet_file(
            {"text": pa.array([*(text.encode() for text in TEXTS), b"\xff"]).view(pa.string())}
        ),
        {"invalid-unicode": 1},
    ),
    Tolerated("packed JSON lines", "a.jsonl.gz", packed(jsonl_file([]))),
    Tolerated(
        "another delimiter",
        "a.csv",
        b"id;text\n" + b"".join(f"{n};text {n}\n".encode() for n in range(40)),
        fields={"delimiter": ";"},
    ),
    Tolerated(
        "tabs", "a.tsv", b"id\ttext\n" + b"".join(f"{n}\ttext {n}\n".encode() for n in range(40))
    ),
    Tolerated(
        "nameless columns",
        "a.csv",
        b",,text\n" + b"".join(f"{n},,text {n}\n".encode() for n in range(40)),
    ),
]
