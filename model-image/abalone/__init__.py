"""The abalone model: from survey rows in mm and g to the number of rings, with an interval.

The commands `process`, `train`, `evaluate` and `serve` follow SageMaker's container contract.
"""

import os

# The networks are so small that threads cost more than they bring, and one thread adds numbers in one order, so the
# same rows and seed give the same artefact. The libraries read these variables when they load, so they come first.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[_variable] = "1"
