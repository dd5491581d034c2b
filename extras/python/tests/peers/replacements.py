"""What of decorr.torch's stands for the peers' losses in their own tests, and which of these tests
then fail by convention: why, and what in its place makes them pass.

`ours` has the arguments of theirs under their names, and nothing else of them.
"""

from typing import NamedTuple

from decorr.torch import (
    BarlowTwinsLoss, VarianceCovarianceLoss, VICRegLoss, barlow_loss_func, vicreg_loss_func)


class ByConvention(NamedTuple):
    test: str
    reason: str
    # By their names, as in Suite.ours; empty where nothing makes it pass.
    remedy: dict = {}
    raises: type = AssertionError
    always: bool = True  # or in some runs, as its data are drawn anew for each


class Suite(NamedTuple):
    peer: str  # of published.py
    package: str  # where the tests have the losses from
    ours: dict
    tests: list  # arguments of pytest, in the folder that .ci/peers runs it in
    by_convention: list = []
    environment: dict = {}  # variables that the tests read
    # What their files import, and of that what is for other tests, and not there.
    imports: tuple = ()
    absent: tuple = ()


# ---- lightly

class AssertingVICRegLoss(VICRegLoss):
    """With lightly's type of errors."""

    def forward(self, z_a, z_b):
        try:
            return super().forward(z_a, z_b)
        except ValueError as error:
            raise AssertionError(str(error)) from error


_VICREG_TESTS = "tests/loss/test_vicreg_loss.py::TestVICRegLoss::"
_ASSERTS = "it wants an AssertionError, and decorr's losses refuse arguments by a ValueError"

LIGHTLY = Suite(
    "lightly", "lightly.loss", {"BarlowTwinsLoss": BarlowTwinsLoss, "VICRegLoss": VICRegLoss},
    ["tests/loss/test_barlow_twins_loss.py", "tests/loss/test_vicreg_loss.py"],
    [ByConvention(_VICREG_TESTS + "test_forward_pass__error_batch_size_1", _ASSERTS,
                  {"VICRegLoss": AssertingVICRegLoss}, ValueError),
     ByConvention(_VICREG_TESTS + "test_forward_pass__error_different_shapes", _ASSERTS,
                  {"VICRegLoss": AssertingVICRegLoss}, ValueError),
     ByConvention(_VICREG_TESTS + "test_forward__compare",
                  "it wants the same last bit as sums of float32 in another order", always=False)],
    {"USE_PYTEST_POOL": "1"})  # for two processes

# Two processes with rows of their own. Each runs the whole file, which so is none of the others.
LIGHTLY_DDP = Suite(
    "lightly", "lightly.loss", {"VICRegLoss": VICRegLoss},
    ["tests/utils/test_dist__gather__losses.py", "-k", "vicreg"],
    imports=("pytorch_lightning",),
    absent=("torchvision", "torchvision.datasets", "lightly.data", "lightly.loss.dcl_loss",
            "lightly.loss.ntx_ent_loss", "lightly.loss.tico_loss", "lightly.transforms",
            "lightly.transforms.torchvision_v2_compatibility",
            "tests.utils.benchmarking.test_benchmark_module"))


# ---- solo-learn

SOLO_LEARN = Suite(
    "solo-learn", "solo.losses",
    {"barlow_loss_func": barlow_loss_func, "vicreg_loss_func": vicreg_loss_func},
    ["tests/losses/test_barlow.py", "tests/losses/test_vicreg.py"])


# ---- stable-pretraining

def _barlow_twins_of_lambd(lambd=5e-3):
    return BarlowTwinsLoss(lambd)


class StandardizedOutside(BarlowTwinsLoss):
    """Row 14 of docs/porting.md; the matrix C is of all processes without being asked for."""

    def __init__(self, lambd=5e-3):
        super().__init__(lambd, standardize=False, process_group=True)

    def forward(self, z_i, z_j):
        return super().forward(*((z - z.mean(dim=0)) / (z.std(dim=0) + 1e-5) for z in (z_i, z_j)))


_UNBIASED = ("it wants the unbiased deviation, and 1e-5 added to it and not under the root: "
             "standardize=False of views that are standardized so (row 14)")

STABLE_PRETRAINING = Suite(
    "stable-pretraining", "stable_pretraining.losses", {"BarlowTwinsLoss": _barlow_twins_of_lambd},
    ["stable_pretraining/tests/unit/test_collectives.py",
     "stable_pretraining/tests/distributed/test_collectives_dist.py",
     # What its conftest.py imports is of other tests.
     "-k", "barlow", "--noconftest"],
    [ByConvention("stable_pretraining/tests/unit/test_collectives.py::"
                  "TestCollectivesSingleProcess::test_barlow_single_process_unchanged", _UNBIASED,
                  {"BarlowTwinsLoss": StandardizedOutside}),
     ByConvention("stable_pretraining/tests/distributed/test_collectives_dist.py::"
                  "TestCollectives::test_barlow_twins_matches_single_process", _UNBIASED,
                  {"BarlowTwinsLoss": StandardizedOutside})])


# ---- eb_jepa

def _hinge_of_deviation(std_margin=1.0):
    return VarianceCovarianceLoss(1, 0, gamma=std_margin)


def _covariance_alone():
    return VarianceCovarianceLoss(0, 1)


class MeanCovariance(VarianceCovarianceLoss):
    """With the mean of the off-diagonal squares."""

    def __init__(self):
        super().__init__(0)

    def forward(self, z):
        self.nu_param = 1 / (z.shape[1] - 1)
        return super().forward(z)


class DictionaryVICRegLoss(VICRegLoss):
    """The loss and its terms without their weights, as eb_jepa returns them."""

    def __init__(self, std_coeff=1.0, cov_coeff=1.0, **options):
        super().__init__(1, std_coeff, cov_coeff, **options)

    def forward(self, z1, z2):
        loss = super().forward(z1, z2)
        terms = {"invariance_loss": self.terms.invariance,
                 "var_loss": self.terms.variance / self.mu_param,
                 "cov_loss": self.terms.covariance / self.nu_param}
        return {"loss": loss, **{name: loss.new_tensor(term) for name, term in terms.items()}}


class MeanCovarianceVICRegLoss(DictionaryVICRegLoss):
    """Row 17 of docs/porting.md."""

    def __init__(self, std_coeff=1.0, cov_coeff=1.0):
        super().__init__(std_coeff, cov_coeff, sum_variance=True)
        self.cov_coeff = cov_coeff

    def forward(self, z1, z2):
        self.nu_param = self.cov_coeff / (z1.shape[1] - 1)
        result = super().forward(z1, z2)
        return {**result, "cov_loss": result["cov_loss"] * self.nu_param / self.cov_coeff}


_MEANS = ("it wants the variance terms summed and the mean of the off-diagonal squares: "
          "sum_variance=True, nu_param divided by d - 1 (row 17)")
_EB_JEPA_TESTS = "tests/test_loss_equivalences.py::"
_EB_JEPA_REMEDY = {"CovarianceLoss": MeanCovariance, "VICRegLoss": MeanCovarianceVICRegLoss}

EB_JEPA = Suite(
    "eb_jepa", "eb_jepa.losses",
    {"HingeStdLoss": _hinge_of_deviation, "CovarianceLoss": _covariance_alone,
     "VICRegLoss": DictionaryVICRegLoss},
    ["tests/test_loss_equivalences.py"],
    [ByConvention(_EB_JEPA_TESTS + test, _MEANS, _EB_JEPA_REMEDY)
     for test in ("TestCovLossEquivalence::test_vicreg_cov_vs_covariance_loss",
                  "TestFullLossEquivalence::test_vicreg_decomposition",
                  "TestVICRegLossRegression::"
                  "test_refactored_vicreg_vs_original_implementation")])


SUITES = {"lightly": LIGHTLY, "lightly-ddp": LIGHTLY_DDP, "solo-learn": SOLO_LEARN,
          "stable-pretraining": STABLE_PRETRAINING, "eb_jepa": EB_JEPA}
