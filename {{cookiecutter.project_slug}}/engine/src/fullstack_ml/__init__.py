"""An ML product from requirement to server, one stage per step.

``product.yaml`` says what must hold, ``conf/`` how it is done, ``dvc.yaml`` what runs in which order:

1. requirements: ``contract`` reads and checks ``product.yaml``
2. data: ``collect``, ``validate``, ``label``, ``split``
3. model: ``train``, ``export``, ``evaluate``, ``accept``, ``cards``, ``register``

Stages exchange files, not imports: each reads files, writes files, and runs alone with
``python -m <package>.<phase>.<stage>``. Importing a module does nothing.
"""
