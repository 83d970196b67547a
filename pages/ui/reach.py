"""Who may see the pages: whoever sits at this machine; from elsewhere, whoever knows the key or has logged in."""

from __future__ import annotations

import functools
import hashlib
import hmac
import ipaddress
import platform
from collections.abc import Iterable, MutableMapping
from typing import Any

import psutil
import streamlit as st
from streamlit import config, net_util
from streamlit.runtime import Runtime
from streamlit.runtime.secrets import secrets_singleton

from core import settings
from core.errors import InputError
from core.messages import explain
from core.problems import Problem
from pages.ui import state

LEAST_KEY = 16  # letters: who tries keys one after another finds none
_ADMITTED = "admitted"
_let_in: set[str] = set()  # sessions that may see the pages
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1", "[::1]")


# -- where the server listens ------------------------------------------------------------------------------


def is_beyond(address: str | None) -> bool:
    """Whether other machines reach an address. None and an empty one listen everywhere."""
    if not address:
        return True
    if address.startswith("unix://") or address.lower().rstrip(".") == "localhost":
        return False
    try:
        return not ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:  # a name: it may stand for anything
        return True


def prepare(flags: MutableMapping[str, Any]) -> None:
    """Set a server right before it listens: which names it answers to, and what the pages may read.

    `flags` are Streamlit's, and stronger than its files and variables. Raises `InputError` where everybody could come.
    """
    never_ask_outside()
    keep_uploads_out()
    address = config.get_option("server.address")
    if not is_beyond(address):
        return
    problem = refusal()
    if problem is not None:
        raise InputError([problem])
    settings.limit_paths()
    flags["server_allowedHosts"] = list(names_of(address, config.get_option("server.allowedHosts") or ()))
    config.get_config_options(
        force_reparse=True,
        options_from_flags={name.replace("_", "."): value for name, value in flags.items() if value not in (None, ())},
    )


def never_ask_outside() -> None:
    """Streamlit asks a server elsewhere for this machine's address, waiting for it, when a stranger's page calls."""
    net_util.get_external_ip = lambda: None


def keep_uploads_out() -> None:
    """Streamlit takes files into memory for every open page: here for those alone that may see what is on it.

    Asked before anything of a file is read.
    """
    is_open = getattr(Runtime.is_active_session, "__wrapped__", Runtime.is_active_session)

    @functools.wraps(is_open)
    def may_upload(runtime: Runtime, session: str) -> bool:
        return session in _let_in and bool(is_open(runtime, session))

    Runtime.is_active_session = may_upload  # type: ignore[method-assign, assignment]


def names_of(address: str | None, given: Iterable[str]) -> list[str]:
    """The names by which a server beyond this machine is called: those that are given, else its own.

    Whoever comes from elsewhere and says `localhost` is called by another page: these names are never among them.
    """
    names = [name for name in given if name.strip().lower().rstrip(".") not in _LOOPBACK_NAMES]
    if names:
        return names
    if address and address not in ("0.0.0.0", "::"):
        return [address]
    found = [one.address.partition("%")[0] for cards in psutil.net_if_addrs().values() for one in cards]
    return [platform.node(), *(one for one in found if _is_ip(one) and is_beyond(one))]


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


# -- who comes in ------------------------------------------------------------------------------------------


def refusal() -> Problem | None:
    """Why nobody is let in: others reach the server, and it could not tell who they are."""
    key, address = settings.get("GRAFT_ACCESS_KEY"), config.get_option("server.address")
    if key and len(key) < LEAST_KEY:
        return Problem("reach.short_key", values={"n": LEAST_KEY})
    if is_beyond(address) and not key and not _has_login():
        return Problem("reach.no_key", values={"address": address or "0.0.0.0", "n": LEAST_KEY})
    return None


def _has_login() -> bool:
    """Whether Streamlit is told of a login, and Graft of who may log in."""
    return (
        bool(settings.get("GRAFT_LOGINS")) and secrets_singleton.load_if_toml_exists() and "auth" in secrets_singleton
    )


def may_log_in(email: str, is_verified: bool, allowed: str) -> bool:
    """Whether an address stands in the list of those who may: ann@example.org, @example.org.

    >>> may_log_in("Ann@Example.org", True, "@example.org"), may_log_in("ann@example.org.evil", True, "@example.org")
    (True, False)
    """
    name, at, domain = email.strip().lower().rpartition("@")
    wanted = {one.strip().lower() for one in allowed.split(",") if one.strip()}
    return is_verified and bool(name) and bool({f"{name}{at}{domain}", f"@{domain}"} & wanted)


def is_admitted() -> bool:
    """Whether this session may see the pages, and send files to them."""
    never_ask_outside()  # here for servers that were started by `streamlit run`
    keep_uploads_out()
    session, may_see = state.session_id(), _may_see()
    (_let_in.add if may_see else _let_in.discard)(session)
    return may_see


def _may_see() -> bool:
    if refusal() is not None:
        return False
    if settings.get("GRAFT_ACCESS_KEY"):
        return hmac.compare_digest(str(state.recall(_ADMITTED, "")), _digest(settings.get("GRAFT_ACCESS_KEY")))
    if not is_beyond(config.get_option("server.address")):
        return True
    user = st.user
    is_known = bool(user.get("is_logged_in")) and user.get("email_verified") is not False
    return may_log_in(str(user.get("email") or ""), is_known, settings.get("GRAFT_LOGINS"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def ask_in() -> None:
    """Everything that is shown to whoever may not see the pages."""
    _ = state.words()
    problem = refusal()
    if problem is not None:
        st.error(explain(problem, _), icon=":material/lock:")
    elif settings.get("GRAFT_ACCESS_KEY"):
        _ask_key()
    elif st.button(_("Log in"), key="log_in", icon=":material/login:", type="primary"):
        st.login()


def _ask_key() -> None:
    _ = state.words()
    with st.form("access", border=False, width=420):
        given = st.text_input(_("Access key"), type="password", key="access_key", autocomplete="off")
        is_sent = st.form_submit_button(_("Open"), key="access_open", type="primary", icon=":material/key:")
    if is_sent and hmac.compare_digest(_digest(given or ""), _digest(settings.get("GRAFT_ACCESS_KEY"))):
        state.remember(_ADMITTED, _digest(given))
        state.forget("access_key")
        st.rerun()
    if is_sent:
        st.error(_("This is not the key."), icon=":material/lock:")
