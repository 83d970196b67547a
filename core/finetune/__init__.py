"""Adapting a pretrained classifier to one's own data.

`records` says what a training leaves behind: its report, its summary, and what is known of its best epoch.
"""
