"""Many records at once: ``make predict`` answers a table, a folder of files or a database by the champion.

``source`` reads batches, ``refusal`` keeps out what the server would refuse, ``scoring`` answers, ``parts`` keeps what
is done until all of it is. Runs in the project's environment, which has polars; the server imports none of it.
"""
