"""What the API takes and gives, as models: they check requests, write the OpenAPI document, and shape answers."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

# What the databases keep an id in.
_LARGEST_ID = 2**31 - 1
# Longer than anything a person types; what exactly is wrong is said by the field's own check.
_TYPED_MAX = 200

# No text of ours has a NUL, and PostgreSQL takes none.
_NO_NUL = r"^[^\x00]*$"

Typed = Annotated[str, Field(max_length=_TYPED_MAX, pattern=_NO_NUL)]
Day = Annotated[str, Field(max_length=_TYPED_MAX, json_schema_extra={"format": "date"})]
Code = Annotated[str, Field(max_length=_TYPED_MAX, description="In any spelling: 7K3M9-XQ2AT, 7k3m9xq2at")]
Sealed = Annotated[str, Field(max_length=4_096, description="`identity` of POST /api/identity")]
SlotId = Annotated[int, Field(ge=1, le=_LARGEST_ID)]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class _Body(BaseModel):
    """A request's body: a field nobody knows is an error, and `"1"` is no number."""

    model_config = ConfigDict(extra="forbid", strict=True)


class _Answer(BaseModel):
    """An answer. Nothing in it that the document does not show."""

    model_config = ConfigDict(extra="forbid")


class EligibilityBody(_Body):
    """Of anybody: it proves nothing and is not kept."""

    birth_date: Day


class PersonBody(_Body):
    name: Annotated[str, Field(max_length=_TYPED_MAX)]
    birth_date: Day
    phone: Annotated[str, Field(max_length=_TYPED_MAX)]


class IdentityBody(PersonBody):
    """The visitor, and in `for` the person they book for, if that is somebody else."""

    method: Annotated[str, Field(max_length=40, examples=["carrier", "certificate"])]
    for_: Annotated[PersonBody | None, Field(alias="for")] = None
    consent: Annotated[bool, Field(description="The person agreed that the visitor books for them.")] = False


class HoldBody(_Body):
    identity: Sealed
    slot_id: SlotId


class FindBody(_Body):
    """The two things that prove a booking to be one's own."""

    code: Code
    birth_date: Day


class ChangeBody(FindBody):
    slot_id: SlotId


class WaitlistBody(_Body):
    identity: Sealed
    centre_id: Typed
    day: Annotated[Day, Field(description="In Korea.")]
    vaccine_id: Annotated[Typed | None, Field(description="null: any")] = None


class Centre(_Answer):
    id: str
    region_ko: str
    region_en: str
    name_ko: str
    name_en: str
    address_ko: str
    address_en: str


class Centres(_Answer):
    centres: list[Centre]


class Vaccine(_Answer):
    id: str
    name_ko: str
    name_en: str


class Vaccines(_Answer):
    vaccines: list[Vaccine]


class Slot(_Answer):
    """An appointment time. left: seats nobody has booked or holds, at this moment."""

    id: int
    centre_id: str
    vaccine_id: str
    starts_at: Moment
    left: int


class Slots(_Answer):
    slots: list[Slot]


class Rule(_Answer):
    """The rule an answer rests on. Its cohorts may book from `opens_at` until the instant before `closes_at`."""

    id: str
    version: int
    opens_at: Moment
    closes_at: Moment


class Eligibility(_Answer):
    """opens_at: when this person may book next, if they may not now."""

    kind: Literal["eligible", "not_yet", "paused", "over", "not_eligible"]
    eligible: bool
    calendar_version: int
    cohort: str | None
    rule: Rule | None
    opens_at: Moment | None
    from_: Annotated[Moment | None, Field(alias="from", description="Since when this is the answer.")]
    until: Annotated[Moment | None, Field(description="Until when it will be.")]


class Identity(_Answer):
    """identity: goes with a hold or the waitlist, until `expires_at`. Show nobody: it holds what was typed, sealed."""

    identity: str
    expires_at: Moment
    eligibility: Eligibility
    has_booking: Annotated[bool | None, Field(description="The visitor's own, never somebody else's. null: unknown.")]


class Hold(_Answer):
    """A seat kept until `expires_at`. code: the booking's, once it is confirmed."""

    hold_id: str
    code: str
    expires_at: Moment
    slot: Slot


class Booking(_Answer):
    kind: Literal["booking"] = "booking"
    code: str
    slot: Slot
    name: Annotated[str, Field(description="Masked.")]
    booked_by: Annotated[str | None, Field(description="Masked; null: the person themself.")]
    how: Annotated[str, Field(description="How its maker got in.")]
    number: Annotated[int | None, Field(description="Their queue number; null: none.")]
    cancelled: bool


class Waiting(_Answer):
    """A place on a waitlist: the first seat that comes free on this day is booked for it, under the same code."""

    kind: Literal["waiting"] = "waiting"
    code: str
    centre_id: str
    vaccine_id: str | None
    day: Annotated[str, Field(json_schema_extra={"format": "date"})]
    name: str
    booked_by: str | None
    ahead: int


class Found(RootModel[Annotated[Booking | Waiting, Field(discriminator="kind")]]):
    """What a code stands for."""


class Health(_Answer):
    status: Literal["ok"]
    rules: Annotated[Literal["ok", "old"], Field(description="old: the calendar file is bad; the last good one rules.")]


class FieldProblem(_Answer):
    field: str
    code: str
    detail: str


class Problem(BaseModel):
    """RFC 9457. Act on `code`; `title` and `detail` are for people, in their language."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[FieldProblem] = []
