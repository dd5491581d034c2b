"""TODO"""
from ._losses import (
    BarlowTwinsLoss, VarianceCovarianceLoss, VICRegLoss, barlow_loss_func, vicreg_loss_func)

__all__ = ["BarlowTwinsLoss", "VICRegLoss", "VarianceCovarianceLoss", "barlow_loss_func",
           "vicreg_loss_func"]

for _name in __all__:
    globals()[_name].__module__ = __name__
del _name
