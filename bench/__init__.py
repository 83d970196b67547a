"""Races against the tutorial's loop and other tools, timed in alternation in one run; nothing imports this."""
