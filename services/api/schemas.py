"""What the API answers: pydantic models with examples, made from the views of `services.records`."""

from datetime import datetime
from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from models.domain.alert import AlertState, Disposition, Severity
from models.domain.capture import CaptureKind
from models.domain.errors import Complaint
from models.domain.verdict import Reason, Verdict
from services.records.tables import JobState
from services.records.views import AlertDetail, AlertEvent, AlertSummary, InspectionSummary, JobSummary, in_utc

_EXAMPLE_ID = "9f2c6b0e4a51d7f3c8e6a0b2d4f6180a3c5e7092b4d6f81a3c5e7092b4d6f81a"
PREFIX = "/api/v1"
Item = TypeVar("Item")


Moment = Annotated[AwareDatetime, Field(strict=False), AfterValidator(in_utc)]
"""A moment in a body: with zone, because without one it would be off by hours without anyone noticing."""


class Answer(BaseModel):
    """Base of all answers: complete and exact, nothing extra."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Asked(BaseModel):
    """Base of all bodies: exact types (`true` is no number, `"1"` is none either) and nothing we do not know."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Listing(Answer, Generic[Item]):
    """One page of a list; ask again with `cursor=next` for the one behind it."""

    items: list[Item]
    next: str | None = Field(None, description="Cursor of the next page; null at the end.")


class CaptureAnswer(Answer):
    """What was inspected; null where the file does not say."""

    id: str = Field(examples=[_EXAMPLE_ID])
    kind: CaptureKind
    name: str = Field(examples=["LOT7 / 03"])
    height: float = Field(description="Micrometres for a wafer (its diameter), pixels for an image.")
    width: float
    unit: str = Field(examples=["um"])
    lot: str | None = Field(examples=["LOT7"])
    wafer: str | None = Field(examples=["03"])
    slot: int | None
    product: str | None = Field(examples=["P1"])
    step: str | None = Field(examples=["CMP3"])
    tool: str | None = Field(examples=["SP5-02"])
    inspected_at: datetime | None = Field(description="The tool's clock, without zone.")


class BundleAnswer(Answer):
    """Which model judged."""

    name: str = Field(examples=["wafer"])
    version: str = Field(examples=["3"])
    digest: str = Field(examples=[_EXAMPLE_ID])


class Links(Answer):
    """Where more about an inspection is."""

    self: str
    page: str
    map: str
    points: str
    windows: str
    picture: str


class WarningAnswer(Answer):
    """Something odd in a file that was read nevertheless."""

    code: str = Field(examples=["outside-wafer"])
    message: str = Field(examples=["wafer07.001: 2 of 56 defects lie outside of the wafer, up to 155000 um"])
    line: int | None = Field(description="Of the file, from 1, where there is one.")


class InspectionAnswer(Answer):
    """One capture judged with one bundle."""

    id: str = Field(examples=[_EXAMPLE_ID])
    capture: CaptureAnswer
    job: int
    file_name: str = Field(description="Name of the file when these bytes came first.", examples=["wafer07.001"])
    label: str | None = Field(description="The capture's own label; null = none was stated.", examples=["Ring"])
    unknown: bool = Field(description="True if it was inspected and refused a label.")
    confidence: float = Field(ge=0, le=1, examples=[0.94])
    novelty: float = Field(description="Higher is stranger.", examples=[0.31])
    reason: Reason
    normal: str | None = Field(description="The bundle's label for 'nothing to act on'.", examples=["Normal"])
    windows: int = Field(examples=[1])
    counts: dict[str, int] = Field(description="Windows per label; objects if `counted`.", examples=[{"Ring": 1}])
    counted: bool = Field(description="True if verdicts are of objects, not of all windows.")
    warnings: list[WarningAnswer] = Field(description="What was odd in the file, which was read nevertheless.")
    bundle: BundleAnswer
    received_at: datetime
    recorded_at: datetime
    duration_s: float
    links: Links

    @classmethod
    def of(cls, view: InspectionSummary) -> "InspectionAnswer":
        """From the line of the list."""
        capture, origin, path = view.capture, view.capture.provenance, f"{PREFIX}/inspections/{view.id}"
        return cls(
            id=view.id,
            capture=CaptureAnswer(
                id=capture.id, kind=capture.kind, name=capture.name, height=capture.height, width=capture.width,
                unit=capture.unit, lot=origin.lot, wafer=origin.wafer, slot=origin.slot, product=origin.product,
                step=origin.step, tool=origin.tool, inspected_at=origin.inspected_at,
            ),
            job=view.job_id,
            file_name=view.file_name,
            label=view.label,
            unknown=view.is_unknown,
            confidence=view.confidence,
            novelty=view.novelty,
            reason=view.reason,
            normal=view.normal,
            windows=view.windows,
            counts=dict(view.counts),
            counted=view.counted,
            warnings=[WarningAnswer(code=one.code, message=one.message, line=one.line) for one in view.warnings],
            bundle=BundleAnswer(name=view.bundle.name, version=view.bundle.version, digest=view.bundle.digest),
            received_at=view.received_at,
            recorded_at=view.recorded_at,
            duration_s=view.duration_s,
            links=Links(
                self=path, page=f"/inspections/{view.id}", map=f"{path}/map", points=f"{path}/points",
                windows=f"{path}/windows", picture=f"{path}/picture.png",
            ),
        )  # fmt: skip


class WindowAnswer(Answer):
    """The verdict of one window; its place in fractions of the capture's height and width."""

    n: int = Field(description="Number of the window, in the order they were cut.")
    whole: bool = Field(description="True if the window is the whole capture.")
    level: int
    top: float
    left: float
    bottom: float
    right: float
    kind: str = Field(description="normal | defect | unknown | not inspected", examples=["defect"])
    label: str | None = Field(examples=["Ring"])
    confidence: float
    novelty: float
    reason: Reason
    likeliest: str | None = Field(description="The label an unknown would have been forced into.")
    runner_up: str | None
    runner_up_confidence: float
    also: list[str]

    @classmethod
    def of(cls, n: int, verdict: Verdict, kind: str) -> "WindowAnswer":
        """From a verdict."""
        level = verdict.window.level
        top, left, bottom, right = verdict.window.box
        return cls(
            n=n,
            whole=level.index == 0,
            level=level.index,
            top=top,
            left=left,
            bottom=bottom,
            right=right,
            kind=kind,
            label=verdict.label,
            confidence=verdict.confidence,
            novelty=verdict.novelty,
            reason=verdict.reason,
            likeliest=verdict.likeliest,
            runner_up=verdict.runner_up,
            runner_up_confidence=verdict.runner_up_confidence,
            also=list(verdict.also),
        )


class WindowsAnswer(Answer):
    """All windows of an inspection."""

    inspection: str
    windows: list[WindowAnswer]


class NeighbourAnswer(Answer):
    """A known example near a window in the latent space."""

    sample: str = Field(description="Id with which the training data find it.")
    label: str | None = Field(description="null where one window may have several labels.", examples=["Ring"])
    lot: str = Field(description="Lot or flight it is from.", examples=["LOT7"])
    distance: float = Field(ge=0, le=2, description="Between embeddings of length one.")
    picture: str | None = Field(description="Where its picture is; null if the bundle keeps none.")


class WhyAnswer(Answer):
    """Why a window was judged as it was."""

    inspection: str
    window: int
    label: str = Field(description="The class explained.", examples=["Ring"])
    likeliest: str | None
    runner_up: str | None
    margin: float = Field(description="Lead of the likeliest class over the second, 0..1.")
    class_distance: float | None = Field(description="Mean distance to the nearest examples of the class explained.")
    neighbours: list[NeighbourAnswer] = Field(description="Nearest known examples, nearest first.")
    saliency: str = Field(description="Picture: how much each pixel moves the class's score (gradient).")
    attention: str = Field(description="Picture: the region that speaks for the class (Grad-CAM).")


class ComplaintAnswer(Answer):
    """Why something could not be done, in parts; empty ones are left empty."""

    code: str = Field(examples=["truncated"])
    what: str = Field(examples=["file ends early"])
    where: str = Field(examples=["wafer07.001, line 118"])
    expected: str = Field(examples=["EndOfFile;"])
    got: str = Field(examples=["end of file"])
    remedy: str = Field(examples=["send the file again"])

    @classmethod
    def of(cls, code: str | None, complaint: Complaint | None) -> "ComplaintAnswer | None":
        """From an error's parts."""
        if complaint is None:
            return None
        return cls(
            code=code or "error", what=complaint.what, where=complaint.where, expected=complaint.expected,
            got=complaint.got, remedy=complaint.remedy,
        )  # fmt: skip


class JobAnswer(Answer):
    """The way of one file through the service."""

    id: int = Field(examples=[17])
    state: JobState
    file_name: str = Field(examples=["wafer07.001"])
    sha256: str = Field(examples=[_EXAMPLE_ID])
    size_bytes: int
    sender: str = Field(description="Who brought it first.", examples=["tool 9"])
    priority: int = Field(description="Place in the queue, lower goes first: held 0, normal 100, backfill 200.")
    route: str = Field(description="What judges it: an alias, or the digest of a bundle.", examples=["champion"])
    attempts: int
    windows_done: int = Field(description="Progress of the try under way.")
    created_at: datetime
    finished_at: datetime | None
    error: ComplaintAnswer | None = Field(description="Why the last try failed; null if none did.")
    inspections: list[str] = Field(description="Ids of what was found so far.")

    @classmethod
    def of(cls, view: JobSummary) -> "JobAnswer":
        """From the line of the list."""
        return cls(
            id=view.id, state=view.state, file_name=view.file_name, sha256=view.sha256, size_bytes=view.size_bytes,
            sender=view.sender, priority=view.priority, route=view.route,
            attempts=view.attempts, windows_done=view.windows_done, created_at=view.created_at,
            finished_at=view.finished_at, error=ComplaintAnswer.of(view.error_code, view.error),
            inspections=list(view.inspection_ids),
        )  # fmt: skip


class UploadAnswer(Answer):
    """A file that was taken in; `inspections` is filled when the answer was waited for."""

    job: JobAnswer
    known_before: bool = Field(description="True if the same content was taken in before: it is inspected once.")
    inspections: list[InspectionAnswer]


class AlertAnswer(Answer):
    """One trouble, however many captures show it."""

    id: int = Field(examples=[3])
    state: AlertState
    severity: Severity
    title: str = Field(examples=["Ring · P1 · CMP3 · SP5-02"])
    action: str = Field(examples=["Look at the map; if the pattern is real, hold the lot and check the tool."])
    rule: str = Field(examples=["pattern"])
    pattern: str = Field(examples=["Ring"])
    product: str | None
    step: str | None
    tool: str | None
    count: int = Field(examples=[12])
    first_seen: datetime
    last_seen: datetime
    inspection: str | None = Field(description="The inspection that raised it first.")
    job: int | None = Field(description="The job that raised it, where a file could not be inspected.")
    version: int = Field(description="Name it when you change the alert.", examples=[1])
    handled_by: str | None
    handled_at: datetime | None
    assigned_to: str | None
    disposition: Disposition | None = Field(description="Why it was closed.")

    @classmethod
    def of(cls, view: AlertSummary) -> "AlertAnswer":
        """From the line of the list."""
        return cls(
            id=view.id, state=view.state, severity=view.severity, title=view.title, action=view.action, rule=view.rule,
            pattern=view.pattern, product=view.product, step=view.step, tool=view.tool, count=view.count,
            first_seen=view.first_seen, last_seen=view.last_seen, inspection=view.inspection_id, job=view.job_id,
            version=view.version, handled_by=view.handled_by, handled_at=view.handled_at,
            assigned_to=view.assigned_to, disposition=view.disposition,
        )  # fmt: skip


class EventAnswer(Answer):
    """What happened to an alert; `before` is null where it was opened."""

    number: int
    at: datetime
    actor: str
    before: AlertState | None
    after: AlertState
    note: str
    request: str | None = Field(description="Id of the request that did it; null where the service did.")

    @classmethod
    def of(cls, view: AlertEvent) -> "EventAnswer":
        """From a line of the history."""
        return cls(
            number=view.number, at=view.at, actor=view.actor, before=view.before, after=view.after, note=view.note,
            request=view.request,
        )  # fmt: skip


class AlertDetailAnswer(AlertAnswer):
    """An alert with its history and the newest inspections that show it."""

    inspections: list[InspectionAnswer]
    history: list[EventAnswer]

    @classmethod
    def of_detail(cls, view: AlertDetail) -> "AlertDetailAnswer":
        """From the page of an alert."""
        return cls(
            **AlertAnswer.of(view.summary).model_dump(),
            inspections=[InspectionAnswer.of(one) for one in view.occurrences],
            history=[EventAnswer.of(one) for one in view.events],
        )


class CommonalityAnswer(Answer):
    """Something that affected wafers have more often than chance would have it."""

    factor: str = Field(examples=["tool"])
    value: str = Field(examples=["SP5-02"])
    unit: str = Field(description="What was counted: lot or wafer.")
    affected_with: int
    affected: int
    others_with: int
    others: int
    p: float = Field(description="Chance of at least so many by luck.")
    q: float = Field(description="Share of false findings to be expected among those as sure as this one.")


class AlertChange(Asked):
    """A decision about an alert."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": 1, "note": ""}]})

    version: int | None = Field(None, description="The version you saw; or send it as If-Match.")
    note: str = Field("", max_length=2000, description="Why; kept in the history.")
    disposition: Disposition | None = Field(None, strict=False, description="Reason code of a closing decision.")


class Assignment(Asked):
    """Who shall work on an alert."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": 1, "to": "Zoë"}]})

    version: int | None = Field(None, description="The version you saw; or send it as If-Match.")
    to: str = Field(max_length=80)


class Comment(Asked):
    """A note for an alert's history."""

    text: str = Field(min_length=1, max_length=2000, examples=["Chuck 2 looks worn."])
