"""The codes of errors: stable, each with a page in docs/errors/ that says what it means and what to do.

A number is never used for anything else again. The first two digits say what it is about; what has no code of its
own has that of its class (errors.py), in the first group.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Code"]


class Code(StrEnum):
    """What is wrong, for machines, searches and `windlass explain`."""

    # anything
    COMMAND_LINE = "W0001"
    CANNOT_BE_DONE = "W0002"
    MAY_WORK_LATER = "W0003"
    DEFECT = "W0004"
    REFUSED_BY_SYSTEM = "W0005"
    DISK_FULL = "W0006"
    MISSING_PACKAGES = "W0007"
    NO_PROJECT = "W0008"

    # the files of a project
    UNREADABLE_FILE = "W0101"
    NOT_YAML = "W0102"
    UNKNOWN_KEY = "W0103"
    MISSING_KEY = "W0104"
    WRONG_TYPE = "W0105"
    UNKNOWN_WORD = "W0106"
    OUT_OF_RANGE = "W0107"
    WRONG_FORM = "W0108"
    KEYS_DO_NOT_FIT = "W0109"
    SECRET_IN_FILE = "W0110"
    KEY_TWICE = "W0111"
    NOT_ALLOWED_IN_YAML = "W0112"

    # what the files name
    UNKNOWN_TASK = "W0201"
    UNKNOWN_SERVICE = "W0202"
    TASK_OR_SERVICE = "W0203"
    UNKNOWN_CONNECTION = "W0204"
    CONNECTION_OF_OTHER_TYPE = "W0205"
    UNKNOWN_POOL = "W0206"
    UNKNOWN_PIPELINE = "W0207"
    CYCLE = "W0208"
    TRIGGER_CYCLE = "W0209"
    NAME_TAKEN = "W0210"
    UNKNOWN_ASSET = "W0211"
    INVALID_SCHEDULE = "W0212"
    UNKNOWN_TIMEZONE = "W0213"
    NAMED_FILE = "W0214"
    INVALID_TEMPLATE = "W0215"
    UNKNOWN_TEMPLATE_NAME = "W0216"
    UNKNOWN_PARAMETER = "W0217"
    PARAMETER_OF_OTHER_TYPE = "W0218"
    CATCHUP_WITHOUT_START = "W0219"
    TASK_WITHOUT_FILE = "W0220"
    UNKNOWN_LIBRARY = "W0221"

    # connections
    NOT_CONFIGURED = "W0301"
    UNREADABLE_ADDRESS = "W0302"
    UNKNOWN_ADDRESS_TYPE = "W0303"
    ADDRESS_OF_OTHER_TYPE = "W0304"
    CONNECTION_REFUSED = "W0305"
    NO_HOST = "W0306"
    CONNECTION_LOST = "W0307"
    NOT_LET_IN = "W0308"
    DEV_SERVICE = "W0309"
    NO_SECRET = "W0310"

    # the ends of a copy
    FENCED = "W0401"
    LOADED_FROM_OTHER_INPUT = "W0402"
    NO_TABLE = "W0403"
    NO_COLUMN = "W0404"
    NO_FILE = "W0405"
    UNKNOWN_FORMAT = "W0406"
    ENCODING = "W0407"
    NO_DATA_INTERVAL = "W0408"
    API_ANSWER = "W0409"
    OTHER_FORMAT = "W0410"
    PYTHON_SOURCE = "W0411"
    CURSOR = "W0420"
    NO_TURN = "W0430"

    # messages
    ALERT_NOT_TAKEN = "W0450"
    CONDITION = "W0451"

    # rows
    BAD_ROW = "W0501"
    TOO_MANY_BAD_ROWS = "W0502"
    CHECK_FAILED = "W0503"

    # runs
    ALREADY_RUNNING = "W0601"
    UNKNOWN_RUN = "W0602"
    COMMAND_FAILED = "W0603"
    KILLED = "W0604"
    NO_PROGRAM = "W0605"
    NO_ENVIRONMENT = "W0606"
    SERVICE_NOT_READY = "W0607"
    PORT_TAKEN = "W0608"
    TIMED_OUT = "W0609"
    DOWNLOAD = "W0610"
    CHECKSUM = "W0611"
    INVALID_LOGICAL_DATE = "W0612"
    NOTHING_IN_QUARANTINE = "W0613"
    STATE = "W0614"
    NO_ENGINE = "W0620"
    NO_IMAGE = "W0621"
    OUT_OF_MEMORY = "W0622"
    IMAGE_NOT_PUSHED = "W0623"

    # exports
    NOT_A_PLAN = "W0701"
    UNKNOWN_PLUGIN = "W0702"
    NOT_ON_TARGET = "W0710"
    UNKNOWN_ENTRYPOINT = "W0711"
