"""What an act of staff is sent as, and what carries it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from edge.exam.acts import Op
from edge.web.body import Body

OpId = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{8,64}$")]
Reason = Annotated[str, Field(max_length=500)]
Short = Annotated[str | None, Field(max_length=64)]


class Second(Body):
    """Who confirms an act for which the policy wants two people."""

    badge: Annotated[str, Field(min_length=1, max_length=64)]
    pin: Annotated[str, Field(min_length=1, max_length=64)]


class ActBody(Body):
    """What every act may carry. Without an `op_id` the room makes one up: then a repeat is a new act."""

    op_id: OpId | None = None
    reason: Reason = ""
    person: Short = None
    second: Second | None = None
    two_persons: ClassVar[bool] = False
    """Whether the act wants a second person whatever the policy says."""


Handler = Callable[[str, Any, Op], Mapping[str, Any] | None]
"""(session, body of the act's own model, op) -> what the answer says besides"""
Registry = dict[str, tuple[type[ActBody], Handler]]
