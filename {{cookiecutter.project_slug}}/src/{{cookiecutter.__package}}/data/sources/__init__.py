"""Where raw data comes from: one module per source, each with ``read(product, **options)``.

``read`` yields polars frames with the payload columns of the task and ``source_label`` (null when the source knows no
label), ``kind``, ``group`` (null when every record stands alone), ``source`` and ``licence``. A new source is a new
module here and a file in ``conf/source/``.
"""
