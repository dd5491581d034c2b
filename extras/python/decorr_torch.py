"""decorr.torch under the name that it had in decorr 0.1 and 0.2, which goes on working."""

from decorr.torch import *  # noqa: F401,F403
from decorr.torch import __all__, __doc__  # noqa: F401
