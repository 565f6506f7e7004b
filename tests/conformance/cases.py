"""All cases. One file each for some interfaces of the table."""

import cases_achievement  # noqa: F401
import cases_auction  # noqa: F401
import cases_channel  # noqa: F401
import cases_config  # noqa: F401
import cases_daemon  # noqa: F401
import cases_game  # noqa: F401
import cases_mission  # noqa: F401
import cases_narrative  # noqa: F401
import cases_user_point  # noqa: F401
from expect import CASES  # noqa: F401
