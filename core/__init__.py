"""Graft's engine: everything that decides, computes or remembers. It never imports Streamlit."""

__version__ = "0.1.0"
