"""One thread a worker: pytest-xdist runs a worker a core (pyproject.toml), which must not fight for the cores."""

import os

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before anything imports torch; kernels and benchmarks set their own
