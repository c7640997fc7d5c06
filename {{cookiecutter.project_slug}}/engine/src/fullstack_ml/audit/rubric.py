"""The 28 tests of the ML Test Score, each with what would prove it here.

Breck, Cai, Nielsen, Salib and Sculley 2017, The ML Test Score: A Rubric for ML Production Readiness and Technical Debt
Reduction. The score of the project is that of its weakest section. Reads through ``evidence``; writes nothing.
"""

from fullstack_ml.audit.looks import (
    Test,
    clean,
    known_age,
    owners,
    searched,
    sliced,
    stable,
    stale,
    tested,
    verdict,
    worth,
)
from fullstack_ml.audit.recomputed import recomputed
from fullstack_ml.workspace.paths import ANALYSIS, EVALUATION, TRAINING, VALIDATION

SECTIONS = {"D": "data", "M": "model", "I": "infrastructure", "O": "monitoring"}
TESTS = [
    Test(
        "D1",
        "feature expectations are in a schema",
        (lambda e: e.stage("validate"), lambda e: e.report(VALIDATION, "records comply with product.yaml", "valid")),
        (),
        "make validate",
    ),
    Test(
        "D2",
        "every feature is beneficial",
        (worth, lambda e: e.workflow("make ablate CHECK=1")),
        (worth,),
        "make ablate, in a workflow with CHECK=1",
    ),
    Test(
        "D3",
        "no feature costs too much",
        (verdict("input_cost"),),
        (lambda e: e.text("product.yaml", r"\n  costs:", "what features cost"),),
        "state data.costs, and require input_cost",
    ),
    Test(
        "D4",
        "features meet requirements of their own",
        (
            lambda e: e.report(VALIDATION, "sources, kinds and licences of product.yaml", "kinds"),
            lambda e: e.text("product.yaml", r"licences: *\[", "the licences that are allowed"),
        ),
        (),
        "list licences and kinds in product.yaml",
    ),
    Test(
        "D5",
        "privacy is controlled",
        (
            lambda e: e.text("product.yaml", "privacy:", "privacy class and retention"),
            lambda e: e.text("reports/validation.json", "personal_data", "searched for personal data"),
        ),
        (),
        "make validate",
    ),
    Test(
        "D6",
        "a new feature is added quickly",
        tested(r"def test_\w*(new|another)_feature", "a test adds a feature"),
        (),
        "write a test that adds a feature",
    ),
    Test("D7", "code of features is tested", tested(r"def test_", "tests of inputs and answers"), (), "make test"),
    Test(
        "M1",
        "the model's specification is reviewed and checked in",
        (clean, owners),
        (clean,),
        "name who reviews in .github/CODEOWNERS",
    ),
    Test(
        "M2",
        "the offline metric follows the online one",
        (lambda e: e.monitored("drawn_"),),
        (lambda e: e.logged("feedback", "%(count)s late answers"),),
        "send late answers, then make monitor",
    ),
    Test(
        "M3",
        "hyperparameters are tuned",
        (searched, lambda e: e.workflow("make sweep")),
        (searched,),
        "make sweep, then make adopt; in a workflow, too",
    ),
    Test(
        "M4",
        "what staleness does is known",
        (known_age, lambda e: e.monitored("model_age_days", "data_age_days")),
        (stale,),
        "name data.time in product.yaml, or SERVE_ROLLOUT=canary before a release; watch data_age_days",
    ),
    Test(
        "M5",
        "a simpler model is not better",
        (verdict("margin_over_baseline", "r2"),),  # r2: against always answering the mean
        (lambda e: e.report(EVALUATION, "baselines", "baseline"),),
        "require margin_over_baseline, of numbers r2",
    ),
    Test(
        "M6",
        "quality holds on important slices",
        (sliced,),
        (lambda e: e.report(EVALUATION, "slices", "slices"),),
        "require a metric of a slice",
    ),
    Test(
        "M7",
        "groups are treated alike",
        (verdict("group_gap"),),
        (lambda e: e.report(EVALUATION, "gaps between groups", "gaps"),),
        "require group_gap",
    ),
    Test(
        "I1",
        "training is reproducible",
        tested(r"def test_\w*(twice|reproduc|same_model)", "trained twice, compared"),
        (lambda e: e.stage("train"),),
        "write a test that trains twice",
    ),
    Test(
        "I2",
        "the model's specification is tested",
        (
            lambda e: e.report(TRAINING, "the artefact answers as the fitted model", "parity"),
            *tested(r"def test_\w*same_answer", "alone and among others"),
        ),
        (),
        "make test",
    ),
    Test(
        "I3",
        "the whole pipeline is tested",
        (lambda e: e.workflow("make repro"), *tested("def test_dvc_reads", "the pipeline is read")),
        (lambda e: e.stage("register"),),
        "run make repro in a workflow",
    ),
    Test(
        "I4",
        "quality is checked before serving",
        (lambda e: e.stage("accept"), lambda e: e.version("judged before the alias moved: %(tag)s", "verdict")),
        (),
        "make",
    ),
    Test(
        "I5",
        "one example can be followed",
        tested(r"explain", "one record followed"),
        (lambda e: e.file(ANALYSIS, "errors, one by one"),),
        "make explain ID=...",
    ),
    Test(
        "I6",
        "a model is tried on some before all",
        (lambda e: e.logged("arm = 'challenger'", "%(count)s answers of a challenger"),),
        (),
        "SERVE_ROLLOUT=shadow or canary beside a champion",
    ),
    Test(
        "I7",
        "a model is rolled back quickly",
        (),
        (lambda e: e.version("rolled back: %(tag)s", "rolled_back"),),
        "practise make rollback, and write down who did",
    ),
    Test(
        "O1",
        "changes of dependencies are noticed",
        (
            lambda e: e.file(".github/dependabot.yml", "weekly pull requests"),
            lambda e: e.file("uv.lock", "what was tested together"),
        ),
        (),
        "keep .github/dependabot.yml and uv.lock",
    ),
    Test(
        "O2",
        "training and serving hold the same invariants",
        (lambda e: e.version("served by the contract %(tag)s", "formulation.sha256"), lambda e: e.stage("validate")),
        (),
        "make",
    ),
    Test(
        "O3",
        "training and serving compute the same",
        (recomputed,),
        (),
        "let the log keep inputs; make predict LOG=1 fills it",
    ),
    Test(
        "O4",
        "models are not too old",
        (lambda e: e.monitored("model_age_days", "data_age_days"),),
        (),
        "make monitor, with a limit of age",
    ),
    Test(
        "O5",
        "the model is numerically stable",
        (stable,),
        (lambda e: e.report(EVALUATION, "metrics are numbers", "metrics"),),
        "serve, so that answers are counted",
    ),
    Test(
        "O6",
        "it has not become slower or larger",
        (verdict("latency_p99_ms", "artefact_kib"),),
        (),
        "require latency_p99_ms",
    ),
    Test(
        "O7",
        "answers have not become worse",
        (lambda e: e.monitored("drawn_", "corrected_share"),),
        (lambda e: e.logged("feedback", "%(count)s late answers"),),
        "send late answers, then make monitor",
    ),
]
