"""Templates: the 128 numbers that stand for a face. They are biometric data: never logged, deleted on their date."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge.errors import BadInput

Template = npt.NDArray[np.float32]

LENGTH = 128


def check_template(template: object) -> Template:
    """The template as float32 [128]. BadInput (`template_invalid`) for another shape or type, or one not finite."""
    if not isinstance(template, np.ndarray) or template.shape != (LENGTH,) or template.dtype.kind != "f":
        raise BadInput("template_invalid")
    with np.errstate(over="ignore"):
        single: Template = template.astype(np.float32, copy=False)
    if not np.isfinite(single).all():
        raise BadInput("template_invalid")
    return single


def average(templates: Sequence[Template], apart: float) -> Template:
    """The mean of one person's templates. BadInput (`enrol_pictures_differ`) if two of them are `apart` or farther.

    Averaging two people would make a template that both may pass.
    """
    if not templates:
        raise BadInput("template_invalid")
    stack = np.stack([check_template(template) for template in templates])
    for number, template in enumerate(stack[1:], start=1):
        if float(np.linalg.norm(stack[:number] - template, axis=1).max()) >= apart:
            raise BadInput("enrol_pictures_differ")
    return check_template(stack.mean(axis=0))


def to_bytes(template: Template) -> bytes:
    """512 bytes: little-endian float32, as the store keeps it."""
    return check_template(template).astype("<f4").tobytes()


def from_bytes(data: bytes) -> Template:
    """The template that `to_bytes` wrote. BadInput (`template_invalid`) for anything else."""
    if len(data) != 4 * LENGTH:
        raise BadInput("template_invalid")
    return check_template(np.frombuffer(data, "<f4").astype(np.float32))
