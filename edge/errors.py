"""The one exception tree. Each error carries the code of a catalogued reason and the facts of the case.

`str(error)` is Chinese and English, for a terminal; pages ask for one language with `error.sentence(language)`.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge.domain.reasons import LANGUAGES, Words, bare, sentence, words


class ExamroomError(Exception):
    """Something a person can act on. `status` is its HTTP status, `exit_code` that of the command line."""

    status = 400
    exit_code = 1

    def __init__(self, code: str, **facts: object) -> None:
        self.code = code
        self.facts = facts
        super().__init__(code, facts)

    def sentence(self, language: str = "zh") -> str:
        return sentence(self.code, language, **self.facts)

    @property
    def words(self) -> Words:
        """What it says in each language, to stand inside another sentence."""
        return {language: bare(self.sentence(language)) for language in LANGUAGES}

    def __str__(self) -> str:
        return f"{self.sentence('zh')} / {self.sentence('en')}"


class BadInput(ExamroomError):
    """A file, frame, packet, form or option that cannot be what it claims."""

    status = 400
    exit_code = 2


class ConfigError(BadInput):
    """The configuration file or an option is wrong."""

    exit_code = 2


class NotSignedIn(ExamroomError):
    """Nobody, or nobody still, is signed in."""

    status = 401


class Refused(ExamroomError):
    """The rules say no to this person, tablet or act."""

    status = 403


class NotFound(ExamroomError):
    """No such session, person, attempt, segment or page."""

    status = 404
    exit_code = 2


class Conflict(ExamroomError):
    """It would double, overwrite or contradict what is already there."""

    status = 409


class Exists(Conflict):
    """What the caller names to be made is there already: another name, or a wish to replace it, is wanted."""

    exit_code = 2


class TooMany(ExamroomError):
    """Too many tries or too much at once; wait and try again."""

    status = 429


class Unavailable(ExamroomError):
    """A disk, camera, reader, service or network that is needed does not answer now."""

    status = 503


class VerificationFailed(ExamroomError):
    """A signature, hash or proof does not hold."""

    status = 422


class Wrong(ValueError):
    """What a check finds wrong with a value, in catalogued words; whoever knows the file and place makes a sentence of
    it. Models of pydantic's and functions of the domain raise it as the ValueError that it is.
    """

    def __init__(self, code: str, /, **facts: object) -> None:
        self.code, self.facts = code, facts
        super().__init__(self.words["en"])

    @property
    def words(self) -> Words:
        return words(self.code, **self.facts)


class Wrongs(Wrong):
    """Several at once, from a check that looks on: all are `found`, the words are the first's."""

    def __init__(self, found: Sequence[Wrong]) -> None:
        self.found = tuple(found)
        super().__init__(found[0].code, **found[0].facts)
