"""What no pipeline can know of data and model: ``cards`` of ``product.yaml``, each question with who answers it.

Reads and writes nothing. The cards show an answer, or that the question is open and whose it is; ``make check`` counts.
"""

from pydantic import Field

from fullstack_ml.product.formulation import Strict

PRODUCT_OWNER, DATA_ENGINEER, ML_ENGINEER = "product owner", "data engineer", "ML engineer"
PLATFORM_ENGINEER = "platform engineer"


class Cards(Strict):
    """One or more sentences per question; None while it is open. The title of a field names who answers it.

    Of the data: who made and paid for it, what it is a sample of, whom it could harm, how its records were made, who
    collected it, how consent was given, what was changed before it came here, what a licence wants to be named, other
    uses, who may have it, who keeps it up. Of the model: who developed it, its licence (a name of the Hugging Face hub,
    such as mit), what may be built on it, risks that no metric shows, what training takes, and whom to write to.
    """

    made_by: str | None = Field(default=None, title=PRODUCT_OWNER)
    sampling: str | None = Field(default=None, title=DATA_ENGINEER)
    harm: str | None = Field(default=None, title=DATA_ENGINEER)
    collection: str | None = Field(default=None, title=DATA_ENGINEER)
    collectors: str | None = Field(default=None, title=DATA_ENGINEER)
    consent: str | None = Field(default=None, title=DATA_ENGINEER)
    changes: str | None = Field(default=None, title=DATA_ENGINEER)
    attribution: str | None = Field(default=None, title=DATA_ENGINEER)
    other_uses: str | None = Field(default=None, title=PRODUCT_OWNER)
    distribution: str | None = Field(default=None, title=PRODUCT_OWNER)
    maintenance: str | None = Field(default=None, title=DATA_ENGINEER)
    developed_by: str | None = Field(default=None, title=PRODUCT_OWNER)
    model_license: str | None = Field(default=None, title=PRODUCT_OWNER)
    downstream: str | None = Field(default=None, title=PRODUCT_OWNER)
    risks: str | None = Field(default=None, title=PRODUCT_OWNER)
    environment: str | None = Field(default=None, title=ML_ENGINEER)
    contact: str | None = Field(default=None, title=PRODUCT_OWNER)


OWNERS = {name: str(field.title) for name, field in Cards.model_fields.items()}
