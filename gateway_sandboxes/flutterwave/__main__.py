"""`python -m gateway_sandboxes.flutterwave`: run the sandbox with settings from the environment."""

import os
import sys

from gateway_sandboxes.command_line import run
from gateway_sandboxes.flutterwave.sandbox import Flutterwave
from gateway_sandboxes.flutterwave.settings import Settings

sys.exit(run(lambda: Flutterwave(Settings.from_environment(os.environ))))
