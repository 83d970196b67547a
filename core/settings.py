"""What can be set from outside, in one table: name, default, help. The environment overrides.

Names that begin with `HF_` are those of the Hugging Face libraries, which read them too. Nothing else in
Graft reads `os.environ` for its own purposes.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import platformdirs

from core.i18n import N_

PROJECT = Path(__file__).resolve().parents[1]  # the folder that holds app.py, core and pages

# By what way requests leave this machine, over https and over http: read by every library, set by none of Graft's.
_PROXIES = (("HTTPS_PROXY", "ALL_PROXY"), ("HTTP_PROXY", "ALL_PROXY"))


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    default: str
    help: str
    is_secret: bool = False


SETTINGS: dict[str, Setting] = {
    s.name: s
    for s in (
        Setting("GRAFT_HOME", "", N_("Folder of runs, caches and uploads. Default: the user's data folder.")),
        Setting("GRAFT_CACHE_GB", "10", N_("Upper limit of decoded data, features and reports kept, in GB.")),
        Setting("GRAFT_OFFLINE", "", N_("1: never use the network.")),
        Setting("GRAFT_DATA_ROOTS", "", N_("Folders that path: data may come from, separated like PATH.")),
        Setting("GRAFT_ACCESS_KEY", "", N_("Key that every visitor types in, 16 letters or more."), True),
        Setting("GRAFT_LOGINS", "", N_("Addresses or @domains that may log in by Streamlit's login, with commas.")),
        Setting("GRAFT_SLOTS", "1", N_("Runs at once per device.")),
        Setting("GRAFT_WARM", "1", N_("0: keep no process ready that has the libraries loaded (some 550 MB).")),
        Setting("GRAFT_TORCH_MIRROR", "", N_("Address that stands for https://download.pytorch.org.")),
        Setting("HF_ENDPOINT", "", N_("Address that stands for https://huggingface.co.")),
        Setting("HF_HUB_DISABLE_XET", "", N_("1: never use Xet, which has no mirrors. Set by HF_ENDPOINT by itself.")),
    )
}


def get(name: str) -> str:
    """The value of a setting: the environment's, else its default."""
    return os.environ.get(name) or SETTINGS[name].default


def shown(name: str) -> str:
    """The value of a setting as pages and logs may show it: no key, and addresses without who logs in there."""
    value = get(name)
    return "••••••" if value and SETTINGS[name].is_secret else without_login(value)


def without_login(text: str) -> str:
    """A text whose addresses do not tell the user and the password that they hold.

    >>> without_login("cannot reach https://ann:secret@hub.example/api")
    'cannot reach https://hub.example/api'
    """
    return re.sub(r"(?<=://)[^\s/?#]*@", "", text)


def hide(text: str) -> str:
    """A text from a library or a log without any token, key or password that Graft was given."""
    for secret in _secrets():
        text = text.replace(secret, "••••••")
    return without_login(text)


def _secrets() -> list[str]:
    """The hub's token, the access key, and the passwords of mirrors, as they stand in the environment and its file."""
    given = [os.environ.get(name, "") for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "GRAFT_ACCESS_KEY")]
    with suppress(OSError, UnicodeDecodeError):
        given.append(_as_libraries_do(os.environ.get("HF_TOKEN_PATH") or _hugging_face() / "token").read_text("utf-8"))
    for name in ("HF_ENDPOINT", "GRAFT_TORCH_MIRROR"):
        with suppress(ValueError):
            password = urlsplit(get(name)).password or ""
            given += [password, unquote(password)]
    for name in {one for both in _PROXIES for variable in both for one in (variable, variable.lower())}:
        with suppress(ValueError):
            password = urlsplit(_as_address(os.environ.get(name, ""))).password or ""
            given += [password, unquote(password)]
    return sorted({one.strip() for one in given if len(one.strip()) > 5}, key=len, reverse=True)


def proxy_of(url: str) -> tuple[str, str] | None:
    """The variable that sends requests to an address by way of a proxy, and the proxy without who logs in there."""
    from urllib.request import proxy_bypass

    parts = urlsplit(url)
    if parts.hostname is None or proxy_bypass(parts.hostname):
        return None
    for variable in _PROXIES[parts.scheme == "http"]:
        for name in (variable.lower(), variable):  # libraries ask in this order
            if os.environ.get(name):
                return name, without_login(_as_address(os.environ[name]))
    return None


def proxies() -> dict[str, str]:
    """The proxies for urllib, which passes over ALL_PROXY where the other libraries go by it."""
    from urllib.request import getproxies

    found = getproxies()
    return {**dict.fromkeys(("http", "https"), found["all"]), **found} if "all" in found else found


def _as_address(proxy: str) -> str:
    return proxy if "://" in proxy else f"http://{proxy}"


def home() -> Path:
    """The folder that holds everything Graft writes; created on first use.

    Raises `RuntimeError` where it was not named and the user has no home folder.
    """
    path = Path(get("GRAFT_HOME") or platformdirs.user_data_dir("graft", appauthor=False)).expanduser()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return keep_private(path)


def folder(name: str) -> Path:
    """A folder inside `home()`: runs, cache, uploads."""
    path = home() / name
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return keep_private(path)


def keep_private(path: Path) -> Path:
    """Let nobody but its owner read a file or folder; returns it. One of somebody else's stays as it is."""
    with suppress(OSError):
        mode = path.stat().st_mode
        if os.name == "posix" and mode & 0o077:
            path.chmod(mode & 0o700)
    return path


def started_by() -> int:
    """The pid of who began this process, where it said so (`mark_children`); else 0."""
    return int(os.environ.get("GRAFT_STARTED_BY") or 0)


def mark_children() -> None:
    """Let the processes that this one begins from now on know its pid."""
    os.environ["GRAFT_STARTED_BY"] = str(os.getpid())


def is_offline() -> bool:
    return get("GRAFT_OFFLINE").lower() in {"1", "true", "yes"}


def pass_to_libraries() -> None:
    """Make the switches hold in the libraries too, which read the environment once, when they are imported.

    Call it before the first of them is. With a mirror Xet is switched off: its servers have no mirror, so that
    files would still come from elsewhere, or not at all. Nobody is told what is done here.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if is_offline():
        os.environ["HF_HUB_OFFLINE"] = "1"
    if get("HF_ENDPOINT"):
        os.environ.setdefault("HF_HUB_DISABLE_XET", "1")


def is_hub_offline() -> bool:
    """Whether the switch of the Hugging Face libraries, `HF_HUB_OFFLINE`, forbids the network."""
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}


def data_roots() -> tuple[Path, ...]:
    """The only folders `path:` data may come from; empty: anywhere the user may read."""
    return tuple(Path(part).expanduser().resolve() for part in get("GRAFT_DATA_ROOTS").split(os.pathsep) if part)


def limit_paths() -> None:
    """For a server that others reach: `path:` data comes from the folders that are named, else from `shared` alone."""
    if not data_roots():
        os.environ["GRAFT_DATA_ROOTS"] = str(folder("shared"))


def torch_folder() -> Path:
    """Where torch keeps what it downloads."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return _as_libraries_do(os.environ.get("TORCH_HOME") or f"{cache}/torch")


def hub_folder() -> Path:
    """Where the Hugging Face libraries keep what they download."""
    return _as_libraries_do(os.environ.get("HF_HUB_CACHE") or _hugging_face() / "hub")


def _as_libraries_do(path: str | Path) -> Path:
    """A path with the user's home in it, where there is one; else the libraries take ~ for a folder's name."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def _hugging_face() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("HF_HOME") or f"{cache}/huggingface")
