"""Own sources of records: ``sources/<name>.py`` is found by ``source.name`` in ``conf/source/``.

A source defines ``read(product, **options)``, which yields tables of records, and comes before one of the engine.
"""
