"""Strange files, ten of each kind: what people have on their disks, and what somebody might send them."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from openpyxl import Workbook
from PIL import Image
from pyarrow import parquet

GOOD = "".join(
    f"{text} {n},{label}\n" for n in range(6) for text, label in (("a good film", "up"), ("a bad film", "down"))
)
ROWS = [{"text": f"a {label} film {n}", "label": label} for n in range(6) for label in ("good", "bad")]
Content = bytes | str


def write_all(folder: Path) -> dict[str, list[Path]]:
    """Write every strange file; returns them by kind."""
    made: dict[str, list[Path]] = {}
    for kind, write in KINDS.items():
        place = folder / kind
        place.mkdir(parents=True)
        made[kind] = sorted(write(place))
    return made


def _written(folder: Path, ending: str, contents: dict[str, Content]) -> Iterator[Path]:
    for name, content in contents.items():
        path = folder / f"{name}.{ending}"
        path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
        yield path


# -- tables ------------------------------------------------------------------------------------------------


def _separated(sign: str) -> dict[str, Content]:
    head, good = f"text{sign}label\n", GOOD.replace(",", sign)
    return {
        "nulls": head.encode() + b"\0" * 5000,
        "one-cell": "x",
        "only-header": head,
        "only-quotes": '"' * 999,
        "open-quote": f'{head}"never closed{sign}up\n{good}',
        "a-thousand-columns": sign.join(f"c{n}" for n in range(1000)) + "\n" + sign.join("1" * 1000) + "\n",
        "same-names": f"text{sign}text{sign}label{sign}label\n" + f"a{sign}b{sign}c{sign}d\n" * 8,
        "lone-surrogates": f"{head}\ud800 half{sign}up\nwhole{sign}down\n",
        "utf-32": (head + good).encode("utf-32"),
        "formulas": head + f"=cmd|'/c calc'!A0{sign}up\n" + f"@SUM(1){sign}down\n" + good,
    }


def _csv(folder: Path) -> Iterator[Path]:
    yield from _written(folder, "csv", _separated(","))


def _tsv(folder: Path) -> Iterator[Path]:
    yield from _written(folder, "tsv", _separated("\t"))


def _txt(folder: Path) -> Iterator[Path]:
    contents: dict[str, Content] = {
        "empty": b"",
        "blanks": " \n\t\n\r\n" * 50,
        "one-long-line": "word " * 200_000,
        "gzip": b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + np.random.default_rng(0).bytes(400),
        "random": np.random.default_rng(0).bytes(20_000),
        "controls": "".join(map(chr, range(32))) * 20 + "\na text\n",
        "fasttext-broken": "__label__\n__label__up\n__label__ up down\n" * 5,
        "right-to-left": "\u202eطيب\n\u202dجدا\n" * 6,
        "zero-width": "\u200b\n\u200d\n\ufeff\n" * 6,
        "letters-on-letters": "Z" + "\u0335\u0322" * 3000 + "\ngood\n",
    }
    yield from _written(folder, "txt", contents)


def _jsonl(folder: Path) -> Iterator[Path]:
    good = "".join(json.dumps(row) + "\n" for row in ROWS)
    contents: dict[str, Content] = {
        "deep": '{"text": ' + "[" * 100_000 + "]" * 100_000 + ', "label": "a"}\n',
        "deep-open": "[" * 200_000,
        "numbers": "1\n2\nNaN\nInfinity\n-0\n1e999\n",
        "lists": '["a", "b"]\n["c", "d"]\n',
        "nested": '{"text": {"text": "a"}, "label": {"label": [1]}}\n' * 8,
        "cut": good[:-7],
        "doubled-keys": '{"text": "a", "text": "b", "label": "x"}\n' * 4 + good,
        "half-surrogates": '{"text": "\\ud83d", "label": "\\udc00"}\n' * 4 + good,
        "huge-number": '{"text": "a", "label": ' + "9" * 5000 + "}\n" + good,
        "empty-names": '{"": "a", " ": "b"}\n' * 6,
    }
    yield from _written(folder, "jsonl", contents)


def _json(folder: Path) -> Iterator[Path]:
    contents: dict[str, Content] = {
        "deep": "[" * 100_000 + "]" * 100_000,
        "deep-records": '{"a":' * 50_000 + "1" + "}" * 50_000,
        "null": "null",
        "text": '"just a text"',
        "empty-list": "[]",
        "mixed": '[1, "a", null, {"text": "a"}, [], true]',
        "lengths": '{"text": ["a", "b", "c"], "label": ["x"]}',
        "utf-16": json.dumps(ROWS).encode("utf-16"),
        "huge-number": '[{"text": "a", "label": ' + "9" * 5000 + "}]",
        "two-documents": json.dumps(ROWS) + json.dumps(ROWS),
    }
    yield from _written(folder, "json", contents)


def _xlsx(folder: Path) -> Iterator[Path]:
    book = Workbook()
    for row in [["text", "label"], *([row["text"], row["label"]] for row in ROWS)]:
        book.active.append(row)
    kept = io.BytesIO()
    book.save(kept)
    good = kept.getvalue()
    contents: dict[str, Content] = {
        "cut": good[: len(good) // 2],
        "no-sheets": _changed(good, {}, without="worksheets/"),
        "no-workbook": _changed(good, {}, without="workbook.xml"),
        "broken-sheet": _changed(good, {"xl/worksheets/sheet1.xml": b"<worksheet><sheetData><row>"}),
        "entities": _changed(
            good, {"xl/worksheets/sheet1.xml": b'<!DOCTYPE a [<!ENTITY b "bbbb">]><worksheet>&b;</worksheet>'}
        ),
        "bad-strings": _changed(good, {"xl/sharedStrings.xml": b"<sst></sst>"}),
        "odd-cells": _changed(
            good, {"xl/worksheets/sheet1.xml": _sheet('<c r="ZZZZ9" t="s"><v>99999</v></c><c t="d"><v>x</v></c>')}
        ),
        "far-cell": _changed(good, {"xl/worksheets/sheet1.xml": _sheet('<c r="XFD1048576" t="n"><v>1e400</v></c>')}),
        "old-xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 3000,
        "html": "<html><table><tr><td>text</td><td>label</td></tr></table></html>",
    }
    yield from _written(folder, "xlsx", contents)


def _sheet(cells: str) -> bytes:
    kind = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return f'<worksheet xmlns="{kind}"><sheetData><row r="1">{cells}</row></sheetData></worksheet>'.encode()


def _changed(content: bytes, changes: dict[str, bytes], *, without: str = "-") -> bytes:
    """A zip with other content of some entries, and without some."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            if without not in name:
                new.writestr(name, changes.get(name) or old.read(name))
    return made.getvalue()


def _parquet(folder: Path) -> Iterator[Path]:
    def table(columns: dict[str, object]) -> bytes:
        kept = io.BytesIO()
        parquet.write_table(pa.table(columns), kept)
        return kept.getvalue()

    good = table({"text": [row["text"] for row in ROWS], "label": [row["label"] for row in ROWS]})
    middle = bytearray(good)
    middle[40:80] = np.random.default_rng(0).bytes(40)
    contents: dict[str, Content] = {
        "broken-footer": good[:-200] + np.random.default_rng(0).bytes(192) + good[-8:],
        "long-footer": good[:-8] + struct.pack("<I", 2**31 - 1) + b"PAR1",
        "broken-middle": bytes(middle),
        "only-magic": b"PAR1PAR1",
        "no-rows": table({"text": pa.array([], pa.string()), "label": pa.array([], pa.string())}),
        "no-columns": table({}),
        "all-null": table({"text": [None] * 9, "label": [None] * 9}),
        "nested": table({"text": [[{"a": [1]}]] * 8, "label": [{"b": None}] * 8}),
        "binary": table({"text": [b"\xff\xfe\0"] * 8, "label": [1, 2] * 4}),
        "durations": table(
            {"text": pa.array([1, 2] * 4, pa.duration("ns")), "label": pa.array([2**62] * 8, pa.timestamp("ns"))}
        ),
    }
    yield from _written(folder, "parquet", contents)


# -- pictures ----------------------------------------------------------------------------------------------


def _picture(colour: int = 0, size: tuple[int, int] = (24, 20), format: str = "PNG") -> bytes:
    kept = io.BytesIO()
    Image.new("RGB", size, (colour % 256, 90, 160)).save(kept, format)
    return kept.getvalue()


def _zip(folder: Path) -> Iterator[Path]:
    good = {f"{label}/{n}.png": _picture(20 * n) for n in range(4) for label in ("a", "b")}
    yield from _zips(folder, "lzma", good, zipfile.ZIP_LZMA)
    path = folder / "lzma-huge-dictionary.zip"
    content = (folder / "lzma.zip").read_bytes()
    path.write_bytes(content.replace(b"\x05\x00\x5d\x00\x00\x80\x00", b"\x05\x00\x5d\xff\xff\xff\xff"))
    yield path
    yield from _zips(folder, "bzip2", good, zipfile.ZIP_BZIP2)
    yield from _zips(folder, "climbing", {**good, "../../out.png": _picture(), "/etc/x.png": _picture()})
    yield from _zips(
        folder,
        "odd-names",
        {**good, "a/\udce4.png": _picture(), "a/" + "n" * 300 + ".png": _picture(), "a/con.png": b""},
    )
    yield from _zips(folder, "in-zip", {"inner.zip": content})
    yield from _zips(folder, "nothing", {})
    yield from _zips(folder, "only-text", {"a/readme.txt": b"hello", "b/readme.txt": b"hello"})
    for name, change in (("cut", lambda one: one[: len(one) // 2]), ("encrypted", _encrypted)):
        path = folder / f"{name}.zip"
        path.write_bytes(change((folder / "bzip2.zip").read_bytes()))
        yield path


def _zips(folder: Path, name: str, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Iterator[Path]:
    path = folder / f"{name}.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for entry, content in files.items():
            info = zipfile.ZipInfo(entry.encode("utf-8", "replace").decode())
            info.compress_type = method
            archive.writestr(info, content)
    yield path


def _encrypted(content: bytes) -> bytes:
    """A zip whose entries say that they are encrypted."""
    return content.replace(b"PK\x01\x02\x2e\x03\x2e\x00\x00\x00", b"PK\x01\x02\x2e\x03\x2e\x00\x01\x00")


def _folder(folder: Path) -> Iterator[Path]:
    for name, change in _FOLDERS.items():
        place = folder / name
        for label in ("a", "b"):
            (place / label).mkdir(parents=True)
            for n in range(4):
                (place / label / f"{n}.png").write_bytes(_picture(20 * n))
        change(place)
        yield place


def _links(place: Path) -> None:
    (place / "a" / "up").symlink_to(place)
    (place / "b" / "self.png").symlink_to(place / "b" / "self.png")
    (place / "b" / "gone.png").symlink_to("nowhere")


def _special(place: Path) -> None:
    os.mkfifo(place / "a" / "pipe.png")
    (place / "b" / "zero.png").symlink_to("/dev/zero")


def _bytes_names(place: Path) -> None:
    for name in (b"\xc4\xe3.png", b"\xff\xfe.png", b"new\nline.png", b" .png", "é́.png".encode()):
        Path(os.fsdecode(os.fsencode(place / "a") + b"/" + name)).write_bytes(_picture(77))
    Path(os.fsdecode(os.fsencode(place) + b"/\xb9\xb7")).mkdir()
    Path(os.fsdecode(os.fsencode(place) + b"/\xb9\xb7/1.png")).write_bytes(_picture(99))


def _folders_as_files(place: Path) -> None:
    (place / "a" / "5.png").mkdir()
    (place / "b" / "5.jpg" / "c").mkdir(parents=True)


def _deep(place: Path) -> None:
    inner = place.joinpath(*["d"] * 200)
    inner.mkdir(parents=True)
    (inner / "1.png").write_bytes(_picture())


def _emptied(place: Path) -> None:
    for path in place.rglob("*.png"):
        path.write_bytes(b"")


def _one_class(place: Path) -> None:
    for path in (place / "b").iterdir():
        path.unlink()


def _without_rights(place: Path) -> None:
    for path in (place / "b").iterdir():
        path.chmod(0)


_FOLDERS: dict[str, Callable[[Path], object]] = {
    "links": _links,
    "special": _special,
    "bytes-names": _bytes_names,
    "folders-as-files": _folders_as_files,
    "deep": _deep,
    "emptied": _emptied,
    "metadata-broken": lambda place: (place / "metadata.csv").write_bytes(b'\0\xff,,,\n"\n'),
    "tables-beside": lambda place: (place / "table.parquet").write_bytes(b"PAR1"),
    "one-class": _one_class,
    "rights": _without_rights,
}


def _pictures(folder: Path) -> Iterator[Path]:
    good, jpeg = _picture(), _picture(size=(400, 300), format="JPEG")
    contents: dict[str, Content] = {
        "cut.jpg": jpeg[: len(jpeg) // 2],
        "nothing.png": b"",
        "text.png": "this is a text",
        "huge-header.png": _png_of(2**31 - 1, 2**31 - 1),
        "bomb.png": _png_of(40_000, 40_000),
        "no-width.png": _png_of(0, 7),
        "bad-sum.png": good[:-20] + b"\0" * 8 + good[-12:],
        "script.svg": "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "one-pixel.gif": _picture(size=(1, 1), format="GIF"),
        "thin.webp": _picture(size=(1, 9000), format="WEBP"),
    }
    for name, content in contents.items():
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        yield path


def _png_of(width: int, height: int) -> bytes:
    """The beginning of a PNG that says it is as large."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 100)
    chunks = [(head[:4], head[4:]), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


KINDS: dict[str, Callable[[Path], Iterator[Path]]] = {
    "csv": _csv,
    "tsv": _tsv,
    "txt": _txt,
    "jsonl": _jsonl,
    "json": _json,
    "xlsx": _xlsx,
    "parquet": _parquet,
    "zip": _zip,
    "folder": _folder,
    "pictures": _pictures,
}
