"""The artefact in the browser: a static page that runs it where the data is, and sends nothing."""
