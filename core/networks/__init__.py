"""Networks as torch objects: how any family is built, divided, tuned and read back.

`configurations` says what a configuration of transformers means for all of them, `tuning` what a way of tuning does.
"""
