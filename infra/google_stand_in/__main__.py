"""Run a command with the stand-in beside it: `python -m google_stand_in terraform -chdir=DIRECTORY plan`."""

import os
import subprocess
import sys

from google_stand_in import StandIn

if len(sys.argv) < 2:
    sys.exit("which command? e.g. terraform -chdir=terraform/environments/dev plan")
with StandIn() as stand_in:
    code = subprocess.call(sys.argv[1:], env={**os.environ, **stand_in.environment})
sys.exit(code)
