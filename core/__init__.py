"""Graft's engine: everything that decides, computes or remembers. It never imports Streamlit."""

from __future__ import annotations

__version__ = "0.2.0"
