"""A package, so that its conftest.py is told from the one above."""
