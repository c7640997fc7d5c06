"""Phase 4: the accepted version behind an HTTP API, with every answer on record.

``settings`` is read from the environment; ``deployment`` loads and swaps versions, ``scorer`` answers in batches,
``store`` keeps predictions and feedback, ``app`` is the API; ``follow``, ``release`` and ``online`` are commands. All
but ``follow`` and ``release``, which ask MLflow, run in the small environment of the dependency group ``serve``.
"""
