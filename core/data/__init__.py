"""Data sets of pictures and texts: read from anywhere, checked, split, decoded once. No torch here.

`images.load_images` and `texts.load_texts` are what training uses, `report.describe_data` what the Data page shows,
`pictures.open_image` and `pictures.fit_image` what a prediction does with one picture. What there is to read stands
in `core.registry.formats`.
"""
