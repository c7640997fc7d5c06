"""What no pipeline can know of data and model: ``cards`` of ``product.yaml``, each question with who answers it.

Reads and writes nothing. The cards show an answer, or that the question is open and whose it is; ``make check`` counts.
"""

from fullstack_ml.product.formulation import Strict

PRODUCT_OWNER, DATA_ENGINEER, ML_ENGINEER = "product owner", "data engineer", "ML engineer"
# Who answers which question.
OWNERS = {
    "made_by": PRODUCT_OWNER,
    "sampling": DATA_ENGINEER,
    "harm": DATA_ENGINEER,
    "collectors": DATA_ENGINEER,
    "consent": DATA_ENGINEER,
    "changes": DATA_ENGINEER,
    "attribution": DATA_ENGINEER,
    "other_uses": PRODUCT_OWNER,
    "distribution": PRODUCT_OWNER,
    "maintenance": DATA_ENGINEER,
    "developed_by": PRODUCT_OWNER,
    "model_license": PRODUCT_OWNER,
    "downstream": PRODUCT_OWNER,
    "risks": PRODUCT_OWNER,
    "environment": ML_ENGINEER,
    "contact": PRODUCT_OWNER,
}


class Cards(Strict):
    """One or more sentences per question; None while it is open.

    Of the data: who made and paid for it, what it is a sample of, whom it could harm, who collected it, how consent was
    given, what was changed before it came here, what a licence wants to be named, other uses, who may have it, who
    keeps it up. Of the model: who developed it, its licence (a name of the Hugging Face hub, such as mit), what may be
    built on it, risks that no metric shows, what training takes, and whom to write to.
    """

    made_by: str | None = None
    sampling: str | None = None
    harm: str | None = None
    collectors: str | None = None
    consent: str | None = None
    changes: str | None = None
    attribution: str | None = None
    other_uses: str | None = None
    distribution: str | None = None
    maintenance: str | None = None
    developed_by: str | None = None
    model_license: str | None = None
    downstream: str | None = None
    risks: str | None = None
    environment: str | None = None
    contact: str | None = None

    @property
    def unanswered(self) -> dict[str, str]:
        """Return the open questions, each with who answers it."""
        return {key: owner for key, owner in OWNERS.items() if not getattr(self, key)}
