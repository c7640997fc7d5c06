"""Own models: ``models/<name>.py`` holds estimators that ``_target_`` in ``conf/model/<name>.yaml`` names.

A whole one, with its conversion to ONNX, stands in ``docs/3-model/research.md``.
"""
