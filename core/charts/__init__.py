"""Pictures of numbers (plotly), one look for each meaning.

Begin with `theme`: colours, dashes, markers and words. `curve_data` reads and thins what a run measured, `curves` draws
it for the live chart, `classification` a confusion matrix and classes, `scatter` accuracy against latency or size. No
torch, and no room of Graft.
"""
