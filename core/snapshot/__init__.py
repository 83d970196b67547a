"""For developers: writes `core/models/catalog.json` from what torchvision, timm and transformers publish.

Begin with `write` (`python -m core.snapshot.write`). Parameters and multiply-adds are counted, not copied.
"""
