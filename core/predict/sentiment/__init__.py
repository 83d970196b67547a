"""The sentiment model that comes with Graft, in Chinese and English: its weights, its card, its encoder.

Begin with `model`. `python -m bench make-sentiment` makes it anew.
"""
