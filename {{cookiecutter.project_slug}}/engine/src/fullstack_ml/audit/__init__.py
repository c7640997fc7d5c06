"""Giving account: where an answer comes from (``lineage``), and how much of the lifecycle is proved (``evidence``)."""
