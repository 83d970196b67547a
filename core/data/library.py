"""The data sets that can be chosen on this machine."""

from __future__ import annotations

from contextlib import suppress

from pydantic import BaseModel, ConfigDict

from core.data.upload_files import uploads_folder
from core.i18n import N_
from core.registry.formats import upload_suffixes


class DataCard(BaseModel):
    """One data set that can be chosen."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    note: str  # English source text, translated where shown
    bytes: int | None = None  # on this disk; None: comes with a package


def list_data() -> list[DataCard]:
    """Everything at hand without typing a path: built in, found in torchvision's folder, uploaded."""
    from core.data.readers.cifar10 import find_cifar10

    note = N_("1,797 handwritten digits of 8 × 8 px, for a first success")
    cards = [DataCard(id="builtin/digits", name="digits", note=note)]
    note = N_("short English reviews written for Graft, good or bad, for a first success")
    cards.append(DataCard(id="builtin/reviews-en", name="reviews-en", note=note))
    note = N_("short Chinese reviews written for Graft, good or bad, for a first success")
    cards.append(DataCard(id="builtin/reviews-zh", name="reviews-zh", note=note))
    if find_cifar10() is not None:
        note = N_("60,000 pictures of 10 kinds, 32 × 32 px")
        cards.append(DataCard(id="torchvision/cifar10", name="CIFAR-10", note=note))
    note = N_("uploaded")
    listed = []
    for path in uploads_folder().iterdir():
        if path.name.startswith(".") or path.suffix not in upload_suffixes():
            continue
        with suppress(FileNotFoundError):  # deleted a moment ago
            listed.append((path.stat().st_mtime, path.stem, path.stat().st_size))
    return cards + [
        DataCard(id=f"upload/{stem}", name=stem, note=note, bytes=size)
        for _, stem, size in sorted(listed, reverse=True)
    ]
