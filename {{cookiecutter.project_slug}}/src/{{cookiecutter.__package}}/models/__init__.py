"""Own models: ``models/<name>.py`` holds estimators that ``_target_`` in ``conf/model/<name>.yaml`` names."""
