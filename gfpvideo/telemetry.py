"""No library that gfpvideo uses may report home: what would, is switched off before it can be imported."""

import os
import sys

_SWITCHES = {
    "DO_NOT_TRACK": "1",
    "FASTAPI_OTEL_AUTO_CONFIGURE": "false",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "OTEL_SDK_DISABLED": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Environment variables by which libraries can be told to report nothing; programs that we start inherit them."""
_REPORTER = "openvino_telemetry"
"""What OpenVINO and NNCF report through: by default, and from ``import openvino`` on."""


def silence() -> None:
    """Keep the libraries that gfpvideo uses from reporting anything to anybody.

    OpenVINO and NNCF have no switch, but a stub of their own where the package that sends is not installed: it is made
    to look so. A program that has imported OpenVINO before gfpvideo has begun to report by itself; that is its choice.
    """
    os.environ.update(_SWITCHES)
    sys.modules.setdefault(_REPORTER, None)  # type: ignore[arg-type]  # importing it raises ImportError now
