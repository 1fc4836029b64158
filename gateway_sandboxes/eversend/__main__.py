"""`python -m gateway_sandboxes.eversend`: run the sandbox with settings from the environment."""

import os
import sys

from gateway_sandboxes.command_line import run
from gateway_sandboxes.eversend.sandbox import Eversend
from gateway_sandboxes.eversend.settings import Settings

sys.exit(run(lambda: Eversend(Settings.from_environment(os.environ))))
