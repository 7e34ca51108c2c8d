"""The process that speaks SECS/GEM: takes reports from a pipe, sends each to the host, says what became of it."""

import time
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from services.alerting.channels.secs import HostLink

REPORT_ID = 5001
READY = "ready"
"""Said once, before the first report."""


def serve(pipe: Connection, link: "HostLink") -> None:
    """Answer reports until the other side closes the pipe."""
    equipment = _connected(link)
    try:
        pipe.send(READY)
        while True:
            report = pipe.recv()
            pipe.send(_report(equipment, report, link))
    except (EOFError, OSError):
        return
    finally:
        equipment.disable()


def _connected(link: "HostLink") -> Any:
    """An equipment that looks for its host from now on."""
    import secsgem.common  # noqa: PLC0415 - an extra, and only this process needs it
    import secsgem.gem  # noqa: PLC0415
    import secsgem.hsms  # noqa: PLC0415

    mode = secsgem.hsms.HsmsConnectMode
    settings = secsgem.hsms.HsmsSettings(
        address=link.address,
        port=link.port,
        connect_mode=mode.PASSIVE if link.mode == "passive" else mode.ACTIVE,
        session_id=link.session_id,
        device_type=secsgem.common.DeviceType.EQUIPMENT,
    )
    equipment = secsgem.gem.GemEquipmentHandler(settings)
    equipment.enable()
    return equipment


def _report(equipment: Any, report: dict[str, Any], link: "HostLink") -> str:
    """S5F1, then S6F11; each is answered with a code, 0 = accepted."""
    if not equipment.waitfor_communicating(link.timeout_s):
        return "host does not communicate"
    alarm = {"ALCD": report["alarm_code"], "ALID": report["alarm_id"], "ALTX": report["text"]}
    values = [report["alarm_id"], report["text"], *report["values"]]
    event = {"DATAID": int(time.time()), "CEID": link.event_id, "RPT": [{"RPTID": REPORT_ID, "V": values}]}
    for stream, function, data in ((5, 1, alarm), (6, 11, event)):
        answer = equipment.send_and_waitfor_response(equipment.stream_function(stream, function)(data))
        if answer is None:
            return f"no answer to S{stream}F{function}"
        if equipment.settings.streams_functions.decode(answer).get() not in (0, b"\x00"):
            return "refused"
    return "accepted"
